package main

import (
	"context"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apiserver/pkg/server"
	"k8s.io/klog/v2"
	kubescheduler "k8s.io/kubernetes/pkg/scheduler"

	"github.com/plimsoll-scheduler/plimsoll/pkg/compat/process"
)

const (
	// bindingsEnd is how long a stop waits at most for bindings that are in flight; a
	// pod of a gang may wait longer for the others.
	bindingsEnd = 5 * time.Second
	// bindingsCheck is how often that is looked at. Each look copies kube-scheduler's
	// cache, and holds its lock meanwhile, which bindings need as well.
	bindingsCheck = 100 * time.Millisecond
)

// graceful ends the scheduler without cutting off what it does: with the first signal
// it takes up no further pod, and ends when those that have a node are bound.
//
// Kube-scheduler's own end drops bindings that are in flight. Whether these took effect
// the next leader learns only with its next events, and until then it decides as if
// these pods had no node.
type graceful struct {
	scheduler atomic.Pointer[kubescheduler.Scheduler] // nil as long as there is none
	stops     atomic.Bool                             // no further pod is taken up
	busy      atomic.Bool                             // a pod is being scheduled
}

// context returns the context of the process, which ends after a signal.
func (g *graceful) context() context.Context {
	ctx, end := context.WithCancel(context.Background())
	signals := server.SetupSignalContext()
	context.AfterFunc(signals, func() {
		g.finish(ctx)
		end()
	})
	return ctx
}

// of says what is to be ended. Call it before the scheduler runs.
func (g *graceful) of(ctx context.Context, s *kubescheduler.Scheduler) {
	process.AroundNext(s, func() { g.busy.Store(false) }, func() bool {
		g.busy.Store(true) // before stops is looked at: one of both sides sees the other
		if !g.stops.Load() {
			return true
		}
		g.busy.Store(false)
		<-ctx.Done()
		return false
	})
	g.scheduler.Store(s)
}

// finish returns when nothing is in flight any more, or after bindingsEnd.
func (g *graceful) finish(ctx context.Context) {
	g.stops.Store(true)
	s := g.scheduler.Load()
	if s == nil {
		return
	}
	logger, start := klog.FromContext(ctx), time.Now()
	logger.Info("Asked to stop: no further pod is scheduled")
	err := wait.PollUntilContextTimeout(ctx, bindingsCheck, bindingsEnd, true, func(context.Context) (bool, error) {
		return !g.busy.Load() && len(s.Cache.Dump().AssumedPods) == 0, nil
	})
	if err != nil {
		logger.Info("Stops although pods are not bound that have a node; the next leader schedules them", "pods", len(s.Cache.Dump().AssumedPods), "after", bindingsEnd)
		return
	}
	logger.Info("All bindings in flight have ended", "took", time.Since(start))
}
