package device

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	v1 "k8s.io/api/core/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"
	fwk "k8s.io/kube-scheduler/framework"
)

// Kinds knows which device resources the nodes of the cluster offer. There are
// few, so asking a node for each is faster than going through all of its
// resources and matching their names.
type Kinds struct {
	matcher *Matcher
	names   atomic.Pointer[[]v1.ResourceName] // sorted
	synced  cache.InformerSynced              // nil before Watch

	mu     sync.Mutex
	byNode map[string][]v1.ResourceName
	nodes  map[v1.ResourceName]int // how many nodes offer each
}

// NewKinds returns kinds that know of no node yet.
func NewKinds(matcher *Matcher) *Kinds {
	k := &Kinds{matcher: matcher, byNode: map[string][]v1.ResourceName{}, nodes: map[v1.ResourceName]int{}}
	k.names.Store(&[]v1.ResourceName{})
	return k
}

// Watch learns the kinds from the informer of nodes. It is to be called once,
// before the informers start.
func (k *Kinds) Watch(factory informers.SharedInformerFactory) error {
	set := func(obj any) {
		if node, ok := obj.(*v1.Node); ok {
			k.Set(node.Name, node.Status.Allocatable)
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
				k.Set(node.Name, nil)
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

// Set notes what the node offers: nothing if it is gone. A resource of which
// nothing is allocatable is not offered: the kubelet goes on reporting 0 of it
// after its device plugin is gone.
func (k *Kinds) Set(node string, allocatable v1.ResourceList) {
	kinds := k.offered(allocatable)
	k.mu.Lock()
	defer k.mu.Unlock()
	if slices.Equal(k.byNode[node], kinds) {
		return
	}
	for _, kind := range k.byNode[node] {
		if k.nodes[kind]--; k.nodes[kind] == 0 {
			delete(k.nodes, kind)
		}
	}
	for _, kind := range kinds {
		k.nodes[kind]++
	}
	k.byNode[node] = kinds
	if len(kinds) == 0 {
		delete(k.byNode, node)
	}
	if names := slices.Sorted(maps.Keys(k.nodes)); !slices.Equal(names, *k.names.Load()) {
		k.names.Store(&names)
	}
}

// offered returns the kinds of device that there is at least one of, sorted.
func (k *Kinds) offered(allocatable v1.ResourceList) []v1.ResourceName {
	var kinds []v1.ResourceName
	for name, quantity := range allocatable {
		if quantity.Value() > 0 && k.matcher.Matches(name) {
			kinds = append(kinds, name)
		}
	}
	slices.Sort(kinds)
	return kinds
}

// Has reports whether a node offers the resource, at least one unit of it.
func (k *Kinds) Has(name v1.ResourceName) bool {
	_, found := slices.BinarySearch(*k.names.Load(), name)
	return found
}

// AppendStocks appends to stocks what the node has of each kind of device that
// it offers at least one unit of. It takes no lock and allocates only if stocks
// is too short.
func (k *Kinds) AppendStocks(stocks []Stock, node fwk.NodeInfo) []Stock {
	return appendStocks(stocks, k.matcher, *k.names.Load(), node)
}

// appendStocks appends what the node has of each of the kinds, which must be all
// that the matcher accepts of what nodes offer. If the node has few resources
// against the number of kinds, or no kind is known yet, it goes through those.
func appendStocks(stocks []Stock, matcher *Matcher, kinds []v1.ResourceName, node fwk.NodeInfo) []Stock {
	offered, requested := node.GetAllocatable().GetScalarResources(), node.GetRequested().GetScalarResources()
	if len(kinds) == 0 || len(kinds) > 2*len(offered) {
		return matcher.AppendStocks(stocks, node)
	}
	for _, kind := range kinds {
		if allocatable := offered[kind]; allocatable > 0 {
			stocks = append(stocks, Stock{Name: kind, Allocatable: allocatable, Requested: requested[kind]})
		}
	}
	return stocks
}
