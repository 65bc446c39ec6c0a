package load

import (
	"time"

	"k8s.io/component-base/metrics"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
)

const namespace = "plimsoll"

// instruments are the model's counters. What can be read off the model is not
// counted but collected (see Collector).
type instruments struct {
	pollDuration *metrics.Histogram
	pollErrors   *metrics.Counter
	drops        *metrics.CounterVec
	ratio        *metrics.HistogramVec
}

func newMetrics() *instruments {
	return &instruments{
		pollDuration: metrics.NewHistogram(&metrics.HistogramOpts{
			Namespace: namespace, Subsystem: "source", Name: "poll_duration_seconds",
			Help:           "Time that one poll of the load source took, also a failed one.",
			Buckets:        metrics.ExponentialBuckets(0.005, 2, 12),
			StabilityLevel: metrics.ALPHA,
		}),
		pollErrors: metrics.NewCounter(&metrics.CounterOpts{
			Namespace: namespace, Subsystem: "source", Name: "poll_errors_total",
			Help:           "Polls of the load source that failed.",
			StabilityLevel: metrics.ALPHA,
		}),
		drops: metrics.NewCounterVec(&metrics.CounterOpts{
			Namespace: namespace, Subsystem: "source", Name: "dropped_readings_total",
			Help:           "Node readings that could not be believed, by reason.",
			StabilityLevel: metrics.ALPHA,
		}, []string{"reason"}),
		ratio: metrics.NewHistogramVec(&metrics.HistogramOpts{
			Namespace: namespace, Name: "prediction_ratio",
			Help:           "What a pod was measured to use when it had warmed up, divided by its estimate, by resource. 1 is a perfect estimate.",
			Buckets:        []float64{0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 0.85, 1, 1.15, 1.4, 2, 3, 5, 10, 20},
			StabilityLevel: metrics.ALPHA,
		}, []string{"resource"}),
	}
}

// showZeros shows what has not happened yet as 0, so that a rate knows of the first
// time. It is to be called once the counters are registered.
func (i *instruments) showZeros() {
	for _, reason := range dropReasons {
		i.drops.WithLabelValues(string(reason))
	}
	for r := range amount.NumResources {
		i.ratio.WithLabelValues(string(r.Name()))
	}
}

// predicted compares what a pod uses with what it was estimated to use.
func (i *instruments) predicted(estimate, usage amount.Vector) {
	for r := range amount.NumResources {
		if estimate[r] > 0 {
			i.ratio.WithLabelValues(string(r.Name())).Observe(float64(usage[r]) / float64(estimate[r]))
		}
	}
}

func (i *instruments) polled(took time.Duration, err error) {
	i.pollDuration.Observe(took.Seconds())
	if err != nil {
		i.pollErrors.Inc()
	}
}

func (i *instruments) dropped(reason dropReason) { i.drops.WithLabelValues(string(reason)).Inc() }

// Counters returns the model's counters, to be registered with a metrics
// registry. Until they are, they count nothing.
func (m *Model) Counters() []metrics.Registerable {
	return []metrics.Registerable{m.metrics.pollDuration, m.metrics.pollErrors, m.metrics.drops, m.metrics.ratio}
}

// Collector returns the model's gauges, which are read off the model when a
// registry is scraped.
func (m *Model) Collector() metrics.StableCollector {
	desc := func(name, help string, labels ...string) *metrics.Desc {
		return metrics.NewDesc(namespace+"_"+name, help, labels, nil, metrics.ALPHA, "")
	}
	return &collector{
		model:    m,
		nodes:    desc("nodes", "Nodes by the state of their load sample: fresh, stale or missing.", "state"),
		skewed:   desc("nodes_clock_skewed", "Nodes whose clock is too far off the scheduler's for the age of their samples to be taken from it."),
		inFlight: desc("pods_in_flight", "Pods assigned to a node whose samples cannot show their use yet."),
		age:      desc("source_newest_sample_age_seconds", "Age of the newest sample of any node. Absent before the first sample."),
	}
}

type collector struct {
	metrics.BaseStableCollector
	model                        *Model
	nodes, skewed, inFlight, age *metrics.Desc
}

// DescribeWithStability implements metrics.StableCollector.
func (c *collector) DescribeWithStability(ch chan<- *metrics.Desc) {
	ch <- c.nodes
	ch <- c.skewed
	ch <- c.inFlight
	ch <- c.age
}

// CollectWithStability implements metrics.StableCollector.
func (c *collector) CollectWithStability(ch chan<- metrics.Metric) {
	gauge := func(d *metrics.Desc, value float64, labels ...string) {
		ch <- metrics.NewLazyConstMetric(d, metrics.GaugeValue, value, labels...)
	}
	states, skewed := c.model.states()
	gauge(c.nodes, float64(states[Fresh]), "fresh")
	gauge(c.nodes, float64(states[Stale]), "stale")
	gauge(c.nodes, float64(states[Missing]), "missing")
	gauge(c.skewed, float64(skewed))
	inFlight, newest := c.model.counts()
	gauge(c.inFlight, float64(inFlight))
	if !newest.IsZero() {
		gauge(c.age, c.model.clock.Since(newest).Seconds())
	}
}

// counts returns the number of pods whose full use the newest sample of their
// node does not show, and when the newest sample of any node was seen (zero if
// there was none).
func (m *Model) counts() (inFlight int, newest time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for p := range m.pods.all {
		if p.Phase.InFlight() {
			inFlight++
		}
	}
	return inFlight, m.newest
}

// states counts the nodes by state, and those whose clock is off.
func (m *Model) states() (count [Fresh + 1]int, skewed int) {
	view := m.View()
	for n := range view.All {
		count[view.State(n)]++
		if n.ClockSkew != 0 {
			skewed++
		}
	}
	return count, skewed
}
