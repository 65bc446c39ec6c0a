package devicefit

import (
	"context"
	"fmt"
	"math"

	v1 "k8s.io/api/core/v1"
	fwk "k8s.io/kube-scheduler/framework"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/apis/config"
	"github.com/plimsoll-scheduler/plimsoll/pkg/compat"
	"github.com/plimsoll-scheduler/plimsoll/pkg/device"
	"github.com/plimsoll-scheduler/plimsoll/pkg/explain"
	"github.com/plimsoll-scheduler/plimsoll/pkg/fragmentation"
	"github.com/plimsoll-scheduler/plimsoll/pkg/line"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load"
	"github.com/plimsoll-scheduler/plimsoll/pkg/recall"
)

// weights say how much each kind of device counts; one that is not named
// counts 1.
type weights map[v1.ResourceName]float64

func weightsOf(byName map[string]int64) weights {
	w := weights{}
	for name, weight := range byName {
		w[v1.ResourceName(name)] = float64(weight)
	}
	return w
}

func (w weights) of(kind v1.ResourceName) float64 {
	if weight, ok := w[kind]; ok {
		return weight
	}
	return 1
}

const (
	// headroomScore is the part of the scores that goes by headroom, to break
	// ties: see feeding.
	headroomScore = 3
	// maxScoreBesideFreeDevices is the best score that a node with a free device
	// gets for a pod without devices. The step up to 100 for a node without free
	// devices keeps a nearly full device node from passing for a plain one.
	maxScoreBesideFreeDevices = compat.MaxScore / 2
)

// usualRequests is how many kinds of device a pod may ask for that shares scores with
// others.
const usualRequests = 3

// shape is all that the score of a node depends on besides the node.
type shape struct {
	needsDevices  bool
	devices       [usualRequests]device.Request
	requests, use amount.Vector
	rule          line.Rule
	mix           *fragmentation.Mix
	edition       device.Edition
}

// shapeOf returns the shape of the cycle's pod. ok is false if the scores depend on more.
func shapeOf(c *cycle) (s shape, ok bool) {
	s = shape{needsDevices: c.NeedsDevices, requests: c.Requests, use: c.Use, rule: c.rule, mix: c.mix}
	s.edition, ok = c.devices.Edition()
	return s, ok && copy(s.devices[:], c.Devices) == len(c.Devices)
}

// ranking is what Score found out about a node.
type ranking struct {
	// before and after are the node's fragmentation without and with the pod.
	before, after float32
	score         int8
}

// PreScore skips Score for a pod to which all nodes are the same.
func (pl *DeviceFit) PreScore(_ context.Context, state fwk.CycleState, pod *v1.Pod, _ []fwk.NodeInfo) *fwk.Status {
	if pod.Spec.NodeName != "" {
		return fwk.NewStatus(fwk.Skip)
	}
	c := pl.cycleOf(state, pod)
	explain.Of(state).Ranks()
	if !pl.cares(c) {
		return fwk.NewStatus(fwk.Skip)
	}
	if pl.rate == nil {
		c.account.fragments = make(explain.Fragments, len(c.marks))
	}
	if s, ok := shapeOf(c); ok {
		c.sheet = pl.sheets.Of(s, c.view.Slots())
	}
	return nil
}

// cares reports whether the pod has a preference among nodes.
func (pl *DeviceFit) cares(c *cycle) bool {
	if c.NeedsDevices {
		return len(c.Devices) > 0
	}
	return pl.avoidDeviceNodes
}

// Score ranks the node by its devices, 0 to 100.
func (pl *DeviceFit) Score(_ context.Context, state fwk.CycleState, pod *v1.Pod, nodeInfo fwk.NodeInfo) (int64, *fwk.Status) {
	if pod.Spec.NodeName != "" {
		return 0, nil
	}
	c := pl.cycleOf(state, pod)
	if !pl.cares(c) {
		return 0, nil
	}
	node := c.view.NodeOf(nodeInfo)
	if node == nil {
		return int64(pl.rank(c, nodeInfo, nil).score), nil
	}
	version := recall.VersionOf(&c.view, nodeInfo, node)
	found, known := c.sheet.At(node.Slot, version)
	if !known {
		found = pl.rank(c, nodeInfo, node)
		c.sheet.Keep(node.Slot, version, found)
	}
	c.marks.Score(node.Slot, int64(found.score))
	c.account.fragments.Note(node.Slot, found.before, found.after)
	return int64(found.score), nil
}

