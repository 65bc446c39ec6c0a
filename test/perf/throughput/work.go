package throughput

import (
	"runtime/metrics"

	dto "github.com/prometheus/client_model/go"
	"k8s.io/component-base/metrics/legacyregistry"
	_ "k8s.io/component-base/metrics/prometheus/restclient" // counts the requests of all clients
)

// Work is what the process has done: the part of the cost of a run that depends on no
// machine. API server and clients are in it.
type Work struct {
	// Filtered is how many nodes were looked at, by any Filter plugin.
	Filtered float64 `json:"filtered"`
	// Requests is how many requests were made to the API server, by all clients.
	Requests float64 `json:"requests"`
	// AllocatedBytes is how much memory was allocated.
	AllocatedBytes float64 `json:"allocatedBytes"`
}

// workDone returns what was done since the process started.
func workDone() (w Work, err error) {
	families, err := legacyregistry.DefaultGatherer.Gather()
	if err != nil {
		return w, err
	}
	for _, family := range families {
		switch family.GetName() {
		case "scheduler_plugin_evaluation_total":
			// The plugins run one after the other: the first looks at each node.
			for _, m := range family.GetMetric() {
				if isOfFilter(m) {
					w.Filtered = max(w.Filtered, m.GetCounter().GetValue())
				}
			}
		case "rest_client_requests_total":
			for _, m := range family.GetMetric() {
				w.Requests += m.GetCounter().GetValue()
			}
		}
	}
	allocated := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(allocated)
	w.AllocatedBytes = float64(allocated[0].Value.Uint64())
	return w, nil
}

func isOfFilter(m *dto.Metric) bool {
	for _, label := range m.GetLabel() {
		if label.GetName() == "extension_point" {
			return label.GetValue() == "Filter"
		}
	}
	return false
}

// since returns what was done since before.
func (w Work) since(before Work) Work {
	return Work{w.Filtered - before.Filtered, w.Requests - before.Requests, w.AllocatedBytes - before.AllocatedBytes}
}
