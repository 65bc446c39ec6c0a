package waiting

import (
	"cmp"
	"math"
	"math/bits"
	"slices"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load"
)

// rooms is what the nodes of a view have room for, less what the pods that are
// woken take.
type rooms[Class comparable] struct {
	view    *load.View
	rules   Rules[Class]
	classes map[Class]*classRooms
	taken   map[int]amount.Vector // by slot
	// young are the nodes that not all of the waiting pods were tried on, the
	// youngest first.
	young []*load.Node
}

func newRooms[Class comparable](view *load.View, rules Rules[Class]) *rooms[Class] {
	return &rooms[Class]{view: view, rules: rules, classes: map[Class]*classRooms{}, taken: map[int]amount.Vector{}}
}

// of returns the room for pods of the class.
func (r *rooms[Class]) of(class Class) *classRooms {
	of, ok := r.classes[class]
	if !ok {
		of = newClassRooms(r.view.Slots())
		for node := range r.view.All {
			if room, open := r.rules.Room(r.view, node, class, r.taken[node.Slot]); open {
				of.open(node.Slot, room)
			}
		}
		r.classes[class] = of
	}
	return of
}

// findYoung finds the nodes that are younger than the attempt of one of the pods.
func (r *rooms[Class]) findYoung(candidates []candidate) {
	oldest := uint64(math.MaxUint64)
	for i := range candidates {
		oldest = min(oldest, candidates[i].attempt.epoch)
	}
	for node := range r.view.All {
		if node.Born > oldest {
			r.young = append(r.young, node)
		}
	}
	slices.SortFunc(r.young, func(a, b *load.Node) int { return cmp.Compare(b.Born, a.Born) })
}

// take takes what the pod needs off a node that rejected it, or that it was not
// tried on, and returns its slot. It is false if there is none that would take it.
func (r *rooms[Class]) take(c *candidate) (slot int, ok bool) {
	if slot, ok = r.find(c); ok {
		r.use(slot, c.need)
	}
	return slot, ok
}

// use has so much more, or less, of the node in the slot taken.
func (r *rooms[Class]) use(slot int, more amount.Vector) {
	node := r.view.At(slot)
	if node == nil {
		return // it is gone
	}
	r.taken[slot] = r.taken[slot].Add(more)
	for class, of := range r.classes {
		room, open := r.rules.Room(r.view, node, class, r.taken[slot])
		of.set(slot, room, open)
	}
}

func (r *rooms[Class]) find(c *candidate) (slot int, found bool) {
	of := c.rooms
	for slot := range c.attempt.each(of.atLeast(amount.CPU, c.need), of.atLeast(amount.Memory, c.need)) {
		if of.takes(slot, &c.need) {
			return slot, true
		}
	}
	for _, node := range r.young {
		if node.Born <= c.attempt.epoch {
			break
		}
		if of.takes(node.Slot, &c.need) {
			return node.Slot, true
		}
	}
	return 0, false
}

// classRooms is the room of each node for pods of one class.
type classRooms struct {
	nodes set // that take any
	room  []amount.Vector
	most  amount.Vector // at least what any node has
	// levels are the nodes by the size of their room, so that a pod need not be
	// compared with nodes that have none: level l has those with room for 2^(l-1),
	// and level 0 for 0. They are made when first asked for.
	levels [amount.NumResources][bits.UintSize]set
}

func newClassRooms(slots int) *classRooms {
	of := &classRooms{nodes: newSet(slots), room: make([]amount.Vector, slots)}
	for r := range of.most {
		of.most[r] = math.MinInt64
	}
	return of
}

// open notes that the node takes pods that need no more than the room.
func (of *classRooms) open(slot int, room amount.Vector) {
	of.nodes.add(slot)
	of.room[slot] = room
	of.most = of.most.Max(room)
}

// set notes that the node has another room than before.
func (of *classRooms) set(slot int, room amount.Vector, open bool) {
	of.nodes.remove(slot)
	for r := range of.levels {
		for l := range of.levels[r] {
			if level := of.levels[r][l]; level != nil {
				if level.remove(slot); open && room[r] >= atLevel(l) {
					level.add(slot)
				}
			}
		}
	}
	if open {
		of.open(slot, room)
	}
}

// mayTake is false if surely no node takes a pod that needs this much.
func (of *classRooms) mayTake(need amount.Vector) bool {
	for r := range need {
		if need[r] > of.most[r] {
			return false
		}
	}
	return true
}

// takes reports whether the node takes a pod that needs this much.
func (of *classRooms) takes(slot int, need *amount.Vector) bool {
	for r := range need {
		if need[r] > of.room[slot][r] {
			return false
		}
	}
	return of.nodes.has(slot)
}

// atLeast returns the nodes that may have room for what is needed of the resource:
// all that have, and some that have half.
func (of *classRooms) atLeast(r amount.Resource, need amount.Vector) set {
	l := bits.Len64(uint64(max(need[r], 0)))
	if of.levels[r][l] == nil {
		level := newSet(len(of.room))
		for slot := range of.room {
			if of.nodes.has(slot) && of.room[slot][r] >= atLevel(l) {
				level.add(slot)
			}
		}
		of.levels[r][l] = level
	}
	return of.levels[r][l]
}

// atLevel returns the least room of the nodes of a level.
func atLevel(l int) int64 {
	if l == 0 {
		return 0
	}
	return 1 << (l - 1)
}