// rank finds out about a node. node may be nil.
func (pl *DeviceFit) rank(c *cycle, nodeInfo fwk.NodeInfo, node *load.Node) ranking {
	var buffer [device.UsualKinds]device.Stock
	left := pl.remains(c, nodeInfo, node, buffer[:0])
	score, growth := pl.score(c, &left)
	return ranking{float32(growth.Before), float32(growth.After), int8(score)}
}

// ScoreExtensions returns nil: scores need no normalizing, they are comparable
// between nodes and span the framework's range.
func (pl *DeviceFit) ScoreExtensions() fwk.ScoreExtensions { return nil }

// score ranks the node for the cycle's pod, 0 to 100, by what it has left, which
// it may change. growth is how the node's fragmentation changes, if
// the strategy goes by that.
//
// For a pod with devices it is
//
//	97/100 x rating + 3 x feeding
//
// where the rating, 0 to 100, is the strategy's. It is 0 if the node's live
// headroom would not feed the pod, and if the node has none of its devices that
// could be counted (see scoreDevices).
//
// For a pod without devices it is 100 on a node without free devices, and
//
//	47/50 x min(50, rating) + 3 x feeding
//
// on others: at most 50.
func (pl *DeviceFit) score(c *cycle, left *remains) (score int64, growth explain.Fragmentation) {
	if !c.NeedsDevices && left.free == 0 {
		return compat.MaxScore, growth
	}
	var rating float64
	switch {
	case c.NeedsDevices && !pl.feeds(c, left):
		return compat.MinScore, growth
	case pl.rate == nil:
		growth = pl.growth(c, left)
		rating = ratingOfGrowth(growth)
	case c.NeedsDevices:
		rating = scoreDevices(pl.rate, pl.weights, left.Devices, c.Devices)
	default:
		rating = scoreAvoidance(left.Devices)
	}
	best := float64(compat.MaxScore)
	if !c.NeedsDevices {
		best = float64(maxScoreBesideFreeDevices)
	}
	tie := headroomScore * feeding(left, left.Without(c.Requests, c.Use))
	return int64(math.Round(min(rating, best)*(best-headroomScore)/best + tie)), growth
}

// feeds reports whether the node has devices for the pod that can be counted,
// and live headroom for it.
func (pl *DeviceFit) feeds(c *cycle, left *remains) bool {
	if !left.Feeds(&c.Use) {
		return false
	}
	for i := range c.Devices {
		if stockOf(left.Devices, c.Devices[i].Name) != nil {
			return true
		}
	}
	return false
}

// growth returns the fragmentation of what is left before and after the pod is
// placed. It takes the pod's devices off what is left.
func (pl *DeviceFit) growth(c *cycle, left *remains) (growth explain.Fragmentation) {
	growth.Before = pl.fragmentation(c.mix, &left.Node)
	after := *left
	after.take(&c.demand)
	growth.After = pl.fragmentation(c.mix, &after.Node)
	return growth
}

// fragmentation returns that of all kinds of device on the node, each by its
// weight, in devices.
func (pl *DeviceFit) fragmentation(mix *fragmentation.Mix, node *fragmentation.Node) float64 {
	sum := 0.0
	for i := range node.Devices {
		kind := node.Devices[i].Name
		if weight := pl.weights.of(kind); weight > 0 {
			sum += weight * fragmentation.Of(mix.Shapes(kind), node, i)
		}
	}
	return sum
}

