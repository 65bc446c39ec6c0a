package nodeload

import (
	"fmt"

	v1 "k8s.io/api/core/v1"
	fwk "k8s.io/kube-scheduler/framework"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/explain"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load"
	"github.com/plimsoll-scheduler/plimsoll/pkg/rejection"
)

// beginTrace has the cycle note what becomes of each node, if decisions are
// kept at all.
func (pl *NodeLoad) beginTrace(c *cycle, state fwk.CycleState) {
	if pl.decisions == nil {
		return
	}
	marks := make(explain.Marks, 2*c.view.Slots())
	c.trace = &explain.Trace{
		Slot:      c.view.Slot,
		NodeLoad:  marks[:c.view.Slots()],
		DeviceFit: marks[c.view.Slots():],
	}
	explain.Begin(state, c.trace)
}

func (c *cycle) markRejected(node *load.Node, v verdict) {
	if c.trace != nil && node != nil {
		c.trace.NodeLoad.Reject(node.Slot, int(v))
	}
}

func (c *cycle) markFits(node *load.Node) {
	if c.trace != nil && node != nil {
		c.trace.NodeLoad.Fit(node.Slot)
	}
}

func (c *cycle) markScore(node *load.Node, score int64) {
	if c.trace != nil && node != nil {
		c.trace.NodeLoad.Score(node.Slot, score)
	}
}

// explain has the decision of the cycle written down. chosen is the node that
// was chosen, empty if there is none.
func (pl *NodeLoad) explain(c *cycle, pod *v1.Pod, result explain.Result, chosen string) {
	if c.trace == nil {
		return
	}
	pl.decisions.Add(func() *explain.Decision { return pl.decision(c, pod, result, chosen) })
}

// decision makes a decision of what the cycle noted.
func (pl *NodeLoad) decision(c *cycle, pod *v1.Pod, result explain.Result, chosen string) *explain.Decision {
	d := &explain.Decision{Summary: explain.Summary{
		Pod: pod.Namespace + "/" + pod.Name, UID: pod.UID, Profile: pl.handle.ProfileName(), Time: c.view.Now, Result: result, Node: chosen,
	}}
	chosenSlot, known := c.view.Slot(chosen)
	if !known {
		chosenSlot = -1
	}
	var atPlace [numPlaces]int // how many nodes
	var rejected [numVerdicts]int
	stranding := 0
	closest := closestNode{}
	for slot := range c.trace.Considered {
		at, why := c.place(slot, chosenSlot)
		d.Considered++
		atPlace[at]++
		switch {
		case why != fits:
			rejected[why]++
			closest.look(pl, c, c.view.At(slot), why)
		case at == rejectedPlace:
			stranding++
		}
	}
	d.Nodes = pl.explainNodes(c, chosenSlot, &atPlace, d.Considered)
	d.Rejected = countReasons(rejected, stranding)
	if chosen == "" {
		d.WaitsFor = closest.String()
		if closest.name != "" && c.ask.maxWait > 0 {
			d.WaitsFor += fmt.Sprintf("; or until it has waited %s (filter.maxWait)", c.ask.maxWait)
		}
		if d.WaitsFor == "" && stranding > 0 {
			d.WaitsFor = fmt.Sprintf("the predicted use of one of %d node(s) to fall, or its free devices to be taken, so that enough headroom is left for each", stranding)
		}
	}
	return d
}

func countReasons(rejected [numVerdicts]int, stranding int) map[string]int {
	counts := map[string]int{}
	for v, nodes := range rejected {
		if nodes > 0 {
			counts[verdict(v).reason()] = nodes
		}
	}
	if stranding > 0 {
		counts[rejection.StrandsDevices] = stranding
	}
	if len(counts) == 0 {
		return nil
	}
	return counts
}

// explainNodes explains the nodes in the first places, at most explain.MaxNodes.
// atPlace is how many there are at each place.
func (pl *NodeLoad) explainNodes(c *cycle, chosenSlot int, atPlace *[numPlaces]int, considered int) []explain.Node {
	kept := make([]int, min(considered, explain.MaxNodes)) // slots, in the order of places
	next := 0
	for at, nodes := range atPlace { // from how many nodes to the index of the first
		atPlace[at], next = next, next+nodes
	}
	for slot := range c.trace.Considered {
		at, _ := c.place(slot, chosenSlot)
		if i := atPlace[at]; i < len(kept) {
			kept[i] = slot
		}
		atPlace[at]++
	}
	nodes, numbers := make([]explain.Node, len(kept)), make([]numbers, len(kept))
	for i, slot := range kept {
		pl.explainNode(&nodes[i], &numbers[i], c, c.view.At(slot))
	}
	return nodes
}

// numbers are what an explain.Node may or may not have: they are kept together
// so that a decision takes few allocations.
type numbers struct {
	age                 float64
	nodeLoad, deviceFit int64
	loads               explain.Loads
	fragmentation       explain.Fragmentation
}

