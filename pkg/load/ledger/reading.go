package ledger

import (
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

// reading is what a pod was seen to use by itself. complete says that all of its
// containers had warmed up before its window began.
type reading struct {
	history.Sample
	complete bool
}

// at returns the reading whose window covers the most of the sample's, nil if
// none covers half of it.
func (r *Record) at(s *history.Sample) *reading {
	var best *reading
	covered := overlapping
	for i := range r.readings {
		one := &r.readings[i]
		if part := overlap(&one.Sample, s); part >= covered {
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

// least returns the least that recent readings show, and how many there are. A
// reading is recent if it is no older than ReadingExpiration.
func (r *Record) least(now time.Time) (use amount.Vector, readings int) {
	for i := range r.readings {
		if now.Sub(r.readings[i].Timestamp) > ReadingExpiration {
			continue
		}
		if readings++; readings == 1 {
			use = r.readings[i].Usage
			continue
		}
		use = use.Min(r.readings[i].Usage)
	}
	return use, readings
}

// believed returns the mean of the readings that were taken with all of the pod
// running as it is to run now, and whether there are any.
func (r *Record) believed() (mean amount.Vector, known bool) {
	count := int64(0)
	for i := range r.readings {
		if one := &r.readings[i]; one.complete && !one.Start().Before(r.resizedAt) {
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
// but of one that had its name before.
func (r *Record) Read(s history.Sample, now time.Time, warmUp time.Duration) bool {
	began := r.began()
	if began.IsZero() || s.Start().Before(began) || !s.Timestamp.After(r.LastRead()) {
		return false
	}
	if len(r.readings) == maxReadings {
		copy(r.readings, r.readings[1:])
		r.readings = r.readings[:maxReadings-1]
	}
	r.readings = append(r.readings, reading{Sample: s, complete: r.allShownBy(&s, now, warmUp)})
	return true
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
func (r *Record) LastUse(now time.Time) (amount.Vector, bool) {
	if len(r.readings) == 0 {
		return amount.Vector{}, false
	}
	newest := &r.readings[len(r.readings)-1]
	return newest.Usage, newest.complete && now.Sub(newest.Timestamp) <= ReadingExpiration
}
