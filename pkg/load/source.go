package load

import (
	"context"
	"math"
	"time"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
)

// Source reports what nodes use.
type Source interface {
	// Poll returns the newest reading of each node that the source knows. It
	// ends with ctx. After an error nothing is known: the model keeps what it
	// had, and lets it grow stale.
	Poll(ctx context.Context) ([]Reading, error)
}

// Reading is what a source says of one node, not checked yet.
type Reading struct {
	Node string
	// Timestamp is the end of the window over which the use was measured, by
	// the node's own clock.
	Timestamp time.Time
	Window    time.Duration
	// Usage is in base units: cores and bytes. NaN means not reported.
	Usage [amount.NumResources]float64
}

// Sample is a checked reading.
type Sample struct {
	Timestamp time.Time
	Window    time.Duration
	Usage     amount.Vector
}

// Start returns when the sample's window began.
func (s Sample) Start() time.Time { return s.Timestamp.Add(-s.Window) }

// shareOf returns how much of a steady use from one time to another the sample
// shows: that part of its window which lies between them, 0 to 1. A sample of
// one moment shows all of it or nothing.
func (s Sample) shareOf(from, to time.Time) float64 {
	if s.Window <= 0 {
		if from.After(s.Timestamp) || to.Before(s.Timestamp) {
			return 0
		}
		return 1
	}
	if start := s.Start(); start.After(from) {
		from = start
	}
	if to.After(s.Timestamp) {
		to = s.Timestamp
	}
	return max(0, to.Sub(from).Seconds()/s.Window.Seconds())
}

// maxClockSkew is how far a node's clock may be ahead of ours before its
// readings are dropped as being from the future.
const maxClockSkew = 30 * time.Second

// dropReason says why a reading was dropped. It is a metric label.
type dropReason string

const (
	dropUnknownNode dropReason = "unknown_node"
	dropIncomplete  dropReason = "incomplete"
	dropNegative    dropReason = "negative"
	dropAbsurd      dropReason = "absurd"
	dropFuture      dropReason = "future"
)

// check returns the reading as a sample, or the reason why it cannot be
// believed (empty if it can).
func (r *Reading) check(now time.Time) (Sample, dropReason) {
	if r.Timestamp.After(now.Add(maxClockSkew)) {
		return Sample{}, dropFuture
	}
	if r.Timestamp.IsZero() {
		return Sample{}, dropIncomplete
	}
	if r.Window < 0 {
		return Sample{}, dropNegative
	}
	sample := Sample{Timestamp: r.Timestamp, Window: r.Window}
	for resource, usage := range r.Usage {
		if amount.Resource(resource) == amount.CPU {
			usage *= 1000
		}
		switch {
		case math.IsNaN(usage):
			return Sample{}, dropIncomplete
		case usage < 0:
			return Sample{}, dropNegative
		case usage > amount.Limit:
			return Sample{}, dropAbsurd
		}
		sample.Usage[resource] = int64(math.Ceil(usage))
	}
	return sample, ""
}
