package waiting

import (
	"math/bits"
	"time"

	"k8s.io/component-base/metrics"
)

// Metrics count the pods that are rejected for load, that wait for that, and that are
// woken. The plugins of a process share them: each series has its profile and its
// plugin. They count nothing until they are registered.
type Metrics struct {
	rejections *metrics.CounterVec
	waiting    *metrics.GaugeVec
	longest    *metrics.GaugeVec
	woken      *metrics.CounterVec
	waited     *metrics.HistogramVec
}

// NewMetrics returns metrics that are not registered yet.
func NewMetrics() *Metrics {
	const namespace = "plimsoll"
	of, byReason := []string{"profile", "plugin"}, []string{"profile", "plugin", "reason"}
	return &Metrics{
		rejections: metrics.NewCounterVec(&metrics.CounterOpts{
			Namespace: namespace, Name: "rejections_total", StabilityLevel: metrics.ALPHA,
			Help: "Scheduling attempts that failed with at least one node rejected by the plugin, by profile, plugin and reason; an attempt counts once for each of its reasons. Of NodeLoad: cpu, memory, stale, unmeasured; of DeviceFit: stranding.",
		}, byReason),
		waiting: metrics.NewGaugeVec(&metrics.GaugeOpts{
			Namespace: namespace, Name: "pods_waiting", StabilityLevel: metrics.ALPHA,
			Help: "Pods that wait because the plugin rejected nodes in their last attempt, at the last poll, by profile, plugin and reason; a pod counts once for each of its reasons.",
		}, byReason),
		longest: metrics.NewGaugeVec(&metrics.GaugeOpts{
			Namespace: namespace, Name: "pods_longest_wait_seconds", StabilityLevel: metrics.ALPHA,
			Help: "How long the pod of plimsoll_pods_waiting has waited that has waited longest, since the plugin first rejected a node for it; 0 if none waits. By profile and plugin.",
		}, of),
		woken: metrics.NewCounterVec(&metrics.CounterOpts{
			Namespace: namespace, Name: "pods_woken_total", StabilityLevel: metrics.ALPHA,
			Help: "Pods put back into the queue because a node that the plugin had rejected could take them now, by profile and plugin.",
		}, of),
		waited: metrics.NewHistogramVec(&metrics.HistogramOpts{
			Namespace: namespace, Name: "pods_woken_wait_seconds", StabilityLevel: metrics.ALPHA,
			Help:    "How long the pods of plimsoll_pods_woken_total had waited, since the plugin first rejected a node for them, by profile and plugin.",
			Buckets: metrics.ExponentialBuckets(1, 2, 15),
		}, of),
	}
}

// All returns the metrics, to be registered.
func (m *Metrics) All() []metrics.Registerable {
	return []metrics.Registerable{m.rejections, m.waiting, m.longest, m.woken, m.waited}
}

// counters are the metrics of a plugin in a profile.
type counters struct {
	metrics         *Metrics
	profile, plugin string
	reasons         []string // by their bit; empty is none
}

// newCounters returns counters that show zeros from the start, so that a rate knows of
// the first time.
func newCounters(m *Metrics, profile, plugin string, reasons []string) *counters {
	c := &counters{metrics: m, profile: profile, plugin: plugin, reasons: reasons}
	for _, reason := range reasons {
		if reason != "" {
			m.rejections.WithLabelValues(profile, plugin, reason)
		}
	}
	m.woken.WithLabelValues(profile, plugin)
	m.waited.WithLabelValues(profile, plugin)
	c.show(&census{}, time.Time{})
	return c
}

// rejected counts an attempt that failed for these reasons, a bit each.
func (c *counters) rejected(reasons uint32) {
	for ; reasons != 0; reasons &= reasons - 1 {
		c.metrics.rejections.WithLabelValues(c.profile, c.plugin, c.reasons[bits.TrailingZeros32(reasons)]).Inc()
	}
}

// wake counts a pod that had waited for so long.
func (c *counters) wake(wait time.Duration) {
	c.metrics.woken.WithLabelValues(c.profile, c.plugin).Inc()
	c.metrics.waited.WithLabelValues(c.profile, c.plugin).Observe(wait.Seconds())
}

// census counts the pods that wait.
type census struct {
	byReason [32]int
	since    time.Time // since when the one waits that has waited longest; zero if none does
}

// add counts the pod of the attempt.
func (s *census) add(a *Attempt) {
	for reasons := a.reasons.Load(); reasons != 0; reasons &= reasons - 1 {
		s.byReason[bits.TrailingZeros32(reasons)]++
	}
	if h := a.history(); s.since.IsZero() || h.Since.Before(s.since) {
		s.since = h.Since
	}
}

// show shows how many pods wait now.
func (c *counters) show(s *census, now time.Time) {
	for bit, reason := range c.reasons {
		if reason != "" {
			c.metrics.waiting.WithLabelValues(c.profile, c.plugin, reason).Set(float64(s.byReason[bit]))
		}
	}
	wait := 0.
	if !s.since.IsZero() {
		wait = now.Sub(s.since).Seconds()
	}
	c.metrics.longest.WithLabelValues(c.profile, c.plugin).Set(wait)
}
