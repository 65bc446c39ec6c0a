package throughput

import (
	"testing"

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
	after, err := workDone()
	if err != nil {
		t.Fatal(err)
	}
	got := after.since(before)
	if got.Filtered != 10 || got.Requests != 0 || got.AllocatedBytes < 1<<20 {
		t.Errorf("%+v, want 10 nodes, no requests and 1 MiB or more", got)
	}
}
