package devicefit

import (
	"context"
	"slices"

	v1 "k8s.io/api/core/v1"
	resourcehelper "k8s.io/component-helpers/resource"
	fwk "k8s.io/kube-scheduler/framework"

	"github.com/plimsoll-scheduler/plimsoll/pkg/device"
	"github.com/plimsoll-scheduler/plimsoll/pkg/explain"
)

// Reserve has the pods after this one see what it takes of device classes. What
// it takes of extended resources the scheduler itself counts.
func (pl *DeviceFit) Reserve(_ context.Context, state fwk.CycleState, pod *v1.Pod, node string) *fwk.Status {
	if resourcehelper.IsPodResizeDeferred(pod) {
		return nil // it runs there already: see PreFilter
	}
	if pl.waiting != nil {
		pl.waiting.Reserve(pod.UID, node)
	}
	if devices, known := pl.devicesIn(state); pl.inventory != nil {
		if !known { // a profile may enable the plugin here alone
			devices = pl.demandOf(pod).Devices
		}
		if ofClasses(devices) {
			pl.inventory.Reserve(pod.UID, node, devices)
		}
	}
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
	pl.release(state, pod)
	explain.Of(state).Conclude(explain.TakenBack, node)
}

// PostBind ends the reservation of a pod whose claims have not done so. They
// were written before the pod was bound.
func (pl *DeviceFit) PostBind(_ context.Context, state fwk.CycleState, pod *v1.Pod, _ string) {
	pl.release(state, pod)
}

// release ends the reservation of devices, if there may be one.
func (pl *DeviceFit) release(state fwk.CycleState, pod *v1.Pod) {
	if devices, known := pl.devicesIn(state); pl.inventory != nil && (!known || ofClasses(devices)) {
		pl.inventory.Release(pod.UID)
	}
}

// devicesIn returns the devices that the cycle's pod asks for, and whether there
// is a cycle.
func (pl *DeviceFit) devicesIn(state fwk.CycleState) (devices []device.Request, known bool) {
	data, err := state.Read(stateKey)
	if err != nil {
		return nil, false
	}
	return data.(*cycle).Devices, true
}

// ofClasses reports whether some of the devices are of a device class.
func ofClasses(devices []device.Request) bool {
	return slices.ContainsFunc(devices, device.Request.OfClass)
}
