// Package world is what a simulated cluster really does, whether or not anybody
// measures or schedules it: time and what happens in it, machines, tasks with
// their true use over time, and metrics-server's sampling of both.
package world

import (
	"container/heap"
	"time"

	"k8s.io/utils/clock"
	clocktesting "k8s.io/utils/clock/testing"
)

// Clock is simulated time, and what is to happen in it. Times are since its
// start.
type Clock struct {
	start    time.Time
	elapsed  time.Duration
	ticker   *clocktesting.FakeClock
	before   []func(time.Duration)
	events   eventHeap
	sequence uint64
}

// NewClock returns a clock that stands at its start.
func NewClock(start time.Time) *Clock {
	return &Clock{start: start, ticker: clocktesting.NewFakeClock(start)}
}

// Elapsed returns the time since the start.
func (c *Clock) Elapsed() time.Duration { return c.elapsed }

// Time returns the date and time so long after the start.
func (c *Clock) Time(elapsed time.Duration) time.Time { return c.start.Add(elapsed) }

// Now returns the present date and time.
func (c *Clock) Now() time.Time { return c.Time(c.elapsed) }

// WithTicker returns the clock in the form that Kubernetes' code takes.
func (c *Clock) WithTicker() clock.WithTicker { return c.ticker }

// At has do called at a time. Of what is to happen at the same time, what was
// planned first happens first.
func (c *Clock) At(at time.Duration, do func() error) {
	c.sequence++
	heap.Push(&c.events, event{at: at, sequence: c.sequence, do: do})
}

// Every has do called at a time and then again and again.
func (c *Clock) Every(first, interval time.Duration, do func() error) {
	var again func() error
	at := first
	again = func() error {
		at += interval
		c.At(at, again)
		return do()
	}
	c.At(first, again)
}

// BeforeAdvance has do called each time before the clock is set, with what it
// will be set to.
func (c *Clock) BeforeAdvance(do func(to time.Duration)) { c.before = append(c.before, do) }

// Next returns when the next thing happens, and whether anything does.
func (c *Clock) Next() (at time.Duration, ok bool) {
	if len(c.events) == 0 {
		return 0, false
	}
	return c.events[0].at, true
}

// RunUntil lets everything happen that is due until t, which becomes the
// present. It ends with the first error.
func (c *Clock) RunUntil(t time.Duration) error {
	for len(c.events) > 0 && c.events[0].at <= t {
		next := heap.Pop(&c.events).(event)
		c.advance(next.at)
		if err := next.do(); err != nil {
			return err
		}
	}
	c.advance(t)
	return nil
}

func (c *Clock) advance(to time.Duration) {
	for _, do := range c.before {
		do(to)
	}
	c.elapsed = to
	c.ticker.SetTime(c.Time(to))
}

type event struct {
	at       time.Duration
	sequence uint64
	do       func() error
}

type eventHeap []event

func (h eventHeap) Len() int { return len(h) }
func (h eventHeap) Less(i, j int) bool {
	return h[i].at < h[j].at || h[i].at == h[j].at && h[i].sequence < h[j].sequence
}
func (h eventHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *eventHeap) Push(x any)   { *h = append(*h, x.(event)) }
func (h *eventHeap) Pop() any {
	last := len(*h) - 1
	x := (*h)[last]
	(*h)[last] = event{}
	*h = (*h)[:last]
	return x
}
