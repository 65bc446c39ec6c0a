package explain

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// Path is where decisions are served: all in short, or with ?pod=NAMESPACE/NAME
// one in full.
const Path = "/plimsoll/decisions"

// ServeHTTP serves decisions as JSON, read-only. Who may read them is for the
// handlers around it to say.
func (l *Log) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		answer(w, http.StatusMethodNotAllowed, failure{"decisions can only be read: use GET"})
		return
	}
	query := r.URL.Query()
	for name := range query {
		if name != "pod" {
			answer(w, http.StatusBadRequest, failure{fmt.Sprintf("unknown parameter %q: the only one is pod=NAMESPACE/NAME", name)})
			return
		}
	}
	if !query.Has("pod") {
		l.serveAll(w)
		return
	}
	pod := query.Get("pod")
	if namespace, name, ok := strings.Cut(pod, "/"); !ok || namespace == "" || name == "" || strings.Contains(name, "/") {
		answer(w, http.StatusBadRequest, failure{fmt.Sprintf("pod %q: must be NAMESPACE/NAME", pod)})
		return
	}
	decision := l.Get(pod)
	if decision == nil {
		answer(w, http.StatusNotFound, failure{fmt.Sprintf(
			"no decision on pod %s: this replica has the last %d of at most %v on pods of Plimsoll's profiles, and only the leader makes any", pod, maxDecisions, maxAge)})
		return
	}
	answer(w, http.StatusOK, decision)
}

func (l *Log) serveAll(w http.ResponseWriter) {
	decisions, dropped := l.All()
	list := struct {
		Decisions []Summary `json:"decisions"`
		Dropped   uint64    `json:"dropped"`
	}{make([]Summary, 0, len(decisions)), dropped}
	for _, d := range decisions {
		list.Decisions = append(list.Decisions, d.Summary)
	}
	answer(w, http.StatusOK, list)
}

type failure struct {
	Error string `json:"error"`
}

func answer(w http.ResponseWriter, code int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	_ = encoder.Encode(body) // whoever asked is gone
}
