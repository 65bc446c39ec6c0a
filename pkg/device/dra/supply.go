package dra

import (
	"slices"

	v1 "k8s.io/api/core/v1"
	resourceapi "k8s.io/api/resource/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/dynamic-resource-allocation/cel"
	"k8s.io/klog/v2"

	"github.com/plimsoll-scheduler/plimsoll/pkg/compat"
	"github.com/plimsoll-scheduler/plimsoll/pkg/device"
)

// supply is what an Inventory knows. Objects are set under their keys, nil if
// they are gone. That marks the nodes whose devices it may change, which
// snapshotAfter counts anew.
type supply struct {
	logger      klog.Logger
	expressions *cel.Cache
	features    Features

	classes map[string]*class
	slices  map[string]*slice
	pools   map[poolID]*pool
	// taintRules has those that keep pods away.
	taintRules map[string]*compat.DeviceTaintRuleSpec
	// devicesOfClaim has the devices that each claim holds, and claimsOnDevice the
	// number of claims that hold each.
	devicesOfClaim map[string][]deviceID
	claimsOnDevice map[deviceID]int
	// reservations is what pods were promised that no claim shows yet.
	reservations map[types.UID]reservation
	poolsOfNode  map[string][]poolID

	nodesToCount map[string]struct{}
	// classOfResource is that of the snapshot.
	classOfResource map[v1.ResourceName]v1.ResourceName
}

// maxExpressions is how many compiled expressions are kept beside those of the
// classes that there are: for classes that differ in part of their selectors.
const maxExpressions = 64

func newSupply(logger klog.Logger, features Features) *supply {
	expressions := cel.NewCache(maxExpressions, compat.SelectorFeatures(features.ConsumableCapacity, features.ListTypeAttributes))
	return &supply{
		logger: logger, expressions: expressions, features: features,
		classes: map[string]*class{}, slices: map[string]*slice{}, pools: map[poolID]*pool{},
		taintRules:     map[string]*compat.DeviceTaintRuleSpec{},
		devicesOfClaim: map[string][]deviceID{}, claimsOnDevice: map[deviceID]int{}, poolsOfNode: map[string][]poolID{},
		reservations: map[types.UID]reservation{}, nodesToCount: map[string]struct{}{},
	}
}

// mark has the nodes counted anew.
func (s *supply) mark(nodes ...string) {
	for _, node := range nodes {
		s.nodesToCount[node] = struct{}{}
	}
}

// setSlice marks the slice's nodes, and those of others in its pool only if
// their devices depend on it.
func (s *supply) setSlice(name string, obj *resourceapi.ResourceSlice) {
	if before := s.slices[name]; before != nil {
		s.removeSlice(before)
		delete(s.slices, name)
	}
	if obj == nil {
		return
	}
	added, err := newSlice(obj)
	if err != nil {
		s.logger.V(3).Info("Ignoring a resource slice that is not valid", "resourceSlice", klog.KObj(obj), "err", err)
		return
	}
	for i := range added.offers {
		for _, c := range s.classes {
			o := &added.offers[i]
			o.classify(c.resource, c.has(s.logger, deviceID{added.pool, o.Name}, o.Device))
		}
	}
	s.slices[name] = added
	p := s.pools[added.pool]
	if p == nil {
		p = newPool()
		s.pools[added.pool] = p
	}
	s.mark(p.dependentNodes()...)
	p.add(added)
	s.mark(p.dependentNodes()...)
	for _, node := range added.nodes() {
		s.mark(node)
		if !slices.Contains(s.poolsOfNode[node], added.pool) {
			s.poolsOfNode[node] = append(s.poolsOfNode[node], added.pool)
		}
	}
}

func (s *supply) removeSlice(gone *slice) {
	p := s.pools[gone.pool]
	s.mark(p.dependentNodes()...)
	p.remove(gone)
	s.mark(p.dependentNodes()...)
	for _, node := range gone.nodes() {
		s.mark(node)
		if len(p.byNode[node]) > 0 {
			continue
		}
		s.poolsOfNode[node] = slices.DeleteFunc(s.poolsOfNode[node], func(id poolID) bool { return id == gone.pool })
		if len(s.poolsOfNode[node]) == 0 {
			delete(s.poolsOfNode, node)
		}
	}
	if len(p.slices) == 0 {
		delete(s.pools, gone.pool)
	}
}

