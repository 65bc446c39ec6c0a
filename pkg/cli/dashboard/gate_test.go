package dashboard

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// request is one to a gate at port 4000, and what has to come of it.
type request struct {
	method, host, path string
	headers            map[string]string
	want               int
}

func (r request) ask(t *testing.T, handler http.Handler) *httptest.ResponseRecorder {
	t.Helper()
	of := httptest.NewRequestWithContext(t.Context(), r.method, "http://"+r.host+r.path, http.NoBody)
	for name, value := range r.headers {
		of.Header.Set(name, value)
	}
	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, of)
	return answer
}

const home = "127.0.0.1:4000"

func TestOnlyThePageGetsIn(t *testing.T) {
	f, _ := newTestFeed(t)
	gate := newGate(4000)
	handler := gate.around(handlers(f, gate))
	token := "Bearer " + gate.token
	for name, r := range map[string]request{
		"the page":                     {"GET", home, "/", nil, 200},
		"by localhost":                 {"GET", "localhost:4000", "/", nil, 200},
		"a link to the page":           {"GET", home, "/", map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}, 200},
		"a file":                       {"GET", home, "/main.js", nil, 200},
		"no such file":                 {"GET", home, "/nosuch.js", nil, 404},
		"a file outside":               {"GET", home, "/%2e%2e/gate.go", nil, 404},
		"the folder":                   {"GET", home, "/static", nil, 404},
		"the state":                    {"GET", home, "/api/state", map[string]string{"Authorization": token, "Sec-Fetch-Site": "same-origin"}, 200},
		"the state, by its origin":     {"GET", home, "/api/state", map[string]string{"Authorization": token, "Origin": "http://" + home}, 200},
		"without a token":              {"GET", home, "/api/state", nil, 401},
		"a wrong token":                {"GET", home, "/api/state", map[string]string{"Authorization": token + "x"}, 401},
		"the token bare":               {"GET", home, "/api/why?pod=a/b", map[string]string{"Cookie": "token=" + gate.token}, 401},
		"the ticket for the token":     {"GET", home, "/api/node?name=a", map[string]string{"Authorization": "Bearer " + gate.ticket}, 401},
		"a name made to lead here":     {"GET", "evil.example.com:4000", "/", nil, 421},
		"another port's name":          {"GET", "127.0.0.1:4001", "/", nil, 421},
		"another origin":               {"GET", home, "/api/state", map[string]string{"Authorization": token, "Origin": "http://127.0.0.1:4001"}, 403},
		"no origin to tell":            {"GET", home, "/api/state", map[string]string{"Authorization": token, "Origin": "null"}, 403},
		"another site's script":        {"GET", home, "/main.js", map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}, 403},
		"another server of this host":  {"GET", home, "/api/state", map[string]string{"Authorization": token, "Sec-Fetch-Site": "same-site"}, 403},
		"a link to what the page asks": {"GET", home, "/api/state", map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}, 403},
		"a POST":                       {"POST", home, "/api/state", map[string]string{"Authorization": token}, 405},
		"OPTIONS":                      {"OPTIONS", home, "/api/state", nil, 405},
	} {
		answer := r.ask(t, handler)
		if answer.Code != r.want {
			t.Errorf("%s: status %d, want %d: %s", name, answer.Code, r.want, answer.Body)
		}
		for header, want := range map[string]string{
			"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
			"Cross-Origin-Resource-Policy": "same-origin", "Content-Security-Policy": contentPolicy,
		} {
			if got := answer.Header().Get(header); got != want {
				t.Errorf("%s: %s is %q, want %q", name, header, got, want)
			}
		}
		if answer.Header().Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: other origins may read it", name)
		}
	}
}

func TestATicketIsGoodForOnce(t *testing.T) {
	f, _ := newTestFeed(t)
	gate := newGate(4000)
	handler := gate.around(handlers(f, gate))
	by := func(ticket string, want int) string {
		t.Helper()
		r := request{method: "GET", host: home, path: "/api/token", headers: map[string]string{"Authorization": "Bearer " + ticket}}
		answer := r.ask(t, handler)
		if answer.Code != want {
			t.Errorf("status %d, want %d: %s", answer.Code, want, answer.Body)
		}
		return answer.Body.String()
	}
	ticket := gate.ticket
	by("", 401)
	by("wrong", 401)
	by(gate.token, 401)
	if body := by(ticket, 200); !strings.Contains(body, gate.token) {
		t.Errorf("the ticket gives %s", body)
	}
	by(ticket, 401)
	by("", 401)
}

// Two gates have nothing in common that one could guess from the other.
func TestTokensAreRandom(t *testing.T) {
	a, b := newGate(1), newGate(1)
	secrets := map[string]bool{a.token: true, b.token: true, a.ticket: true, b.ticket: true}
	for secret := range secrets {
		if len(secret) < 26 { // of 5 bits each: 128 and more
			t.Errorf("%q is too short", secret)
		}
	}
	if len(secrets) != 4 {
		t.Errorf("%v", secrets)
	}
	if !strings.HasPrefix(a.url(), "http://127.0.0.1:1/#token=") || !strings.HasPrefix(a.ticketURL(), "http://127.0.0.1:1/#ticket=") {
		t.Errorf("the secret of %s or %s is not in the fragment", a.url(), a.ticketURL())
	}
}
