// Package line is the load line: how much use of a node is safe for a pod.
//
// The Plimsoll line is the mark on a ship's hull that says how much load is
// safe. Here it is a percentage of what a node can allocate, for each resource.
// Which percentage holds depends on the pod (a Rule) and on the node (its Own
// thresholds); together they make a Line. Whatever asks whether a node is over
// its line, how far, or how much headroom is left, asks here.
//
// Everything is a pure function over amounts. Nothing allocates.
package line

import (
	"math"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
)

// Own are a node's own thresholds, in percent of allocatable, for the resources
// that are Set.
type Own struct {
	Percent amount.Vector
	Set     [amount.NumResources]bool
}

// Rule is what decides on the line of each node for a pod.
type Rule struct {
	// Percent is the threshold of each resource, in percent of allocatable, 0 to
	// 100. 0 is no threshold.
	Percent amount.Vector
	// Band says that the percentages are a promise to pods of other priorities:
	// a node's own thresholds lower them, and do not raise them.
	Band bool
	// Largest is what the largest node that the pod may get can allocate of each
	// resource: see Line.Cap.
	Largest amount.Vector
}

// percent returns the threshold on a node with thresholds of its own.
func (r *Rule) percent(resource amount.Resource, own *Own) int64 {
	general := r.Percent[resource]
	switch {
	case own == nil || !own.Set[resource]:
		return general
	case !r.Band || general == 0:
		return own.Percent[resource]
	case own.Percent[resource] == 0:
		return general
	}
	return min(general, own.Percent[resource])
}

// Line is the load line of a node for a pod.
type Line struct {
	// Percent is the threshold of each resource that holds; 0 is none.
	Percent amount.Vector
	// Limit is the use at which the node is at the line: the percentage of what it
	// can allocate, and all of that where there is no threshold.
	Limit amount.Vector
	// margin is what is allocatable above the limit, and largest what the largest node
	// can allocate: see Cap.
	margin, largest amount.Vector
}

// On returns the line of a node that has thresholds of its own, nil if it has none, and
// can allocate this much.
func (r *Rule) On(own *Own, allocatable amount.Vector) Line {
	l := Line{largest: r.Largest}
	for i := range amount.NumResources {
		percent := r.percent(i, own)
		l.Percent[i] = percent
		if percent == 0 {
			percent = 100
		}
		l.Limit[i] = part(percent, allocatable[i])
		l.margin[i] = allocatable[i] - l.Limit[i]
	}
	return l
}

// part returns so many percent of the amount, rounded down.
func part(percent, of int64) int64 {
	if of > math.MaxInt64/100 {
		return of / 100 * percent
	}
	return of * percent / 100
}

// Over returns the first resource whose use is above its threshold, and whether
// there is one.
func (l *Line) Over(use amount.Vector) (amount.Resource, bool) {
	for r := range amount.NumResources {
		if l.Percent[r] > 0 && use[r] > l.Limit[r] {
			return r, true
		}
	}
	return 0, false
}

// Headroom returns how far a use is below the line. It is negative above it.
func (l *Line) Headroom(use amount.Vector) amount.Vector { return l.Limit.Sub(use) }

// Room is Headroom where there is a threshold, and Unlimited elsewhere: a use
// that does not exceed it does not take the node over its line.
func (l *Line) Room(use amount.Vector) amount.Vector {
	room := l.Headroom(use)
	for r := range room {
		if l.Percent[r] == 0 {
			room[r] = Unlimited
		}
	}
	return room
}

// Unlimited is the room of a resource without a limit.
const Unlimited = math.MaxInt64

// largestShare is the part of the largest node's line that a pod counts for at
// the most.
const largestShare = 2. / 3

// Cap returns the most that one pod counts for on a node of this use, Unlimited
// where all of it counts.
//
// A pod that is expected to use most of the largest node's line, or more, would
// find no node below its line, and wait for ever where kube-scheduler places it.
// So it counts for no more than two thirds of that line, and gets a large node
// that is nearly idle. The line is the one at this node's percentages, so that a
// node with lower thresholds of its own is not closed to such pods for ever; but
// of the largest node's size, because with its own size a small node, which is
// often idle, would get the pods that overload it worst.
//
// A lack of CPU slows pods down, a lack of memory kills them. So all of a pod's
// memory counts, except on a node that uses no more than what it can allocate
// above the line: there a pod that would be below the line alone fits.
func (l *Line) Cap(use amount.Vector) amount.Vector {
	var limit amount.Vector
	for r, percent := range l.Percent {
		if percent == 0 {
			percent = 100
		}
		limit[r] = int64(largestShare * float64(part(percent, l.largest[r])))
	}
	if use[amount.Memory] > l.margin[amount.Memory] {
		limit[amount.Memory] = Unlimited
	}
	return limit
}

// With returns the use with a pod on top that is expected to use this much, as
// it counts against the line: see Cap. All of the memory counts where it is more
// than what is left of what the node can allocate.
func (l *Line) With(use, pod amount.Vector) amount.Vector {
	counted := pod.Min(l.Cap(use))
	if pod[amount.Memory] > l.left(use) {
		counted[amount.Memory] = pod[amount.Memory]
	}
	return use.Add(counted)
}

// OverWith is Over of With, and cheaper where the node is below its line with all of
// the pod.
func (l *Line) OverWith(use, pod amount.Vector) (amount.Resource, bool) {
	if r, over := l.Over(use.Add(pod)); !over {
		return r, false
	}
	return l.Over(l.With(use, pod))
}

// left returns what is left of the memory that the node can allocate.
func (l *Line) left(use amount.Vector) int64 {
	return l.Limit[amount.Memory] + l.margin[amount.Memory] - use[amount.Memory]
}

// Takes returns how much a pod may use, as it is expected to, for With not to take
// the node over its line: Unlimited where any pod may.
func (l *Line) Takes(use amount.Vector) amount.Vector {
	room := l.Room(use)
	for r, most := range l.Cap(use) {
		switch {
		case room[r] < most: // else no pod counts for more than what is left
		case amount.Resource(r) == amount.Memory && l.Percent[r] > 0:
			room[r] = l.left(use)
		default:
			room[r] = Unlimited
		}
	}
	return room
}
