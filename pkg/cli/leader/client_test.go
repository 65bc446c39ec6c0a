package leader

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"k8s.io/client-go/rest"

	"github.com/plimsoll-scheduler/plimsoll/pkg/status"
)

// A scheduler of another version, or what is none, is told by its answers.
func TestAnswersOfOthers(t *testing.T) {
	for name, test := range map[string]struct {
		code int
		body string
		want string
		is   error
	}{
		"one that is older":             {http.StatusNotFound, "404 page not found\n", "has no " + status.NodesPath + ": it is older than this command", nil},
		"one that answers otherwise":    {http.StatusOK, `{"nodes": 3}`, "is it of another version than this command?", nil},
		"what is none":                  {http.StatusOK, "<html>", "cannot be read", nil},
		"one that does not know it":     {http.StatusNotFound, `{"error": "there is no x"}`, "there is no x", ErrNotFound},
		"one that fails":                {http.StatusInternalServerError, `{"error": "cannot"}`, "says to " + status.NodesPath + ": cannot", nil},
		"one that does not know us":     {http.StatusUnauthorized, "", "does not know you", nil},
		"one that we have no right for": {http.StatusForbidden, "", `nonResourceURLs: ["/plimsoll/*"]`, nil},
		"one behind something":          {http.StatusBadGateway, "", "502", nil},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(test.code)
			_, _ = w.Write([]byte(test.body))
		}))
		c := &Client{base: server.URL, http: server.Client(), config: &rest.Config{}, Name: "s"}
		err := c.Get(t.Context(), status.NodesPath, nil, &status.Nodes{})
		server.Close()
		if err == nil || !strings.Contains(err.Error(), test.want) || test.is != nil && !errors.Is(err, test.is) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
	// What is newer may say more.
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"version": "v99", "new": 1, "nodes": [{"name": "n", "newer": {}}]}`))
	}))
	defer server.Close()
	nodes := status.Nodes{}
	c := &Client{base: server.URL, http: server.Client(), config: &rest.Config{}, Name: "s"}
	if err := c.Get(t.Context(), status.NodesPath, nil, &nodes); err != nil || len(nodes.Nodes) != 1 || nodes.Version != "v99" {
		t.Errorf("%v: %+v", err, nodes)
	}
}
