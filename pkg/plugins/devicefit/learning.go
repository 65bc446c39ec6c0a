package devicefit

import (
	"fmt"

	v1 "k8s.io/api/core/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"

	"github.com/plimsoll-scheduler/plimsoll/pkg/device"
)

// learn has the mix of pods learned from those that are created. Those that
// name their devices by claims are seen when they are scheduled: see PreScore.
func (pl *DeviceFit) learn(factory informers.SharedInformerFactory) error {
	_, err := factory.Core().V1().Pods().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: func(obj any) {
			if pod, ok := obj.(*v1.Pod); ok && !device.UsesDRA(pod) {
				pl.observe(pod)
			}
		},
	})
	if err != nil {
		return fmt.Errorf("watch pods: %w", err)
	}
	return nil
}

func (pl *DeviceFit) observe(pod *v1.Pod) {
	if devices := pl.requests(pod); len(devices) > 0 {
		pl.learner.Observe(devices, requestsOf(pod), pl.model.Estimate(pod), pod.CreationTimestamp.Time)
	}
}
