package nodeload

import (
	"context"
	"sync"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
	schedutil "k8s.io/kubernetes/pkg/scheduler/util"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/explain"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load"
	"github.com/plimsoll-scheduler/plimsoll/pkg/rejection"
)

// wishes are the pods for which preemption was tried, in their last scheduling
// cycle, without knowing what each pod that it might evict uses; with how often
// single pods had been measured by then.
type wishes struct {
	mu       sync.Mutex
	podPolls map[types.UID]uint64
}

func newWishes() *wishes { return &wishes{podPolls: map[types.UID]uint64{}} }

func (w *wishes) add(preemptor types.UID, podPolls uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.podPolls[preemptor] = podPolls
}

func (w *wishes) remove(uid types.UID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.podPolls, uid)
}

// granted reports whether more may be known by now than the pod's preemption knew.
func (w *wishes) granted(uid types.UID, podPolls uint64) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	before, wished := w.podPolls[uid]
	return wished && before < podPolls
}

// keep drops the wishes of pods for which waits is false.
func (w *wishes) keep(waits func(types.UID) bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for uid := range w.podPolls {
		if !waits(uid) {
			delete(w.podPolls, uid)
		}
	}
}

// stopWaiting forgets all that is known of the pod.
func (pl *NodeLoad) stopWaiting(uid types.UID) {
	pl.waiting.Remove(uid)
	pl.wishes.remove(uid)
}

// PostFilter remembers the pod with the nodes that NodeLoad rejected it on. It
// never makes a pod schedulable.
func (pl *NodeLoad) PostFilter(_ context.Context, state fwk.CycleState, pod *v1.Pod, statuses fwk.NodeToStatusReader) (*fwk.PostFilterResult, *fwk.Status) {
	unchanged := fwk.NewStatus(fwk.Unschedulable)
	c, err := cycleOf(state)
	if err != nil {
		pl.stopWaiting(pod.UID)
		return nil, unchanged // another plugin's PreFilter rejected the pod before ours ran
	}
	pl.explain(c, pod, explain.Waits, "")
	nodes, err := rejection.Nodes(pl.handle.SnapshotSharedLister().NodeInfos(), statuses, Name)
	if err != nil {
		return nil, fwk.AsStatus(err)
	}
	rejectedBy := rejection.NewSlots(c.view.Slots())
	var largest amount.Vector
	var verdicts [numVerdicts]bool
	for _, nodeInfo := range nodes {
		if node := c.view.NodeOf(nodeInfo); node != nil {
			rejectedBy.Add(node.Slot)
			largest = largest.Max(node.Allocatable)
			verdicts[pl.policy.verdict(c.view.State(node), node, allocatableOf(nodeInfo), c.ask)] = true
		}
	}
	if verdicts == [numVerdicts]bool{} {
		if c.ask.maxWait > 0 && c.ask.soft { // overdue: it does not start to wait anew
			pl.waiting.Put(&rejection.Pod[ask]{Pod: pod, Ask: c.ask})
		} else {
			pl.stopWaiting(pod.UID)
		}
		return nil, unchanged
	}
	pl.metrics.rejected(pl.handle.ProfileName(), verdicts)
	// Where the pod may only run on small nodes, the largest of those is what
	// counts, or it would wait for ever.
	wanted := c.ask
	wanted.rule.Largest = largest
	pl.waiting.Put(&rejection.Pod[ask]{Pod: pod, Ask: wanted, RejectedBy: rejectedBy, Since: c.view.Now})
	return nil, unchanged
}

// afterChange is called whenever a node may have room that it had not before.
func (pl *NodeLoad) afterChange(ctx context.Context) {
	view := pl.model.View()
	pl.metrics.countOverLine(pl.handle.ProfileName(), &pl.policy, &view)
	pl.activate(ctx, &view)
}

// activate puts those waiting pods back into the queue that a node which
// rejected them would take now.
func (pl *NodeLoad) activate(ctx context.Context, view *load.View) {
	waiting := pl.waiting.Len()
	woken := pl.waiting.Woken(view, rejection.Rules[ask]{
		IsPending: rejection.IsPending(pl.handle.SharedInformerFactory().Core().V1().Pods().Lister()),
		Anyway: func(p *rejection.Pod[ask]) bool {
			return !p.Ask.soft && p.Ask.overdue(p.Since, view.Now) || pl.wishes.granted(p.Pod.UID, view.PodPolls)
		},
		Least: leastDemanding,
		Takes: func(node *load.Node, a ask, taken amount.Vector) (amount.Vector, bool) {
			a.beside = taken
			return taken.Add(a.estimate), pl.policy.verdict(view.State(node), node, node.Allocatable, a) == fits
		},
	})
	pl.wishes.keep(pl.waiting.Has)
	if len(woken) == 0 {
		return
	}
	for _, p := range woken {
		pl.metrics.woken(pl.handle.ProfileName(), view.Now.Sub(p.Since))
	}
	logger := klog.FromContext(ctx)
	logger.V(3).Info("Load dropped: retrying pods", "profile", pl.handle.ProfileName(), "pods", len(woken), "waiting", waiting)
	pl.handle.Activate(logger, rejection.ByName(woken))
}

// leastDemanding returns an ask that every node grants which grants a or b.
func leastDemanding(a, b ask) ask {
	a.rule.Band, a.soft = a.rule.Band && b.rule.Band, a.soft || b.soft
	a.estimate, a.rule.Largest = a.estimate.Min(b.estimate), a.rule.Largest.Min(b.rule.Largest)
	for r := range amount.NumResources {
		if a.rule.Percent[r] == 0 || b.rule.Percent[r] == 0 {
			a.rule.Percent[r] = 0 // no threshold is the most generous one
		} else {
			a.rule.Percent[r] = max(a.rule.Percent[r], b.rule.Percent[r])
		}
	}
	return a
}

// EventsToRegister returns the cluster events after which a node may take a
// pod that it rejected for load. Measured load is none of them: see activate.
func (pl *NodeLoad) EventsToRegister(context.Context) ([]fwk.ClusterEventWithHint, error) {
	return []fwk.ClusterEventWithHint{
		{
			Event:          fwk.ClusterEvent{Resource: fwk.Node, ActionType: fwk.Add | fwk.UpdateNodeAllocatable | fwk.UpdateNodeAnnotation},
			QueueingHintFn: pl.afterNodeChange,
		},
		{
			Event:          fwk.ClusterEvent{Resource: fwk.TargetPod, ActionType: fwk.UpdatePodScaleDown},
			QueueingHintFn: pl.afterScaleDown,
		},
	}, nil
}

// afterNodeChange queues the pod if the node that was added or changed would
// take it.
func (pl *NodeLoad) afterNodeChange(_ klog.Logger, pod *v1.Pod, oldObj, newObj any) (fwk.QueueingHint, error) {
	_, changed, err := schedutil.As[*v1.Node](oldObj, newObj)
	if err != nil {
		return fwk.Queue, err
	}
	view := pl.model.View()
	node := view.Node(changed.Name)
	allocatable := amount.FromList(changed.Status.Allocatable)
	if pl.policy.verdict(view.State(node), node, allocatable, pl.askIn(&view, pod)) != fits {
		return fwk.QueueSkip, nil
	}
	return fwk.Queue, nil
}

// afterScaleDown queues the pod: it asks for less than when it was rejected.
func (pl *NodeLoad) afterScaleDown(klog.Logger, *v1.Pod, any, any) (fwk.QueueingHint, error) {
	return fwk.Queue, nil
}
