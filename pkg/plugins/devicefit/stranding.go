package devicefit

import (
	"context"
	"maps"
	"sync"

	v1 "k8s.io/api/core/v1"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
	schedutil "k8s.io/kubernetes/pkg/scheduler/util"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/device"
	"github.com/plimsoll-scheduler/plimsoll/pkg/explain"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load"
	"github.com/plimsoll-scheduler/plimsoll/pkg/rejection"
)

// newStatus returns the status to reject a node with. Preemption is of no help:
// what a pod without devices could evict is other pods without devices, and
// what those leave is for the devices.
func newStatus(int) *fwk.Status {
	return fwk.NewStatus(fwk.UnschedulableAndUnresolvable, rejection.StrandsDevices)
}

// strands reports whether a pod would leave less than perDevice of the node's
// headroom for each of its free devices:
//
//	headroom - use < perDevice x free, for any resource of which perDevice is above 0
func strands(headroom, use, perDevice amount.Vector, free int64) bool {
	for r := range amount.NumResources {
		// In floats, which a product of large amounts does not overflow.
		if perDevice[r] > 0 && float64(headroom[r])-float64(use[r]) < float64(perDevice[r])*float64(free) {
			return true
		}
	}
	return false
}

// Filter rejects a node on which a pod without devices would strand those that
// are free.
func (pl *DeviceFit) Filter(_ context.Context, state fwk.CycleState, pod *v1.Pod, nodeInfo fwk.NodeInfo) *fwk.Status {
	c := pl.cycleOf(state, pod)
	if c.NeedsDevices || c.Exempt {
		return nil // PreFilter skips these, but a profile may enable Filter alone
	}
	var buffer [maxKinds]device.Stock
	left, node := pl.remains(c, nodeInfo, buffer[:0])
	if left.free == 0 || !strands(pl.headroom(c, &left, node, nodeInfo), c.Use, pl.perDevice, left.free) {
		return nil
	}
	if trace := explain.Of(state); trace != nil && node != nil {
		trace.DeviceFit.Reject(node.Slot, 0)
	}
	return pl.statuses.For(node, 0)
}

// headroom returns the node's live headroom. Where its use is not known, what
// its pods request stands in.
func (pl *DeviceFit) headroom(c *cycle, left *remains, node *load.Node, nodeInfo fwk.NodeInfo) amount.Vector {
	if c.view.State(node) == load.Fresh {
		return left.Headroom
	}
	requested := nodeInfo.GetNonZeroRequested()
	use := pl.model.Requested(amount.Vector{amount.CPU: requested.GetMilliCPU(), amount.Memory: requested.GetMemory()})
	return left.of.Sub(use)
}

// stranding is how many free devices there were on the nodes that rejected pods
// last, by slot. Where it has changed since, there was an event: see
// EventsToRegister.
type stranding struct {
	mu   sync.Mutex
	free map[int]int64
}

func (s *stranding) put(free map[int]int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.free == nil {
		s.free = map[int]int64{}
	}
	maps.Copy(s.free, free)
}

// onNode returns the number, and whether it is known.
func (s *stranding) onNode(slot int) (int64, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	free, known := s.free[slot]
	return free, known
}

// forgetUnless drops all numbers unless a pod waits. One that begins to wait in
// the meantime puts its numbers after that.
func (s *stranding) forgetUnless(waits func() bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !waits() {
		clear(s.free)
	}
}

