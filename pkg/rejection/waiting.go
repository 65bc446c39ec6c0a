package rejection

import (
	"cmp"
	"slices"
	"sync"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	corev1listers "k8s.io/client-go/listers/core/v1"
	corev1helpers "k8s.io/component-helpers/scheduling/corev1"
	"k8s.io/klog/v2"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load"
)

// Slots is a set of nodes by their slot in the load model, one bit each: 625
// bytes for 5,000 nodes, so that 5,000 waiting pods take 3 MB.
type Slots []uint64

// NewSlots returns a set that can hold slots below n.
func NewSlots(n int) Slots { return make(Slots, n/64+1) }

// Add adds a slot.
func (s Slots) Add(slot int) { s[slot/64] |= 1 << (slot % 64) }

// Has reports whether the slot is in the set.
func (s Slots) Has(slot int) bool { return slot/64 < len(s) && s[slot/64]&(1<<(slot%64)) != 0 }

// Pod is a pod that waits. Ask is what it asks of a node.
type Pod[Ask any] struct {
	Pod *v1.Pod
	Ask Ask
	// RejectedBy are the nodes that rejected it. A slot that has been given to
	// another node since costs one attempt in vain at the worst. A pod that none
	// rejected this time is not woken, only remembered.
	RejectedBy Slots
	// Since is when it was first rejected.
	Since time.Time
}

// Rules are a plugin's own part of the decision which pods to wake.
type Rules[Ask any] struct {
	// IsPending reports whether the pod still waits to be scheduled.
	IsPending func(pod *v1.Pod) bool
	// Anyway reports whether the pod is to be retried whatever its nodes say.
	// nil is never.
	Anyway func(pod *Pod[Ask]) bool
	// Least returns an ask that each node grants which grants a or b.
	Least func(a, b Ask) Ask
	// Takes reports whether the node would take what is asked for on top of what
	// the pods that are woken before it take, and if so how much that makes.
	Takes func(node *load.Node, ask Ask, taken amount.Vector) (amount.Vector, bool)
}

// Waiting are the pods that a plugin rejected for load in their last scheduling
// cycle. Its methods may be called from any goroutine.
//
// A drop in measured load is no event of the cluster, so without this a pod
// would wait for the five minutes after which the queue retries everything. And
// only the pods that one of their nodes would take now are woken, not all.
type Waiting[Ask any] struct {
	mu   sync.Mutex
	pods map[types.UID]*Pod[Ask]
}

// NewWaiting returns an empty set.
func NewWaiting[Ask any]() *Waiting[Ask] { return &Waiting[Ask]{pods: map[types.UID]*Pod[Ask]{}} }

// Put adds the pod, or replaces what is known of it except since when it waits.
func (w *Waiting[Ask]) Put(p *Pod[Ask]) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if before, ok := w.pods[p.Pod.UID]; ok {
		p.Since = before.Since
	}
	w.pods[p.Pod.UID] = p
}

// Remove forgets the pod. It may be repeated.
func (w *Waiting[Ask]) Remove(uid types.UID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.pods, uid)
}

// Has reports whether the pod waits.
func (w *Waiting[Ask]) Has(uid types.UID) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.pods[uid] != nil
}

// Get returns what is known of the pod, nil if it does not wait.
func (w *Waiting[Ask]) Get(uid types.UID) *Pod[Ask] {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.pods[uid]
}

// Len returns how many pods wait.
func (w *Waiting[Ask]) Len() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.pods)
}

// Woken returns the pods to put back into the queue: those that a node which
// rejected them would take now. What a pod would take of a node is counted, so
// that room for three pods wakes three, and not all that wait. Pods that are
// not pending any more are forgotten.
func (w *Waiting[Ask]) Woken(view *load.View, rules Rules[Ask]) []*Pod[Ask] {
	waiting := slices.DeleteFunc(w.inOrder(), func(p *Pod[Ask]) bool {
		gone := !rules.IsPending(p.Pod)
		if gone {
			w.Remove(p.Pod.UID)
		}
		return gone || p.RejectedBy == nil
	})
	if len(waiting) == 0 {
		return nil
	}
	least := waiting[0].Ask
	for _, p := range waiting[1:] {
		least = rules.Least(least, p.Ask)
	}
	open := nodesWithRoom(view, least, rules)
	return slices.DeleteFunc(waiting, func(p *Pod[Ask]) bool {
		if rules.Anyway != nil && rules.Anyway(p) {
			return false
		}
		for i := range open {
			if !p.RejectedBy.Has(open[i].node.Slot) {
				continue
			}
			if with, ok := rules.Takes(open[i].node, p.Ask, open[i].taken); ok {
				open[i].taken = with
				if _, more := rules.Takes(open[i].node, least, with); !more {
					open = slices.Delete(open, i, i+1)
				}
				return false
			}
		}
		return true
	})
}

// inOrder returns the pods as the queue would take them: by priority, then by
// how long they have waited.
func (w *Waiting[Ask]) inOrder() []*Pod[Ask] {
	w.mu.Lock()
	pods := make([]*Pod[Ask], 0, len(w.pods))
	for _, p := range w.pods {
		pods = append(pods, p)
	}
	w.mu.Unlock()
	slices.SortFunc(pods, func(a, b *Pod[Ask]) int {
		return cmp.Or(
			cmp.Compare(corev1helpers.PodPriority(b.Pod), corev1helpers.PodPriority(a.Pod)),
			a.Since.Compare(b.Since),
			cmp.Compare(a.Pod.UID, b.Pod.UID))
	})
	return pods
}

// room is a node that would take a pod, and what the pods that are woken take
// of it.
type room struct {
	node  *load.Node
	taken amount.Vector
}

// nodesWithRoom returns the nodes that would take a pod which asks for no more
// than any that waits: on a hot cluster few or none, so that 5,000 pods that
// wait there cost next to nothing.
func nodesWithRoom[Ask any](view *load.View, least Ask, rules Rules[Ask]) []room {
	var open []room
	for node := range view.All {
		if _, ok := rules.Takes(node, least, amount.Vector{}); ok {
			open = append(open, room{node: node})
		}
	}
	return open
}

// ByName returns the pods in the form in which fwk.PodActivator takes them.
func ByName[Ask any](pods []*Pod[Ask]) map[string]*v1.Pod {
	named := make(map[string]*v1.Pod, len(pods))
	for _, p := range pods {
		named[klog.KObj(p.Pod).String()] = p.Pod
	}
	return named
}

// IsPending returns what reports whether a pod still waits to be scheduled, as
// far as the informer knows.
func IsPending(lister corev1listers.PodLister) func(*v1.Pod) bool {
	return func(pod *v1.Pod) bool {
		present, err := lister.Pods(pod.Namespace).Get(pod.Name)
		return err == nil && present.UID == pod.UID && present.Spec.NodeName == ""
	}
}
