package dashboard

import (
	"errors"
	"strings"
	"testing"
)

func TestErrorsSayWhatIsWrong(t *testing.T) {
	f, b := newTestFeed(t)
	gate := newGate(4000)
	handler := gate.around(handlers(f, gate))
	ask := func(path string, code int, text string) {
		t.Helper()
		r := request{method: "GET", host: home, path: path, headers: map[string]string{"Authorization": "Bearer " + gate.token}}
		answer := r.ask(t, handler)
		if answer.Code != code || !strings.Contains(answer.Body.String(), text) {
			t.Errorf("%s: status %d, %s, want %d with %q", path, answer.Code, answer.Body, code, text)
		}
	}
	ask("/api/state?profile=nosuch", 404, `profile \"nosuch\"`)
	ask("/api/node", 400, "must be the name of a node")
	ask("/api/find?text=a", 400, "at least 2 characters")
	ask("/api/why?pod=a", 400, "must be NAMESPACE/NAME")
	ask("/api/why?pod=/a", 400, "must be NAMESPACE/NAME")
	ask("/api/why?pod=a/nosuch", 404, "there is no pod nosuch in the namespace a")
	ask("/api/node?name=a", 200, "runs")
	b.leader().err = errors.New("the scheduler (first) does not know you")
	ask("/api/node?name=a", 502, "does not know you")
}
