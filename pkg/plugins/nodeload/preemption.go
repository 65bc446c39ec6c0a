package nodeload

import (
	"context"
	"maps"

	v1 "k8s.io/api/core/v1"
	fwk "k8s.io/kube-scheduler/framework"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load"
)

// whatIf is how a node would differ from the view if the pods were removed and
// added that preemption, and the pods nominated to a node, are tried with.
type whatIf struct {
	// trials are the nodes on which the removal of pods is tried, by slot.
	trials map[int]*load.Trial
	// added is what pods use that are nominated to a node and not there yet, by slot.
	added map[int]amount.Vector
}

// Clone copies the cycle as far as it may change: AddPod and RemovePod are called on
// copies. Copies are made for preemption, to try things out, which begins with
// RemovePod; but also for each node to which a pod is nominated, whose verdict is that
// of the copy and a part of the decision.
func (c *cycle) Clone() fwk.StateData {
	clone := *c
	clone.whatIf.added = maps.Clone(c.whatIf.added)
	clone.whatIf.trials = nil
	for slot, trial := range c.whatIf.trials {
		if clone.whatIf.trials == nil {
			clone.whatIf.trials = make(map[int]*load.Trial, len(c.whatIf.trials))
		}
		clone.whatIf.trials[slot] = trial.Clone()
	}
	return &clone
}

var _ fwk.PreFilterExtensions = &NodeLoad{}

// PreFilterExtensions returns what adjusts the prediction to pods that come and go.
func (pl *NodeLoad) PreFilterExtensions() fwk.PreFilterExtensions { return pl }

// RemovePod takes off the node what it will be relieved of when the pod is gone.
// What is not known to relieve the node is not counted, so that nothing is evicted
// in vain; it is measured by the next poll, after which the preemptor is tried
// again.
func (pl *NodeLoad) RemovePod(_ context.Context, state fwk.CycleState, preemptor *v1.Pod, removed fwk.PodInfo, nodeInfo fwk.NodeInfo) *fwk.Status {
	c := pl.cycleOf(state, preemptor)
	c.trial, c.marks = true, nil // what is only tried is not part of the decision
	node := c.view.NodeOf(nodeInfo)
	if node == nil {
		return nil
	}
	trial := c.whatIf.trials[node.Slot]
	if trial == nil {
		if trial = pl.model.Try(node.Name); trial == nil {
			return nil // it has gone since the view was taken
		}
		if c.whatIf.trials == nil {
			c.whatIf.trials = map[int]*load.Trial{}
		}
		c.whatIf.trials[node.Slot] = trial
	}
	if !trial.Remove(removed.GetPod()) {
		c.attempt.Wish()
	}
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
	if trial := c.whatIf.trials[node.Slot]; trial != nil && trial.Restore(pod) {
		return nil
	}
	if c.whatIf.added == nil {
		c.whatIf.added = map[int]amount.Vector{}
	}
	c.whatIf.added[node.Slot] = c.whatIf.added[node.Slot].Add(pl.model.Estimate(pod))
	return nil
}

// beside returns what is to be counted on the node beside what the view predicts
// for it; it is negative if that is less.
func (w *whatIf) beside(view *load.View, node *load.Node, by load.Statistic) amount.Vector {
	beside := w.added[node.Slot]
	if trial := w.trials[node.Slot]; trial != nil {
		use, _ := view.Use(node, by)
		beside = beside.Add(trial.Predicted(by).Sub(use))
	}
	return beside
}