// A node's place in the explanation: the chosen one first, then by falling sum
// of both plugins' scores, then the rejected ones.
const (
	chosenPlace   = 0
	bestPlace     = 1
	rejectedPlace = bestPlace + 2*fwk.MaxScore + 1
	numPlaces     = rejectedPlace + 1
)

// place returns the place of a node that was considered, and why NodeLoad
// rejected it if it did.
func (c *cycle) place(slot, chosenSlot int) (int64, verdict) {
	_, rejected, score := c.trace.NodeLoad.At(slot)
	_, deviceRejected, deviceScore := c.trace.DeviceFit.At(slot)
	switch {
	case rejected:
		return rejectedPlace, verdict(score)
	case deviceRejected:
		return rejectedPlace, fits
	case slot == chosenSlot:
		return chosenPlace, fits
	}
	return bestPlace + 2*fwk.MaxScore - max(score, 0) - max(deviceScore, 0), fits
}

func (pl *NodeLoad) explainNode(e *explain.Node, to *numbers, c *cycle, node *load.Node) {
	state := c.view.State(node)
	e.Name, e.State, e.HistorySeconds = node.Name, state.String(), node.Covered.Seconds()
	if seen, rejected, value := c.trace.NodeLoad.At(node.Slot); rejected {
		e.NodeLoad.Rejected = verdict(value).reason()
	} else if seen && value != explain.NotScored {
		to.nodeLoad = value
		e.NodeLoad.Score = &to.nodeLoad
	}
	if seen, rejected, value := c.trace.DeviceFit.At(node.Slot); rejected {
		e.DeviceFit.Rejected = rejection.StrandsDevices
	} else if seen && value != explain.NotScored {
		to.deviceFit = value
		e.DeviceFit.Score = &to.deviceFit
		var known bool
		if to.fragmentation, known = c.trace.Fragmentation.At(node.Slot); known {
			e.Fragmentation = &to.fragmentation
		}
	}
	if node.Sampled {
		to.age = c.view.Age(node).Seconds()
		e.SampleAgeSeconds = &to.age
	}
	use, known := pl.policy.use(&c.view, node, pl.policy.filterBy)
	if !known {
		return
	}
	e.Load = &to.loads
	forScore, _ := pl.policy.use(&c.view, node, pl.policy.scoreBy)
	forScore = pl.policy.cautious(node, forScore)
	l := c.ask.rule.On(&node.Own, node.Allocatable)
	for r, to := range [amount.NumResources]*explain.Load{amount.CPU: &e.Load.CPU, amount.Memory: &e.Load.Memory} {
		r := amount.Resource(r)
		*to = explain.Load{
			Measured:          r.InUnits(node.Measured[pl.policy.filterBy][r]),
			InFlight:          r.InUnits(use[r] - node.Measured[pl.policy.filterBy][r]),
			Estimate:          r.InUnits(c.ask.estimate[r]),
			Predicted:         r.InUnits(use[r] + c.ask.estimate[r]),
			ThresholdPercent:  l.Percent[r],
			Threshold:         r.InUnits(l.Limit[r]),
			PredictedForScore: r.InUnits(forScore[r] + c.ask.estimate[r]),
		}
	}
}

// closestNode is the node over the line that needs to fall the least, in
// percent of its allocatable, for the pod.
type closestNode struct {
	rejected, stale int
	name            string
	resource        amount.Resource
	excess          int64 // in the resource's smallest unit
	percent         float64
}

func (n *closestNode) look(pl *NodeLoad, c *cycle, node *load.Node, v verdict) {
	n.rejected++
	if v == staleMetrics {
		n.stale++
		return
	}
	worst, excess, percent := amount.CPU, int64(0), 0.0
	use, _ := pl.policy.use(&c.view, node, pl.policy.filterBy)
	l := c.ask.rule.On(&node.Own, node.Allocatable)
	for r, room := range l.Room(c.ask.on(&l, use)) {
		if room >= 0 || node.Allocatable[r] == 0 {
			continue
		}
		if p := -100 * float64(room) / float64(node.Allocatable[r]); p > percent {
			worst, excess, percent = amount.Resource(r), -room, p
		}
	}
	if n.name == "" || percent < n.percent {
		n.name, n.resource, n.excess, n.percent = node.Name, worst, excess, percent
	}
}

// String says what the pod waits for, if it is load.
func (n *closestNode) String() string {
	switch {
	case n.rejected == 0:
		return ""
	case n.name == "":
		return fmt.Sprintf("a fresh load sample of one of %d node(s)", n.stale)
	}
	return fmt.Sprintf("the predicted use of one of %d node(s) to fall below its line; closest is %s, whose %s has to fall by %s (%.1f %% of allocatable)",
		n.rejected, n.name, n.resource.Name(), n.resource.Format(n.excess), n.percent)
}
