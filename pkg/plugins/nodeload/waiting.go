package nodeload

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	corev1helpers "k8s.io/component-helpers/scheduling/corev1"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
	schedutil "k8s.io/kubernetes/pkg/scheduler/util"

	"github.com/plimsoll-scheduler/plimsoll/pkg/load"
)

// waitingPods are the pods that NodeLoad rejected in their last scheduling
// cycle, each with the nodes that it rejected them on.
type waitingPods struct {
	mu   sync.Mutex
	pods map[types.UID]*waitingPod
	// wanting are the pods for which preemption was tried, in their last
	// scheduling cycle, without knowing what each pod that it might evict uses.
	wanting map[types.UID]bool
}

type waitingPod struct {
	pod *v1.Pod
	ask ask
	// rejectedBy are the slots of the nodes. A slot that has been given to
	// another node since costs one attempt in vain at the worst.
	rejectedBy slotSet
	since      time.Time
	// podPolls is how often single pods had been measured when the pod was rejected.
	podPolls uint64
}

// slotSet is a set of slots, one bit each: 625 bytes for 5,000 nodes, so that
// 5,000 waiting pods take 3 MB.
type slotSet []uint64

func (s slotSet) add(slot int)      { s[slot/64] |= 1 << (slot % 64) }
func (s slotSet) has(slot int) bool { return slot/64 < len(s) && s[slot/64]&(1<<(slot%64)) != 0 }

func newWaitingPods() *waitingPods {
	return &waitingPods{pods: map[types.UID]*waitingPod{}, wanting: map[types.UID]bool{}}
}

// wantMeasured notes that preemption for the pod would need to know more.
func (w *waitingPods) wantMeasured(preemptor types.UID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wanting[preemptor] = true
}

func (w *waitingPods) put(p *waitingPod) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if before, ok := w.pods[p.pod.UID]; ok {
		p.since = before.since
	}
	w.pods[p.pod.UID] = p
}

// newCycle forgets what the pod's last scheduling cycle wanted to know.
func (w *waitingPods) newCycle(uid types.UID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.wanting, uid)
}

func (w *waitingPods) remove(uid types.UID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.pods, uid)
	delete(w.wanting, uid)
}

// wants reports whether preemption for the pod would need to know more.
func (w *waitingPods) wants(uid types.UID) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.wanting[uid]
}

// inOrder returns the pods as the queue would take them: by priority, then by
// how long they have waited.
func (w *waitingPods) inOrder() []*waitingPod {
	w.mu.Lock()
	pods := make([]*waitingPod, 0, len(w.pods))
	for _, p := range w.pods {
		pods = append(pods, p)
	}
	for uid := range w.wanting {
		if w.pods[uid] == nil {
			delete(w.wanting, uid)
		}
	}
	w.mu.Unlock()
	slices.SortFunc(pods, func(a, b *waitingPod) int {
		return cmp.Or(
			cmp.Compare(corev1helpers.PodPriority(b.pod), corev1helpers.PodPriority(a.pod)),
			a.since.Compare(b.since),
			cmp.Compare(a.pod.UID, b.pod.UID))
	})
	return pods
}

// PostFilter remembers the pod with the nodes that NodeLoad rejected it on. It
// never makes a pod schedulable.
func (pl *NodeLoad) PostFilter(_ context.Context, state fwk.CycleState, pod *v1.Pod, statuses fwk.NodeToStatusReader) (*fwk.PostFilterResult, *fwk.Status) {
	unchanged := fwk.NewStatus(fwk.Unschedulable)
	c, err := cycleOf(state)
	if err != nil {
		pl.waiting.remove(pod.UID)
		return nil, unchanged // another plugin's PreFilter rejected the pod before ours ran
	}
	pl.explain(c, pod, "")
	nodes, err := pl.rejectingNodes(statuses)
	if err != nil {
		return nil, fwk.AsStatus(err)
	}
	rejectedBy := make(slotSet, c.view.Slots()/64+1)
	var verdicts [numVerdicts]bool
	for _, nodeInfo := range nodes {
		if node := c.view.Node(nodeInfo.Node().Name); node != nil {
			rejectedBy.add(node.Slot)
			verdicts[pl.policy.verdict(c.view.State(node), node, allocatableOf(nodeInfo), c.ask)] = true
		}
	}
	if verdicts == [numVerdicts]bool{} {
		pl.waiting.remove(pod.UID)
		return nil, unchanged
	}
	pl.metrics.rejected(pl.handle.ProfileName(), verdicts)
	pl.waiting.put(&waitingPod{pod: pod, ask: c.ask, rejectedBy: rejectedBy, since: c.view.Now, podPolls: c.view.PodPolls})
	return nil, unchanged
}

