//go:build !k8s136 && !k8s135

package process

import (
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

// entity is what the scheduler's queue hands out.
type entity = framework.QueuedEntityInfo

// next is what the scheduler asks for it.
func next(s *scheduler.Scheduler) *func(klog.Logger) (entity, error) { return &s.NextEntity }

// podOf returns the pod that an entity is, nil if it is none.
func podOf(e entity) *v1.Pod {
	if info, ok := e.(*framework.QueuedPodInfo); ok {
		return info.Pod
	}
	return nil
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
