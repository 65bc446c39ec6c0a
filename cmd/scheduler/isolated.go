package main

import (
	v1 "k8s.io/api/core/v1"
	corev1helpers "k8s.io/component-helpers/scheduling/corev1"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/apis/scheduling"
	"k8s.io/kubernetes/pkg/scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins/defaultpreemption"
	"k8s.io/kubernetes/pkg/scheduler/framework/preemption"

	"github.com/plimsoll-scheduler/plimsoll/pkg/annotation"
)

// spareIsolated has preemption in all profiles spare the pods that are kept for
// analysis. It must be called before the scheduler runs: the rule is read without a
// lock.
func spareIsolated(profiles map[string]framework.Framework) {
	for _, profile := range profiles {
		for _, plugin := range profile.EnqueueExtensions() {
			if defaultPreemption, ok := plugin.(*defaultpreemption.DefaultPreemption); ok {
				defaultPreemption.IsEligiblePod = mayEvict
			}
		}
	}
}

// mayEvict reports whether preemption may evict the victim, whose priority is lower.
// Pods that the system depends on may evict any.
func mayEvict(_ fwk.NodeInfo, victim preemption.Victim, preemptor *v1.Pod) bool {
	if corev1helpers.PodPriority(preemptor) >= scheduling.SystemCriticalPriority {
		return true
	}
	for _, pod := range victim.Pods() {
		if annotation.Isolated(pod.GetPod()) {
			return false
		}
	}
	return true
}
