package devicefit

import (
	"context"
	"slices"

	v1 "k8s.io/api/core/v1"
	fwk "k8s.io/kube-scheduler/framework"

	"github.com/plimsoll-scheduler/plimsoll/pkg/device"
)

// Reserve has the pods after this one see what it takes of device classes. What
// it takes of extended resources the scheduler itself counts.
func (pl *DeviceFit) Reserve(_ context.Context, state fwk.CycleState, pod *v1.Pod, node string) *fwk.Status {
	if devices := pl.ofClasses(state, pod); len(devices) > 0 {
		pl.inventory.Reserve(pod.UID, node, devices)
	}
	return nil
}

// Unreserve takes that back.
func (pl *DeviceFit) Unreserve(_ context.Context, state fwk.CycleState, pod *v1.Pod, _ string) {
	if len(pl.ofClasses(state, pod)) > 0 {
		pl.inventory.Release(pod.UID)
	}
}

// PostBind ends the reservation of a pod whose claims have not done so. They
// were written before the pod was bound.
func (pl *DeviceFit) PostBind(ctx context.Context, state fwk.CycleState, pod *v1.Pod, node string) {
	pl.Unreserve(ctx, state, pod, node)
}

// ofClasses returns the pod's devices if some are of a device class, else nil.
func (pl *DeviceFit) ofClasses(state fwk.CycleState, pod *v1.Pod) []device.Request {
	if pl.inventory == nil {
		return nil
	}
	if devices := pl.cycleOf(state, pod).Devices; slices.ContainsFunc(devices, device.Request.OfClass) {
		return devices
	}
	return nil
}
