package waiting

import (
	"context"
	"time"

	"k8s.io/utils/clock"
)

// Dispatcher has rounds run when they are due, until ctx ends, and returns what
// says that one is: soon, or after a moment. Rounds are run one at a time; what says
// that they are due neither waits for one nor blocks.
type Dispatcher func(ctx context.Context, round func(context.Context)) (soon, later func())

// retellDelay is how late a round comes that is due because of an attempt that one
// may have missed. It bounds how many of them a scheduler that rejects pod after
// pod has run.
const retellDelay = time.Second

// Background returns the dispatcher that runs rounds in a goroutine of its own. If
// several become due while one runs, one is run after it.
func Background(clock clock.Clock) Dispatcher {
	return func(ctx context.Context, round func(context.Context)) (soon, later func()) {
		now, delayed := make(chan struct{}, 1), make(chan struct{}, 1)
		go run(ctx, clock, round, now, delayed)
		return signal(now), signal(delayed)
	}
}

func signal(to chan<- struct{}) func() {
	return func() {
		select {
		case to <- struct{}{}:
		default: // one is due already
		}
	}
}

func run(ctx context.Context, clock clock.Clock, round func(context.Context), now, delayed <-chan struct{}) {
	var delay <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-delayed:
			if delay == nil {
				delay = clock.After(retellDelay)
			}
			continue
		case <-now:
		case <-delay:
		}
		delay = nil // this round looks at what it was for
		round(ctx)
	}
}

// Inline returns the dispatcher that runs a round within the call that says that
// it is due: for who runs everything in one goroutine, where no round can miss an
// attempt.
func Inline() Dispatcher {
	return func(ctx context.Context, round func(context.Context)) (soon, later func()) {
		return func() { round(ctx) }, func() {}
	}
}
