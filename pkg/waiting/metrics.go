package waiting

import (
	"time"

	"k8s.io/component-base/metrics"
)

// Metrics count the pods that are woken, by profile. They count nothing until they
// are registered.
type Metrics struct {
	requeued *metrics.CounterVec
	waited   *metrics.HistogramVec
}

// Opts names a metric: what comes after the prefix plimsoll_, and its help text.
type Opts struct{ Name, Help string }

// NewMetrics returns metrics of these names: the pods that were put back into the
// queue, and how many seconds those had waited since their first rejection.
func NewMetrics(requeued, waited Opts) *Metrics {
	const namespace = "plimsoll"
	return &Metrics{
		requeued: metrics.NewCounterVec(&metrics.CounterOpts{
			Namespace: namespace, Name: requeued.Name, Help: requeued.Help, StabilityLevel: metrics.ALPHA,
		}, []string{"profile"}),
		waited: metrics.NewHistogramVec(&metrics.HistogramOpts{
			Namespace: namespace, Name: waited.Name, Help: waited.Help,
			Buckets:        metrics.ExponentialBuckets(1, 2, 15),
			StabilityLevel: metrics.ALPHA,
		}, []string{"profile"}),
	}
}

// All returns the metrics, to be registered.
func (m *Metrics) All() []metrics.Registerable {
	return []metrics.Registerable{m.requeued, m.waited}
}

// woken counts a pod that had waited for so long.
func (m *Metrics) woken(profile string, wait time.Duration) {
	m.requeued.WithLabelValues(profile).Inc()
	m.waited.WithLabelValues(profile).Observe(wait.Seconds())
}
