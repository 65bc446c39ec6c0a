package nodeload

import (
	"context"

	v1 "k8s.io/api/core/v1"
	fwk "k8s.io/kube-scheduler/framework"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load"
)

// verdict says whether a node takes a pod and, if not, why.
type verdict int

const (
	fits verdict = iota
	overCPU
	overMemory
	staleMetrics
	notMeasured
	numVerdicts
)

// reason returns the verdict as users see it in events. The scheduler counts
// nodes by it, so it holds no numbers.
func (v verdict) reason() string {
	switch v {
	case overCPU:
		return "node(s) over the cpu load line"
	case overMemory:
		return "node(s) over the memory load line"
	case staleMetrics:
		return "node(s) with stale load metrics"
	case notMeasured:
		return "node(s) whose load is not measured yet"
	default:
		return ""
	}
}

// labels are what the verdicts are called in metrics.
var labels = [numVerdicts]string{overCPU: "cpu", overMemory: "memory", staleMetrics: "stale", notMeasured: "unmeasured"}

// isOfUse reports whether the node is rejected for what it uses, rather than because
// that is not known.
func (v verdict) isOfUse() bool { return v == overCPU || v == overMemory }

// newStatus returns the status to reject a node with for a verdict. Preemption
// may free a node that is over the line, but cannot measure it.
func newStatus(v int) *fwk.Status {
	if v := verdict(v); !v.isOfUse() {
		return fwk.NewStatus(fwk.UnschedulableAndUnresolvable, v.reason())
	}
	return fwk.NewStatus(fwk.Unschedulable, verdict(v).reason())
}

// verdict decides whether a node, which is nil if the view does not have it, takes
// a pod that asks for a, with what is beside it.
func (p *policy) verdict(view *load.View, node *load.Node, allocatable amount.Vector, a *ask, beside amount.Vector) verdict {
	if p.lacksSample(view, node) {
		return staleMetrics
	}
	if a.soft {
		return fits
	}
	use, known := p.use(view, node, p.filterBy)
	switch {
	case p.awaits(view, node):
		return notMeasured
	case !known:
		return fits // whether the requests fit is NodeResourcesFit's to say
	}
	l := a.rule.On(node.Own, allocatable)
	if r, over := l.OverWith(use.Add(beside), a.estimate); over {
		return [amount.NumResources]verdict{amount.CPU: overCPU, amount.Memory: overMemory}[r]
	}
	return fits
}

// Filter rejects a node that is over the line with the pod on it.
func (pl *NodeLoad) Filter(_ context.Context, state fwk.CycleState, pod *v1.Pod, nodeInfo fwk.NodeInfo) *fwk.Status {
	if pod.Spec.NodeName != "" {
		return nil
	}
	c := pl.cycleOf(state, pod)
	if c.takenAnywhere {
		return nil
	}
	node, allocatable := c.view.NodeOf(nodeInfo), allocatableOf(nodeInfo)
	v := pl.policy.verdict(&c.view, node, allocatable, &c.ask, c.beside(node, pl.policy.filterBy))
	if v == fits {
		if node != nil {
			c.marks.Fit(node.Slot)
		}
		return nil
	}
	if node != nil {
		c.marks.Reject(node.Slot, int(v))
	}
	if c.trial {
		c.attempt.RejectTrial(node, allocatable)
	} else {
		c.attempt.Reject(node, allocatable, int(v))
	}
	return pl.statuses.For(node, int(v))
}

// beside returns what of the node's use preemption, or a nominated pod, would
// change. node may be nil.
func (c *cycle) beside(node *load.Node, by load.Statistic) amount.Vector {
	if node == nil || c.whatIf.added == nil && c.whatIf.trials == nil {
		return amount.Vector{}
	}
	return c.whatIf.beside(&c.view, node, by)
}

func allocatableOf(nodeInfo fwk.NodeInfo) amount.Vector {
	allocatable := nodeInfo.GetAllocatable()
	return amount.Vector{amount.CPU: allocatable.GetMilliCPU(), amount.Memory: allocatable.GetMemory()}
}
