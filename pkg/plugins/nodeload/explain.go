package nodeload

import (
	"fmt"
	"iter"
	"strings"

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
	percent  float64
	// allocatable, with what it is predicted to use with the pod, and room, below 0
	// where that is above the line.
	allocatable, with, room amount.Vector
}

func (n *closestNode) look(a *account, node *load.Node, v verdict) {
	n.rejected++
	if !v.isOfUse() {
		n.unmeasured++
		return
	}
	use, _ := a.policy.use(a.view, node, a.policy.filterBy)
	l := a.ask.rule.On(node.Own, node.Allocatable)
	with := l.With(use, a.ask.estimate)
	room := l.Room(with)
	worst := 0.0
	for r := range amount.NumResources {
		worst = max(worst, excess(r, room, node.Allocatable))
	}
	switch {
	case worst == 0:
		n.promised++
	case n.name == "" || worst < n.percent:
		n.name, n.percent, n.allocatable, n.with, n.room = node.Name, worst, node.Allocatable, with, room
	}
}

// excess returns by how much the use of a resource is above the line, in percent of
// what is allocatable, at least 0.
func excess(r amount.Resource, room, allocatable amount.Vector) float64 {
	if room[r] >= 0 || allocatable[r] == 0 {
		return 0
	}
	return -100 * float64(room[r]) / float64(allocatable[r])
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
	var short []string
	for r := range amount.NumResources {
		if percent := excess(r, n.room, n.allocatable); percent > 0 {
			short = append(short, fmt.Sprintf("whose %s has to fall by %s (%.1f %% of allocatable): with the pod it is predicted at %s, and the line is at %s",
				r.Name(), r.TextUp(-n.room[r]), percent, r.Text(n.with[r]), r.Text(n.with[r]+n.room[r])))
		}
	}
	return fmt.Sprintf("the predicted use of one of %d node(s) to fall below its line; closest is %s, %s", n.rejected, n.name, strings.Join(short, "; and "))
}
