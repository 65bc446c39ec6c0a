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
	seed    maphash.Seed
	version uint64
	nodes   int
	shards  [shards]map[string]nodeDevices
	// resources has the classes behind extended resources, each as the
	// resource of the class.
	resources map[v1.ResourceName]v1.ResourceName
}

// shards is near the square root of the largest number of nodes times the
// weight of a map's entry against that of a pointer to a shard, which makes a
// copy of the changed parts cheapest: 2 KB of pointers and 20 entries at 5,000
// nodes.
const shards = 256

// nodeDevices are the devices of a node.
type nodeDevices struct {
	stocks []Stock // sorted by name
	free   int64   // each device once
}

func (d nodeDevices) equal(other nodeDevices) bool {
	return d.free == other.free && slices.Equal(d.stocks, other.stocks)
}

// Stocks returns what the node has of each class that it offers a device of,
// sorted by name; nil if it offers none. It must not be changed.
func (v InventoryView) Stocks(node string) []Stock {
	if v.picture == nil {
		return nil
	}
	return v.picture.lookup(node).stocks
}

// Free returns how many devices of the node no claim holds: each once, however
// many classes it is in. A device in no class cannot be asked for, and is none.
func (v InventoryView) Free(node string) int64 {
	if v.picture == nil {
		return 0
	}
	return v.picture.lookup(node).free
}

// Resource returns the class whose devices are given to pods that request the
// extended resource, as the resource of that class. That of a class is its own.
// A node whose device plugin offers the resource as well gives its own devices.
func (v InventoryView) Resource(name v1.ResourceName) (class v1.ResourceName, ok bool) {
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

// Version returns a number that grows whenever a view differs from the one
// before. It is 0 as long as nothing is known.
func (v InventoryView) Version() uint64 {
	if v.picture == nil {
		return 0
	}
	return v.picture.version
}

func (p *picture) lookup(node string) nodeDevices {
	return p.shards[p.shard(node)][node]
}

func (p *picture) shard(node string) uint64 {
	return maphash.String(p.seed, node) % shards
}

// with returns a picture with the devices of these nodes and these classes
// behind resources: p itself if it shows them already. It uses up devices.
func (p *picture) with(devices map[string]nodeDevices, resources map[v1.ResourceName]v1.ResourceName) *picture {
	if p == nil {
		p = &picture{seed: maphash.MakeSeed()}
	}
	maps.DeleteFunc(devices, func(node string, offered nodeDevices) bool { return p.lookup(node).equal(offered) })
	if len(devices) == 0 && maps.Equal(p.resources, resources) {
		return p
	}
	next := *p
	next.version++
	next.resources = resources
	var own [shards]bool
	for node, offered := range devices {
		at := p.shard(node)
		if !own[at] {
			own[at] = true
			next.shards[at] = make(map[string]nodeDevices, len(p.shards[at])+1)
			maps.Copy(next.shards[at], p.shards[at])
		}
		shard := next.shards[at]
		next.nodes -= len(shard)
		if shard[node] = offered; len(offered.stocks) == 0 {
			delete(shard, node)
		}
		next.nodes += len(shard)
	}
	return &next
}
