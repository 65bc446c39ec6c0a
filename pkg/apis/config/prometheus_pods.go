package config

import (
	"strings"

	"github.com/prometheus/common/model"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Placeholders in the expressions of Prometheus.PodQueries, beside WindowPlaceholder.
const (
	// NamespaceLabelPlaceholder and PodLabelPlaceholder stand for
	// Prometheus.NamespaceLabel and Prometheus.PodLabel.
	NamespaceLabelPlaceholder = "$namespaceLabel"
	PodLabelPlaceholder       = "$podLabel"
	// PodsPlaceholder stands for a regular expression that matches the names of
	// the pods that are asked for. It goes between the quotes of a matcher (=~).
	PodsPlaceholder = "$pods"
)

const (
	defaultNamespaceLabel = "namespace"
	defaultPodLabel       = "pod"
)

// The default expressions, for the kubelet's cAdvisor: the mean of the cores and
// bytes in use over the window, of a pod's containers together.
//
// cAdvisor has series for the pod as a whole (without a container) and for its
// sandbox (POD), which would count twice.
//
// Of the series of one container the largest counts: a container that was
// restarted has two until the window is past, and one that two jobs scrape has
// two always. A rate is too low until the whole window has been scraped, as
// after the start of a container or of Prometheus. For a pod that is the safe
// side: what it is not seen to use counts by its estimate.
const (
	defaultPodCPUQuery    = defaultPodSum + `rate(container_cpu_usage_seconds_total` + defaultContainers + `)))`
	defaultPodMemoryQuery = defaultPodSum + `avg_over_time(container_memory_working_set_bytes` + defaultContainers + `)))`
	defaultPodSum         = `sum by (` + NamespaceLabelPlaceholder + `, ` + PodLabelPlaceholder + `) (` +
		`max by (` + NamespaceLabelPlaceholder + `, ` + PodLabelPlaceholder + `, container) (`
	defaultContainers = `{` + PodLabelPlaceholder + `=~"` + PodsPlaceholder + `", container!~"|POD"}[` + WindowPlaceholder + `]`
)

// PodExpression returns the expression for the resource, placeholders replaced;
// names is a regular expression that matches the names of the pods to ask for.
func (p *Prometheus) PodExpression(resource, names string) string {
	expression, given := p.PodQueries[resource]
	if !given {
		expression = map[string]string{CPU: defaultPodCPUQuery, Memory: defaultPodMemoryQuery}[resource]
	}
	return strings.NewReplacer(
		WindowPlaceholder, model.Duration(p.Window).String(),
		NamespaceLabelPlaceholder, p.NamespaceLabel,
		PodLabelPlaceholder, p.PodLabel,
		PodsPlaceholder, names,
	).Replace(expression)
}

// validatePods returns every value for pods that is out of range, or that has no
// effect because pods are not read from here.
func (p *Prometheus) validatePods(fld *field.Path) field.ErrorList {
	errs := byResource(fld.Child("podQueries"), p.PodQueries, notEmpty)
	for _, l := range []struct{ name, value, byDefault string }{
		{"namespaceLabel", p.NamespaceLabel, defaultNamespaceLabel},
		{"podLabel", p.PodLabel, defaultPodLabel},
	} {
		if p.PodQueries == nil && l.value != l.byDefault {
			errs = append(errs, field.Forbidden(fld.Child(l.name), "is for podQueries; without them pods are read from metrics-server. podQueries: {} asks with the default expressions"))
			continue
		}
		errs = append(errs, label(fld.Child(l.name), l.value)...)
	}
	if p.NamespaceLabel == p.PodLabel {
		errs = append(errs, field.Invalid(fld.Child("podLabel"), p.PodLabel, "must be another label than namespaceLabel"))
	}
	return errs
}
