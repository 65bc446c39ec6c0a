//go:build k8s136 || k8s135

package process

import (
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

// entity is what the scheduler's queue hands out.
type entity = *framework.QueuedPodInfo

// next is what the scheduler asks for it.
func next(s *scheduler.Scheduler) *func(klog.Logger) (entity, error) { return &s.NextPod }

// podOf returns the pod that an entity is, nil if it is none.
func podOf(e entity) *v1.Pod {
	if e == nil {
		return nil
	}
	return e.Pod
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
