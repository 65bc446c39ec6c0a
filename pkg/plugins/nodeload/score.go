package nodeload

import (
	"context"
	"math"

	v1 "k8s.io/api/core/v1"
	fwk "k8s.io/kube-scheduler/framework"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/apis/config"
	"github.com/plimsoll-scheduler/plimsoll/pkg/compat"
	"github.com/plimsoll-scheduler/plimsoll/pkg/demand"
	"github.com/plimsoll-scheduler/plimsoll/pkg/device"
	"github.com/plimsoll-scheduler/plimsoll/pkg/explain"
	"github.com/plimsoll-scheduler/plimsoll/pkg/line"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load"
	"github.com/plimsoll-scheduler/plimsoll/pkg/recall"
)

const (
	// neutralScore neither attracts nor repels.
	neutralScore = (compat.MaxScore + compat.MinScore) / 2
	// softBand is the part of the scores that ScheduleAnyway sets apart for
	// nodes over the line.
	softBand = 10
)

// shape is all that the score of a node depends on besides the node.
type shape struct {
	ask     ask
	demand  demand.Demand
	devices float64
	// largest is what the largest node can allocate, and edition which devices are known.
	largest amount.Vector
	edition device.Edition
}

// shapeOf returns the shape of the cycle's pod. ok is false if the scores depend on more.
func shapeOf(c *cycle) (s shape, ok bool) {
	s = shape{ask: c.ask, largest: c.view.Largest()}
	s.ask.maxWait = 0 // on which ask.soft depends
	if c.newcomer == nil {
		return s, true
	}
	s.demand, s.devices = c.newcomer.demand, c.newcomer.devices
	if c.newcomer.nodes == nil {
		return s, true
	}
	s.edition, ok = c.newcomer.nodes.Edition()
	return s, ok
}

// PreScore sees to it that Score has a view, also where Filter is turned off.
func (pl *NodeLoad) PreScore(_ context.Context, state fwk.CycleState, pod *v1.Pod, _ []fwk.NodeInfo) *fwk.Status {
	if pod.Spec.NodeName != "" {
		return fwk.NewStatus(fwk.Skip)
	}
	c := pl.cycleOf(state, pod)
	if s, ok := shapeOf(c); ok {
		c.sheet = pl.sheets.Of(s, c.view.Slots())
	}
	explain.Of(state).Ranks()
	return nil
}

// Score ranks a node by what is expected to be lost there because of the pod, or by
// how far below the line it is with the pod on it.
func (pl *NodeLoad) Score(_ context.Context, state fwk.CycleState, pod *v1.Pod, nodeInfo fwk.NodeInfo) (int64, *fwk.Status) {
	if pod.Spec.NodeName != "" {
		return neutralScore, nil
	}
	c := pl.cycleOf(state, pod)
	node := c.view.NodeOf(nodeInfo)
	if node == nil {
		return pl.scoreOf(&c.view, nil, nodeInfo, c.ask, c.newcomer), nil
	}
	version := recall.VersionOf(&c.view, nodeInfo, node)
	score, known := c.sheet.At(node.Slot, version)
	if !known {
		score = int8(pl.scoreOf(&c.view, node, nodeInfo, c.ask, c.newcomer))
		c.sheet.Keep(node.Slot, version, score)
	}
	c.marks.Score(node.Slot, int64(score))
	return int64(score), nil
}

// scoreOf ranks the node, which is nil if the view does not know it, for what is
// asked of it, by what is lost there if there is a newcomer.
func (pl *NodeLoad) scoreOf(view *load.View, node *load.Node, nodeInfo fwk.NodeInfo, a ask, pod *newcomer) int64 {
	var own *line.Own // of the node; nil if it is not known
	if node != nil {
		own = node.Own
	}
	p, allocatable := &pl.policy, allocatableOf(nodeInfo)
	use, known := p.use(view, node, p.scoreBy)
	if pod != nil && node != nil {
		score := p.lossScore(view, node, use, known, nodeInfo, pod)
		if a.soft {
			score = belowLine(score, a.excess(a.rule.On(own, allocatable), use.Add(a.estimate), known))
		}
		return int64(math.Round(score))
	}
	switch {
	case known:
		use = p.cautious(node, use)
	case p.stale == config.Ignore:
		return neutralScore
	default:
		use = pl.model.Requested(requestedOf(nodeInfo))
	}
	return p.score(use.Add(a.estimate), allocatable, own, a)
}

// ScoreExtensions returns nil: scores are on an absolute scale.
func (pl *NodeLoad) ScoreExtensions() fwk.ScoreExtensions { return nil }

// cautious returns the use that a node of this use is ranked by: riskAversion
// standard deviations on top.
func (p *policy) cautious(node *load.Node, use amount.Vector) amount.Vector {
	if p.riskAversion > 0 {
		for r, deviation := range node.Deviation {
			use[r] += int64(p.riskAversion * float64(deviation))
		}
	}
	return use
}

// score ranks a node by its predicted use with the pod on it, with MostHeadroom:
//
//	s_r   = 100 x (line_r - predicted_r) / line_r, at least 0
//	score = (sum of weight_r x s_r + worstWeight x min s_r) / (sum of weight_r + worstWeight)
//
// over the resources of weight above 0: 100 is idle, 0 is at or past the line.
// (The form with the extra weight of the worst resource is that of
// Koordinator's LoadAware, taken to the line instead of to all of allocatable.)
func (p *policy) score(predicted, allocatable amount.Vector, own *line.Own, a ask) int64 {
	sum, weights := 0.0, 0.0
	worst := float64(compat.MaxScore)
	l := a.rule.On(own, allocatable)
	for r := range amount.NumResources {
		if p.weights[r] == 0 {
			continue
		}
		s := float64(compat.MaxScore) * max(0, 1-ratio(float64(predicted[r]), float64(l.Limit[r])))
		sum += float64(p.weights[r]) * s
		weights += float64(p.weights[r])
		worst = min(worst, s)
	}
	score := (sum + float64(p.worstWeight)*worst) / (weights + float64(p.worstWeight))
	if a.soft {
		score = belowLine(score, a.excess(l, predicted, true))
	}
	return int64(math.Round(score))
}

// excess returns how far past the line a use is that is known, as a part of the
// line, at most over the resources; 0 below it.
func (a *ask) excess(l line.Line, use amount.Vector, known bool) (excess float64) {
	if !known {
		return 0
	}
	for r := range use {
		if limit := float64(l.Limit[r]); l.Percent[r] > 0 {
			excess = max(excess, ratio(float64(use[r])-limit, limit))
		}
	}
	return excess
}

// belowLine returns the score with ScheduleAnyway: nodes below the line score
// softBand to 100, and nodes past it less than softBand, falling to 0 at twice the
// line, so that the least hot is taken when all are hot.
func belowLine(score, excess float64) float64 {
	if excess > 0 {
		return math.Floor((softBand - 1) * max(0, 1-excess))
	}
	return softBand + score*float64(compat.MaxScore-softBand)/float64(compat.MaxScore)
}

// ratio returns a/b; a node that can allocate nothing is full.
func ratio(a, b float64) float64 {
	if b <= 0 {
		return 1
	}
	return a / b
}

// requestedOf returns what the node's pods request, with the scheduler's own
// stand-ins for containers without a request.
func requestedOf(nodeInfo fwk.NodeInfo) amount.Vector {
	requested := nodeInfo.GetNonZeroRequested()
	return amount.Vector{amount.CPU: requested.GetMilliCPU(), amount.Memory: requested.GetMemory()}
}
