package waiting

import (
	"context"
	"sync"
	"sync/atomic"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/compat"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load"
)

// Rules are a plugin's own part of the decision which pods to wake. Pods of one
// Class differ only in how much they need.
type Rules[Class comparable] interface {
	// Class returns the class of the pod as it is now.
	Class(view *load.View, pod *v1.Pod, before History) Class
	// Need returns how much the pod needs now, at least 0.
	Need(pod *v1.Pod) amount.Vector
	// Room returns the most that a pod of the class may need for the node to take
	// it, with so much taken by other pods; ok is false if it takes none.
	// line.Unlimited is no limit.
	Room(view *load.View, node *load.Node, class Class, taken amount.Vector) (room amount.Vector, ok bool)
}

// Handle is what a Set needs of the scheduler framework.
type Handle interface {
	ProfileName() string
	SharedInformerFactory() informers.SharedInformerFactory
	Activate(logger klog.Logger, pods map[string]*v1.Pod)
}

// Config configures a Set.
type Config[Class comparable] struct {
	Handle Handle
	Rules  Rules[Class]
	// View returns the load model's view of now.
	View    func() load.View
	Metrics *Metrics
	// Plugin is the plugin's name, and Reasons are what the reasons for which it
	// rejects nodes are called in metrics, by their number; empty is none.
	Plugin  string
	Reasons []string
}

// Set is the pods of a profile that a plugin made wait, and those that are being
// tried. Its methods may be called from any goroutine; Begin, by one at a time.
type Set[Class comparable] struct {
	config   Config[Class]
	counters *counters
	pods     cache.Store
	rounds   atomic.Uint64
	retell   func()

	mu      sync.Mutex
	entries map[types.UID]*entry
	current *Attempt // that is not known to be over
}

// entry is what is known of a pod.
type entry struct {
	attempt *Attempt
	// reserved: the pod has a node, unless that is taken back.
	reserved bool
}

// NewSet returns an empty set. Start has it wake pods.
func NewSet[Class comparable](config Config[Class]) *Set[Class] {
	return &Set[Class]{
		config: config, retell: func() {}, entries: map[types.UID]*entry{},
		pods:     config.Handle.SharedInformerFactory().Core().V1().Pods().Informer().GetStore(),
		counters: newCounters(config.Metrics, config.Handle.ProfileName(), config.Plugin, config.Reasons),
	}
}

// Begin begins an attempt at the pod, with the view that it is to go by. inGroup
// says that it is part of an attempt at a pod group, in which a pod may be tried
// in several placements; what was rejected in each of them is remembered until the
// group is woken.
func (s *Set[Class]) Begin(pod *v1.Pod, inGroup bool) (*Attempt, load.View) {
	a := &Attempt{pod: pod, key: cache.MetaObjectToName(pod).String(), placed: -1, counted: &s.rounds, retell: s.retell}
	if inGroup {
		a.group = groupOf(pod)
	}
	a.told.Store(s.rounds.Load()) // before the view is taken: see the package's doc
	view := s.config.View()
	a.now, a.epoch, a.polls = view.Now, view.Epoch, view.PodPolls
	a.slots = make([]atomic.Uint64, words(view.Slots()))
	s.Finish(nil)

	s.mu.Lock()
	defer s.mu.Unlock()
	if e, ok := s.entries[pod.UID]; ok {
		a.before = e.attempt.history()
		if e.attempt.wakes > 0 {
			a.vain = min(e.attempt.vain+1, maxWakes)
		}
		if inGroup && e.attempt.wakes == 0 {
			a.inherit(e.attempt)
		}
	}
	s.entries[pod.UID] = &entry{attempt: a}
	s.current = a
	return a, view
}

// groupOf returns namespace/name of the pod's group.
func groupOf(pod *v1.Pod) string {
	name := compat.PodGroupOf(pod)
	if name == "" {
		return ""
	}
	return pod.Namespace + "/" + name
}

// Finish says that an attempt is over and has failed: a, or if that is nil the
// last one that has begun. It may be repeated; Begin does it, too, because one pod
// is tried at a time.
func (s *Set[Class]) Finish(a *Attempt) {
	s.mu.Lock()
	current := s.current
	if current == nil || a != nil && a != current {
		s.mu.Unlock()
		return
	}
	s.current = nil
	s.mu.Unlock()
	s.counters.rejected(current.reasons.Load())
}

// Reserve says that the pod is placed on the node. It is not woken, and forgotten as
// soon as it is bound.
func (s *Set[Class]) Reserve(uid types.UID, node string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.entries[uid]
	if !ok {
		return
	}
	if s.current == e.attempt {
		s.current = nil // it has not failed
	}
	e.reserved = true
	if e.attempt.group != "" {
		view := s.config.View()
		if slot, known := view.Slot(node); known {
			e.attempt.placed = slot
		}
		return
	}
	if !e.attempt.rejected.Load() && !e.attempt.before.Rejected() {
		delete(s.entries, uid) // nothing would be lost if it were taken back
	}
}

// Unreserve takes back Reserve: the pod waits as before.
func (s *Set[Class]) Unreserve(uid types.UID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e, ok := s.entries[uid]; ok {
		e.reserved = false
	}
}

// History returns what the attempts at the pod have left.
func (s *Set[Class]) History(uid types.UID) History {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e, ok := s.entries[uid]; ok {
		return e.attempt.history()
	}
	return History{}
}

// Len returns how many pods are remembered.
func (s *Set[Class]) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.entries)
}

// forget forgets the pod if no attempt at it has begun after a.
func (s *Set[Class]) forget(a *Attempt) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e, ok := s.entries[a.pod.UID]; ok && e.attempt == a {
		delete(s.entries, a.pod.UID)
	}
}

// present returns the attempt's pod as the informer has it now; nil if it no longer
// waits to be scheduled.
func (s *Set[Class]) present(a *Attempt) *v1.Pod {
	object, known, err := s.pods.GetByKey(a.key)
	if err != nil || !known {
		return nil
	}
	pod, ok := object.(*v1.Pod)
	if !ok || pod.UID != a.pod.UID || pod.Spec.NodeName != "" || pod.DeletionTimestamp != nil {
		return nil
	}
	return pod
}

// Start has rounds run until ctx ends, each followed by then, which is given the
// view that the round went by. It returns what says that a node may have room that
// it had not before. Call it once, before the first attempt.
func (s *Set[Class]) Start(ctx context.Context, dispatch Dispatcher, then func(*load.View)) (changed func(context.Context)) {
	soon, later := dispatch(ctx, func(ctx context.Context) { then(s.Wake(ctx)) })
	s.retell = later
	return func(context.Context) { soon() }
}
