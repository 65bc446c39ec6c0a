package explain

import (
	"container/list"
	"context"
	"sync"
	"time"

	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/util/flowcontrol"
	"k8s.io/utils/clock"
)

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
	clock           clock.PassiveClock
	pending         chan func() *Decision
	limiter         flowcontrol.PassiveRateLimiter
	tellsPlacements bool

	mu        sync.Mutex
	recorders map[string]events.EventRecorder // by profile
	byPod     map[string]*list.Element        // of *Decision
	oldest    *list.List                      // in the order of time
	dropped   uint64

	// cycles guards the trace of the last cycle of each profile.
	cycles sync.Mutex
	last   map[string]*Trace
}

// NewLog returns a log that takes in decisions while Run runs.
func NewLog(clock clock.PassiveClock) *Log {
	return &Log{
		clock: clock, pending: make(chan func() *Decision, maxPending),
		limiter:   flowcontrol.NewTokenBucketPassiveRateLimiterWithClock(eventsPerSecond, eventsBurst, clock),
		recorders: map[string]events.EventRecorder{},
		byPod:     map[string]*list.Element{}, oldest: list.New(), last: map[string]*Trace{},
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
