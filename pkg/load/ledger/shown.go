package ledger

import (
	"time"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load/history"
)

// exact is the part of a sample's window from which a reading that covers it says
// all about the sample.
const exact = 0.9

// allShownBy reports whether the sample shows the full use of all that runs, or
// is to run, of the pod, as large as it is now.
func (r *Record) allShownBy(s *history.Sample, now time.Time, warmUp time.Duration) bool {
	return len(r.containers) > 0 && r.runsInFull(s, now, warmUp) && r.sizeIn(s, warmUp) == r.Requested
}

// runsInFull reports whether the sample shows a run in full of each container that
// counts.
func (r *Record) runsInFull(s *history.Sample, now time.Time, warmUp time.Duration) bool {
	for i := range r.containers {
		c := &r.containers[i]
		if !c.counts(now) {
			continue
		}
		if c.shownBy(s, warmUp) == nil {
			return false
		}
	}
	return true
}

// runsShownBy reports whether the sample shows the full use of all present runs:
// then so does each later one.
func (r *Record) runsShownBy(s *history.Sample, now time.Time, warmUp time.Duration) bool {
	for i := range r.containers {
		c := &r.containers[i]
		if !c.counts(now) {
			continue
		}
		if open := c.running(); open == nil || open.from.Add(warmUp).After(s.Start()) {
			return false
		}
	}
	return len(r.containers) > 0 && r.sizeIn(s, warmUp) == r.Requested
}

// Missing returns what the sample does not show of what the pod is expected to
// use, and whether that is known rather than estimated.
//
// What a sample shows of a pod that it shows in part is the larger of the shares
// of the containers that it shows in full, and of what the pod was seen to use
// by itself from that time on.
func (r *Record) Missing(s *history.Sample, now time.Time, warmUp time.Duration) (use amount.Vector, known bool) {
	if r.allShownBy(s, now, warmUp) {
		return amount.Vector{}, true
	}
	expected, seen := r.Expected(now, warmUp)
	return expected.Sub(r.shown(s, expected, seen, now, warmUp)).Max(amount.Vector{}), seen && r.tells(s, warmUp)
}

// tells reports whether it is known how much the sample shows of the pod: a reading
// says, or no container ran in its window, or all that did are shown in full.
func (r *Record) tells(s *history.Sample, warmUp time.Duration) bool {
	return r.at(s) != nil || r.isWarm(s, warmUp) && !r.stoppedIn(s)
}

// isWarm reports whether it is known which containers ran in the sample's window, and
// each of them had warmed up when it began.
func (r *Record) isWarm(s *history.Sample, warmUp time.Duration) bool {
	if !r.remembers(s) {
		return false
	}
	latest := s.Start().Add(-warmUp)
	for i := range r.containers {
		runs := r.containers[i].runs
		for j := range runs {
			if runs[j].from.After(latest) && runs[j].isIn(s) {
				return false
			}
		}
	}
	return true
}

// remembers reports whether it is known which containers ran in the sample's window.
func (r *Record) remembers(s *history.Sample) bool {
	for i := range r.containers {
		if r.containers[i].knownSince().After(s.Start()) {
			return false
		}
	}
	return true
}

// stoppedIn reports whether a container stopped in the sample's window.
func (r *Record) stoppedIn(s *history.Sample) bool {
	for i := range r.containers {
		for _, run := range r.containers[i].runs {
			if run.isIn(s) && !run.to.IsZero() && run.to.Before(s.Timestamp) {
				return true
			}
		}
	}
	return false
}

func (r *Record) shown(s *history.Sample, expected amount.Vector, seen bool, now time.Time, warmUp time.Duration) (use amount.Vector) {
	if !r.first.Before(s.Timestamp) {
		return use
	}
	if one := r.at(s); seen && one != nil && overlap(one, s) >= exact {
		return one.Usage
	}
	for i := range r.containers {
		if c := &r.containers[i]; c.counts(now) && c.shownBy(s, warmUp) != nil {
			use = use.Add(c.share)
		}
	}
	// The shares are of the estimate: take as large a part of what it used in all.
	whole, estimated := r.wholeIn(s, expected, now, warmUp), r.estimated(now)
	for i := range use {
		if estimated[i] > 0 {
			use[i] = int64(float64(use[i]) / float64(estimated[i]) * float64(whole[i]))
		}
	}
	return use.Max(r.partOf(s, warmUp))
}

