package device

import (
	"errors"
	"maps"
	"math"
	"slices"
	"strings"

	v1 "k8s.io/api/core/v1"
	resourceapi "k8s.io/api/resource/v1"
	"k8s.io/apimachinery/pkg/util/sets"
)

// poolID names a pool of devices, and deviceID a device.
type poolID struct{ driver, name string }

type deviceID struct {
	pool poolID
	name string
}

// offer is a device that is tied to a node.
type offer struct {
	*resourceapi.Device
	node string
	// classes are the resources of the classes that the device is in, in no
	// particular order.
	classes []v1.ResourceName
}

// classify notes whether the device is in the class of the resource, and
// reports whether that is new.
func (o *offer) classify(class v1.ResourceName, is bool) bool {
	at := slices.Index(o.classes, class)
	switch {
	case is && at < 0:
		o.classes = append(o.classes, class)
	case !is && at >= 0:
		o.classes = slices.Delete(o.classes, at, at+1)
	default:
		return false
	}
	return true
}

// slice is what matters of a ResourceSlice.
type slice struct {
	*resourceapi.ResourceSliceSpec
	name   string
	pool   poolID
	offers []offer
	// shared says that the slice matters to each node that has devices of the
	// pool.
	shared bool
}

func newSlice(obj *resourceapi.ResourceSlice) (*slice, error) {
	spec := &obj.Spec
	if spec.Driver == "" {
		return nil, errors.New("spec.driver: must not be empty")
	}
	if spec.Pool.Name == "" {
		return nil, errors.New("spec.pool.name: must not be empty")
	}
	s := &slice{
		ResourceSliceSpec: spec, name: obj.Name, pool: poolID{driver: spec.Driver, name: spec.Pool.Name},
		shared: isSet(spec.AllNodes),
	}
	for i := range spec.Devices {
		s.shared = s.shared || isSet(spec.PerDeviceNodeSelection) && isSet(spec.Devices[i].AllNodes)
		if node := nodeOf(spec, &spec.Devices[i]); node != "" {
			s.offers = append(s.offers, offer{Device: &spec.Devices[i], node: node})
		}
	}
	return s, nil
}

// nodeOf returns the node that the device is tied to, "" if to none.
func nodeOf(spec *resourceapi.ResourceSliceSpec, device *resourceapi.Device) string {
	name := spec.NodeName
	if isSet(spec.PerDeviceNodeSelection) {
		name = device.NodeName
	}
	if name == nil {
		return ""
	}
	return *name
}

func isSet(b *bool) bool { return b != nil && *b }

// nodes returns the nodes that the slice is for, each once; its own node also
// if it has no device there (any more).
func (s *slice) nodes() []string {
	var nodes []string
	if s.NodeName != nil && *s.NodeName != "" {
		nodes = append(nodes, *s.NodeName)
	}
	for i := range s.offers {
		if node := s.offers[i].node; len(nodes) == 0 || nodes[len(nodes)-1] != node {
			nodes = append(nodes, node)
		}
	}
	slices.Sort(nodes)
	return slices.Compact(nodes)
}

// pool is the slices of one pool: mostly one, of one node.
type pool struct {
	slices map[*slice]struct{}
	// byNode has the slices for each node, and shared those that matter to all
	// of these.
	byNode      map[string][]*slice
	shared      []*slice
	generations map[int64]int64 // number of slices of each
	partitioned int             // number of slices with counters
}

func newPool() *pool {
	return &pool{slices: map[*slice]struct{}{}, byNode: map[string][]*slice{}, generations: map[int64]int64{}}
}

func (p *pool) add(s *slice) {
	p.slices[s] = struct{}{}
	p.generations[s.Pool.Generation]++
	for _, node := range s.nodes() {
		p.byNode[node] = append(p.byNode[node], s)
	}
	if s.shared {
		p.shared = append(p.shared, s)
	}
	if len(s.SharedCounters) > 0 {
		p.partitioned++
	}
}

