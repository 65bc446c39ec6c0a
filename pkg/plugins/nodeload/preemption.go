package nodeload

import (
	"context"
	"maps"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	fwk "k8s.io/kube-scheduler/framework"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load"
)

// whatIf is how the nodes would differ from the view if the pods were removed
// and added that preemption, and the pods nominated to a node, are tried with.
type whatIf struct {
	// shift is added to the predicted use of a node, by slot.
	shift map[int]amount.Vector
	// relief is what the removal of a pod took off, so that adding it again
	// puts on as much.
	relief map[types.UID]amount.Vector
}

// Clone copies the cycle as far as it may change: AddPod and RemovePod are
// called on copies.
func (c *cycle) Clone() fwk.StateData {
	clone := *c
	clone.trial, clone.marks = true, nil // what is only tried is not part of the decision
	clone.whatIf.shift = maps.Clone(c.whatIf.shift)
	clone.whatIf.relief = maps.Clone(c.whatIf.relief)
	return &clone
}

func (w *whatIf) add(node *load.Node, more amount.Vector) {
	if w.shift == nil {
		w.shift = map[int]amount.Vector{}
	}
	w.shift[node.Slot] = w.shift[node.Slot].Add(more)
}

var _ fwk.PreFilterExtensions = &NodeLoad{}

// PreFilterExtensions returns what adjusts the prediction to pods that come and go.
func (pl *NodeLoad) PreFilterExtensions() fwk.PreFilterExtensions { return pl }

// RemovePod takes off the node what the pod really uses. What is not known to
// relieve the node is not counted, so that nothing is evicted in vain; it is
// measured by the next poll, after which the preemptor is tried again.
func (pl *NodeLoad) RemovePod(_ context.Context, state fwk.CycleState, preemptor *v1.Pod, removed fwk.PodInfo, nodeInfo fwk.NodeInfo) *fwk.Status {
	c := pl.cycleOf(state, preemptor)
	node := c.view.NodeOf(nodeInfo)
	if node == nil {
		return nil
	}
	pod := removed.GetPod()
	relief, known := pl.model.Relief(pod)
	if !known {
		c.attempt.Wish()
	}
	if c.whatIf.relief == nil {
		c.whatIf.relief = map[types.UID]amount.Vector{}
	}
	c.whatIf.relief[pod.UID] = relief
	c.whatIf.add(node, amount.Vector{}.Sub(relief))
	return nil
}

// AddPod puts on the node what the pod uses: as much as its removal took off,
// or the estimate of a pod that is nominated to the node and not there yet.
func (pl *NodeLoad) AddPod(_ context.Context, state fwk.CycleState, preemptor *v1.Pod, added fwk.PodInfo, nodeInfo fwk.NodeInfo) *fwk.Status {
	c := pl.cycleOf(state, preemptor)
	node := c.view.NodeOf(nodeInfo)
	if node == nil {
		return nil
	}
	pod := added.GetPod()
	use, wasRemoved := c.whatIf.relief[pod.UID]
	if !wasRemoved {
		use = pl.model.Estimate(pod)
	}
	delete(c.whatIf.relief, pod.UID)
	c.whatIf.add(node, use)
	return nil
}
