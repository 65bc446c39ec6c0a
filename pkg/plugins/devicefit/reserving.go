package devicefit

import (
	"context"

	v1 "k8s.io/api/core/v1"
	resourcehelper "k8s.io/component-helpers/resource"
	fwk "k8s.io/kube-scheduler/framework"

	"github.com/plimsoll-scheduler/plimsoll/pkg/device"
	"github.com/plimsoll-scheduler/plimsoll/pkg/explain"
)

// Reserve has the pods after this one see what it takes of devices.
func (pl *DeviceFit) Reserve(_ context.Context, state fwk.CycleState, pod *v1.Pod, node string) *fwk.Status {
	if resourcehelper.IsPodResizeDeferred(pod) {
		return nil // it runs there already: see PreFilter
	}
	if pl.waiting != nil {
		pl.waiting.Reserve(pod.UID, node)
	}
	pl.devices.Reserve(pod.UID, node, pl.devicesIn(state, pod))
	explain.Of(state).Conclude(explain.Placed, node)
	return nil
}

// Unreserve takes that back.
func (pl *DeviceFit) Unreserve(_ context.Context, state fwk.CycleState, pod *v1.Pod, node string) {
	if resourcehelper.IsPodResizeDeferred(pod) {
		return
	}
	if pl.waiting != nil {
		pl.waiting.Unreserve(pod.UID)
	}
	pl.devices.Unreserve(pod.UID)
	explain.Of(state).Conclude(explain.TakenBack, node)
}

// PostBind ends the reservation of a pod whose claims have not done so. They
// were written before the pod was bound.
func (pl *DeviceFit) PostBind(_ context.Context, _ fwk.CycleState, pod *v1.Pod, _ string) {
	pl.devices.Unreserve(pod.UID)
}

// devicesIn returns the devices that the cycle's pod asks for. A profile may enable
// the plugin at Reserve alone: then there is no cycle.
func (pl *DeviceFit) devicesIn(state fwk.CycleState, pod *v1.Pod) []device.Request {
	if data, err := state.Read(stateKey); err == nil {
		return data.(*cycle).Devices
	}
	return pl.demandOf(pod).Devices
}