func (p *pool) remove(s *slice) {
	is := func(other *slice) bool { return other == s }
	delete(p.slices, s)
	if p.generations[s.Pool.Generation]--; p.generations[s.Pool.Generation] == 0 {
		delete(p.generations, s.Pool.Generation)
	}
	for _, node := range s.nodes() {
		if p.byNode[node] = slices.DeleteFunc(p.byNode[node], is); len(p.byNode[node]) == 0 {
			delete(p.byNode, node)
		}
	}
	p.shared = slices.DeleteFunc(p.shared, is)
	if len(s.SharedCounters) > 0 {
		p.partitioned--
	}
}

// dependents returns the nodes whose devices a change of the pool's slices
// elsewhere may concern: not those of a node whose own slices are the whole
// pool, which is the case with a driver that calls the pools of all nodes the
// same.
func (p *pool) dependents() []string {
	var nodes []string
	for node := range p.byNode {
		if current := p.newest(node); len(p.shared) > 0 || !isWhole(current) {
			nodes = append(nodes, node)
		}
	}
	return nodes
}

// nodesOf returns the nodes to which it may matter whether the device is held.
func (p *pool) nodesOf(device string) []string {
	if p.partitioned > 0 || len(p.byNode) == 1 {
		return slices.Collect(maps.Keys(p.byNode))
	}
	var nodes []string
	for s := range p.slices {
		for i := range s.offers {
			if s.offers[i].Name == device {
				nodes = append(nodes, s.offers[i].node)
			}
		}
	}
	return nodes
}

// newest returns the slices that matter to the node, of the newest generation
// among these, sorted by name.
func (p *pool) newest(node string) []*slice {
	if own := p.byNode[node]; len(own) == 1 && len(p.shared) == 0 {
		return own
	}
	var newest []*slice
	generation := int64(math.MinInt64)
	for _, group := range [][]*slice{p.byNode[node], p.shared} {
		for _, s := range group {
			if s.Pool.Generation > generation {
				generation, newest = s.Pool.Generation, newest[:0]
			}
			if s.Pool.Generation == generation && !slices.Contains(newest, s) {
				newest = append(newest, s)
			}
		}
	}
	slices.SortFunc(newest, func(a, b *slice) int { return strings.Compare(a.name, b.name) })
	return newest
}

// current returns the slices that devices can be allocated from on the node.
// They are chosen as the allocator of kube-scheduler does: those that matter to
// the node, if they are all of the pool; else the pool must be complete with
// those of other nodes, and have no newer generation there.
func (p *pool) current(node string) []*slice {
	current := p.newest(node)
	if len(current) == 0 {
		return nil
	}
	if first := current[0].Pool; !isWhole(current) {
		for generation := range p.generations {
			if generation > first.Generation {
				return nil
			}
		}
		if p.generations[first.Generation] != first.ResourceSliceCount {
			return nil
		}
	}
	if !p.isValid(current) {
		return nil
	}
	return current
}

// isWhole reports whether these are all slices of their pool.
func isWhole(current []*slice) bool {
	return int64(len(current)) == current[0].Pool.ResourceSliceCount
}

// isValid reports whether no two of the devices have the same name, no two of
// the counter sets have, and all counters that devices consume are there, also
// those of devices of other nodes.
func (p *pool) isValid(current []*slice) bool {
	devices := sets.New[string]()
	for _, s := range current {
		for i := range s.Devices {
			if devices.Has(s.Devices[i].Name) {
				return false
			}
			devices.Insert(s.Devices[i].Name)
		}
	}
	whole := p.whole(current)
	counterSets := sets.New[string]()
	for _, s := range whole {
		for i := range s.SharedCounters {
			if counterSets.Has(s.SharedCounters[i].Name) {
				return false
			}
			counterSets.Insert(s.SharedCounters[i].Name)
		}
	}
	counters := budgetOf(whole)
	return !slices.ContainsFunc(whole, func(s *slice) bool {
		return slices.ContainsFunc(s.Devices, func(d resourceapi.Device) bool { return !counters.knows(d.ConsumesCounters) })
	})
}

// whole returns the pool that the current slices of a node are of.
func (p *pool) whole(current []*slice) []*slice {
	if isWhole(current) {
		return current
	}
	var whole []*slice
	for s := range p.slices {
		if s.Pool.Generation == current[0].Pool.Generation {
			whole = append(whole, s)
		}
	}
	return whole
}
