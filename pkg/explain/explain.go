// Package explain keeps the last scheduling decision on each pod, with the
// numbers that it was made on, and serves it as JSON.
//
// A scheduling cycle notes next to nothing: a byte a node and plugin (Marks). A
// Decision is made from that, and from the immutable view of the load model
// that the cycle decided on, by a goroutine of its own.
package explain

import (
	"container/list"
	"context"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
)

// Decision is what one scheduling cycle decided on a pod.
type Decision struct {
	Summary
	// Nodes are those considered: the one chosen, then by falling score, then
	// those rejected. At most MaxNodes.
	Nodes []Node `json:"nodes"`
}

// Result is what became of a pod in a scheduling cycle.
type Result string

// The results.
const (
	// Placed: the pod was given to a node.
	Placed Result = "Placed"
	// TakenBack: it was given to a node, and that was taken back because it could
	// not be bound, or because the rest of its pod group found no place.
	TakenBack Result = "TakenBack"
	// Waits: no node took it.
	Waits Result = "Waits"
)

// Summary is a decision in short.
type Summary struct {
	Pod     string    `json:"pod"` // namespace/name
	UID     types.UID `json:"uid"`
	Profile string    `json:"profile"`
	Time    time.Time `json:"time"`
	Result  Result    `json:"result"`
	// Node is the one that was chosen; empty if none was.
	Node string `json:"node,omitempty"`
	// WaitsFor says what has to happen before the pod is tried again for load.
	WaitsFor string `json:"waitsFor,omitempty"`
	// Considered is how many nodes the plugins looked at, and Rejected how many
	// of them they rejected for which reason.
	Considered int            `json:"considered"`
	Rejected   map[string]int `json:"rejected,omitempty"`
}

// Node is what the plugins knew, and made, of a node.
type Node struct {
	Name string `json:"name"`
	// State of its load sample: Fresh, Stale or Missing.
	State string `json:"state"`
	// SampleAgeSeconds is the age of its newest sample; absent if it has none.
	SampleAgeSeconds *float64 `json:"sampleAgeSeconds,omitempty"`
	// HistorySeconds is how much of the window the node's samples stand for: the
	// statistics are of that much.
	HistorySeconds float64 `json:"historySeconds"`
	// Load is absent without a fresh sample.
	Load      *Loads  `json:"load,omitempty"`
	NodeLoad  Outcome `json:"nodeLoad"`
	DeviceFit Outcome `json:"deviceFit"`
	// Fragmentation is absent if DeviceFit did not rank the node by it.
	Fragmentation *Fragmentation `json:"fragmentation,omitempty"`
}

// Fragmentation is how many of a node's free devices are of no use to the pods
// that the cluster typically runs, before and after the pod is placed there.
type Fragmentation struct {
	Before float64 `json:"before"`
	After  float64 `json:"after"`
}

// Loads is the prediction for a node.
type Loads struct {
	CPU    Load `json:"cpu"`    // in cores
	Memory Load `json:"memory"` // in bytes
}

// Load is the prediction for one resource of a node, in the resource's unit.
type Load struct {
	Measured         float64 `json:"measured"`
	InFlight         float64 `json:"inFlight"`
	Estimate         float64 `json:"estimate"`
	Predicted        float64 `json:"predicted"`
	ThresholdPercent int64   `json:"thresholdPercent"` // 0 is off
	Threshold        float64 `json:"threshold"`
	// PredictedForScore is by the statistic that nodes are ranked by.
	PredictedForScore float64 `json:"predictedForScore"`
}

// Outcome is what a plugin made of a node.
type Outcome struct {
	Rejected string `json:"rejected,omitempty"`
	// Score is absent if the node was not scored.
	Score *int64 `json:"score,omitempty"`
}

const (
	// MaxNodes bounds the nodes of a decision that are kept.
	MaxNodes = 30
	// maxDecisions and maxAge bound the decisions that are kept.
	maxDecisions = 2000
	maxAge       = time.Hour
	// maxPending bounds the decisions that wait to be made of what cycles noted.
	maxPending = 256
)

// Log keeps the last decision on each pod.
type Log struct {
	clock   clock.PassiveClock
	pending chan func() *Decision

	mu      sync.Mutex
	byPod   map[string]*list.Element // of *Decision
	oldest  *list.List               // in the order of time
	dropped uint64
}

// NewLog returns a log that takes in decisions while Run runs.
func NewLog(clock clock.PassiveClock) *Log {
	return &Log{
		clock: clock, pending: make(chan func() *Decision, maxPending),
		byPod: map[string]*list.Element{}, oldest: list.New(),
	}
}

// Add has the log take in a decision. It never blocks: when decisions come
// faster than they can be written down, some are not kept.
func (l *Log) Add(decision func() *Decision) {
	select {
	case l.pending <- decision:
	default:
		l.mu.Lock()
		l.dropped++
		l.mu.Unlock()
	}
}

// Run writes decisions down until ctx ends.
func (l *Log) Run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case decision := <-l.pending:
			l.put(decision())
		}
	}
}

func (l *Log) put(d *Decision) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if before, ok := l.byPod[d.Pod]; ok {
		l.oldest.Remove(before)
	}
	l.byPod[d.Pod] = l.oldest.PushBack(d)
	l.expire()
}

// expire drops what is too old or too much.
func (l *Log) expire() {
	for e := l.oldest.Front(); e != nil; e = l.oldest.Front() {
		d := e.Value.(*Decision)
		if l.oldest.Len() <= maxDecisions && l.clock.Since(d.Time) <= maxAge {
			return
		}
		l.oldest.Remove(e)
		delete(l.byPod, d.Pod)
	}
}

// Get returns the last decision on the pod (namespace/name), or nil.
func (l *Log) Get(pod string) *Decision {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.expire()
	if e, ok := l.byPod[pod]; ok {
		return e.Value.(*Decision)
	}
	return nil
}

// All returns the decisions, the newest first, and how many were not kept
// because too many came at once.
func (l *Log) All() (decisions []*Decision, dropped uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.expire()
	for e := l.oldest.Back(); e != nil; e = e.Prev() {
		decisions = append(decisions, e.Value.(*Decision))
	}
	return decisions, l.dropped
}
