package waiting

import (
	"time"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
)

// groups are the pod groups that wait, by name.
//
// A group is woken when all of its members find room that found none in its last
// attempt, beside those that did: room for one of them says little, and waking it
// for that would go on for ever, because each attempt takes its places back, which
// the load model tells as load that drops. A group that can make do with less need
// not wait for us: the queue retries groups by itself when their backoff ends.
//
// An activation of a member that is being tried does nothing for its group, so one
// that has just been tried is looked at a moment later.
type groups map[string]*group

type group struct {
	// placed are the places that were taken back.
	placed []place
	// waiting is how many members found no room, and members are those that may find
	// some now, in the order of the queue.
	waiting int
	members []*candidate
	// tried is when a member was tried last.
	tried time.Time
}

// place is what a member takes of the node in the slot.
type place struct {
	slot int
	need amount.Vector
}

// add adds a member that needs this much. It is false if the member is to find room.
func (g groups) add(w remembered, need amount.Vector) (placed bool) {
	of := g[w.attempt.group]
	if of == nil {
		of = &group{}
		g[w.attempt.group] = of
	}
	if w.attempt.now.After(of.tried) {
		of.tried = w.attempt.now
	}
	switch {
	case w.reserved: // the load model knows
		return true
	case w.placed >= 0:
		of.placed = append(of.placed, place{w.placed, need})
		return true
	case w.attempt.rejected.Load():
		of.waiting++
	}
	return false
}

// join adds the members that may find room, but for those that rest.
func (g groups) join(candidates []candidate) {
	for i := range candidates {
		if of := g[candidates[i].attempt.group]; of != nil && !candidates[i].resting {
			of.members = append(of.members, &candidates[i])
		}
	}
}

// isFirst reports whether the member is the one at whose turn all are.
func (g *group) isFirst(c *candidate) bool { return len(g.members) > 0 && g.members[0] == c }

// takeAll takes what all members need, or nothing.
func takeAll[Class comparable](nodes *rooms[Class], g *group) bool {
	if len(g.members) < g.waiting {
		return false
	}
	taken := append([]place(nil), g.placed...)
	for _, p := range g.placed {
		nodes.use(p.slot, p.need)
	}
	for _, member := range g.members {
		slot, ok := nodes.take(member)
		if !ok {
			for _, p := range taken {
				nodes.use(p.slot, amount.Vector{}.Sub(p.need))
			}
			return false
		}
		taken = append(taken, place{slot, member.need})
	}
	return true
}