// setClass marks the nodes whose devices come into the class or leave it.
func (s *supply) setClass(name string, obj *resourceapi.DeviceClass) {
	before := s.classes[name]
	if s.features.ExtendedResources {
		defer func() { s.classOfResource = classesByResource(s.classes) }()
	}
	if before != nil && obj != nil && before.selectsAs(obj) {
		before.setExtendedResource(obj)
		return
	}
	delete(s.classes, name)
	var after *class
	if obj != nil {
		after = newClass(s.logger, s.expressions, obj)
		s.classes[name] = after
	}
	for _, sl := range s.slices {
		for i := range sl.offers {
			o := &sl.offers[i]
			if o.classify(device.ClassResource(name), after != nil && after.has(s.logger, deviceID{sl.pool, o.Name}, o.Device)) {
				s.mark(o.node)
			}
		}
	}
}

// setClaim marks the nodes of the devices that the claim holds, or held.
func (s *supply) setClaim(key string, claim *resourceapi.ResourceClaim) {
	s.unreserveFor(claim)
	before, after := s.devicesOfClaim[key], heldBy(claim)
	if slices.Equal(before, after) {
		return
	}
	for _, id := range before {
		if s.claimsOnDevice[id]--; s.claimsOnDevice[id] == 0 {
			delete(s.claimsOnDevice, id)
			s.markDevice(id)
		}
	}
	for _, id := range after {
		if s.claimsOnDevice[id]++; s.claimsOnDevice[id] == 1 {
			s.markDevice(id)
		}
	}
	s.devicesOfClaim[key] = after
	if len(after) == 0 {
		delete(s.devicesOfClaim, key)
	}
}

// heldBy returns the devices that the claim keeps from others, each once:
// administrative access keeps none.
func heldBy(claim *resourceapi.ResourceClaim) []deviceID {
	if claim == nil || claim.Status.Allocation == nil {
		return nil
	}
	var held []deviceID
	for _, result := range claim.Status.Allocation.Devices.Results {
		id := deviceID{poolID{result.Driver, result.Pool}, result.Device}
		if !isSet(result.AdminAccess) && !slices.Contains(held, id) {
			held = append(held, id)
		}
	}
	return held
}

func (s *supply) markDevice(id deviceID) {
	if p := s.pools[id.pool]; p != nil {
		s.mark(p.nodesOf(id.name)...)
	}
}

// setTaintRule marks the nodes of all pools that the rule selects, or
// selected.
func (s *supply) setTaintRule(name string, obj *compat.DeviceTaintRule) {
	before := s.taintRules[name]
	delete(s.taintRules, name)
	var after *compat.DeviceTaintRuleSpec
	if obj != nil && obj.Spec.DeviceSelector != nil && keepsAway(resourceapi.DeviceTaintEffect(obj.Spec.Taint.Effect)) { //nolint:unconvert // another type before 1.37
		after = &obj.Spec
		s.taintRules[name] = after
	}
	for id, p := range s.pools {
		if selectsPool(before, id) || selectsPool(after, id) {
			for node := range p.byNode {
				s.mark(node)
			}
		}
	}
}

func selectsPool(rule *compat.DeviceTaintRuleSpec, id poolID) bool {
	return rule != nil && accepts(rule.DeviceSelector.Driver, id.driver) && accepts(rule.DeviceSelector.Pool, id.name)
}

func accepts(selector *string, name string) bool { return selector == nil || *selector == name }

func keepsAway(effect resourceapi.DeviceTaintEffect) bool {
	return effect == resourceapi.DeviceTaintEffectNoSchedule || effect == resourceapi.DeviceTaintEffectNoExecute
}

// isTainted reports whether the device has a taint that keeps pods away.
func (s *supply) isTainted(id deviceID, spec *resourceapi.Device) bool {
	for i := range spec.Taints {
		if keepsAway(spec.Taints[i].Effect) {
			return true
		}
	}
	for _, rule := range s.taintRules {
		if selectsPool(rule, id.pool) && accepts(rule.DeviceSelector.Device, id.name) {
			return true
		}
	}
	return false
}
