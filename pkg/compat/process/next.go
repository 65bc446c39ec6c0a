package process

import (
	"context"

	v1 "k8s.io/api/core/v1"
	"k8s.io/klog/v2"
	"k8s.io/kubernetes/pkg/scheduler"
)

// TellNextPod has the scheduler call tell with each pod that it is about to try.
func TellNextPod(s *scheduler.Scheduler, tell func(*v1.Pod)) {
	pop := *next(s)
	*next(s) = func(logger klog.Logger) (entity, error) {
		popped, err := pop(logger)
		if pod := podOf(popped); pod != nil && err == nil {
			tell(pod)
		}
		return popped, err
	}
}

// AroundNext has the scheduler call before when it begins to wait for what to schedule
// next, which is when it has nothing at hand, and after when it has that. If after
// returns false, it is not scheduled. Call it before the scheduler runs.
func AroundNext(s *scheduler.Scheduler, before func(), after func() bool) {
	pop := *next(s)
	*next(s) = func(logger klog.Logger) (entity, error) {
		before()
		popped, err := pop(logger)
		if !after() {
			return nil, nil
		}
		return popped, err
	}
}

// InsteadOfScheduling has the scheduler call do when it would begin to schedule, and
// schedule nothing. do is to return when ctx ends.
func InsteadOfScheduling(ctx context.Context, s *scheduler.Scheduler, do func()) {
	*next(s) = func(klog.Logger) (entity, error) {
		do()
		<-ctx.Done()
		return nil, nil
	}
}
