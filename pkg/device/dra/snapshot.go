package dra

import (
	"hash/maphash"
	"maps"
	"slices"

	v1 "k8s.io/api/core/v1"

	"github.com/plimsoll-scheduler/plimsoll/pkg/device"
)

// snapshot maps nodes to what they offer. It is immutable, and the
// device.ClassView of an Inventory. The map is in shards, so that a snapshot
// shares with the one before it all shards that have not changed.
type snapshot struct {
	seed   maphash.Seed
	nodes  int // that offer devices
	shards [shardCount]map[string]device.NodeDevices
	// classOfResource has the class that provides each extended resource, as the
	// resource of that class.
	classOfResource map[v1.ResourceName]v1.ResourceName
}

// shardCount is near the square root of the largest number of nodes times the
// weight of a map's entry against that of a pointer to a shard, which makes a
// copy of the changed parts cheapest: 2 KB of pointers and 20 entries at 5,000
// nodes.
const shardCount = 256

// newSnapshot returns one without devices.
func newSnapshot() *snapshot { return &snapshot{seed: maphash.MakeSeed()} }

// Any reports whether any node has devices.
func (s *snapshot) Any() bool { return s.nodes > 0 }

// Node returns the devices of the node; none if it is not known.
func (s *snapshot) Node(name string) device.NodeDevices {
	return s.shards[s.shardOf(name)][name]
}

// ClassOf returns the class that provides the extended resource.
func (s *snapshot) ClassOf(resource v1.ResourceName) (class v1.ResourceName, ok bool) {
	class, ok = s.classOfResource[resource]
	return class, ok
}

func (s *snapshot) shardOf(node string) uint64 { return maphash.String(s.seed, node) % shardCount }

// with returns a snapshot with the devices of these nodes and these classes of
// resources: s itself if it shows them already. It uses up devices.
func (s *snapshot) with(devices map[string]device.NodeDevices, classOfResource map[v1.ResourceName]v1.ResourceName) *snapshot {
	maps.DeleteFunc(devices, func(node string, offered device.NodeDevices) bool { return equal(s.Node(node), offered) })
	if len(devices) == 0 && maps.Equal(s.classOfResource, classOfResource) {
		return s
	}
	next := *s
	next.classOfResource = classOfResource
	var copied [shardCount]bool
	for node, offered := range devices {
		at := s.shardOf(node)
		if !copied[at] {
			copied[at] = true
			next.shards[at] = make(map[string]device.NodeDevices, len(s.shards[at])+1)
			maps.Copy(next.shards[at], s.shards[at])
		}
		shard := next.shards[at]
		next.nodes -= len(shard)
		if shard[node] = offered; len(offered.Classes) == 0 {
			delete(shard, node)
		}
		next.nodes += len(shard)
	}
	return &next
}

func equal(a, b device.NodeDevices) bool { return a.All == b.All && slices.Equal(a.Classes, b.Classes) }
