package device

import (
	"slices"

	v1 "k8s.io/api/core/v1"
	resourceapi "k8s.io/api/resource/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/dynamic-resource-allocation/cel"
	"k8s.io/klog/v2"
)

// supply is what an Inventory knows. Objects are set under their keys, nil if
// they are gone; then settle counts anew what that concerns.
type supply struct {
	logger      klog.Logger
	expressions *cel.Cache
	features    Features

	classes map[string]*class
	slices  map[string]*slice
	pools   map[poolID]*pool
	rules   map[string]*resourceapi.DeviceTaintRuleSpec
	// held has the devices that each claim holds, and holders the number of
	// claims that hold each.
	held    map[string][]deviceID
	holders map[deviceID]int
	// reserved is what pods were promised that no claim shows yet.
	reserved map[types.UID]reservation
	// nodes has the pools of each node.
	nodes map[string][]poolID

	// concerned are the nodes to be counted anew.
	concerned map[string]struct{}
	resources map[v1.ResourceName]v1.ResourceName
}

// maxExpressions is how many compiled expressions are kept beside those of the
// classes that there are: for classes that differ in part of their selectors.
const maxExpressions = 64

func newSupply(logger klog.Logger, features Features) *supply {
	expressions := cel.NewCache(maxExpressions, cel.Features{
		EnableConsumableCapacity: features.ConsumableCapacity, EnableListTypeAttributes: features.ListTypeAttributes,
	})
	return &supply{
		logger: logger, expressions: expressions, features: features,
		classes: map[string]*class{}, slices: map[string]*slice{}, pools: map[poolID]*pool{},
		rules: map[string]*resourceapi.DeviceTaintRuleSpec{},
		held:  map[string][]deviceID{}, holders: map[deviceID]int{}, nodes: map[string][]poolID{},
		reserved: map[types.UID]reservation{}, concerned: map[string]struct{}{},
	}
}

func (s *supply) concern(nodes ...string) {
	for _, node := range nodes {
		s.concerned[node] = struct{}{}
	}
}

// setSlice concerns the slice's nodes, and those of others in its pool only if
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
	s.concern(p.dependents()...)
	p.add(added)
	s.concern(p.dependents()...)
	for _, node := range added.nodes() {
		s.concern(node)
		if !slices.Contains(s.nodes[node], added.pool) {
			s.nodes[node] = append(s.nodes[node], added.pool)
		}
	}
}

func (s *supply) removeSlice(gone *slice) {
	p := s.pools[gone.pool]
	s.concern(p.dependents()...)
	p.remove(gone)
	s.concern(p.dependents()...)
	for _, node := range gone.nodes() {
		s.concern(node)
		if len(p.byNode[node]) > 0 {
			continue
		}
		s.nodes[node] = slices.DeleteFunc(s.nodes[node], func(id poolID) bool { return id == gone.pool })
		if len(s.nodes[node]) == 0 {
			delete(s.nodes, node)
		}
	}
	if len(p.slices) == 0 {
		delete(s.pools, gone.pool)
	}
}

// setClass concerns the nodes whose devices come into the class or leave it.
func (s *supply) setClass(name string, obj *resourceapi.DeviceClass) {
	before := s.classes[name]
	if s.features.ExtendedResources {
		defer func() { s.resources = behind(s.classes) }()
	}
	if before != nil && obj != nil && before.selectsAs(obj) {
		before.describe(obj)
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
			if o.classify(resourceOf(name), after != nil && after.has(s.logger, deviceID{sl.pool, o.Name}, o.Device)) {
				s.concern(o.node)
			}
		}
	}
}

// setClaim concerns the nodes of the devices that the claim holds, or held.
func (s *supply) setClaim(key string, claim *resourceapi.ResourceClaim) {
	s.releaseFor(claim)
	before, after := s.held[key], heldBy(claim)
	if slices.Equal(before, after) {
		return
	}
	for _, id := range before {
		if s.holders[id]--; s.holders[id] == 0 {
			delete(s.holders, id)
			s.concernDevice(id)
		}
	}
	for _, id := range after {
		if s.holders[id]++; s.holders[id] == 1 {
			s.concernDevice(id)
		}
	}
	s.held[key] = after
	if len(after) == 0 {
		delete(s.held, key)
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

func (s *supply) concernDevice(id deviceID) {
	if p := s.pools[id.pool]; p != nil {
		s.concern(p.nodesOf(id.name)...)
	}
}

// setTaintRule concerns the nodes of all pools that the rule selects, or
// selected.
func (s *supply) setTaintRule(name string, obj *resourceapi.DeviceTaintRule) {
	before := s.rules[name]
	delete(s.rules, name)
	var after *resourceapi.DeviceTaintRuleSpec
	if obj != nil && obj.Spec.DeviceSelector != nil && keepsAway(&obj.Spec.Taint) {
		after = &obj.Spec
		s.rules[name] = after
	}
	for id, p := range s.pools {
		if selectsPool(before, id) || selectsPool(after, id) {
			for node := range p.byNode {
				s.concern(node)
			}
		}
	}
}

func selectsPool(rule *resourceapi.DeviceTaintRuleSpec, id poolID) bool {
	return rule != nil && accepts(rule.DeviceSelector.Driver, id.driver) && accepts(rule.DeviceSelector.Pool, id.name)
}

func accepts(selector *string, name string) bool { return selector == nil || *selector == name }

func keepsAway(taint *resourceapi.DeviceTaint) bool {
	return taint.Effect == resourceapi.DeviceTaintEffectNoSchedule || taint.Effect == resourceapi.DeviceTaintEffectNoExecute
}

func (s *supply) tainted(id deviceID, device *resourceapi.Device) bool {
	for i := range device.Taints {
		if keepsAway(&device.Taints[i]) {
			return true
		}
	}
	for _, rule := range s.rules {
		if selectsPool(rule, id.pool) && accepts(rule.DeviceSelector.Device, id.name) {
			return true
		}
	}
	return false
}
