package dra

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	resourceapi "k8s.io/api/resource/v1"
	"k8s.io/client-go/informers"
	resourcelisters "k8s.io/client-go/listers/resource/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"

	"github.com/plimsoll-scheduler/plimsoll/pkg/compat"
	"github.com/plimsoll-scheduler/plimsoll/pkg/device"
)

// Inventory knows the devices that nodes offer through dynamic resource
// allocation (DRA). A kind of such devices is a device class, named as the
// extended resource that Kubernetes has for each:
// deviceclass.resource.kubernetes.io/CLASS.
//
// A device counts in each class whose selectors it matches, so the stocks of a
// node may show it more than once; device.NodeDevices.All shows it once. Counted
// are the devices that a scheduler could allocate to a pod because it runs on
// the node:
//   - devices that are tied to the node by name. Those that are attached to
//     several nodes, by a node selector or to all, are in the stock of none:
//     their number says nothing of a node.
//   - of the newest generation of their pool, and only if the pool is complete
//     and valid.
//   - without a taint that keeps pods away (NoSchedule, NoExecute), be it from
//     the driver or from a DeviceTaintRule. That some claims tolerate taints is
//     left out of account.
//   - of partitions of a larger device (shared counters), those that claims
//     hold, and as many further ones as fit beside them, one after another in
//     the order in which the driver lists them. Any larger number would need
//     the allocator's search.
//   - a device that may be allocated many times (consumable capacity) counts as
//     one device, which is taken from the first allocation to the last. How much
//     of its capacity is left is not looked at.
//
// What is requested is what claims hold by their status in the API server, and
// what Reserve has promised to pods whose claims do not show it yet. The
// allocator does not rely on it.
//
// Events do the work: View and what it returns only look up.
type Inventory struct {
	features Features
	claims   resourcelisters.ResourceClaimLister // nil before Watch
	synced   []cache.InformerSynced
	latest   atomic.Pointer[snapshot]

	mu     sync.Mutex // of those who change the supply; nobody reads it
	supply *supply
}

// Features are the feature gates of Kubernetes that devices depend on.
type Features struct {
	// ConsumableCapacity and ListTypeAttributes say what the selectors of
	// device classes may name: gates DRAConsumableCapacity and
	// DRAListTypeAttributes.
	ConsumableCapacity, ListTypeAttributes bool
	// DeviceTaintRules and ExtendedResources are gates DRADeviceTaintRules and
	// DRAExtendedResource.
	DeviceTaintRules, ExtendedResources bool
}

var _ device.ClassInventory = &Inventory{}

// NewInventory returns an inventory that knows of no device yet.
func NewInventory(logger klog.Logger, features Features) *Inventory {
	i := &Inventory{features: features, supply: newSupply(logger, features)}
	i.latest.Store(newSnapshot())
	return i
}

// Watch learns of the devices from the informers of resource.k8s.io/v1. It is
// to be called once, before the informers start, and only if the feature gate
// DynamicResourceAllocation is on: otherwise the API server need not serve
// them, and their caches would never fill.
func (i *Inventory) Watch(factory informers.SharedInformerFactory) error {
	api := factory.Resource().V1()
	i.claims = api.ResourceClaims().Lister()
	err := errors.Join(
		i.watch("resource slices", api.ResourceSlices().Informer(), handlerFor(i.setSlice)),
		i.watch("device classes", api.DeviceClasses().Informer(), handlerFor(i.setClass)),
		i.watch("resource claims", api.ResourceClaims().Informer(), handlerFor(i.setClaim)),
	)
	if i.features.DeviceTaintRules {
		err = errors.Join(err, i.watch("device taint rules", compat.DeviceTaintRules(factory), handlerFor(i.setTaintRule)))
	}
	return err
}

func (i *Inventory) watch(what string, informer cache.SharedIndexInformer, handler cache.ResourceEventHandler) error {
	registration, err := informer.AddEventHandler(handler)
	if err != nil {
		return fmt.Errorf("watch %s: %w", what, err)
	}
	i.synced = append(i.synced, registration.HasSynced)
	return nil
}

// HasSynced reports whether the inventory knows all that there was when the
// informers started.
func (i *Inventory) HasSynced() bool {
	return !slices.ContainsFunc(i.synced, func(synced cache.InformerSynced) bool { return !synced() })
}

// handlerFor calls set with each object that is new or has changed, and with nil
// for one that is gone. An object is known by its key, the namespace and the
// name, as it is to the informer: one that was replaced while nobody watched
// arrives as a change.
func handlerFor[T any](set func(key string, obj *T)) cache.ResourceEventHandler {
	put := func(obj any) {
		if object, ok := obj.(*T); ok {
			if key, err := cache.MetaNamespaceKeyFunc(obj); err == nil {
				set(key, object)
			}
		}
	}
	return cache.ResourceEventHandlerFuncs{
		AddFunc:    put,
		UpdateFunc: func(_, obj any) { put(obj) },
		DeleteFunc: func(obj any) {
			if key, err := cache.DeletionHandlingMetaNamespaceKeyFunc(obj); err == nil {
				set(key, nil)
			}
		},
	}
}

func (i *Inventory) setSlice(name string, slice *resourceapi.ResourceSlice) {
	i.change(func(s *supply) { s.setSlice(name, slice) })
}

func (i *Inventory) setClass(name string, class *resourceapi.DeviceClass) {
	i.change(func(s *supply) { s.setClass(name, class) })
}

func (i *Inventory) setClaim(key string, claim *resourceapi.ResourceClaim) {
	i.change(func(s *supply) { s.setClaim(key, claim) })
}

func (i *Inventory) setTaintRule(name string, rule *compat.DeviceTaintRule) {
	i.change(func(s *supply) { s.setTaintRule(name, rule) })
}

// change changes the supply and publishes what follows from it.
func (i *Inventory) change(apply func(*supply)) {
	i.mu.Lock()
	defer i.mu.Unlock()
	apply(i.supply)
	before := i.latest.Load()
	if after := i.supply.snapshotAfter(before); after != before {
		i.latest.Store(after)
	}
}

// View returns the present snapshot.
func (i *Inventory) View() device.ClassView { return i.latest.Load() }