// ratingOfGrowth rates a node by how many devices d more will be of no use:
//
//	100 / (1 + e^(3d))
//
// 50 if none, towards 100 if devices that were of no use to others are used up
// by the pod, towards 0 if the pod strands many. The slope is steepest around 0
// because most choices are between fractions of a device. (The shape of the
// curve is that of the paper's implementation.)
func ratingOfGrowth(growth explain.Fragmentation) float64 {
	return float64(compat.MaxScore) / (1 + math.Exp(3*(growth.After-growth.Before)))
}

// feeding says how well the headroom that is left with the pod on the node would
// feed its free devices, 0 to 1, where one half is as much for each as when the
// node is idle:
//
//	q = min over resources of (headroom / line) x (devices / (free + 1))
//	feeding = q / (1 + q)
//
// with the free devices of before. Where the node's use is not known, what is
// unrequested of what is allocatable stands in.
func feeding(left *remains, after fragmentation.Room) float64 {
	headroom := after.Headroom
	if headroom == fragmentation.Unlimited() {
		headroom = after.Unrequested
	}
	least := 1.0
	for r := range amount.NumResources {
		if left.of[r] > 0 {
			least = min(least, float64(headroom[r])/float64(left.of[r]))
		}
	}
	q := max(least, 0) * left.inClasses.Allocatable(left.Devices) / (float64(left.free) + 1)
	return q / (1 + q)
}

// rating rates a node by its stock of one device resource for a pod that asks
// for count units of it, from 0 to 100.
type rating func(stock device.Stock, count int64) float64

// ratingOf returns the rating of a strategy; nil for LeastFragmentation, which
// looks at all of the node.
func ratingOf(strategy config.Strategy) (rating, error) {
	switch strategy {
	case config.LeastFragmentation:
		return nil, nil
	case config.MostAllocated:
		return mostAllocated, nil
	case config.LeastAllocated:
		return leastAllocated, nil
	}
	return nil, fmt.Errorf("unknown strategy %q: must be %s, %s or %s", strategy, config.LeastFragmentation, config.MostAllocated, config.LeastAllocated)
}

// mostAllocated rates by how much of the resource is in use once the pod is
// placed:
//
//	100 * min(1, (requested + count) / allocatable)
//
// and 0 if allocatable is 0: see scoreDevices.
func mostAllocated(stock device.Stock, count int64) float64 {
	if stock.Allocatable <= 0 {
		return 0
	}
	// Not in integers, which a sum or product of large counts would overflow.
	return float64(compat.MaxScore) * min(1, (float64(stock.Requested)+float64(count))/float64(stock.Allocatable))
}

// leastAllocated rates by how much of the resource is left once the pod is
// placed:
//
//	100 - 100 * min(1, (requested + count) / allocatable)
//
// and 0 if allocatable is 0: see scoreDevices.
func leastAllocated(stock device.Stock, count int64) float64 {
	if stock.Allocatable <= 0 {
		return 0
	}
	return float64(compat.MaxScore) - mostAllocated(stock, count)
}

// scoreDevices returns the rating of the node, 0 to 100, for a pod that asks
// for devices: the mean of the ratings of these kinds by their weights.
//
// A node that passed the filters although it has none of a kind has devices
// that cannot be counted here, because a scheduler extender manages them. It is
// rated 0 for the kind whatever the strategy: nodes whose devices can be counted
// come first, and nodes whose devices cannot are all the same.
func scoreDevices(rate rating, w weights, stocks []device.Stock, devices []device.Request) float64 {
	var sum, total float64
	for i := range devices {
		weight := w.of(devices[i].Name)
		total += weight
		if stock := stockOf(stocks, devices[i].Name); stock != nil {
			sum += weight * rate(*stock, devices[i].Count)
		}
	}
	if total == 0 {
		return float64(compat.MaxScore) / 2
	}
	return sum / total
}

// scoreAvoidance returns the rating of a node with free devices, 0 to 50, for a
// pod that asks for none:
//
//	50 x (1 - max over the node's kinds of device of free / allocatable)
func scoreAvoidance(stocks []device.Stock) float64 {
	var freest float64
	for i := range stocks {
		freest = max(freest, float64(stocks[i].Free())/float64(stocks[i].Allocatable))
	}
	return float64(maxScoreBesideFreeDevices) * (1 - freest)
}
