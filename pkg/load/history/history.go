// Package history keeps the samples of a node over a window, and condenses them
// into statistics.
package history

import (
	"time"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
)

// History is the samples of one node over a window, oldest first. Their number
// is bounded by the window and the shortest interval between polls.
type History struct {
	window  time.Duration
	limit   int
	samples []Sample
	later   time.Duration // what all samples but the oldest stand for
}

// New returns an empty history of a window that is filled once in an interval.
func New(window, interval time.Duration) History {
	// One sample a poll, one that reaches into the window from before it, and the
	// one being added.
	return History{window: window, limit: int(window/max(interval, time.Second)) + 2}
}

// Samples returns the samples, oldest first. They must not be changed, and hold
// until the next Add or Clear.
func (h *History) Samples() []Sample { return h.samples }

// Newest returns the newest sample, nil if there is none.
func (h *History) Newest() *Sample {
	if len(h.samples) == 0 {
		return nil
	}
	return &h.samples[len(h.samples)-1]
}

// Oldest returns the oldest sample, nil if there is none.
func (h *History) Oldest() *Sample {
	if len(h.samples) == 0 {
		return nil
	}
	return &h.samples[0]
}

// Add takes in a sample that is newer than all before, and drops those that
// ended before the window that ends with it.
func (h *History) Add(s Sample) {
	begin := s.Timestamp.Add(-h.window)
	drop := 0
	for drop < len(h.samples) && (!h.samples[drop].Timestamp.After(begin) || len(h.samples)-drop >= h.limit) {
		drop++
	}
	for i := 1; i <= drop && i < len(h.samples); i++ {
		h.later -= h.weight(i)
	}
	h.samples = Append(append(h.samples[:0], h.samples[drop:]...), s, h.limit)
	if newest := len(h.samples) - 1; newest > 0 {
		h.later += h.weight(newest)
	}
}

// Append appends s to fewer samples than the limit, with room for no more than that:
// there are so many lists of samples that what append leaves unused is worth saving.
func Append(samples []Sample, s Sample, limit int) []Sample {
	if len(samples) == cap(samples) {
		samples = append(make([]Sample, 0, min(2*len(samples)+1, limit)), samples...)
	}
	return append(samples, s)
}

// Clear drops all samples.
func (h *History) Clear() { h.samples, h.later = nil, 0 }

// Clone returns a copy that shares nothing with h.
func (h *History) Clone() History {
	clone := *h
	clone.samples = append([]Sample(nil), h.samples...)
	return clone
}

// weight returns the time that sample i stands for: its own window, less what
// the sample before covers already, and less what lies before the history's
// window. It is above 0.
func (h *History) weight(i int) (weight time.Duration) {
	s := &h.samples[i]
	if i > 0 { // the sample before is in the window, and so is what comes after it
		weight = s.Timestamp.Sub(h.samples[i-1].Timestamp)
	} else {
		weight = h.window - h.samples[len(h.samples)-1].Timestamp.Sub(s.Timestamp)
	}
	if s.Window > 0 {
		weight = min(weight, s.Window)
	}
	return max(weight, 1)
}

// Covered returns how much of the window the samples stand for.
func (h *History) Covered() time.Duration {
	if len(h.samples) == 0 {
		return 0
	}
	return h.later + h.weight(0)
}

// Scratch is memory for Statistics to work in.
type Scratch [amount.NumResources][]weighted

// Statistics returns the statistics of the samples and their standard deviation.
// as returns the use to take for a sample, of which what is below zero counts as
// zero, and whether the sample is to be left out; nil takes each as it is. The
// newest sample is never left out. There must be a sample.
func (h *History) Statistics(as func(*Sample) (use amount.Vector, leaveOut bool), scratch *Scratch) (result Statistics, deviation amount.Vector) {
	for r := range scratch {
		scratch[r] = scratch[r][:0]
	}
	for i := range h.samples {
		s := &h.samples[i]
		use := s.Usage
		if as != nil {
			var leaveOut bool
			if use, leaveOut = as(s); leaveOut && i < len(h.samples)-1 {
				continue
			}
		}
		weight := h.weight(i)
		for r := range scratch {
			scratch[r] = append(scratch[r], weighted{amount: max(use[r], 0), weight: weight})
		}
	}
	for r := range scratch {
		values, spread := summarize(scratch[r])
		for statistic, value := range values {
			result[statistic][r] = value
		}
		deviation[r] = spread
	}
	return result, deviation
}
