package load

import (
	"context"
	"math"
	"time"
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
	Usage [NumResources]float64
}

// Sample is a checked reading.
type Sample struct {
	Timestamp time.Time
	Window    time.Duration
	Usage     Amounts
}

// Start returns when the sample's window began.
func (s Sample) Start() time.Time { return s.Timestamp.Add(-s.Window) }

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
		if Resource(resource) == CPU {
			usage *= 1000
		}
		switch {
		case math.IsNaN(usage):
			return Sample{}, dropIncomplete
		case usage < 0:
			return Sample{}, dropNegative
		case usage > maxAmount:
			return Sample{}, dropAbsurd
		}
		sample.Usage[resource] = int64(math.Ceil(usage))
	}
	return sample, ""
}
