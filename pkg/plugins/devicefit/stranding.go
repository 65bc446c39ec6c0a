package devicefit

import (
	"context"
	"math"
	"sync/atomic"

	v1 "k8s.io/api/core/v1"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
	schedutil "k8s.io/kubernetes/pkg/scheduler/util"
	"k8s.io/utils/clock"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/device"
	"github.com/plimsoll-scheduler/plimsoll/pkg/explain"
	"github.com/plimsoll-scheduler/plimsoll/pkg/line"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load"
	"github.com/plimsoll-scheduler/plimsoll/pkg/rejection"
	"github.com/plimsoll-scheduler/plimsoll/pkg/waiting"
)

// newStatus returns the status to reject a node with. Preemption is of no help:
// what a pod without devices could evict is other pods without devices, and
// what those leave is for the devices.
func newStatus(int) *fwk.Status {
	return fwk.NewStatus(fwk.UnschedulableAndUnresolvable, rejection.StrandsDevices)
}

// spare returns how much of a node's headroom its free devices do not need, each
// perDevice:
//
//	headroom - perDevice x free
//
// It is line.Unlimited for a resource of which they need nothing, and below 0 if
// there is less than they need.
func spare(headroom, perDevice amount.Vector, free int64) (room amount.Vector) {
	for r := range room {
		switch {
		case perDevice[r] == 0:
			room[r] = line.Unlimited
		case free > math.MaxInt64/perDevice[r] || headroom[r] < math.MinInt64+perDevice[r]*free:
			room[r] = math.MinInt64
		default:
			room[r] = headroom[r] - perDevice[r]*free
		}
	}
	return room
}

// strands reports whether a pod that is expected to use this much would take what
// the free devices of a node need.
func strands(use, spare amount.Vector) bool {
	for r := range use {
		if use[r] > spare[r] {
			return true
		}
	}
	return false
}

// Filter rejects a node on which a pod without devices would strand those that
// are free.
func (pl *DeviceFit) Filter(_ context.Context, state fwk.CycleState, pod *v1.Pod, nodeInfo fwk.NodeInfo) *fwk.Status {
	if pod.Spec.NodeName != "" {
		return nil
	}
	c := pl.cycleOf(state, pod)
	if !c.mayStrand {
		return nil // PreFilter skips these, but a profile may enable Filter alone
	}
	var buffer [maxKinds]device.Stock
	left, node := pl.remains(c, nodeInfo, buffer[:0])
	if left.free == 0 {
		return nil
	}
	headroom, measured := pl.headroom(&left, nodeInfo)
	if !strands(c.Use, spare(headroom, pl.perDevice, left.free)) {
		return nil
	}
	pl.rejecting.note(node, left.free, measured)
	if c.trial {
		c.attempt.RejectTrial(node, allocatableOf(nodeInfo))
	} else {
		c.attempt.Reject(node, allocatableOf(nodeInfo), 0)
	}
	if trace := explain.Of(state); trace != nil && node != nil {
		trace.DeviceFit.Reject(node.Slot, 0)
	}
	return pl.statuses.For(node, 0)
}

// headroom returns the node's headroom, and whether that is by its measured use.
// Where this is not known, what its pods request stands in.
func (pl *DeviceFit) headroom(left *remains, nodeInfo fwk.NodeInfo) (_ amount.Vector, measured bool) {
	if left.measured {
		return left.Headroom, true
	}
	requested := nodeInfo.GetNonZeroRequested()
	use := pl.model.Requested(amount.Vector{amount.CPU: requested.GetMilliCPU(), amount.Memory: requested.GetMemory()})
	return left.of.Sub(use), false
}

func allocatableOf(nodeInfo fwk.NodeInfo) amount.Vector {
	allocatable := nodeInfo.GetAllocatable()
	return amount.Vector{amount.CPU: allocatable.GetMilliCPU(), amount.Memory: allocatable.GetMemory()}
}

// rejecting is what the nodes had that rejected a pod, when they did so last, by
// slot. Where the number of free devices has changed since, there was an event: see
// EventsToRegister. note and of take no lock and allocate nothing.
type rejecting struct {
	bySlot atomic.Pointer[[]*rejectingNode]
}

// rejectingNode is what a node had. Its fields are written one after the other: a
// reader may see those of two rejections, which costs an attempt in vain at worst.
type rejectingNode struct {
	born atomic.Uint64 // which node of the slot it was: see load.Node.Born
	free atomic.Int64
	// byRequests: its use was not known, and what its pods request stood in.
	byRequests atomic.Bool
}

// grow makes room for the nodes of slots below n. It is called by one goroutine
// at a time.
func (w *rejecting) grow(n int) {
	var have []*rejectingNode
	if bySlot := w.bySlot.Load(); bySlot != nil {
		have = *bySlot
	}
	if n <= len(have) {
		return
	}
	grown := append(make([]*rejectingNode, 0, n), have...)
	for len(grown) < n {
		grown = append(grown, &rejectingNode{})
	}
	w.bySlot.Store(&grown)
}

// note notes what the node, which may be nil, has.
func (w *rejecting) note(node *load.Node, free int64, measured bool) {
	if node == nil {
		return
	}
	if n := w.at(node.Slot); n != nil {
		n.free.Store(free)
		n.byRequests.Store(!measured)
		n.born.Store(node.Born)
	}
}

