package explain

import (
	"strings"
	"time"

	"github.com/plimsoll-scheduler/plimsoll/pkg/compat"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load"
)

// decision composes a decision of what the plugins noted.
func (t *Trace) decision(result Result, chosen string) *Decision {
	d := &Decision{Summary: Summary{
		Pod: t.pod.Namespace + "/" + t.pod.Name, UID: t.pod.UID, Profile: t.profile, Time: t.view.Now, Result: result, Node: chosen,
	}}
	places := t.places(chosen)
	atPlace := make([]int, places.rejected+1) // how many nodes
	rejected := make([][maxReasons]int, len(t.parts))
	for slot := range places.considered {
		d.Considered++
		atPlace[places.of(slot)]++
		if by, why := t.rejectedBy(slot); by >= 0 {
			rejected[by][why]++
		}
	}
	d.Rejected = t.reasons(rejected)
	d.Nodes = t.nodes(places, atPlace, d.Considered)
	if chosen == "" {
		d.WaitsFor = t.waitsFor(places)
	}
	if result == Waits {
		d.WaitsSince = t.waitsSince(d.Rejected != nil)
	}
	return d
}

// waitsSince returns when the pod was first rejected: now at the latest, if it was
// rejected; nil if it never was.
func (t *Trace) waitsSince(rejected bool) *time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	since := t.since
	if since.IsZero() && rejected {
		since = t.view.Now
	}
	if since.IsZero() {
		return nil
	}
	return &since
}

// rejectedBy returns which of the parts rejected the node, and for what; below 0 if
// none did.
func (t *Trace) rejectedBy(slot int) (part, why int) {
	for i := range t.parts {
		if _, rejected, value := t.parts[i].marks.At(slot); rejected {
			return i, int(value)
		}
	}
	return -1, 0
}

// reasons returns how many nodes were rejected for which reason; nil if none was.
func (t *Trace) reasons(rejected [][maxReasons]int) (counts map[string]int) {
	for part := range rejected {
		for why, nodes := range &rejected[part] {
			if nodes == 0 {
				continue
			}
			if counts == nil {
				counts = map[string]int{}
			}
			counts[t.parts[part].account.Reason(why)] += nodes
		}
	}
	return counts
}

// places are where the nodes stand in an explanation: the chosen one first, then
// by falling sum of the plugins' scores, then the rejected ones.
type places struct {
	trace    *Trace
	chosen   int // its slot; below 0 if there is none
	rejected int // the last place
}

func (t *Trace) places(chosen string) places {
	p := places{trace: t, chosen: -1, rejected: 1 + len(t.parts)*int(compat.MaxScore) + 1}
	if slot, known := t.view.Slot(chosen); known {
		p.chosen = slot
	}
	return p
}

// of returns the place of a node that was considered.
func (p *places) of(slot int) int {
	if slot == p.chosen {
		return 0
	}
	place := p.rejected - 1
	for i := range p.trace.parts {
		switch seen, rejected, value := p.trace.parts[i].marks.At(slot); {
		case rejected:
			return p.rejected
		case seen && value != NotScored:
			place -= int(value)
		}
	}
	return place
}

// considered are the slots of the nodes of which a plugin noted something, and of
// the chosen one. Of most nodes of a large cluster none did.
func (p *places) considered(yield func(slot int) bool) {
	slots := p.trace.view.Slots()
	for first := 0; first < slots; first += marksAtOnce {
		if !p.chosenIn(first) && !p.marked(first) {
			continue
		}
		for slot := first; slot < min(first+marksAtOnce, slots); slot++ {
			considered := slot == p.chosen
			for i := range p.trace.parts {
				considered = considered || p.trace.parts[i].marks[slot] != unseen
			}
			// A plugin's view may be younger than the trace's.
			if considered && p.trace.view.At(slot) != nil && !yield(slot) {
				return
			}
		}
	}
}

// chosenIn reports whether the chosen node is among those that begin with a slot.
func (p *places) chosenIn(first int) bool { return first <= p.chosen && p.chosen < first+marksAtOnce }

// marked reports whether a plugin noted something of those that begin with a slot.
func (p *places) marked(first int) bool {
	for i := range p.trace.parts {
		if p.trace.parts[i].marks.any(first) {
			return true
		}
	}
	return false
}

// nodes explains the nodes in the first places, at most MaxNodes. atPlace is how
// many there are at each place.
func (t *Trace) nodes(places places, atPlace []int, considered int) []Node {
	kept := make([]int, min(considered, MaxNodes)) // slots, in the order of places
	next := 0
	for at, nodes := range atPlace { // from how many nodes to the index of the first
		atPlace[at], next = next, next+nodes
	}
	for slot := range places.considered {
		at := places.of(slot)
		if i := atPlace[at]; i < len(kept) {
			kept[i] = slot
		}
		atPlace[at]++
	}
	nodes, details, scores := make([]Node, len(kept)), make([]numbers, len(kept)), make([]int64, len(kept)*len(t.parts))
	for i, slot := range kept {
		e := Entry{Node: &nodes[i], numbers: &details[i]}
		t.describe(&e, t.view.At(slot), scores[i*len(t.parts):])
	}
	return nodes
}

// numbers are what a Node may or may not have: they are kept together so that a
// decision takes few allocations.
type numbers struct {
	age           float64
	loads         Loads
	fragmentation Fragmentation
}

// describe explains the node. scores is for one of each plugin.
func (t *Trace) describe(e *Entry, node *load.Node, scores []int64) {
	e.Name, e.State, e.HistorySeconds = node.Name, t.view.State(node).String(), float64(node.CoveredSeconds)
	if node.Sampled {
		e.numbers.age = t.view.Age(node).Seconds()
		e.SampleAgeSeconds = &e.numbers.age
	}
	for i := range t.parts {
		p := &t.parts[i]
		p.account.Describe(e, node, p.marks.outcome(node.Slot, p.account.Reason, &scores[i]))
	}
}

// waitsFor says what has to happen for the pod to be taken: what one of the plugins
// says of the nodes that it rejected.
func (t *Trace) waitsFor(places places) string {
	var all []string
	for i := range t.parts {
		rejected := func(yield func(*load.Node, int) bool) {
			for slot := range places.considered {
				if by, why := t.rejectedBy(slot); by == i && !yield(t.view.At(slot), why) {
					return
				}
			}
		}
		if text := t.parts[i].account.WaitsFor(rejected); text != "" {
			all = append(all, text)
		}
	}
	return strings.Join(all, "; or ")
}
