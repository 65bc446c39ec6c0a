package load

import (
	"context"
	"math"
	"time"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load/history"
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
	// Usage is in base units: cores and bytes, CPU as the mean over the window,
	// memory as it was at its end. NaN means not reported.
	Usage [amount.NumResources]float64
}

// dropReason says why a reading was dropped. It is a metric label.
type dropReason string

const (
	dropUnknownNode dropReason = "unknown_node"
	dropIncomplete  dropReason = "incomplete"
	dropNegative    dropReason = "negative"
	dropAbsurd      dropReason = "absurd"
)

// check returns the reading as a sample, or the reason why it cannot be
// believed (empty if it can).
func (r *Reading) check() (history.Sample, dropReason) {
	if r.Timestamp.IsZero() {
		return history.Sample{}, dropIncomplete
	}
	if r.Window < 0 {
		return history.Sample{}, dropNegative
	}
	sample := history.Sample{Timestamp: r.Timestamp, Window: r.Window}
	for resource, usage := range r.Usage {
		if amount.Resource(resource) == amount.CPU {
			usage *= 1000
		}
		switch {
		case math.IsNaN(usage):
			return history.Sample{}, dropIncomplete
		case usage < 0:
			return history.Sample{}, dropNegative
		case usage > amount.Limit:
			return history.Sample{}, dropAbsurd
		}
		sample.Usage[resource] = int64(math.Ceil(usage))
	}
	return sample, ""
}
