package device

import (
	"math"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// awayFor is how long units of a resource count after they have ceased to be
// allocatable. A device plugin that restarts, or is upgraded with its driver, is
// back within that time; a device that is broken is not.
const awayFor = 10 * time.Minute

// supply is how many units of a resource a node has, and has had of late. Its
// units that are expected are the most that were allocatable at a time in the last
// awayFor. That more than these are in the node's capacity counts as if they had
// been allocatable when it was first seen: a plugin that has just started says how
// many devices there are before it has found them healthy.
type supply struct {
	name                  v1.ResourceName
	capacity, allocatable int64
	// before has what was allocatable before, where it was more: the numbers fall,
	// and the times until when they count rise.
	before []level
	// counted is what of it is in the tallies of a Kinds.
	counted counted
}

// level is that so many units count until then.
type level struct {
	units int64
	until time.Time
}

// set sets what the node has from now on.
func (s *supply) set(capacity, allocatable int64, now time.Time) {
	s.expire(now)
	if capacity > s.capacity {
		s.allocate(capacity, now)
	}
	s.capacity = capacity
	s.allocate(allocatable, now)
}

func (s *supply) allocate(units int64, now time.Time) {
	if units < s.allocatable {
		s.before = append(s.before, level{s.allocatable, now.Add(awayFor)})
	}
	s.allocatable = units
	for n := len(s.before); n > 0 && s.before[n-1].units <= units; n-- {
		s.before = s.before[:n-1]
	}
}

// expire drops what does not count any more.
func (s *supply) expire(now time.Time) {
	for len(s.before) > 0 && !now.Before(s.before[0].until) {
		s.before = s.before[1:]
	}
}

// expected returns how many units the node has, including those that are away for
// a moment, as of the last expire or set.
func (s *supply) expected() int64 {
	if len(s.before) > 0 {
		return s.before[0].units
	}
	return s.allocatable
}

// isGone reports whether there is nothing to be remembered of the resource.
func (s *supply) isGone() bool { return s.capacity == 0 && s.allocatable == 0 && len(s.before) == 0 }

// unitsOf returns how many units of a resource there are: at least 0, at most the
// largest int64. Fractions, which the API server does not let pass, are rounded up,
// as the scheduler does.
func unitsOf(quantity resource.Quantity) int64 {
	if quantity.CmpInt64(math.MaxInt64) > 0 {
		return math.MaxInt64 // Value would return anything
	}
	return max(0, quantity.Value())
}
