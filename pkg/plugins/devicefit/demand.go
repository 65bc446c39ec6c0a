package devicefit

import (
	"slices"

	v1 "k8s.io/api/core/v1"
	resourcehelper "k8s.io/component-helpers/resource"

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
	var claimed []device.Request
	if pl.inventory != nil {
		claimed = pl.inventory.Requests(pod)
	}
	devices := pl.devicesOf(pod, claimed)
	return demand{
		Devices:      devices,
		NeedsDevices: len(devices) > 0 || device.UsesDRA(pod),
		Exempt:       rejection.IsExempt(pod),
		Requests:     requestsOf(pod),
		Use:          pl.model.Estimate(pod),
	}
}

// devicesOf returns the devices that the pod asks for, with those that are
// claimed for it.
func (pl *DeviceFit) devicesOf(pod *v1.Pod, claimed []device.Request) []device.Request {
	requests := pl.matcher.Requests(pod)
	if pl.inventory == nil {
		return requests
	}
	var devices []device.Request
	view := pl.inventory.View()
	for _, request := range requests {
		request.Name = pl.kindOf(view, request.Name)
		devices = device.Merge(devices, []device.Request{request})
	}
	return device.Merge(devices, slices.DeleteFunc(claimed, func(request device.Request) bool {
		return !pl.matcher.Matches(request.Name)
	}))
}

// kindOf returns the kind of device that a request for the resource takes: that
// of the class behind it, unless nodes have device plugins that offer it. Where
// some have and others have the class, only the former are ranked.
func (pl *DeviceFit) kindOf(view device.InventoryView, resource v1.ResourceName) v1.ResourceName {
	if class, ok := view.ClassOf(resource); ok && !pl.kinds.Has(resource) && pl.matcher.Matches(class) {
		return class
	}
	return resource
}

func requestsOf(pod *v1.Pod) amount.Vector {
	return amount.FromList(resourcehelper.PodRequests(pod, resourcehelper.PodResourcesOptions{}))
}
