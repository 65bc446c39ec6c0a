package dashboard

import (
	"crypto/rand"
	"crypto/subtle"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/plimsoll-scheduler/plimsoll/pkg/status"
)

// gate keeps out all but the page itself, for who has the token.
//
// The token is in the URL's fragment, which browsers send nowhere; the page sends it in a
// header. It is no cookie: those of a host are sent to all of its ports, so to servers of
// other users of this machine. The page's own files need no token: there is nothing in
// them but the program.
type gate struct {
	port  int
	token string

	mu sync.Mutex
	// ticket is good for the token once: it is for the command that opens the browser,
	// which other users can see in the list of processes. Empty once it was used.
	ticket string
}

// newGate returns a gate for a port, with a token of 128 random bits or more.
func newGate(port int) *gate { return &gate{port: port, token: rand.Text(), ticket: rand.Text()} }

func (g *gate) origin() string    { return fmt.Sprintf("http://127.0.0.1:%d", g.port) }
func (g *gate) url() string       { return g.origin() + "/#token=" + g.token }
func (g *gate) ticketURL() string { return g.origin() + "/#ticket=" + g.ticket }

// contentPolicy has the page load nothing but its own files, run no scripts but those, be
// in no frame, and make no HTML of texts.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// around lets pass to next what comes from the page itself.
func (g *gate) around(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for name, value := range map[string]string{
			"Content-Security-Policy": contentPolicy, "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
			"Referrer-Policy": "no-referrer", "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin",
		} {
			w.Header().Set(name, value)
		}
		if code, wrong := g.wrong(r); code != 0 {
			if code == http.StatusMethodNotAllowed {
				w.Header().Set("Allow", http.MethodGet)
			}
			refuse(w, code, wrong)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// wrong says what is wrong with where a request comes from; 0 if nothing is.
func (g *gate) wrong(r *http.Request) (code int, text string) {
	hosts := []string{fmt.Sprintf("127.0.0.1:%d", g.port), fmt.Sprintf("localhost:%d", g.port)}
	origin, site := r.Header.Get("Origin"), r.Header.Get("Sec-Fetch-Site")
	switch {
	case !slices.Contains(hosts, r.Host): // a foreign name that was made to lead here
		return http.StatusMisdirectedRequest, fmt.Sprintf("the host %q: must be %s", r.Host, hosts[0])
	case origin != "" && origin != "http://"+r.Host:
		return http.StatusForbidden, fmt.Sprintf("the origin %q: must be the page's own, %s", origin, g.origin())
	case site != "" && site != "same-origin" && site != "none":
		// A link from elsewhere may open the page; it tells nothing without the token.
		if r.URL.Path != "/" || r.Header.Get("Sec-Fetch-Mode") != "navigate" {
			return http.StatusForbidden, "a request of another site: only the page itself may ask"
		}
	}
	if r.Method != http.MethodGet {
		return http.StatusMethodNotAllowed, "this can only be read: use GET"
	}
	return 0, ""
}

// guarded lets pass to next what has the token.
func (g *gate) guarded(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !same(bearer(r), g.token) {
			refuse(w, http.StatusUnauthorized, "the token is missing or wrong: open the URL that kubectl plimsoll dashboard has printed")
			return
		}
		next(w, r)
	}
}

// exchange answers the ticket with the token, once.
func (g *gate) exchange(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ticket == "" || !same(bearer(r), g.ticket) {
		refuse(w, http.StatusUnauthorized, "this URL was good for once: open the one that kubectl plimsoll dashboard has printed")
		return
	}
	g.ticket = ""
	status.Answer(w, http.StatusOK, map[string]string{"token": g.token})
}

func bearer(r *http.Request) string {
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	return token
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
