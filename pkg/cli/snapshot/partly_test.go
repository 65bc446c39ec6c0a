package snapshot

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
	metricsfake "k8s.io/metrics/pkg/client/clientset/versioned/fake"
)

// A Prometheus that answers partly is an error, and nothing is written: neither beside the
// directory, nor over an older snapshot.
func TestPrometheusThatAnswersPartly(t *testing.T) {
	const nothing = `{"status":"success","data":{"resultType":"matrix","result":[]}}`
	for name, test := range map[string]struct {
		// answer to expressions of use; what tells of pods that are gone has none.
		answer, want string
	}{
		"a store is away": {`{"status":"success","warnings":["store 2 is away"],"data":{"resultType":"matrix","result":[]}}`, "may lack a part, for it has warnings: store 2 is away"},
		"it has no use":   {nothing, "it must scrape the kubelets' /metrics/cadvisor or /metrics/resource"},
		"it breaks off":   {`{"status":"success","data":{"resu`, "the answer is not one of Prometheus' API"},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			if strings.Contains(r.FormValue("query"), "kube_pod") {
				fmt.Fprint(w, nothing)
				return
			}
			fmt.Fprint(w, test.answer)
		}))
		kube := fake.NewClientset(
			&v1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n"}},
			&v1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "p"}, Spec: v1.PodSpec{NodeName: "n"}, Status: v1.PodStatus{Phase: v1.PodRunning}},
		)
		o := &options{since: time.Hour, step: time.Minute, nodeLabel: "node", force: true}
		o.prometheus.Address = server.URL
		var out, warned bytes.Buffer
		taker := &taker{options: o, client: kube, metrics: metricsfake.NewSimpleClientset(), out: &out, warn: &warned, now: time.Now}
		older := filepath.Join(t.TempDir(), "snapshot")
		if err := os.Mkdir(older, 0o700); err != nil {
			t.Fatal(err)
		}
		fill(t, older, "older", nodesFile, podsFile)
		for _, dir := range []string{filepath.Join(t.TempDir(), "snapshot"), older} {
			err := taker.run(t.Context(), dir)
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "nothing is written") {
				t.Errorf("%s: the error is %v, want %q in it", name, err, test.want)
			}
			if entries, _ := os.ReadDir(filepath.Dir(dir)); dir != older && len(entries) != 0 {
				t.Errorf("%s: %v was written", name, entries)
			}
		}
		if content, err := os.ReadFile(filepath.Join(older, nodesFile)); err != nil || string(content) != "older" {
			t.Errorf("%s: the older snapshot is %q, %v", name, content, err)
		}
		server.Close()
	}
}