// rejectingNodes returns the nodes that NodeLoad rejected.
func (pl *NodeLoad) rejectingNodes(statuses fwk.NodeToStatusReader) ([]fwk.NodeInfo, error) {
	var rejecting []fwk.NodeInfo
	for _, code := range []fwk.Code{fwk.Unschedulable, fwk.UnschedulableAndUnresolvable} {
		nodes, err := statuses.NodesForStatusCode(pl.handle.SnapshotSharedLister().NodeInfos(), code)
		if err != nil {
			return nil, err
		}
		for _, nodeInfo := range nodes {
			if statuses.Get(nodeInfo.Node().Name).Plugin() == Name {
				rejecting = append(rejecting, nodeInfo)
			}
		}
	}
	return rejecting, nil
}

// afterChange is called whenever a node may have room that it had not before.
func (pl *NodeLoad) afterChange(ctx context.Context) {
	view := pl.model.View()
	pl.metrics.countOverLine(pl.handle.ProfileName(), &pl.policy, &view)
	pl.activate(ctx, &view)
}

// activate puts those waiting pods back into the queue that a node which
// rejected them would take now. What a pod would take of a node is counted, so
// that room for three pods wakes three, and not all that wait.
func (pl *NodeLoad) activate(ctx context.Context, view *load.View) {
	waiting := slices.DeleteFunc(pl.waiting.inOrder(), pl.dropIfNotPending)
	if len(waiting) == 0 {
		return
	}
	open := pl.nodesWithRoom(view, leastDemanding(waiting))
	taken := make([]load.Amounts, len(open))
	wake := map[string]*v1.Pod{}
	for _, w := range waiting {
		if w.podPolls < view.PodPolls && pl.waiting.wants(w.pod.UID) {
			wake[klog.KObj(w.pod).String()] = w.pod // preemption knows more now
			continue
		}
		for i, node := range open {
			if !w.rejectedBy.has(node.Slot) {
				continue
			}
			a := w.ask
			a.estimate = a.estimate.Add(taken[i])
			if pl.policy.verdict(view.State(node), node, node.Allocatable, a) == fits {
				taken[i] = a.estimate
				pl.metrics.woken(pl.handle.ProfileName(), view.Now.Sub(w.since))
				wake[klog.KObj(w.pod).String()] = w.pod
				break
			}
		}
	}
	if len(wake) > 0 {
		logger := klog.FromContext(ctx)
		logger.V(3).Info("Load dropped: retrying pods", "profile", pl.handle.ProfileName(), "pods", len(wake), "waiting", len(waiting))
		pl.handle.Activate(logger, wake)
	}
}

// nodesWithRoom returns the nodes that take a pod that asks for a: on a hot
// cluster few or none, so that 5,000 pods that wait there cost next to nothing.
func (pl *NodeLoad) nodesWithRoom(view *load.View, a ask) []*load.Node {
	var open []*load.Node
	for node := range view.All {
		if pl.policy.verdict(view.State(node), node, node.Allocatable, a) == fits {
			open = append(open, node)
		}
	}
	return open
}

// leastDemanding returns an ask that every node grants which grants that of any
// of the pods, of which there is at least one.
func leastDemanding(pods []*waitingPod) ask {
	least := pods[0].ask
	for _, p := range pods[1:] {
		least.banded = least.banded && p.ask.banded
		for r := range load.NumResources {
			least.estimate[r] = min(least.estimate[r], p.ask.estimate[r])
			if t := p.ask.thresholds[r]; t == 0 || least.thresholds[r] == 0 {
				least.thresholds[r] = 0 // no threshold is the most generous one
			} else {
				least.thresholds[r] = max(least.thresholds[r], t)
			}
		}
	}
	return least
}

// dropIfNotPending forgets the pod if it no longer waits to be scheduled, and
// reports whether it did.
func (pl *NodeLoad) dropIfNotPending(w *waitingPod) bool {
	if pl.isPending(w.pod) {
		return false
	}
	pl.waiting.remove(w.pod.UID)
	return true
}

// isPending reports whether the pod still waits to be scheduled.
func (pl *NodeLoad) isPending(pod *v1.Pod) bool {
	present, err := pl.handle.SharedInformerFactory().Core().V1().Pods().Lister().Pods(pod.Namespace).Get(pod.Name)
	return err == nil && present.UID == pod.UID && present.Spec.NodeName == ""
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
	allocatable := load.AmountsOf(changed.Status.Allocatable)
	if pl.policy.verdict(view.State(node), node, allocatable, pl.askOf(pod)) != fits {
		return fwk.QueueSkip, nil
	}
	return fwk.Queue, nil
}

// afterScaleDown queues the pod: it asks for less than when it was rejected.
func (pl *NodeLoad) afterScaleDown(klog.Logger, *v1.Pod, any, any) (fwk.QueueingHint, error) {
	return fwk.Queue, nil
}
