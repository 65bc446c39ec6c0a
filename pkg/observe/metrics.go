package observe

import "k8s.io/component-base/metrics"

// Result is how a choice of ours compares with the other scheduler's.
type Result string

// The results.
const (
	// Same: both chose the same node.
	Same Result = "same"
	// Other: we would have chosen another, and theirs would have been allowed.
	Other Result = "other"
	// Rejected: Plimsoll's plugins reject the node that the other scheduler chose.
	Rejected Result = "rejected"
	// Waits: no node would have taken the pod.
	Waits Result = "waits"
	// Missed: the pod could not be tried, or there was no time to.
	Missed Result = "missed"
)

// Metrics count what was observed.
type Metrics struct {
	pods  *metrics.CounterVec
	share *metrics.HistogramVec
}

// NewMetrics returns metrics that are not registered yet.
func NewMetrics() *Metrics {
	const namespace = "plimsoll"
	m := &Metrics{
		pods: metrics.NewCounterVec(&metrics.CounterOpts{
			Namespace: namespace, Name: "observed_pods_total", StabilityLevel: metrics.ALPHA,
			Help: "Pods that another scheduler bound while Plimsoll observes, by profile and how its choice compares: same, other, rejected (Plimsoll's plugins reject that node), waits (Plimsoll has no node for it), missed (not tried).",
		}, []string{"profile", "result"}),
		share: metrics.NewHistogramVec(&metrics.HistogramOpts{
			Namespace: namespace, Name: "observed_node_line_ratio", StabilityLevel: metrics.ALPHA,
			Help:    "Predicted CPU use of the node that a pod was bound to (by=\"observed\"), and of the one that Plimsoll would have chosen (by=\"plimsoll\"), in parts of its load line, before the pod came, by profile.",
			Buckets: []float64{.1, .2, .3, .4, .5, .6, .7, .8, .9, 1, 1.1, 1.2, 1.5},
		}, []string{"profile", "by"}),
	}
	return m
}

// All returns the metrics, to be registered.
func (m *Metrics) All() []metrics.Registerable { return []metrics.Registerable{m.pods, m.share} }

func (m *Metrics) count(profile string, result Result) {
	m.pods.WithLabelValues(profile, string(result)).Inc()
}

// compare counts a pod that was bound to a node.
func (m *Metrics) compare(profile string, trial *Trial, bound string) {
	m.count(profile, trial.result(bound))
	if share, known := trial.Share(bound); known {
		m.share.WithLabelValues(profile, "observed").Observe(share)
	}
	if trial.Node == "" {
		return
	}
	if share, known := trial.Share(trial.Node); known {
		m.share.WithLabelValues(profile, "plimsoll").Observe(share)
	}
}

// result compares the trial with the node that the pod got.
func (t *Trial) result(bound string) Result {
	switch {
	case t.Node == bound:
		return Same
	case t.Rejects(bound):
		return Rejected
	case t.Node == "":
		return Waits
	}
	return Other
}
