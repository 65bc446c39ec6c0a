package device

import (
	"hash/maphash"
	"maps"
	"slices"

	v1 "k8s.io/api/core/v1"
)

// InventoryView is an immutable picture of an Inventory. Its methods take no
// lock and allocate nothing. The zero value is that of an empty inventory.
type InventoryView struct {
	picture *picture // nil for an empty inventory
}

// picture maps nodes to what they offer. The map is in shards, so that a
// picture shares with the one before it all shards that have not changed.
type picture struct {
	seed   maphash.Seed
	nodes  int
	shards [shards]map[string]NodeDevices
	// resources has the classes behind extended resources, each as the
	// resource of the class.
	resources map[v1.ResourceName]v1.ResourceName
}

// shards is near the square root of the largest number of nodes times the
// weight of a map's entry against that of a pointer to a shard, which makes a
// copy of the changed parts cheapest: 2 KB of pointers and 20 entries at 5,000
// nodes.
const shards = 256

// NodeDevices are the devices that a node offers.
type NodeDevices struct {
	// Classes is what the node has of each class that it offers a device of,
	// sorted by name. It must not be changed.
	Classes []Stock
	// All counts each device once, however many classes it is in. It has no
	// name. A device in no class cannot be asked for, and is none.
	All Stock
}

func (d NodeDevices) equal(other NodeDevices) bool {
	return d.All == other.All && slices.Equal(d.Classes, other.Classes)
}

// Node returns the devices of the node; none if it is not known.
func (v InventoryView) Node(name string) NodeDevices {
	if v.Len() == 0 {
		return NodeDevices{}
	}
	return v.picture.lookup(name)
}

// ClassOf returns the class whose devices are given to pods that request the
// extended resource, as the resource of that class; ok is false if there is none.
// A node whose device plugin offers the resource as well gives its own devices.
func (v InventoryView) ClassOf(name v1.ResourceName) (class v1.ResourceName, ok bool) {
	if v.picture == nil {
		return "", false
	}
	class, ok = v.picture.resources[name]
	return class, ok
}

// Len returns the number of nodes that offer devices.
func (v InventoryView) Len() int {
	if v.picture == nil {
		return 0
	}
	return v.picture.nodes
}

func (p *picture) lookup(node string) NodeDevices {
	return p.shards[p.shard(node)][node]
}

func (p *picture) shard(node string) uint64 {
	return maphash.String(p.seed, node) % shards
}

// with returns a picture with the devices of these nodes and these classes
// behind resources: p itself if it shows them already. It uses up devices.
func (p *picture) with(devices map[string]NodeDevices, resources map[v1.ResourceName]v1.ResourceName) *picture {
	if p == nil {
		p = &picture{seed: maphash.MakeSeed()}
	}
	maps.DeleteFunc(devices, func(node string, offered NodeDevices) bool { return p.lookup(node).equal(offered) })
	if len(devices) == 0 && maps.Equal(p.resources, resources) {
		return p
	}
	next := *p
	next.resources = resources
	var own [shards]bool
	for node, offered := range devices {
		at := p.shard(node)
		if !own[at] {
			own[at] = true
			next.shards[at] = make(map[string]NodeDevices, len(p.shards[at])+1)
			maps.Copy(next.shards[at], p.shards[at])
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