// of returns what the node had, and whether it has rejected a pod.
func (w *rejecting) of(node *load.Node) (free int64, byRequests, known bool) {
	n := w.at(node.Slot)
	if n == nil || n.born.Load() != node.Born {
		return 0, false, false
	}
	return n.free.Load(), n.byRequests.Load(), true
}

func (w *rejecting) at(slot int) *rejectingNode {
	bySlot := w.bySlot.Load()
	if bySlot == nil || slot >= len(*bySlot) {
		return nil
	}
	return (*bySlot)[slot]
}

// anyPod is the class of all pods that wait: nothing but how much a pod needs
// decides on whether a node has room for it.
type anyPod struct{}

// wait has the plugin's rejected pods woken, until ctx ends.
func (pl *DeviceFit) wait(ctx context.Context, dispatch waiting.Dispatcher) {
	if pl.perDevice == (amount.Vector{}) {
		return
	}
	pl.waiting = waiting.NewSet(waiting.Config[anyPod]{
		Handle: pl.handle, Rules: pl, View: pl.model.View, Metrics: pl.metrics.metrics.waiting,
		Failed: func(uint32) { pl.metrics.rejected() },
	})
	if dispatch == nil {
		dispatch = waiting.Background(clock.RealClock{})
	}
	pl.model.Subscribe(pl.waiting.Start(ctx, dispatch, func(*load.View) {}))
}

var _ waiting.Rules[anyPod] = &DeviceFit{}

// Class returns the class that all pods are in.
func (pl *DeviceFit) Class(*load.View, *v1.Pod, waiting.History) anyPod { return anyPod{} }

// Need returns what the pod is expected to use.
func (pl *DeviceFit) Need(pod *v1.Pod) amount.Vector { return pl.model.Estimate(pod) }

// Room returns how much a pod may use for Filter to take the node, as far as that
// is known outside of a scheduling cycle. Where it is not, the node is taken to
// have room if that is no worse than it was when it rejected a pod.
func (pl *DeviceFit) Room(view *load.View, node *load.Node, _ anyPod, taken amount.Vector) (amount.Vector, bool) {
	free, byRequests, known := pl.rejecting.of(node)
	use, measured := view.Use(node, pl.statistic)
	if !measured {
		// What its pods request is told by events.
		return amount.Vector{line.Unlimited, line.Unlimited}, !known || !byRequests
	}
	l := pl.rule.On(&node.Own, node.Allocatable)
	return spare(l.Headroom(use.Add(taken)), pl.perDevice, free), true
}

// PostFilter says that the attempt has failed. It never makes a pod schedulable.
func (pl *DeviceFit) PostFilter(_ context.Context, state fwk.CycleState, _ *v1.Pod, _ fwk.NodeToStatusReader) (*fwk.PostFilterResult, *fwk.Status) {
	if data, err := state.Read(stateKey); err == nil {
		if c := data.(*cycle); c.attempt != nil {
			pl.waiting.Finish(c.attempt)
		}
	}
	return nil, fwk.NewStatus(fwk.Unschedulable)
}

// EventsToRegister returns the cluster events after which a node may take a
// pod that it rejected, where they tell of more than the load model, or sooner.
func (pl *DeviceFit) EventsToRegister(context.Context) ([]fwk.ClusterEventWithHint, error) {
	events := []fwk.ClusterEventWithHint{
		{Event: fwk.ClusterEvent{Resource: fwk.Node, ActionType: fwk.Add | fwk.UpdateNodeAllocatable}},
		{
			Event:          fwk.ClusterEvent{Resource: fwk.TargetPod, ActionType: fwk.Update},
			QueueingHintFn: pl.afterOwnChange,
		},
		{
			Event:          fwk.ClusterEvent{Resource: fwk.AssignedPod, ActionType: fwk.Add | fwk.Delete | fwk.UpdatePodScaleDown},
			QueueingHintFn: pl.afterPodChange,
		},
	}
	return append(events, pl.devices.Events()...), nil
}

// afterOwnChange queues the pod if it is expected to use something else than
// before, because of its annotation or its requests.
func (pl *DeviceFit) afterOwnChange(_ klog.Logger, _ *v1.Pod, oldObj, newObj any) (fwk.QueueingHint, error) {
	before, after, err := schedutil.As[*v1.Pod](oldObj, newObj)
	if err != nil {
		return fwk.Queue, err
	}
	if pl.model.Estimate(before) == pl.model.Estimate(after) {
		return fwk.QueueSkip, nil
	}
	return fwk.Queue, nil
}

// afterPodChange queues the pod if there are fewer free devices now, because one
// was given to a pod, or fewer requests, which count where use is not known.
func (pl *DeviceFit) afterPodChange(_ klog.Logger, _ *v1.Pod, oldObj, newObj any) (fwk.QueueingHint, error) {
	before, after, err := schedutil.As[*v1.Pod](oldObj, newObj)
	if err != nil {
		return fwk.Queue, err
	}
	if before != nil { // it is gone, or requests less
		view := pl.model.View()
		if _, measured := view.Use(view.Node(before.Spec.NodeName), pl.statistic); measured {
			return fwk.QueueSkip, nil // the load model tells when it shows
		}
		return fwk.Queue, nil
	}
	if len(pl.devices.Requests(after)) > 0 {
		return fwk.Queue, nil
	}
	return fwk.QueueSkip, nil
}
