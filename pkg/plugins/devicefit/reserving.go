package devicefit

import (
	"context"

	v1 "k8s.io/api/core/v1"
	fwk "k8s.io/kube-scheduler/framework"
)

// Reserve has the pods after this one see what it takes of devices.
func (pl *DeviceFit) Reserve(_ context.Context, state fwk.CycleState, pod *v1.Pod, node string) *fwk.Status {
	pl.devices.Reserve(pod.UID, node, pl.cycleOf(state, pod).Devices)
	return nil
}

// Unreserve takes that back.
func (pl *DeviceFit) Unreserve(_ context.Context, _ fwk.CycleState, pod *v1.Pod, _ string) {
	pl.devices.Unreserve(pod.UID)
}

// PostBind ends the reservation of a pod whose claims have not done so. They
// were written before the pod was bound.
func (pl *DeviceFit) PostBind(_ context.Context, _ fwk.CycleState, pod *v1.Pod, _ string) {
	pl.devices.Unreserve(pod.UID)
}
