package nodeload

import (
	"k8s.io/component-base/metrics"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load"
	"github.com/plimsoll-scheduler/plimsoll/pkg/waiting"
)

// Metrics count what NodeLoad does. The profiles of a process share them.
type Metrics struct {
	rejections *metrics.CounterVec
	overLine   *metrics.GaugeVec
	waiting    *waiting.Metrics
}

// NewMetrics returns metrics that count nothing until they are registered.
func NewMetrics() *Metrics {
	const namespace = "plimsoll"
	return &Metrics{
		rejections: metrics.NewCounterVec(&metrics.CounterOpts{
			Namespace: namespace, Name: "rejections_total",
			Help:           "Scheduling attempts that failed with at least one node rejected by NodeLoad, by profile and reason: cpu, memory or stale.",
			StabilityLevel: metrics.ALPHA,
		}, []string{"profile", "reason"}),
		waiting: waiting.NewMetrics(
			waiting.Opts{Name: "requeued_pods_total", Help: "Pods put back into the queue because a node that had rejected them could take them now, by profile."},
			waiting.Opts{Name: "requeue_wait_seconds", Help: "Time from a pod's first rejection by NodeLoad until it was put back into the queue because load dropped, by profile."},
		),
		overLine: metrics.NewGaugeVec(&metrics.GaugeOpts{
			Namespace: namespace, Name: "nodes_over_line",
			Help:           "Nodes whose predicted use is above a threshold, with no further pod, at the last poll, by profile and resource.",
			StabilityLevel: metrics.ALPHA,
		}, []string{"profile", "resource"}),
	}
}

// All returns the metrics, to be registered.
func (m *Metrics) All() []metrics.Registerable {
	return append(m.waiting.All(), m.rejections, m.overLine)
}

// label returns the verdict as a label of rejections.
func (v verdict) label() string {
	return [numVerdicts]string{overCPU: "cpu", overMemory: "memory", staleMetrics: "stale", notMeasured: "unmeasured"}[v]
}

// rejected counts an attempt whose nodes were rejected for these verdicts, a bit
// each.
func (m *Metrics) rejected(profile string, verdicts uint32) {
	for v := fits + 1; v < numVerdicts; v++ {
		if verdicts&(1<<v) != 0 {
			m.rejections.WithLabelValues(profile, v.label()).Inc()
		}
	}
}

// countOverLine sets how many nodes are over the line.
func (m *Metrics) countOverLine(profile string, p *policy, view *load.View) {
	var over [amount.NumResources]int
	for node := range view.All {
		use, known := p.use(view, node, p.filterBy)
		if !known {
			continue
		}
		l := p.general.On(&node.Own, node.Allocatable)
		for r, room := range l.Room(use) {
			if room < 0 {
				over[r]++
			}
		}
	}
	for r, nodes := range over {
		m.overLine.WithLabelValues(profile, string(amount.Resource(r).Name())).Set(float64(nodes))
	}
}
