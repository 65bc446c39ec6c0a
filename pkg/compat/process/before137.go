//go:build k8s136 || k8s135

package process

import (
	v1 "k8s.io/api/core/v1"
	"k8s.io/klog/v2"
	"k8s.io/kubernetes/cmd/kube-scheduler/app/options"
	"k8s.io/kubernetes/pkg/scheduler"
	"k8s.io/kubernetes/pkg/scheduler/framework"
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
