package main

import (
	v1 "k8s.io/api/core/v1"
	corev1helpers "k8s.io/component-helpers/scheduling/corev1"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/apis/scheduling"
	"k8s.io/kubernetes/pkg/scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins/defaultpreemption"

	"github.com/plimsoll-scheduler/plimsoll/pkg/annotation"
	"github.com/plimsoll-scheduler/plimsoll/pkg/compat/process"
)

// spareIsolated has preemption in all profiles spare the pods that are kept for
// analysis. It must be called before the scheduler runs: the rule is read without a
// lock.
func spareIsolated(profiles map[string]framework.Framework) {
	for _, profile := range profiles {
		for _, plugin := range profile.EnqueueExtensions() {
			if defaultPreemption, ok := plugin.(*defaultpreemption.DefaultPreemption); ok {
				process.SetEligible(defaultPreemption, mayEvict)
			}
		}
	}
}

// mayEvict reports whether preemption may evict the pods, whose priority is lower, which go
// together. Pods that the system depends on may evict any.
func mayEvict(pods []fwk.PodInfo, preemptor *v1.Pod) bool {
	if corev1helpers.PodPriority(preemptor) >= scheduling.SystemCriticalPriority {
		return true
	}
	for _, pod := range pods {
		if annotation.Isolated(pod.GetPod()) {
			return false
		}
	}
	return true
}
