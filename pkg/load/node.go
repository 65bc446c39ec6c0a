package load

import (
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/line"
)

// node is the mutable state behind a Node.
type node struct {
	name string
	// slot is -1 until the API server has told us of the node: pods may be seen
	// before their node is.
	slot        int
	born        uint64 // see Node.Born
	allocatable amount.Vector
	annotation  string // that thresholds were parsed from
	own         line.Own
	history     history
	pods        map[types.UID]*inFlight
	departed    []departure

	// What follows is derived from the above (see recompute).
	measured  Statistics
	deviation amount.Vector
	settled   Statistics    // measured, as if the pods that run had run all along
	coming    amount.Vector // estimates of the pods that no sample shows at all
	partly    []*inFlight   // the pods that some samples may show a part of
}

// published returns the node as views show it.
func (n *node) published() *Node {
	newest, sampled := n.history.newest()
	result := &Node{
		Name: n.name, Slot: n.slot, Born: n.born, Allocatable: n.allocatable, Own: n.own,
		Sample: newest, Sampled: sampled, Measured: n.measured, Deviation: n.deviation,
		Predicted: n.settled.shifted(n.coming),
	}
	if sampled {
		result.Covered = n.history.covered()
	}
	return result
}

// recompute derives what views show of n from its samples and its pods.
//
// A statistic over a window lags: with an average over five minutes, a pod
// that started a minute ago shows with a fifth of its use. So the prediction is
// the statistic of the samples as they would have been had the pods that are on
// the node now been running all along: to each sample is added what it does not
// show of them. A pod that no sample shows any of adds the same amount to each
// sample, and so to each statistic; those are only summed up (coming), which is
// all that changes when a pod is assigned.
func (m *Model) recompute(n *node) {
	n.measured, n.settled, n.deviation = Statistics{}, Statistics{}, amount.Vector{}
	m.recount(n)
	if len(n.history.samples) == 0 {
		return
	}
	nothing := func(Sample) amount.Vector { return amount.Vector{} }
	n.measured, n.deviation = n.history.statistics(nothing, &m.scratch)
	n.settled = n.measured
	if len(n.partly)+len(n.departed) > 0 {
		difference := func(s Sample) (sum amount.Vector) {
			for _, pod := range n.partly {
				sum = sum.Add(pod.missingFrom(s, m.config.WarmUp))
			}
			for i := range n.departed {
				sum = sum.Sub(n.departed[i].shownBy(s))
			}
			return sum
		}
		n.settled, _ = n.history.statistics(difference, &m.scratch)
	}
}

// departure is a pod that has left its node, and is still in samples of it.
type departure struct {
	use           amount.Vector
	since, leftAt time.Time
}

// shownBy returns how much of the sample is the pod's use.
func (d *departure) shownBy(s Sample) amount.Vector {
	return d.use.Scaled(s.shareOf(d.since, d.leftAt))
}

// depart notes that a pod whose use is known has left n, so that what samples
// show of it is taken off. Pods whose use is not known stay in the samples
// until those are replaced.
func (m *Model) depart(n *node, use amount.Vector, since, leftAt time.Time) {
	n.departed = append(n.departed, departure{use: use, since: since, leftAt: leftAt})
	m.recompute(n)
}

// dropDeparted drops the departures that no sample shows any more.
func (n *node) dropDeparted() {
	oldest := n.history.samples[0].Start()
	n.departed = slices.DeleteFunc(n.departed, func(d departure) bool { return !oldest.Before(d.leftAt) })
}

// recount is the part of recompute that is due when only pods came or went
// that no sample shows any of.
func (m *Model) recount(n *node) {
	m.dirty[n] = true
	n.coming, n.partly = amount.Vector{}, n.partly[:0]
	newest, sampled := n.history.newest()
	for _, pod := range n.pods {
		if sampled && pod.startedBefore(newest) {
			n.partly = append(n.partly, pod)
			continue
		}
		n.coming = n.coming.Add(pod.estimate)
	}
}
