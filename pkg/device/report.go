package device

import (
	"cmp"
	"slices"

	v1 "k8s.io/api/core/v1"
	"k8s.io/component-base/metrics"
	"k8s.io/klog/v2"
)

// Metrics show what resources are taken for, in all profiles.
type Metrics struct {
	resources *metrics.GaugeVec
}

// maxShown bounds the resources that have a gauge in a profile.
const maxShown = 100

// NewMetrics returns metrics that are not registered yet.
func NewMetrics() *Metrics {
	return &Metrics{resources: metrics.NewGaugeVec(&metrics.GaugeOpts{
		Namespace: "plimsoll", Name: "device_resources", StabilityLevel: metrics.ALPHA,
		Help: "Nodes that have an extended resource, by profile, resource and what it is taken for: device, counter or excluded. At most 100 resources a profile, devices first.",
	}, []string{"profile", "resource", "verdict"})}
}

// All returns the metrics, to be registered.
func (m *Metrics) All() []metrics.Registerable { return []metrics.Registerable{m.resources} }

// Reporter tells operators what the resources of a profile are taken for: in the
// log once, when that is new, and by gauges.
type Reporter struct {
	logger   klog.Logger
	metrics  *Metrics
	profile  string
	verdicts map[v1.ResourceName]Verdict
	shown    map[gauge]int
}

// gauge has the labels of one beside the profile.
type gauge struct {
	resource v1.ResourceName
	verdict  Verdict
}

// NewReporter returns a reporter that has told nothing yet.
func NewReporter(logger klog.Logger, metrics *Metrics, profile string) *Reporter {
	return &Reporter{logger: logger, metrics: metrics, profile: profile, verdicts: map[v1.ResourceName]Verdict{}}
}

// report tells of the resources that there are now. It is called by one goroutine
// at a time.
func (r *Reporter) report(resources []judged) {
	verdicts := make(map[v1.ResourceName]Verdict, len(resources))
	for i := range resources {
		j := &resources[i]
		if verdicts[j.name] = j.verdict; r.verdicts[j.name] != j.verdict {
			told := j.resource()
			r.logger.Info("Extended resource judged", "profile", r.profile, "resource", told.Name, "verdict", told.Verdict,
				"reason", told.Reason, "nodes", told.Nodes, "most", told.Most, "before", r.verdicts[j.name])
		}
	}
	r.verdicts = verdicts
	r.show(gaugesOf(resources))
}

// gaugesOf returns the values of the gauges.
func gaugesOf(resources []judged) map[gauge]int {
	if len(resources) > maxShown {
		resources = slices.Clone(resources)
		slices.SortStableFunc(resources, func(a, b judged) int { return cmp.Compare(a.verdict.rank(), b.verdict.rank()) })
		resources = resources[:maxShown]
	}
	gauges := make(map[gauge]int, len(resources))
	for i := range resources {
		gauges[gauge{resources[i].name, resources[i].verdict}] = resources[i].nodes
	}
	return gauges
}

func (v Verdict) rank() int { return slices.Index([]Verdict{Device, Counter, Excluded}, v) }

// show sets the gauges that have changed, and drops those of what is gone.
func (r *Reporter) show(gauges map[gauge]int) {
	for g := range r.shown {
		if _, ok := gauges[g]; !ok {
			r.metrics.resources.Delete(map[string]string{"profile": r.profile, "resource": string(g.resource), "verdict": string(g.verdict)})
		}
	}
	for g, nodes := range gauges {
		if before, ok := r.shown[g]; !ok || before != nodes {
			r.metrics.resources.WithLabelValues(r.profile, string(g.resource), string(g.verdict)).Set(float64(nodes))
		}
	}
	r.shown = gauges
}
