package ledger

import (
	"slices"
	"time"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load/history"
)

const (
	// maxReadings is how many readings of a pod are kept: with one a poll they
	// reach back over a minute or two, which is as long as a single reading says
	// something of a sample.
	maxReadings = 6
	// ReadingExpiration is the age from which what a pod was seen to use is not
	// taken for what it uses.
	ReadingExpiration = 5 * time.Minute
	// overlapping is the part of a sample's window that a reading has to cover to
	// tell what the pod used in that sample.
	overlapping = 0.5
)

// at returns the reading whose window covers the most of the sample's, nil if
// none covers half of it.
func (r *Record) at(s *history.Sample) *history.Sample {
	var best *history.Sample
	covered := overlapping
	for i := range r.readings {
		one := &r.readings[i]
		if part := overlap(one, s); part >= covered {
			best, covered = one, part
		}
	}
	return best
}

// overlap returns the part of the sample's window that the reading covers.
func overlap(reading, s *history.Sample) float64 {
	from, to := s.Start(), s.Timestamp
	if start := reading.Start(); start.After(from) {
		from = start
	}
	if reading.Timestamp.Before(to) {
		to = reading.Timestamp
	}
	switch {
	case to.Before(from):
		return 0
	case s.Window <= 0:
		return 1
	}
	return to.Sub(from).Seconds() / s.Window.Seconds()
}

// least returns the least that the pod used in the sample by any of the readings that
// say something of it, and how many these are: they are from within ReadingExpiration,
// the pod had the same size all along, and what ran of it in the reading and in the
// sample had warmed up.
func (r *Record) least(s *history.Sample, warmUp time.Duration) (use amount.Vector, readings int) {
	if len(r.readings) == 0 || !r.isWarm(s, warmUp) {
		return use, 0
	}
	for i := range r.readings {
		one := &r.readings[i]
		if s.Timestamp.Sub(one.Timestamp).Abs() > ReadingExpiration || !r.isWarm(one, warmUp) || r.isResizedBetween(one, s, warmUp) {
			continue
		}
		part := history.Part(one.Usage, r.lasting(one, s))
		if readings++; readings > 1 {
			part = part.Min(use)
		}
		use = part
	}
	return use, readings
}

// lasting returns for which part of the sample, by their shares, those containers ran
// that the reading shows, 0 to 1 for each resource.
func (r *Record) lasting(one, s *history.Sample) (part [amount.NumResources]float64) {
	var whole amount.Vector
	for i := range r.containers {
		c := &r.containers[i]
		if !c.ranIn(one) {
			continue
		}
		weight := c.share.Max(amount.Vector{1, 1}) // one that is expected to use nothing may use something
		whole = whole.Add(weight)
		for resource, share := range c.shareOf(s) {
			part[resource] += share * float64(weight[resource])
		}
	}
	for resource := range part {
		part[resource] /= max(1, float64(whole[resource]))
	}
	return part
}

// believed returns the mean of the readings that show the full use of all that is to
// run of the pod, when it had that size, and whether there are any.
//
// Which they are is derived anew each time: that a container did not run, or had just
// begun to, may be told after the reading was taken.
func (r *Record) believed(size amount.Vector, now time.Time, warmUp time.Duration) (mean amount.Vector, known bool) {
	count := int64(0)
	for i := range r.readings {
		if one := &r.readings[i]; r.isComplete(one, now, warmUp) && r.sizeIn(one, warmUp) == size {
			count++
			mean = mean.Add(one.Usage)
		}
	}
	if count == 0 {
		return mean, false
	}
	for i := range mean {
		mean[i] /= count
	}
	return mean, true
}

// Read takes in what the pod was seen to use by itself, and reports whether it
// was news. A reading whose window began before the pod ran is none of this pod,
// but of one that had its name before. Of more readings than are kept, the oldest is
// dropped, but for the one that shows the most of the pod: what it says is what the pod
// uses, also once a container runs again that has long failed.
func (r *Record) Read(s history.Sample, warmUp time.Duration) bool {
	began := r.began()
	if began.IsZero() || began.After(s.Start()) || !s.Timestamp.After(r.LastRead()) {
		return false
	}
	if len(r.readings) == maxReadings {
		drop := 0
		if oldest := &r.readings[0]; r.best(warmUp) == oldest && r.countShown(oldest, warmUp) > r.countShown(&s, warmUp) {
			drop = 1
		}
		r.readings = slices.Delete(r.readings, drop, drop+1)
	}
	r.readings = history.Append(r.readings, s, maxReadings)
	return true
}

// isComplete reports whether the reading shows the full use of all that is to run of
// the pod, as large as it was then.
func (r *Record) isComplete(one *history.Sample, now time.Time, warmUp time.Duration) bool {
	return r.countsAtAll(now) && r.runsInFull(one, now, warmUp) && !r.isResizedBetween(one, one, warmUp)
}

// best returns the reading that shows the most containers in full that have not ended,
// the newest of several, nil if none shows one.
func (r *Record) best(warmUp time.Duration) (best *history.Sample) {
	most := 1
	for i := range r.readings {
		if shown := r.countShown(&r.readings[i], warmUp); shown >= most {
			best, most = &r.readings[i], shown
		}
	}
	return best
}

// countShown returns how many containers that have not ended the reading shows in full.
func (r *Record) countShown(one *history.Sample, warmUp time.Duration) (shown int) {
	for i := range r.containers {
		if c := &r.containers[i]; !c.ended && c.shownBy(one, warmUp) != nil {
			shown++
		}
	}
	return shown
}

// LastRead returns the timestamp of the newest reading, zero if there is none.
func (r *Record) LastRead() time.Time {
	if len(r.readings) == 0 {
		return time.Time{}
	}
	return r.readings[len(r.readings)-1].Timestamp
}

// LastUse returns the newest reading's use, and whether there is a reading that
// was taken with all of the pod running and is recent.
func (r *Record) LastUse(now time.Time, warmUp time.Duration) (amount.Vector, bool) {
	if len(r.readings) == 0 {
		return amount.Vector{}, false
	}
	newest := &r.readings[len(r.readings)-1]
	return newest.Usage, r.isComplete(newest, now, warmUp) && now.Sub(newest.Timestamp) <= ReadingExpiration
}
