package world

import "time"

// Counters are what a machine's counters say at a moment.
type Counters struct {
	At time.Duration
	// Demanded and Given are the CPU that was asked for and given since the start,
	// in core-seconds.
	Demanded, Given float64
	Memory          int64 // in use, in bytes
}

// MetShare returns which part of the CPU that was asked for between two moments
// was given, 0 to 1.
func MetShare(from, to Counters) float64 {
	if demanded := to.Demanded - from.Demanded; demanded > 0 {
		return (to.Given - from.Given) / demanded
	}
	return 1
}

// History has a machine's newest counters, as many as its ring is long.
type History struct {
	ring  [8]Counters
	count int
}

// Add adds the newest.
func (h *History) Add(c Counters) {
	h.ring[h.count%len(h.ring)] = c
	h.count++
}

// Back returns those that are so many before the newest, and whether they are
// still there.
func (h *History) Back(n int) (Counters, bool) {
	if n >= h.count || n >= len(h.ring) {
		return Counters{}, false
	}
	return h.ring[(h.count-1-n)%len(h.ring)], true
}
