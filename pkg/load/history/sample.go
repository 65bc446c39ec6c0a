package history

import (
	"time"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
)

// Sample is what a node, or a pod, was measured to use.
//
// CPU is a mean over the window. Memory is what was in use at the end of the
// window: a pod that ended a second before that is not in it at all.
type Sample struct {
	// Timestamp is the end of the window, by the node's clock.
	Timestamp time.Time
	Window    time.Duration
	Usage     amount.Vector
}

// Start returns when the sample's window began.
func (s *Sample) Start() time.Time { return s.Timestamp.Add(-s.Window) }

// Share returns how much the sample shows, 0 to 1 for each resource, of a use
// that was steady from one time to another. A zero time is one long ago, or one
// that is yet to come.
func (s *Sample) Share(from, to time.Time) (share [amount.NumResources]float64) {
	if from.After(s.Timestamp) || !to.IsZero() && to.Before(s.Start()) {
		return share
	}
	if to.IsZero() || !to.Before(s.Timestamp) {
		to = s.Timestamp
		share[amount.Memory] = 1
	}
	if s.Window <= 0 {
		share[amount.CPU] = share[amount.Memory]
		return share
	}
	if start := s.Start(); from.Before(start) {
		from = start
	}
	share[amount.CPU] = max(0, to.Sub(from).Seconds()/s.Window.Seconds())
	return share
}

// Part returns the shares of the use.
func Part(use amount.Vector, share [amount.NumResources]float64) amount.Vector {
	for r := range use {
		use[r] = int64(share[r] * float64(use[r]))
	}
	return use
}
