package load

import (
	"k8s.io/apimachinery/pkg/types"
)

// node is the mutable state behind a Node.
type node struct {
	name string
	// slot is -1 until the API server has told us of the node: pods may be seen
	// before their node is.
	slot        int
	allocatable Amounts
	history     history
	pods        map[types.UID]*inFlight

	// What follows is derived from the above (see recompute).
	measured  Statistics
	deviation Amounts
	settled   Statistics  // measured, as if the pods that run had run all along
	coming    Amounts     // estimates of the pods that no sample shows at all
	partly    []*inFlight // the pods that some samples may show a part of
}

// published returns the node as views show it.
func (n *node) published() *Node {
	newest, sampled := n.history.newest()
	result := &Node{
		Slot: n.slot, Allocatable: n.allocatable,
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
	n.measured, n.settled, n.deviation = Statistics{}, Statistics{}, Amounts{}
	m.recount(n)
	if len(n.history.samples) == 0 {
		return
	}
	nothing := func(Sample) Amounts { return Amounts{} }
	n.measured, n.deviation, m.scratch = n.history.statistics(nothing, m.scratch)
	n.settled = n.measured
	if len(n.partly) > 0 {
		unseen := func(s Sample) (sum Amounts) {
			for _, pod := range n.partly {
				sum = sum.Add(pod.missingFrom(s, m.config.WarmUp))
			}
			return sum
		}
		n.settled, _, m.scratch = n.history.statistics(unseen, m.scratch)
	}
}

// recount is the part of recompute that is due when only pods came or went
// that no sample shows any of.
func (m *Model) recount(n *node) {
	m.dirty[n] = true
	n.coming, n.partly = Amounts{}, n.partly[:0]
	newest, sampled := n.history.newest()
	for _, pod := range n.pods {
		if sampled && pod.startedBefore(newest) {
			n.partly = append(n.partly, pod)
			continue
		}
		n.coming = n.coming.Add(pod.estimate)
	}
}
