package chart

import (
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"sigs.k8s.io/yaml"
)

// The Prometheus operator's types know each field of its objects. (Its CRDs are not on
// the control plane of the tests.)
func TestMonitoringObjects(t *testing.T) {
	made := render(t, settings["everything"])
	for k, into := range map[string]any{
		"ServiceMonitor line": &monitoringv1.ServiceMonitor{},
		"PrometheusRule line": &monitoringv1.PrometheusRule{},
	} {
		object := made.get(t, k)
		if err := yaml.UnmarshalStrict([]byte(text(t, object.Object)), into); err != nil {
			t.Errorf("%s: %v", k, err)
		}
		if into, ok := into.(*monitoringv1.ServiceMonitor); ok {
			// The Service that it looks for is there, with the port of that name.
			service := made.get(t, "Service line")
			if !matches(at(object, "spec|selector|matchLabels"), at(service, "metadata|labels")) {
				t.Error("the ServiceMonitor does not find the Service")
			}
			if port := at(service, "spec|ports|0|name"); into.Spec.Endpoints[0].Port != port {
				t.Errorf("the ServiceMonitor goes to port %q, and the Service has %v", into.Spec.Endpoints[0].Port, port)
			}
		}
	}
}
