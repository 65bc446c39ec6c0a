package dashboard

import (
	"embed"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strings"

	"github.com/plimsoll-scheduler/plimsoll/pkg/cli/why"
	"github.com/plimsoll-scheduler/plimsoll/pkg/status"
)

//go:embed static
var static embed.FS

// contentTypes are those of the page's files, whatever this machine takes them for.
var contentTypes = map[string]string{
	".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml",
}

// minSearch is how many characters a search takes at the least.
const minSearch = 2

// Why is the answer to why a pod is where it is.
type Why struct {
	// Lines tell it in sentences; the rest has the numbers.
	Lines []string `json:"lines"`
	*why.Answer
}

// handlers serves the page and what it asks for.
func handlers(feed *feed, gate *gate) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/", file)
	mux.HandleFunc("/api/token", gate.exchange)
	api := func(path string, get func(r *http.Request) (any, error)) {
		mux.HandleFunc(path, gate.guarded(func(w http.ResponseWriter, r *http.Request) {
			body, err := get(r)
			if err != nil {
				refuse(w, codeOf(err), err.Error())
				return
			}
			status.Answer(w, http.StatusOK, body)
		}))
	}
	api("/api/state", func(r *http.Request) (any, error) { return feed.state(r.FormValue("profile")) })
	api("/api/node", func(r *http.Request) (any, error) {
		if r.FormValue("name") == "" {
			return nil, badRequest("name: must be the name of a node")
		}
		return feed.podsOn(r.FormValue("name"), r.FormValue("profile"))
	})
	api("/api/find", func(r *http.Request) (any, error) {
		text := strings.TrimSpace(r.FormValue("text"))
		if len(text) < minSearch {
			return nil, badRequest(fmt.Sprintf("text %q: must have at least %d characters", text, minSearch))
		}
		return feed.find(text)
	})
	api("/api/why", func(r *http.Request) (any, error) {
		namespace, name, ok := strings.Cut(r.FormValue("pod"), "/")
		if !ok || namespace == "" || name == "" {
			return nil, badRequest(fmt.Sprintf("pod %q: must be NAMESPACE/NAME", r.FormValue("pod")))
		}
		found, err := feed.why(namespace, name)
		if err != nil {
			return nil, err
		}
		return Why{found.Lines(), found}, nil
	})
	return mux
}

// file serves a file of the page.
func file(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(r.URL.Path, "/")
	if name == "" {
		name = "index.html"
	}
	content, err := fs.ReadFile(static, "static/"+name)
	if err != nil {
		refuse(w, http.StatusNotFound, "there is no "+r.URL.Path)
		return
	}
	w.Header().Set("Content-Type", contentTypes[path.Ext(name)])
	_, _ = w.Write(content) // whoever asked is gone
}

// badRequest is an error of who asks.
type badRequest string

func (b badRequest) Error() string { return string(b) }

// refuse answers with what is wrong.
func refuse(w http.ResponseWriter, code int, wrong string) {
	status.Answer(w, code, status.Failure{Error: wrong})
}
