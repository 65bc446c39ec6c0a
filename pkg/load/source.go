package load

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load/history"
)

// Source reports what nodes use.
type Source interface {
	// Poll returns the newest reading of each node that the source knows. It
	// ends with ctx. After an error nothing is known: the model keeps what it
	// had, and lets it grow stale. An error that is ErrNotServed says that there
	// is no source at all.
	Poll(ctx context.Context) ([]Reading, error)
}

// ErrNotServed is the error of a source that the cluster does not have, so that no
// sample of a node can be expected.
var ErrNotServed = errors.New("not served by this cluster")

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

// dropReason says why a reading, or a part of it, was dropped. It is a metric
// label.
type dropReason string

const (
	dropUnknownNode dropReason = "unknown_node"
	dropIncomplete  dropReason = "incomplete"
	dropNegative    dropReason = "negative"
	dropAbsurd      dropReason = "absurd"
	dropZero        dropReason = "zero"
	dropClock       dropReason = "clock_set"
	dropOlder       dropReason = "older_than_node"
)

// dropReasons are all of them.
var dropReasons = []dropReason{dropUnknownNode, dropIncomplete, dropNegative, dropAbsurd, dropZero, dropClock, dropOlder}

// String completes "because ...".
func (r dropReason) String() string {
	switch r {
	case dropUnknownNode:
		return "no such node is known"
	case dropIncomplete:
		return "they have no time, or neither CPU nor memory"
	case dropNegative:
		return "they have a use or a window below zero"
	case dropAbsurd:
		return fmt.Sprintf("they have more than %d times of what the node can allocate", absurd)
	case dropZero:
		return "they say that nothing is used, although containers run"
	case dropClock:
		return "the node's clock was set"
	case dropOlder:
		return "they are older than the node, or the node's clock is behind"
	}
	return string(r)
}

// absurd is from how many times of what a node can allocate on a use is not believed. A
// node may use more than it can allocate, by what is reserved for the system.
const absurd = 100

// doubts is why the value of each resource cannot be believed; empty where it can.
type doubts [amount.NumResources]dropReason

// all returns a reason if no value can be believed, else "".
func (d *doubts) all() dropReason {
	for _, reason := range d {
		if reason == "" {
			return ""
		}
	}
	return d[0]
}

// any returns a reason if some value cannot be believed, else "".
func (d *doubts) any() dropReason {
	for _, reason := range d {
		if reason != "" {
			return reason
		}
	}
	return ""
}

// check returns the reading as a sample, which is zero where doubt says that the
// value cannot be believed. reason is why none of it can be; empty if some can.
func (r *Reading) check() (sample history.Sample, doubt doubts, reason dropReason) {
	switch {
	case r.Timestamp.IsZero():
		return sample, doubt, dropIncomplete
	case r.Window < 0:
		return sample, doubt, dropNegative
	}
	sample = history.Sample{Timestamp: r.Timestamp, Window: r.Window}
	for resource, usage := range r.Usage {
		if amount.Resource(resource) == amount.CPU {
			usage *= 1000
		}
		switch {
		case math.IsNaN(usage):
			doubt[resource] = dropIncomplete
		case usage < 0:
			doubt[resource] = dropNegative
		case usage > amount.Limit:
			doubt[resource] = dropAbsurd
		default:
			sample.Usage[resource] = int64(math.Ceil(usage))
		}
	}
	reason = doubt.all()
	return sample, doubt, reason
}
