//go:build k8s136 || k8s135

package process

import (
	"context"

	v1 "k8s.io/api/core/v1"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/cmd/kube-scheduler/app/options"
	"k8s.io/kubernetes/pkg/scheduler"
	"k8s.io/kubernetes/pkg/scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins/defaultpreemption"
)

// NameInformers does nothing: informers have no metrics.
func NameInformers(*options.Options, string) error { return nil }

// TellNextPod has the scheduler call tell with each pod that it is about to try.
func TellNextPod(s *scheduler.Scheduler, tell func(*v1.Pod)) {
	next := s.NextPod
	s.NextPod = func(logger klog.Logger) (*framework.QueuedPodInfo, error) {
		info, err := next(logger)
		if info != nil && err == nil {
			tell(info.Pod)
		}
		return info, err
	}
}

// QueuedPod returns what the scheduler's queue knows of a pod, and whether it is
// there.
func QueuedPod(s *scheduler.Scheduler, namespace, name string) (*framework.QueuedPodInfo, bool) {
	return s.SchedulingQueue.GetPod(name, namespace)
}

// SetEligible has preemption evict only pods that may be, beside its own rules. Call it
// before the scheduler runs.
func SetEligible(plugin *defaultpreemption.DefaultPreemption, may func(victims []fwk.PodInfo, preemptor *v1.Pod) bool) {
	plugin.IsEligiblePod = func(_ fwk.NodeInfo, victim fwk.PodInfo, preemptor *v1.Pod) bool {
		return may([]fwk.PodInfo{victim}, preemptor)
	}
}

// InsteadOfScheduling has the scheduler call do when it would begin to schedule, and
// schedule nothing. do is to return when ctx ends.
func InsteadOfScheduling(ctx context.Context, s *scheduler.Scheduler, do func()) {
	s.NextPod = func(klog.Logger) (*framework.QueuedPodInfo, error) {
		do()
		<-ctx.Done()
		return nil, nil
	}
}

// AroundNext has the scheduler call before when it begins to wait for what to schedule
// next, which is when it has nothing at hand, and after when it has that. If after
// returns false, it is not scheduled. Call it before the scheduler runs.
func AroundNext(s *scheduler.Scheduler, before func(), after func() bool) {
	next := s.NextPod
	s.NextPod = func(logger klog.Logger) (*framework.QueuedPodInfo, error) {
		before()
		entity, err := next(logger)
		if !after() {
			return nil, nil
		}
		return entity, err
	}
}
