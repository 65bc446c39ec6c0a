package nodeload

import (
	"time"

	"k8s.io/component-base/metrics"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load"
)

// Metrics count what NodeLoad does. The profiles of a process share them.
type Metrics struct {
	rejections *metrics.CounterVec
	requeued   *metrics.CounterVec
	waited     *metrics.HistogramVec
	overLine   *metrics.GaugeVec
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
		requeued: metrics.NewCounterVec(&metrics.CounterOpts{
			Namespace: namespace, Name: "requeued_pods_total",
			Help:           "Pods put back into the queue because a node that had rejected them could take them now, by profile.",
			StabilityLevel: metrics.ALPHA,
		}, []string{"profile"}),
		waited: metrics.NewHistogramVec(&metrics.HistogramOpts{
			Namespace: namespace, Name: "requeue_wait_seconds",
			Help:           "Time from a pod's first rejection by NodeLoad until it was put back into the queue because load dropped, by profile.",
			Buckets:        metrics.ExponentialBuckets(1, 2, 15),
			StabilityLevel: metrics.ALPHA,
		}, []string{"profile"}),
		overLine: metrics.NewGaugeVec(&metrics.GaugeOpts{
			Namespace: namespace, Name: "nodes_over_line",
			Help:           "Nodes whose predicted use is above a threshold, with no further pod, at the last poll, by profile and resource.",
			StabilityLevel: metrics.ALPHA,
		}, []string{"profile", "resource"}),
	}
}

// All returns the metrics, to be registered.
func (m *Metrics) All() []metrics.Registerable {
	return []metrics.Registerable{m.rejections, m.requeued, m.waited, m.overLine}
}

// label returns the verdict as a label of rejections.
func (v verdict) label() string {
	return [numVerdicts]string{overCPU: "cpu", overMemory: "memory", staleMetrics: "stale"}[v]
}

// rejected counts an attempt whose nodes were rejected for these verdicts.
func (m *Metrics) rejected(profile string, verdicts [numVerdicts]bool) {
	for v := fits + 1; v < numVerdicts; v++ {
		if verdicts[v] {
			m.rejections.WithLabelValues(profile, v.label()).Inc()
		}
	}
}

// woken counts a pod put back into the queue after it had waited.
func (m *Metrics) woken(profile string, wait time.Duration) {
	m.requeued.WithLabelValues(profile).Inc()
	m.waited.WithLabelValues(profile).Observe(wait.Seconds())
}

// countOverLine sets how many nodes are over the line.
func (m *Metrics) countOverLine(profile string, p *policy, view *load.View) {
	var over [amount.NumResources]int
	for node := range view.All {
		if view.State(node) != load.Fresh {
			continue
		}
		l := p.general.On(&node.Own, node.Allocatable)
		for r, room := range l.Room(node.Predicted[p.filterBy]) {
			if room < 0 {
				over[r]++
			}
		}
	}
	for r, nodes := range over {
		m.overLine.WithLabelValues(profile, string(amount.Resource(r).Name())).Set(float64(nodes))
	}
}
