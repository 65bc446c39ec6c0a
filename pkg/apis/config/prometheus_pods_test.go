package config

import (
	"os"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// decodePrometheus returns the arguments of a Prometheus source with these fields.
func decodePrometheus(t *testing.T, fields string) *Prometheus {
	t.Helper()
	args, errs := DecodeNodeLoad(raw(`{"source": {"type": "Prometheus", "prometheus": {"address": "http://p:9090"`+fields+`}}}`), field.NewPath("args"))
	if len(errs) > 0 {
		t.Fatal(errs.ToAggregate())
	}
	return args.Source.Prometheus
}

func TestPodsAreReadFromPrometheusIfThereAreQueries(t *testing.T) {
	for fields, want := range map[string]bool{
		``:                                   false,
		`, "podQueries": null`:               false,
		`, "podQueries": {}`:                 true,
		`, "podQueries": {"cpu": "pod_cpu"}`: true,
	} {
		if got := decodePrometheus(t, fields).PodQueries != nil; got != want {
			t.Errorf("%s: %v, want %v", fields, got, want)
		}
	}
}

func TestPodExpressions(t *testing.T) {
	const names = "a[.]b|c"
	byDefault := decodePrometheus(t, `, "podQueries": {}`)
	if got, want := byDefault.PodExpression(CPU, names), `sum by (namespace, pod) (max by (namespace, pod, container) (`+
		`rate(container_cpu_usage_seconds_total{pod=~"a[.]b|c", container!~"|POD"}[1m])))`; got != want {
		t.Errorf("the default for CPU: %s, want %s", got, want)
	}
	if got, want := byDefault.PodExpression(Memory, ".+"), `sum by (namespace, pod) (max by (namespace, pod, container) (`+
		`avg_over_time(container_memory_working_set_bytes{pod=~".+", container!~"|POD"}[1m])))`; got != want {
		t.Errorf("the default for memory: %s, want %s", got, want)
	}
	own := decodePrometheus(t, `, "window": "90s", "namespaceLabel": "ns", "podLabel": "pod_name",
		"podQueries": {"memory": "sum by ($namespaceLabel, $podLabel) (used{pod_name=~\"$pods\", w=\"$window\"})"}`)
	if got, want := own.PodExpression(Memory, names), `sum by (ns, pod_name) (used{pod_name=~"a[.]b|c", w="1m30s"})`; got != want {
		t.Errorf("an expression of the user's: %s, want %s", got, want)
	}
	if got, want := own.PodExpression(CPU, names), `sum by (ns, pod_name) (max by (ns, pod_name, container) (`+
		`rate(container_cpu_usage_seconds_total{pod_name=~"a[.]b|c", container!~"|POD"}[1m30s])))`; got != want {
		t.Errorf("the default beside it: %s, want %s", got, want)
	}
}

// What users are shown as the defaults are the defaults.
func TestPodExpressionsAreDocumented(t *testing.T) {
	bare := func(text string) string { return strings.NewReplacer(" ", "", "\n", "", "#", "").Replace(text) }
	for _, file := range []string{"../../../docs/prometheus.md", "../../../config/prometheus.yaml"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, expression := range []string{defaultPodCPUQuery, defaultPodMemoryQuery} {
			if !strings.Contains(bare(string(text)), bare(expression)) {
				t.Errorf("%s does not have %s", file, expression)
			}
		}
	}
}
