//go:build !k8s136 && !k8s135

package compat

import (
	"context"

	v1 "k8s.io/api/core/v1"
	resourceapi "k8s.io/api/resource/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	fwk "k8s.io/kube-scheduler/framework"
)

// Minor is the minor of Kubernetes that this is built for.
const Minor = "1.37"

// SharedCountersOfAllNodes says that the allocator of devices goes by the shared
// counters of a pool whatever node they are for, and not only if those for the node at
// hand are not the whole pool.
const SharedCountersOfAllNodes = false

// PlacementState is what plugins share while a placement of a pod group is tried.
type PlacementState = fwk.PlacementCycleState

// The rules that taint devices, in the newest version of the API that the minor has.
type (
	// DeviceTaintRule taints the devices that it selects.
	DeviceTaintRule = resourceapi.DeviceTaintRule
	// DeviceTaintRuleSpec is what a rule says.
	DeviceTaintRuleSpec = resourceapi.DeviceTaintRuleSpec
	// DeviceTaintSelector selects devices.
	DeviceTaintSelector = resourceapi.DeviceTaintSelector
	// DeviceTaint is what keeps claims off a device.
	DeviceTaint = resourceapi.DeviceTaint
	// DeviceTaintEffect is what a taint does.
	DeviceTaintEffect = resourceapi.DeviceTaintEffect
)

// DeviceTaintRules returns the informer of the rules that taint devices.
func DeviceTaintRules(factory informers.SharedInformerFactory) cache.SharedIndexInformer {
	return factory.Resource().V1().DeviceTaintRules().Informer()
}

// ListDeviceTaintRules lists them.
func ListDeviceTaintRules(client kubernetes.Interface) func(context.Context, metav1.ListOptions) (*resourceapi.DeviceTaintRuleList, error) {
	return client.ResourceV1().DeviceTaintRules().List
}

// WhenOwnPodChanges returns the event that a pod that waits was changed itself.
func WhenOwnPodChanges(hint fwk.QueueingHintFn) fwk.ClusterEventWithHint {
	return fwk.ClusterEventWithHint{Event: fwk.ClusterEvent{Resource: fwk.TargetPod, ActionType: fwk.Update}, QueueingHintFn: hint}
}

// WhenAssignedPodsChange returns the event that a pod that has a node was added, is
// gone, or requests less.
func WhenAssignedPodsChange(hint fwk.QueueingHintFn) fwk.ClusterEventWithHint {
	return fwk.ClusterEventWithHint{
		Event:          fwk.ClusterEvent{Resource: fwk.AssignedPod, ActionType: fwk.Add | fwk.Delete | fwk.UpdatePodScaleDown},
		QueueingHintFn: hint,
	}
}

// GangSize returns how many pods of the pod's group get nodes at once, or none does; 0 if
// the group has no such policy.
func GangSize(ctx context.Context, client kubernetes.Interface, pod *v1.Pod) (int, error) {
	group, err := client.SchedulingV1beta1().PodGroups(pod.Namespace).Get(ctx, PodGroupOf(pod), metav1.GetOptions{})
	if err != nil || group.Spec.SchedulingPolicy.Gang == nil {
		return 0, err
	}
	return int(group.Spec.SchedulingPolicy.Gang.MinCount), nil
}
