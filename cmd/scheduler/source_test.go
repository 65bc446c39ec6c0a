package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/client-go/rest"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/apis/config"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load"
)

// metricsAPI serves nodes and pods as metrics-server does, all with this use of CPU.
func metricsAPI(cpu string) http.HandlerFunc {
	const item = `"timestamp": "2026-01-01T00:00:00Z", "window": "15s"`
	usage := `"usage": {"cpu": "` + cpu + `", "memory": "1Gi"}`
	pod := `{"kind": "PodMetrics", "apiVersion": "metrics.k8s.io/v1beta1", "metadata": {"namespace": "default", "name": "p"}, ` + item +
		`, "containers": [{"name": "c", ` + usage + `}]}`
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch strings.TrimPrefix(r.URL.Path, "/apis/metrics.k8s.io/v1beta1/") {
		case "nodes":
			fmt.Fprint(w, `{"kind": "NodeMetricsList", "apiVersion": "metrics.k8s.io/v1beta1", "items": [{"metadata": {"name": "n"}, `+item+`, `+usage+`}]}`)
		case "pods":
			fmt.Fprint(w, `{"kind": "PodMetricsList", "apiVersion": "metrics.k8s.io/v1beta1", "items": [`+pod+`]}`)
		case "namespaces/default/pods/p":
			fmt.Fprint(w, pod)
		default:
			http.NotFound(w, r)
		}
	}
}

// prometheusAPI answers each query for nodes with one node, and each for pods
// with one pod, all with this value.
func prometheusAPI(value string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		labels := `{"nodename": "n"}`
		if strings.Contains(r.FormValue("query"), "container_") {
			labels = `{"namespace": "default", "pod": "p"}`
		}
		fmt.Fprintf(w, `{"status": "success", "data": {"resultType": "vector", "result": [{"metric": %s, "value": [1700000000, %q]}]}}`, labels, value)
	}
}

// Whatever nodes are read from, pods are read, too.
func TestSources(t *testing.T) {
	for name, test := range map[string]struct {
		source      string // ADDRESS is Prometheus'
		api         http.HandlerFunc
		nodes, pods float64 // cores
		podError    string
	}{
		"metrics-server": {source: `{}`, api: metricsAPI("3"), nodes: 3, pods: 3},
		"nodes from Prometheus, pods from metrics-server": {
			source: `{"type": "Prometheus", "prometheus": {"address": "ADDRESS"}}`, api: metricsAPI("3"), nodes: 5, pods: 3,
		},
		"both from Prometheus": {
			source: `{"type": "Prometheus", "prometheus": {"address": "ADDRESS", "podQueries": {}}}`, api: http.NotFound, nodes: 5, pods: 5,
		},
		"Prometheus, and no metrics-server beside it": {
			source: `{"type": "Prometheus", "prometheus": {"address": "ADDRESS"}}`, api: http.NotFound, nodes: 5,
			podError: "metrics-server may be missing",
		},
	} {
		t.Run(name, func(t *testing.T) {
			api, prometheus := httptest.NewServer(test.api), httptest.NewServer(prometheusAPI("5"))
			t.Cleanup(api.Close)
			t.Cleanup(prometheus.Close)
			args, errs := config.DecodeNodeLoad(&runtime.Unknown{
				Raw: []byte(`{"source": ` + strings.ReplaceAll(test.source, "ADDRESS", prometheus.URL) + `}`),
			}, field.NewPath("args"))
			if len(errs) > 0 {
				t.Fatal(errs.ToAggregate())
			}
			source, _, err := newSource(args, &rest.Config{Host: api.URL})
			if err != nil {
				t.Fatal(err)
			}
			if readings, err := source.Poll(t.Context()); err != nil || len(readings) != 1 || readings[0].Node != "n" || readings[0].Usage[amount.CPU] != test.nodes {
				t.Errorf("nodes: %+v, %v, want %v cores", readings, err, test.nodes)
			}
			polled, pollErr := source.(load.PodSource).PollPods(t.Context(), []types.NamespacedName{{Namespace: "default", Name: "p"}})
			listed, listErr := source.(load.PodLister).ListPods(t.Context())
			if test.podError != "" {
				if pollErr == nil || !strings.Contains(pollErr.Error(), test.podError) ||
					listErr == nil || !strings.Contains(listErr.Error(), test.podError) {
					t.Errorf("pods: errors %v and %v, want %q", pollErr, listErr, test.podError)
				}
				return
			}
			for _, pods := range [][]load.PodReading{polled, listed} {
				if len(pods) != 1 || pods[0].Pod.String() != "default/p" || pods[0].Usage[amount.CPU] != test.pods {
					t.Errorf("pods: %+v, %v, %v, want %v cores", pods, pollErr, listErr, test.pods)
				}
			}
		})
	}
}
