package dra

import (
	v1 "k8s.io/api/core/v1"
	resourceapi "k8s.io/api/resource/v1"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
	schedutil "k8s.io/kubernetes/pkg/scheduler/util"
)

// Events returns the cluster events after which a node may have fewer free
// devices. A slice that is added may be of a newer generation than those that
// count, or say that its pool is not complete; one that DeviceTaintRules patch
// is updated.
func (i *Inventory) Events() []fwk.ClusterEventWithHint {
	return []fwk.ClusterEventWithHint{
		{Event: fwk.ClusterEvent{Resource: fwk.ResourceClaim, ActionType: fwk.Update}, QueueingHintFn: afterClaimChange},
		{Event: fwk.ClusterEvent{Resource: fwk.ResourceSlice, ActionType: fwk.Add | fwk.Update | fwk.Delete}},
		{Event: fwk.ClusterEvent{Resource: fwk.DeviceClass, ActionType: fwk.Update | fwk.Delete}},
	}
}

// afterClaimChange queues the pod if there are fewer free devices now, because a
// claim was given some. (That the pod of the claim is assigned to a node comes
// before or after it.)
func afterClaimChange(_ klog.Logger, _ *v1.Pod, oldObj, newObj any) (fwk.QueueingHint, error) {
	before, after, err := schedutil.As[*resourceapi.ResourceClaim](oldObj, newObj)
	if err != nil {
		return fwk.Queue, err
	}
	if before != nil && after != nil && !isAllocated(before) && isAllocated(after) {
		return fwk.Queue, nil
	}
	return fwk.QueueSkip, nil
}
