package dra

import (
	"maps"
	"math"
	"slices"
	"strings"

	resourceapi "k8s.io/api/resource/v1"
	"k8s.io/apimachinery/pkg/util/sets"
)

// pool is the slices of one pool: mostly one, of one node.
type pool struct {
	slices map[*slice]struct{}
	// byNode has the slices for each node, and forAllNodes those that matter to
	// all of these.
	byNode             map[string][]*slice
	forAllNodes        []*slice
	perGeneration      map[int64]int64 // number of slices
	slicesWithCounters int             // number
}

func newPool() *pool {
	return &pool{slices: map[*slice]struct{}{}, byNode: map[string][]*slice{}, perGeneration: map[int64]int64{}}
}

func (p *pool) add(s *slice) {
	p.slices[s] = struct{}{}
	p.perGeneration[s.Pool.Generation]++
	for _, node := range s.nodes() {
		p.byNode[node] = append(p.byNode[node], s)
	}
	if s.forAllNodes {
		p.forAllNodes = append(p.forAllNodes, s)
	}
	if len(s.SharedCounters) > 0 {
		p.slicesWithCounters++
	}
}

func (p *pool) remove(s *slice) {
	is := func(other *slice) bool { return other == s }
	delete(p.slices, s)
	if p.perGeneration[s.Pool.Generation]--; p.perGeneration[s.Pool.Generation] == 0 {
		delete(p.perGeneration, s.Pool.Generation)
	}
	for _, node := range s.nodes() {
		if p.byNode[node] = slices.DeleteFunc(p.byNode[node], is); len(p.byNode[node]) == 0 {
			delete(p.byNode, node)
		}
	}
	p.forAllNodes = slices.DeleteFunc(p.forAllNodes, is)
	if len(s.SharedCounters) > 0 {
		p.slicesWithCounters--
	}
}

// dependentNodes returns the nodes whose devices may change with the pool's slices
// elsewhere: not those of a node whose own slices are the whole
// pool, which is the case with a driver that calls the pools of all nodes the
// same.
func (p *pool) dependentNodes() []string {
	var nodes []string
	for node := range p.byNode {
		if newest := p.newestSlices(node); len(p.forAllNodes) > 0 || !isWholePool(newest) {
			nodes = append(nodes, node)
		}
	}
	return nodes
}

// nodesOf returns the nodes to which it may matter whether the device is held.
func (p *pool) nodesOf(device string) []string {
	if p.slicesWithCounters > 0 || len(p.byNode) == 1 {
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

// newestSlices returns the slices that matter to the node, of the newest generation
// among these, sorted by name.
func (p *pool) newestSlices(node string) []*slice {
	if own := p.byNode[node]; len(own) == 1 && len(p.forAllNodes) == 0 {
		return own
	}
	var newest []*slice
	generation := int64(math.MinInt64)
	for _, group := range [][]*slice{p.byNode[node], p.forAllNodes} {
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

// usableSlices returns the slices that devices can be allocated from on the node.
// They are chosen as the allocator of kube-scheduler does: those that matter to
// the node, if they are all of the pool; else the pool must be complete with
// those of other nodes, and have no newer generation there.
func (p *pool) usableSlices(node string) []*slice {
	newest := p.newestSlices(node)
	if len(newest) == 0 {
		return nil
	}
	if first := newest[0].Pool; !isWholePool(newest) {
		for generation := range p.perGeneration {
			if generation > first.Generation {
				return nil
			}
		}
		if p.perGeneration[first.Generation] != first.ResourceSliceCount {
			return nil
		}
	}
	if !p.isValid(newest) {
		return nil
	}
	return newest
}

// isWholePool reports whether these are all slices of their pool.
func isWholePool(newest []*slice) bool {
	return int64(len(newest)) == newest[0].Pool.ResourceSliceCount
}

// isValid reports whether no two of the devices have the same name, no two of
// the counter sets have, and all counters that devices consume are there, also
// those of devices of other nodes.
func (p *pool) isValid(newest []*slice) bool {
	devices := sets.New[string]()
	for _, s := range newest {
		for i := range s.Devices {
			if devices.Has(s.Devices[i].Name) {
				return false
			}
			devices.Insert(s.Devices[i].Name)
		}
	}
	all := p.slicesOfPool(newest)
	counterSets := sets.New[string]()
	for _, s := range all {
		for i := range s.SharedCounters {
			if counterSets.Has(s.SharedCounters[i].Name) {
				return false
			}
			counterSets.Insert(s.SharedCounters[i].Name)
		}
	}
	counters := budgetOf(all)
	return !slices.ContainsFunc(all, func(s *slice) bool {
		return slices.ContainsFunc(s.Devices, func(d resourceapi.Device) bool { return !counters.hasCounters(d.ConsumesCounters) })
	})
}

// slicesOfPool returns the slices of the pool that a node's newest ones are of:
// just these if they are a whole pool, because then those of other nodes only
// share its name; else all of their generation.
func (p *pool) slicesOfPool(newest []*slice) []*slice {
	if isWholePool(newest) {
		return newest
	}
	var all []*slice
	for s := range p.slices {
		if s.Pool.Generation == newest[0].Pool.Generation {
			all = append(all, s)
		}
	}
	return all
}
