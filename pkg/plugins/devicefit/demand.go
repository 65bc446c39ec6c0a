package devicefit

import (
	v1 "k8s.io/api/core/v1"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/device"
	"github.com/plimsoll-scheduler/plimsoll/pkg/rejection"
)

// demand is everything about a pod that decides on its nodes. Filter, Score and
// SignPod work from it alone, so pods that sign alike are treated alike. Its
// JSON form is the pod's signature. It is immutable.
type demand struct {
	// Devices are the devices that the pod asks for.
	Devices []device.Request `json:"devices,omitempty"`
	// NeedsDevices says that it asks for some, also where their number is not
	// known here.
	NeedsDevices bool `json:"needsDevices,omitempty"`
	// Exempt says that no node is rejected for the pod.
	Exempt bool `json:"exempt,omitempty"`
	// Requests and Use are its CPU and memory requests, and what it is expected
	// to use.
	Requests amount.Vector `json:"requests"`
	Use      amount.Vector `json:"use"`
}

func (pl *DeviceFit) demandOf(pod *v1.Pod) demand {
	total := device.TotalRequests(pod)
	devices := pl.devices.RequestsAmong(total, pod)
	return demand{
		Devices:      devices,
		NeedsDevices: len(devices) > 0 || device.UsesDRA(pod),
		Exempt:       rejection.IsExempt(pod),
		Requests:     amount.FromList(total),
		Use:          pl.model.Estimate(pod),
	}
}
