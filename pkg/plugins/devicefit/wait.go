package devicefit

import (
	"context"
	"sync/atomic"

	v1 "k8s.io/api/core/v1"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
	schedutil "k8s.io/kubernetes/pkg/scheduler/util"
	"k8s.io/utils/clock"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/compat"
	"github.com/plimsoll-scheduler/plimsoll/pkg/device"
	"github.com/plimsoll-scheduler/plimsoll/pkg/explain"
	"github.com/plimsoll-scheduler/plimsoll/pkg/line"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load"
	"github.com/plimsoll-scheduler/plimsoll/pkg/waiting"
)

// anyPod is the class of all pods that wait: nothing but how much a pod needs
// decides on whether a node has room for it.
type anyPod struct{}

// wait has the plugin's rejected pods woken, until ctx ends.
func (pl *DeviceFit) wait(ctx context.Context, dispatch waiting.Dispatcher, rejections *waiting.Metrics) {
	if pl.perDevice == (amount.Vector{}) {
		return
	}
	pl.waiting = waiting.NewSet(waiting.Config[anyPod]{
		Handle: pl.handle, Rules: rules{pl}, View: pl.model.View,
		Metrics: rejections, Plugin: Name, Reasons: []string{"stranding"},
	})
	if dispatch == nil {
		dispatch = waiting.Background(clock.RealClock{})
	}
	pl.model.Subscribe(pl.waiting.Start(ctx, dispatch, func(*load.View) {}))
}

// Remembered returns how many pods are remembered as ones that wait.
func (pl *DeviceFit) Remembered() int {
	if pl.waiting == nil {
		return 0
	}
	return pl.waiting.Len()
}

// rules are DeviceFit's part in the decision which pods to wake.
type rules struct{ pl *DeviceFit }

var _ waiting.Rules[anyPod] = rules{}

// Class returns the class that all pods are in.
func (rules) Class(*load.View, *v1.Pod, waiting.History) anyPod { return anyPod{} }

// Need returns what the pod is expected to use.
func (r rules) Need(pod *v1.Pod) amount.Vector { return r.pl.model.Estimate(pod) }

// Room returns how much a pod may use for Filter to take the node, as far as that
// is known outside of a scheduling cycle. Where it is not, the node is taken to
// have room if that is no worse than it was when it rejected a pod.
func (r rules) Room(view *load.View, node *load.Node, _ anyPod, taken amount.Vector) (amount.Vector, bool) {
	had, byRequests, known := r.pl.rejecting.of(node)
	free := r.pl.devices.View().Remaining(had.free, node.Name, had.mark)
	use, measured := r.pl.use(view, node)
	if !measured {
		// What its pods request is told by events, but not that devices do not return.
		return amount.Vector{line.Unlimited, line.Unlimited}, !known || !byRequests || free < had.free
	}
	l := r.pl.rule.On(node.Own, node.Allocatable)
	return spare(l.Headroom(use.Add(taken)), r.pl.perDevice, free), true
}

// PostFilter says that the attempt has failed. It never makes a pod schedulable.
func (pl *DeviceFit) PostFilter(_ context.Context, state fwk.CycleState, _ *v1.Pod, _ fwk.NodeToStatusReader) (*fwk.PostFilterResult, *fwk.Status) {
	if data, err := state.Read(stateKey); err == nil {
		if c := data.(*cycle); c.attempt != nil {
			pl.waiting.Finish(c.attempt)
		}
	}
	explain.Of(state).Conclude(explain.Waits, "")
	return nil, fwk.NewStatus(fwk.Unschedulable)
}

// rejecting is what the nodes had that rejected a pod, when they did so last, by
// slot. Where the number of free devices has changed since, there was an event: see
// EventsToRegister. note and of take no lock and allocate nothing.
type rejecting struct {
	bySlot atomic.Pointer[[]*rejectingNode]
}

// hadDevices is how many devices were free on a node, with those that were away.
type hadDevices struct {
	free int64
	mark device.Mark
}

// rejectingNode is what a node had. Its fields are written one after the other: a
// reader may see those of two rejections, which costs an attempt in vain at worst.
type rejectingNode struct {
	born atomic.Uint64 // which node of the slot it was: see load.Node.Born
	free atomic.Int64
	// away and dismissals are those of the device.Mark.
	away       atomic.Int64
	dismissals atomic.Uint64
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
func (w *rejecting) note(node *load.Node, had hadDevices, measured bool) {
	if node == nil {
		return
	}
	if n := w.at(node.Slot); n != nil {
		n.free.Store(had.free)
		n.away.Store(had.mark.Away)
		n.dismissals.Store(had.mark.Dismissals)
		n.byRequests.Store(!measured)
		n.born.Store(node.Born)
	}
}

// of returns what the node had, and whether it has rejected a pod.
func (w *rejecting) of(node *load.Node) (had hadDevices, byRequests, known bool) {
	n := w.at(node.Slot)
	if n == nil || n.born.Load() != node.Born {
		return hadDevices{}, false, false
	}
	had = hadDevices{free: n.free.Load(), mark: device.Mark{Away: n.away.Load(), Dismissals: n.dismissals.Load()}}
	return had, n.byRequests.Load(), true
}

func (w *rejecting) at(slot int) *rejectingNode {
	bySlot := w.bySlot.Load()
	if bySlot == nil || slot >= len(*bySlot) {
		return nil
	}
	return (*bySlot)[slot]
}

// EventsToRegister returns the cluster events after which a node may take a
// pod that it rejected, where they tell of more than the load model, or sooner.
func (pl *DeviceFit) EventsToRegister(context.Context) ([]fwk.ClusterEventWithHint, error) {
	events := []fwk.ClusterEventWithHint{
		{Event: fwk.ClusterEvent{Resource: fwk.Node, ActionType: fwk.Add | fwk.UpdateNodeAllocatable}},
		compat.WhenOwnPodChanges(pl.afterOwnChange),
		compat.WhenAssignedPodsChange(pl.afterPodChange),
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
		if _, measured := pl.use(&view, view.Node(before.Spec.NodeName)); measured {
			return fwk.QueueSkip, nil // the load model tells when it shows
		}
		return fwk.Queue, nil
	}
	if len(pl.devices.Requests(after)) > 0 {
		return fwk.Queue, nil
	}
	return fwk.QueueSkip, nil
}
