package ledger

import (
	"time"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load/history"
)

// maxSizes is how many earlier sizes of a pod are kept.
const maxSizes = 3

// size is what the pod's requests suggested that it uses, until it was resized.
type size struct {
	until     instant
	requested amount.Vector
}

// Resize takes in what the pod's requests suggest that it uses from now on. What it
// was measured to use before says little of what it is to use if that is more.
func (r *Record) Resize(requested amount.Vector, now time.Time) {
	before := r.Requested
	if r.Requested = requested; before == requested || r.began().IsZero() {
		return
	}
	if len(r.sizes) == maxSizes { // samples from before are taken to show the less of two
		r.sizes[1].requested = r.sizes[1].requested.Min(r.sizes[0].requested)
		r.sizes = append(r.sizes[:0], r.sizes[1:]...)
	}
	r.sizes = append(r.sizes, size{until: instantOf(now), requested: before})
	if requested.Max(before) != before {
		r.On(Interrupt)
	}
}

// sizeIn returns what the pod's requests suggested that it used in the sample: the
// least of the sizes that the sample may show, of each resource. A pod uses more only
// once it has warmed up again.
func (r *Record) sizeIn(s *history.Sample, warmUp time.Duration) amount.Vector {
	least := r.Requested
	for i := range r.sizes {
		if one := &r.sizes[i]; one.until.Add(warmUp).After(s.Start()) {
			least = least.Min(one.requested)
		}
	}
	return least
}

// isResizedBetween reports whether the pod was resized between the warm-up before the
// first of two samples and the end of the last.
func (r *Record) isResizedBetween(first, last *history.Sample, warmUp time.Duration) bool {
	if last.Timestamp.Before(first.Timestamp) {
		first, last = last, first
	}
	for i := range r.sizes {
		if until := r.sizes[i].until; until.Add(warmUp).After(first.Start()) && until.Before(last.Timestamp) {
			return true
		}
	}
	return false
}

// resized returns when the pod was last resized, zero if it was not.
func (r *Record) resized() instant {
	if len(r.sizes) == 0 {
		return 0
	}
	return r.sizes[len(r.sizes)-1].until
}
