package devicefit

import (
	v1 "k8s.io/api/core/v1"
	resourcehelper "k8s.io/component-helpers/resource"
	fwk "k8s.io/kube-scheduler/framework"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/device"
	"github.com/plimsoll-scheduler/plimsoll/pkg/explain"
	"github.com/plimsoll-scheduler/plimsoll/pkg/fragmentation"
	"github.com/plimsoll-scheduler/plimsoll/pkg/line"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load"
	"github.com/plimsoll-scheduler/plimsoll/pkg/rejection"
	"github.com/plimsoll-scheduler/plimsoll/pkg/waiting"
)

// demand is everything about a pod that decides on its nodes. Filter, Score and
// SignPod work from it alone, so pods that sign alike are treated alike. Its
// JSON form is the pod's signature. It is immutable.
type demand struct {
	// Devices are the devices that the pod asks for.
	Devices []device.Request `json:"devices,omitempty"`
	// NeedsDevices says that it asks for some, also where their number is not
	// known here.
	NeedsDevices bool `json:"needsDevices,omitempty"`
	// Exempt says that no node is rejected for the pod.
	Exempt bool `json:"exempt,omitempty"`
	// Requests and Use are its CPU and memory requests, and what it is expected
	// to use.
	Requests amount.Vector `json:"requests"`
	Use      amount.Vector `json:"use"`
}

func (pl *DeviceFit) demandOf(pod *v1.Pod) demand {
	devices := pl.devices.Requests(pod)
	return demand{
		Devices:      devices,
		NeedsDevices: len(devices) > 0 || device.UsesDRA(pod),
		Exempt:       rejection.IsExempt(pod),
		Requests:     requestsOf(pod),
		Use:          pl.model.Estimate(pod),
	}
}

func requestsOf(pod *v1.Pod) amount.Vector {
	return amount.FromList(resourcehelper.PodRequests(pod, resourcehelper.PodResourcesOptions{}))
}

// cycle is what one scheduling cycle decides on. It is immutable once Score
// runs.
type cycle struct {
	demand
	view    load.View
	rule    line.Rule
	devices device.View
	mix     *fragmentation.Mix
	// mayStrand says that nodes may be rejected for the pod, and attempt is which.
	mayStrand bool
	attempt   *waiting.Attempt
	// trial: the cycle is a copy, for trying things out.
	trial bool
	trace *explain.Trace // nil if nothing is to be explained
}

const stateKey fwk.StateKey = Name

func (pl *DeviceFit) newCycle(pod *v1.Pod) *cycle {
	c := &cycle{demand: pl.demandOf(pod), view: pl.model.View()}
	pl.complete(c)
	return c
}

// complete sets what the cycle goes by besides its demand and its view.
func (pl *DeviceFit) complete(c *cycle) {
	c.mix, c.rule = pl.learner.Mix(), pl.rule
	c.rule.Largest = c.view.Largest()
	c.devices = pl.devices.View()
}

// begin begins a cycle for the pod.
func (pl *DeviceFit) begin(state fwk.CycleState, pod *v1.Pod) *cycle {
	c := &cycle{demand: pl.demandOf(pod)}
	if c.mayStrand = pl.waiting != nil && !c.NeedsDevices && !c.Exempt; c.mayStrand {
		c.attempt, c.view = pl.waiting.Begin(pod, state.IsPodGroupSchedulingCycle())
		pl.statuses.Grow(c.view.Slots())
		pl.rejecting.grow(c.view.Slots())
	} else {
		c.view = pl.model.View()
	}
	pl.complete(c)
	state.Write(stateKey, c)
	return c
}

// cycleOf returns the cycle that PreFilter has begun, or begins it: a profile may
// enable the plugin at some extension points alone.
func (pl *DeviceFit) cycleOf(state fwk.CycleState, pod *v1.Pod) *cycle {
	if data, err := state.Read(stateKey); err == nil {
		return data.(*cycle)
	}
	pl.late.Lock()
	defer pl.late.Unlock()
	if data, err := state.Read(stateKey); err == nil {
		return data.(*cycle)
	}
	return pl.begin(state, pod)
}

// Clone implements fwk.StateData. Copies of a cycle's state are for trying
// things out, which is no part of the decision.
func (c *cycle) Clone() fwk.StateData {
	clone := *c
	clone.trial, clone.trace = true, nil
	return &clone
}

// remains is what a node has left.
type remains struct {
	fragmentation.Node
	// measured says that the node's use is known.
	measured bool
	// of is what there was of the room: the load line, or what is allocatable if
	// the node's use is not known.
	of amount.Vector
	// free is the number of free devices of all kinds, each counted once.
	free int64
	// inClasses says which of the kinds are device classes.
	inClasses device.InClasses
}

// remains returns what the node has left, and the load model's record of it.
// stocks is for its devices; the result holds it.
func (pl *DeviceFit) remains(c *cycle, nodeInfo fwk.NodeInfo, stocks []device.Stock) (remains, *load.Node) {
	allocatable, requested := nodeInfo.GetAllocatable(), nodeInfo.GetRequested()
	node := c.view.NodeOf(nodeInfo)
	left := remains{of: amount.Vector{amount.CPU: allocatable.GetMilliCPU(), amount.Memory: allocatable.GetMemory()}}
	left.Unrequested = left.of.Sub(amount.Vector{amount.CPU: requested.GetMilliCPU(), amount.Memory: requested.GetMemory()})
	left.Headroom = fragmentation.Unlimited()
	var use amount.Vector
	if use, left.measured = c.view.Use(node, pl.statistic); left.measured {
		l := c.rule.On(&node.Own, node.Allocatable)
		left.of = l.Limit
		left.Headroom = l.Headroom(use)
		left.Most = l.Cap(use)
	}
	left.Devices, left.inClasses = c.devices.AppendStocks(stocks, nodeInfo)
	left.free = left.inClasses.Free(left.Devices)
	return left, node
}

// maxKinds is for how many kinds of devices on a node Score needs no
// allocation.
const maxKinds = 16

// stockOf returns what there is of the kind, nil if there is none.
func stockOf(stocks []device.Stock, kind v1.ResourceName) *device.Stock {
	for i := range stocks {
		if stocks[i].Name == kind {
			return &stocks[i]
		}
	}
	return nil
}
