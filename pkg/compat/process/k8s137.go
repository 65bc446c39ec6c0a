//go:build !k8s136 && !k8s135

package process

import (
	v1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"
	"k8s.io/kubernetes/cmd/kube-scheduler/app/options"
	"k8s.io/kubernetes/pkg/scheduler"
	"k8s.io/kubernetes/pkg/scheduler/framework"
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
