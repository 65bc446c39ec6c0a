//go:build !k8s136 && !k8s135

package process

import (
	"context"

	v1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/cmd/kube-scheduler/app/options"
	"k8s.io/kubernetes/pkg/scheduler"
	"k8s.io/kubernetes/pkg/scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins/defaultpreemption"
	"k8s.io/kubernetes/pkg/scheduler/framework/preemption"
)

// NameInformers gives the scheduler's informers a name in their metrics. It is an
// error to give it twice in a process.
func NameInformers(opts *options.Options, name string) (err error) {
	opts.InformerName, err = cache.NewInformerName(name)
	return err
}

// TellNextPod has the scheduler call tell with each pod that it is about to try.
func TellNextPod(s *scheduler.Scheduler, tell func(*v1.Pod)) {
	next := s.NextEntity
	s.NextEntity = func(logger klog.Logger) (framework.QueuedEntityInfo, error) {
		entity, err := next(logger)
		if info, ok := entity.(*framework.QueuedPodInfo); ok && err == nil {
			tell(info.Pod)
		}
		return entity, err
	}
}

// QueuedPod returns what the scheduler's queue knows of a pod that is of no pod
// group, and whether it is there.
func QueuedPod(s *scheduler.Scheduler, namespace, name string) (*framework.QueuedPodInfo, bool) {
	return s.SchedulingQueue.GetPod(name, namespace, nil)
}

// SetEligible has preemption evict only pods that may be, beside its own rules; pods that go
// together are asked about together. Call it before the scheduler runs.
func SetEligible(plugin *defaultpreemption.DefaultPreemption, may func(victims []fwk.PodInfo, preemptor *v1.Pod) bool) {
	plugin.IsEligiblePod = func(_ fwk.NodeInfo, victim preemption.Victim, preemptor *v1.Pod) bool {
		return may(victim.Pods(), preemptor)
	}
}

// InsteadOfScheduling has the scheduler call do when it would begin to schedule, and
// schedule nothing. do is to return when ctx ends.
func InsteadOfScheduling(ctx context.Context, s *scheduler.Scheduler, do func()) {
	s.NextEntity = func(klog.Logger) (framework.QueuedEntityInfo, error) {
		do()
		<-ctx.Done()
		return nil, nil
	}
}

// AroundNext has the scheduler call before when it begins to wait for what to schedule
// next, which is when it has nothing at hand, and after when it has that. If after
// returns false, it is not scheduled. Call it before the scheduler runs.
func AroundNext(s *scheduler.Scheduler, before func(), after func() bool) {
	next := s.NextEntity
	s.NextEntity = func(logger klog.Logger) (framework.QueuedEntityInfo, error) {
		before()
		entity, err := next(logger)
		if !after() {
			return nil, nil
		}
		return entity, err
	}
}