// PostFilter remembers the pod with the nodes that DeviceFit rejected it on. It
// never makes a pod schedulable.
func (pl *DeviceFit) PostFilter(_ context.Context, state fwk.CycleState, pod *v1.Pod, statuses fwk.NodeToStatusReader) (*fwk.PostFilterResult, *fwk.Status) {
	unchanged := fwk.NewStatus(fwk.Unschedulable)
	if pl.perDevice == (amount.Vector{}) {
		return nil, unchanged
	}
	nodes, err := rejection.Nodes(pl.handle.SnapshotSharedLister().NodeInfos(), statuses, Name)
	if err != nil {
		return nil, fwk.AsStatus(err)
	}
	if len(nodes) == 0 {
		return nil, unchanged
	}
	c := pl.cycleOf(state, pod)
	rejectedBy, free := rejection.NewSlots(c.view.Slots()), map[int]int64{}
	for _, nodeInfo := range nodes {
		var buffer [maxKinds]device.Stock
		if left, node := pl.remains(c, nodeInfo, buffer[:0]); node != nil {
			rejectedBy.Add(node.Slot)
			free[node.Slot] = left.free
		}
	}
	// First the pod: while any waits, no number is forgotten.
	pl.waiting.Put(&rejection.Pod[amount.Vector]{Pod: pod, Ask: c.Use, RejectedBy: rejectedBy, Since: c.view.Now})
	pl.stranding.put(free)
	pl.metrics.rejected()
	return nil, unchanged
}

// afterChange puts those waiting pods back into the queue that a node which
// rejected them would take now. It is called whenever a node may have room that
// it had not before.
func (pl *DeviceFit) afterChange(ctx context.Context) {
	if pl.waiting.Len() == 0 {
		pl.stranding.forgetUnless(func() bool { return pl.waiting.Len() > 0 })
		return
	}
	view := pl.model.View()
	woken := pl.waiting.Woken(&view, rejection.Rules[amount.Vector]{
		IsPending: rejection.IsPending(pl.handle.SharedInformerFactory().Core().V1().Pods().Lister()),
		Least: func(a, b amount.Vector) amount.Vector {
			for r := range a {
				a[r] = min(a[r], b[r])
			}
			return a
		},
		Takes: func(node *load.Node, use, taken amount.Vector) (amount.Vector, bool) {
			use = use.Add(taken)
			l := pl.rule.On(&node.Own, node.Allocatable)
			free, known := pl.stranding.onNode(node.Slot)
			return use, known && view.State(node) == load.Fresh &&
				!strands(l.Headroom(node.Predicted[pl.statistic]), use, pl.perDevice, free)
		},
	})
	if len(woken) == 0 {
		return
	}
	for _, p := range woken {
		pl.metrics.woken(view.Now.Sub(p.Since))
	}
	logger := klog.FromContext(ctx)
	logger.V(3).Info("Load dropped: retrying pods that would have stranded devices", "profile", pl.handle.ProfileName(), "pods", len(woken))
	pl.handle.Activate(logger, rejection.ByName(woken))
}

// EventsToRegister returns the cluster events after which a node may take a
// pod that it rejected. Measured load is none of them: see afterChange.
func (pl *DeviceFit) EventsToRegister(context.Context) ([]fwk.ClusterEventWithHint, error) {
	events := []fwk.ClusterEventWithHint{
		{Event: fwk.ClusterEvent{Resource: fwk.Node, ActionType: fwk.UpdateNodeAnnotation}},
		{Event: fwk.ClusterEvent{Resource: fwk.TargetPod, ActionType: fwk.UpdatePodScaleDown}},
		{
			Event:          fwk.ClusterEvent{Resource: fwk.AssignedPod, ActionType: fwk.Add | fwk.Delete},
			QueueingHintFn: pl.afterPodChange,
		},
	}
	return append(events, pl.devices.Events()...), nil
}

// afterPodChange queues the pod if there are fewer free devices now, because
// one was given to a pod, or fewer requests, which count where use is not known.
func (pl *DeviceFit) afterPodChange(_ klog.Logger, _ *v1.Pod, oldObj, newObj any) (fwk.QueueingHint, error) {
	before, after, err := schedutil.As[*v1.Pod](oldObj, newObj)
	if err != nil {
		return fwk.Queue, err
	}
	if before != nil {
		view := pl.model.View()
		if view.State(view.Node(before.Spec.NodeName)) == load.Fresh {
			return fwk.QueueSkip, nil // the load model tells when it shows
		}
		return fwk.Queue, nil
	}
	if len(pl.devices.Requests(after)) > 0 {
		return fwk.Queue, nil
	}
	return fwk.QueueSkip, nil
}
