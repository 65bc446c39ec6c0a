package nodeload

import (
	"fmt"
	"iter"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/explain"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load"
)

// account is NodeLoad's part in the explanation of a cycle.
type account struct {
	policy *policy
	view   *load.View
	ask    ask
}

var _ explain.Account = &account{}

// Reason returns the reason for a verdict.
func (a *account) Reason(why int) string { return verdict(why).reason() }

// Describe shows the prediction that the node was judged and ranked by.
func (a *account) Describe(e *explain.Entry, node *load.Node, made explain.Outcome) {
	e.NodeLoad = made
	use, known := a.policy.use(a.view, node, a.policy.filterBy)
	if !known {
		return
	}
	forScore, _ := a.policy.use(a.view, node, a.policy.scoreBy)
	forScore = a.policy.cautious(node, forScore)
	l := a.ask.rule.On(node.Own, node.Allocatable)
	measured := node.Measured[a.policy.filterBy]
	of := func(r amount.Resource) explain.Load {
		return explain.Load{
			Measured:          r.InUnits(measured[r]),
			InFlight:          r.InUnits(use[r] - measured[r]),
			Estimate:          r.InUnits(a.ask.estimate[r]),
			Predicted:         r.InUnits(use[r] + a.ask.estimate[r]),
			ThresholdPercent:  l.Percent[r],
			Threshold:         r.InUnits(l.Limit[r]),
			PredictedForScore: r.InUnits(forScore[r] + a.ask.estimate[r]),
		}
	}
	e.SetLoad(explain.Loads{CPU: of(amount.CPU), Memory: of(amount.Memory)})
}

// WaitsFor says by how much the node that is closest to its line has to fall.
func (a *account) WaitsFor(rejected iter.Seq2[*load.Node, int]) string {
	closest := closestNode{}
	for node, why := range rejected {
		closest.look(a, node, verdict(why))
	}
	text := closest.String()
	if closest.name != "" && a.ask.maxWait > 0 {
		text += fmt.Sprintf("; or until it has waited %s (filter.maxWait)", a.ask.maxWait)
	}
	return text
}

// closestNode is the node over the line that needs to fall the least, in
// percent of its allocatable, for the pod.
type closestNode struct {
	rejected, unmeasured int
	// promised are those that are below the line but for pods that are nominated to them.
	promised int
	name     string
	resource amount.Resource
	excess   int64 // in the resource's smallest unit
	percent  float64
}

func (n *closestNode) look(a *account, node *load.Node, v verdict) {
	n.rejected++
	if !v.isOfUse() {
		n.unmeasured++
		return
	}
	worst, excess, percent := amount.CPU, int64(0), 0.0
	use, _ := a.policy.use(a.view, node, a.policy.filterBy)
	l := a.ask.rule.On(node.Own, node.Allocatable)
	for r, room := range l.Room(l.With(use, a.ask.estimate)) {
		if room >= 0 || node.Allocatable[r] == 0 {
			continue
		}
		if p := -100 * float64(room) / float64(node.Allocatable[r]); p > percent {
			worst, excess, percent = amount.Resource(r), -room, p
		}
	}
	switch {
	case percent == 0:
		n.promised++
	case n.name == "" || percent < n.percent:
		n.name, n.resource, n.excess, n.percent = node.Name, worst, excess, percent
	}
}

// String says what the pod waits for, if it is load.
func (n *closestNode) String() string {
	switch {
	case n.rejected == 0:
		return ""
	case n.promised > 0:
		return fmt.Sprintf("more room on one of %d node(s) than pods that are nominated there will leave", n.promised)
	case n.name == "":
		return fmt.Sprintf("a fresh load sample of one of %d node(s)", n.unmeasured)
	}
	return fmt.Sprintf("the predicted use of one of %d node(s) to fall below its line; closest is %s, whose %s has to fall by %s (%.1f %% of allocatable)",
		n.rejected, n.name, n.resource.Name(), n.resource.Format(atLeast(n.resource, n.excess)), n.percent)
}

// atLeast is coarse for what must not be too little: rounded up.
func atLeast(r amount.Resource, value int64) int64 {
	if r == amount.Memory {
		value += 1<<20 - 1
	}
	return coarse(r, value)
}
