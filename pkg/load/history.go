package load

import (
	"time"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
)

// history is the samples of one node over a window, oldest first. Its length is
// bounded by the window and the shortest interval between polls.
type history struct {
	window  time.Duration
	limit   int
	samples []Sample
}

// historyLimit returns how many samples a window can hold: one a poll, one
// that reaches into the window from before it, and the one being added.
func historyLimit(window, interval time.Duration) int {
	return int(window/max(interval, time.Second)) + 2
}

// newest returns the newest sample, and whether there is one.
func (h *history) newest() (Sample, bool) {
	if len(h.samples) == 0 {
		return Sample{}, false
	}
	return h.samples[len(h.samples)-1], true
}

// add takes in a sample that is newer than all before, and drops those that
// ended before the window that ends with it.
func (h *history) add(s Sample) {
	begin := s.Timestamp.Add(-h.window)
	drop := 0
	for drop < len(h.samples) && (!h.samples[drop].Timestamp.After(begin) || len(h.samples)-drop >= h.limit) {
		drop++
	}
	h.samples = append(h.samples[:0], h.samples[drop:]...)
	h.samples = append(h.samples, s)
}

// weight returns the time that sample i stands for: its own window, less what
// the sample before covers already, and less what lies before the history's
// window. It is above 0.
func (h *history) weight(i int) time.Duration {
	s, newest := &h.samples[i], &h.samples[len(h.samples)-1]
	weight := h.window - newest.Timestamp.Sub(s.Timestamp)
	if s.Window > 0 {
		weight = min(weight, s.Window)
	}
	if i > 0 {
		weight = min(weight, s.Timestamp.Sub(h.samples[i-1].Timestamp))
	}
	return max(weight, 1)
}

// covered returns how much of the window the samples stand for.
func (h *history) covered() (sum time.Duration) {
	for i := range h.samples {
		sum += h.weight(i)
	}
	return sum
}

// statistics returns the statistics of the samples, to each of which difference
// is added (the sum is at least 0), and the standard deviation. scratch is
// memory to use.
func (h *history) statistics(difference func(Sample) amount.Vector, scratch *[amount.NumResources][]weighted) (result Statistics, deviation amount.Vector) {
	for r := range scratch {
		scratch[r] = scratch[r][:0]
	}
	for i := range h.samples {
		s := &h.samples[i]
		weight, use := h.weight(i), s.Usage.Add(difference(*s))
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
