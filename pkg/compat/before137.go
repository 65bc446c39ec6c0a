//go:build k8s136 || k8s135

package compat

import (
	"context"

	v1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
)

// SharedCountersOfAllNodes says that the allocator of devices goes by the shared
// counters of a pool whatever node they are for, and not only if those for the node at
// hand are not the whole pool.
const SharedCountersOfAllNodes = true

// Before 1.37, plugins get the events of all pods under one name, those of pods
// that wait and those of pods that have a node.

// WhenOwnPodChanges returns the event that a pod that waits was changed itself.
func WhenOwnPodChanges(hint fwk.QueueingHintFn) fwk.ClusterEventWithHint {
	return fwk.ClusterEventWithHint{
		Event: fwk.ClusterEvent{Resource: fwk.Pod, ActionType: fwk.Update},
		QueueingHintFn: func(logger klog.Logger, pod *v1.Pod, oldObj, newObj any) (fwk.QueueingHint, error) {
			if changed, ok := newObj.(*v1.Pod); ok && changed.UID != pod.UID {
				return fwk.QueueSkip, nil
			}
			return hint(logger, pod, oldObj, newObj)
		},
	}
}

// WhenAssignedPodsChange returns the event that a pod that has a node was added, is
// gone, or requests less.
func WhenAssignedPodsChange(hint fwk.QueueingHintFn) fwk.ClusterEventWithHint {
	return fwk.ClusterEventWithHint{
		Event: fwk.ClusterEvent{Resource: fwk.Pod, ActionType: fwk.Add | fwk.Delete | fwk.UpdatePodScaleDown},
		QueueingHintFn: func(logger klog.Logger, pod *v1.Pod, oldObj, newObj any) (fwk.QueueingHint, error) {
			if changed, ok := newObj.(*v1.Pod); ok && changed.Spec.NodeName == "" {
				return fwk.QueueSkip, nil
			}
			return hint(logger, pod, oldObj, newObj)
		},
	}
}

// GangSize returns 0: it is not known how many pods of a group get nodes at once.
func GangSize(context.Context, kubernetes.Interface, *v1.Pod) (int, error) { return 0, nil }