// wholeIn returns what all of a pod used in the sample that is expected to use so much
// now, had it been running: it may have been smaller.
func (r *Record) wholeIn(s *history.Sample, expected amount.Vector, now time.Time, warmUp time.Duration) amount.Vector {
	size := r.sizeIn(s, warmUp)
	if size == r.Requested {
		return expected
	}
	if use, seen := r.believed(size, now, warmUp); seen {
		return use
	}
	for i := range expected {
		if size[i] < r.Requested[i] {
			expected[i] = int64(float64(size[i]) / float64(r.Requested[i]) * float64(expected[i]))
		}
	}
	return expected
}

// partOf returns how much of the sample is the pod's use, as far as a reading
// says: what it was seen to use, for that part of the sample's window that lies
// after the beginning of the reading's, and before its end unless it is the newest
// and all that it shows goes on. Else the shares of the containers do that run
// still: how much of the rest a later sample shows is not known. A sample from
// before the reading shows nothing that is known.
func (r *Record) partOf(s *history.Sample, warmUp time.Duration) (use amount.Vector) {
	for i := range r.readings {
		one := &r.readings[i]
		if overlap(one, s) >= exact {
			use = use.Max(one.Usage)
		}
		if i < len(r.readings)-1 {
			use = use.Max(history.Part(one.Usage, shareFrom(one, one.Timestamp, s)))
			continue
		}
		end, going := r.after(one, warmUp)
		use = use.Max(history.Part(one.Usage, shareFrom(one, end, s)))
		use = use.Max(history.Part(history.Part(one.Usage, going), shareFrom(one, time.Time{}, s)))
	}
	return use
}

// shareFrom returns how much the sample shows of what the reading does, if that was
// steady from then on until the end: its CPU from the beginning of its window, its
// memory, which is that of its end, from there.
func shareFrom(one *history.Sample, end time.Time, s *history.Sample) [amount.NumResources]float64 {
	share := s.Share(one.Start(), end)
	if s.Timestamp.Before(one.Timestamp) {
		share[amount.Memory] = 0
	}
	return share
}

// after returns until when the reading says all about the pod: until a container
// ended, but for no longer than its own window if one has since, or if that is not
// remembered; for good, which is zero, if none has. going is which part of the use is
// that of the containers that still run, by their shares: of those that had warmed up,
// as of another's use it may be the rest.
func (r *Record) after(one *history.Sample, warmUp time.Duration) (end time.Time, going [amount.NumResources]float64) {
	if !r.remembers(one) {
		return one.Timestamp, going
	}
	var ran, running amount.Vector
	for i := range r.containers {
		c := &r.containers[i]
		for _, run := range c.runs {
			if !run.isIn(one) {
				continue
			}
			ran = ran.Add(c.share)
			switch ended := run.to; {
			case ended.IsZero():
				if !run.from.Add(warmUp).After(one.Start()) {
					running = running.Add(c.share)
				}
			case end.IsZero() || ended.Before(end):
				if end = ended.Time(); one.Timestamp.Before(end) {
					end = one.Timestamp
				}
			}
		}
	}
	for r := range going {
		if ran[r] > 0 {
			going[r] = float64(running[r]) / float64(ran[r])
		}
	}
	return end, going
}

// UsedIn returns how much of the sample is surely the use of a pod that has left:
// what it was seen to use in that window. Where no reading covers it, that is the
// least of several recent readings; a single one says nothing of another time.
// known is false if nothing is known.
func (r *Record) UsedIn(s *history.Sample, warmUp time.Duration) (use amount.Vector, known bool) {
	return r.seenIn(s, 2, warmUp)
}

// AtLeastIn returns what a pod that is on the node used in the sample at the least,
// as far as it was measured.
func (r *Record) AtLeastIn(s *history.Sample, warmUp time.Duration) amount.Vector {
	use, _ := r.seenIn(s, 1, warmUp)
	return use
}

// seenIn returns what a reading shows that covers the sample, or else the least of
// recent readings if there are enough, of what ran in the sample's window.
func (r *Record) seenIn(s *history.Sample, enough int, warmUp time.Duration) (amount.Vector, bool) {
	if one := r.at(s); one != nil {
		return history.Part(one.Usage, r.lasting(one, s)), true
	}
	if use, readings := r.least(s, warmUp); readings >= enough {
		return use, true
	}
	return amount.Vector{}, false
}
