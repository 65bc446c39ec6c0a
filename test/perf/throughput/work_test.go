package throughput

import (
	"net/http"
	"net/http/httptest"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/kubernetes/pkg/scheduler/metrics"
)

var sink []byte

func TestWorkIsCounted(t *testing.T) {
	metrics.Register()
	evaluated := func(plugin, point string, times float64) {
		metrics.PluginEvaluationTotal.WithLabelValues(plugin, point, "p").Add(times)
	}
	before, err := workDone()
	if err != nil {
		t.Fatal(err)
	}
	evaluated("First", metrics.Filter, 10)
	evaluated("Second", metrics.Filter, 7) // the first has rejected three
	evaluated("Third", metrics.Score, 20)
	sink = make([]byte, 1<<20)
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	client, err := kubernetes.NewForConfig(&rest.Config{Host: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.CoreV1().Pods("default").Get(t.Context(), "none", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Fatalf("the error is %v", err)
	}
	after, err := workDone()
	if err != nil {
		t.Fatal(err)
	}
	got := after.since(before)
	if got.Filtered != 10 || got.Requests != 1 || got.AllocatedBytes < 1<<20 {
		t.Errorf("%+v, want 10 nodes, one request and 1 MiB or more", got)
	}
}
