package devicefit

import (
	"fmt"

	v1 "k8s.io/api/core/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"
)

// learn has the mix of pods learned from those that are created.
func (pl *DeviceFit) learn(factory informers.SharedInformerFactory) error {
	_, err := factory.Core().V1().Pods().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: func(obj any) {
			if pod, ok := obj.(*v1.Pod); ok {
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
	if devices := pl.matcher.Requests(pod); len(devices) > 0 {
		pl.learner.Observe(devices, requestsOf(pod), pl.model.Estimate(pod), pod.CreationTimestamp.Time)
	}
}
