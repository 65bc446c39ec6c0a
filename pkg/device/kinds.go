package device

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"
	"k8s.io/utils/clock"
)

// Kinds knows which extended resources the nodes of the cluster have, and which of
// them are devices. Those are few, so asking a node for each is faster than going
// through all of its resources.
type Kinds struct {
	clock   clock.PassiveClock
	latest  atomic.Pointer[picture]
	synced  cache.InformerSynced // nil before Watch
	reports *Reporter            // nil if there is none

	mu        sync.Mutex
	nodes     map[string]*nodeSupplies
	ordinary  int // nodes, of these
	resources map[v1.ResourceName]*tally
}

// nodeSupplies is what a node has of each extended resource.
type nodeSupplies struct {
	uid types.UID
	// ordinary says that the node is meant for ordinary pods.
	ordinary bool
	supplies map[v1.ResourceName]*supply
}

// NewKinds returns kinds that know of no node yet.
func NewKinds(matcher *Matcher, clock clock.PassiveClock) *Kinds {
	k := &Kinds{clock: clock, nodes: map[string]*nodeSupplies{}, resources: map[v1.ResourceName]*tally{}}
	k.latest.Store(&picture{names: newNames(matcher)})
	return k
}

// Watch learns the kinds from the informer of nodes. It is to be called once,
// before the informers start. The reporter, if there is one, is told what resources
// are taken for.
func (k *Kinds) Watch(factory informers.SharedInformerFactory, reporter *Reporter) error {
	k.reports = reporter
	set := func(obj any) {
		if node, ok := obj.(*v1.Node); ok {
			k.Set(node)
		}
	}
	registration, err := factory.Core().V1().Nodes().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    set,
		UpdateFunc: func(_, obj any) { set(obj) },
		DeleteFunc: func(obj any) {
			if tombstone, ok := obj.(cache.DeletedFinalStateUnknown); ok {
				obj = tombstone.Obj
			}
			if node, ok := obj.(*v1.Node); ok {
				k.Remove(node.Name)
			}
		},
	})
	if err != nil {
		return fmt.Errorf("watch nodes: %w", err)
	}
	k.synced = registration.HasSynced
	return nil
}

// HasSynced reports whether all nodes are known that there were when the
// informers started. It is true without Watch.
func (k *Kinds) HasSynced() bool { return k.synced == nil || k.synced() }

// Set notes what the node has. A resource of which nothing is allocatable is not
// offered: the kubelet goes on reporting 0 of it after its device plugin is gone.
func (k *Kinds) Set(node *v1.Node) {
	k.mu.Lock()
	defer k.mu.Unlock()
	n := k.nodes[node.Name]
	if n != nil && n.uid != node.UID {
		k.remove(node.Name)
		n = nil
	}
	if n == nil {
		n = &nodeSupplies{uid: node.UID, supplies: map[v1.ResourceName]*supply{}}
		k.nodes[node.Name] = n
	} else if n.ordinary {
		k.ordinary--
	}
	if n.ordinary = isOrdinary(node); n.ordinary {
		k.ordinary++
	}
	now := k.clock.Now()
	n.set(&node.Status, now)
	k.count(n)
	k.publish(append(k.expire(now), node.Name)...)
}

// Remove forgets the node.
func (k *Kinds) Remove(node string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.nodes[node] != nil {
		k.remove(node)
		k.publish(append(k.expire(k.clock.Now()), node)...)
	}
}

func (k *Kinds) remove(name string) {
	n := k.nodes[name]
	if delete(k.nodes, name); n.ordinary {
		k.ordinary--
	}
	for _, s := range n.supplies {
		k.recount(s, counted{})
	}
}

// isOrdinary reports whether ordinary pods are meant to run on the node. Those of
// the control plane often lack what a DaemonSet makes of all others.
func isOrdinary(node *v1.Node) bool {
	return !slices.ContainsFunc(node.Spec.Taints, func(taint v1.Taint) bool {
		return taint.Key == "node-role.kubernetes.io/control-plane" && taint.Effect != v1.TaintEffectPreferNoSchedule
	})
}

// set sets what the node has of each extended resource.
func (n *nodeSupplies) set(status *v1.NodeStatus, now time.Time) {
	for _, list := range []v1.ResourceList{status.Capacity, status.Allocatable} {
		for name := range list {
			if isExtended(name) && n.supplies[name] == nil {
				n.supplies[name] = &supply{name: name}
			}
		}
	}
	for name, s := range n.supplies {
		s.set(unitsOf(status.Capacity[name]), unitsOf(status.Allocatable[name]), now)
	}
}

// count has the tallies count the node as it is now.
func (k *Kinds) count(n *nodeSupplies) {
	for name, s := range n.supplies {
		k.recount(s, counted{units: s.expected(), offering: s.allocatable > 0, ordinary: n.ordinary})
		if s.isGone() {
			delete(n.supplies, name)
		}
	}
}

// recount has the tally of the resource count what a node has of it as this
// instead of as what it was counted as before.
func (k *Kinds) recount(s *supply, as counted) {
	if as.units == 0 {
		as = counted{}
	}
	if as == s.counted {
		return
	}
	t := k.resources[s.name]
	if t == nil {
		t = &tally{standing: k.latest.Load().names.of(s.name), byUnits: map[int64]int{}}
		k.resources[s.name] = t
	}
	t.add(s.counted, -1)
	t.add(as, 1)
	if s.counted = as; t.nodes == 0 {
		delete(k.resources, s.name)
	}
}

// current returns what is known now.
func (k *Kinds) current() *picture {
	p := k.latest.Load()
	if now := k.clock.Now(); p.isDue(now) || !p.told && k.HasSynced() {
		return k.refresh(now)
	}
	return p
}

// refresh has units that were away for too long count no more, and verdicts told
// that could not be before all nodes were known.
func (k *Kinds) refresh(now time.Time) *picture {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.publish(k.expire(now)...)
}

// expire has units that were away for too long count no more, and returns the nodes
// that may have had some.
func (k *Kinds) expire(now time.Time) (changed []string) {
	before := k.latest.Load()
	if !before.isDue(now) {
		return nil
	}
	for name := range before.away {
		if n := k.nodes[name]; n != nil {
			for _, s := range n.supplies {
				s.expire(now)
			}
			k.count(n)
		}
		changed = append(changed, name)
	}
	return changed
}

// publish makes the picture of what there is now, where of what is away only that
// of these nodes has changed, and reports it.
func (k *Kinds) publish(changed ...string) *picture {
	before := k.latest.Load()
	p := &picture{names: before.names, dismissals: before.dismissals, told: k.HasSynced()}
	p.away, p.until = k.away(before, changed)
	for _, name := range slices.Sorted(maps.Keys(k.resources)) {
		t := k.resources[name]
		if t.judge(k.ordinary, p.told) {
			p.dismissals++
		}
		p.resources = append(p.resources, t.judged(name, k.ordinary))
		if t.verdict == Device && t.offering > 0 {
			p.offered = append(p.offered, name)
		}
	}
	k.latest.Store(p)
	if p.told && k.reports != nil {
		k.reports.report(p.resources)
	}
	return p
}

// Resources returns the extended resources that nodes have, sorted by name, with
// what each is taken for and why.
func (k *Kinds) Resources() []Resource { return k.current().list() }
