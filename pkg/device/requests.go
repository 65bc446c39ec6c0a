package device

import (
	"slices"
	"strings"

	v1 "k8s.io/api/core/v1"
	resourceapi "k8s.io/api/resource/v1"
	resourcehelper "k8s.io/component-helpers/resource"
)

// Request is how many units of a device resource, or devices of a class, a pod
// asks for, at least 1.
type Request struct {
	Name  v1.ResourceName `json:"name"`
	Count int64           `json:"count"`
}

// OfClass reports whether the request is for devices of a device class.
func (r Request) OfClass() bool { return isClass(r.Name) }

// ClassResource returns the resource that devices of the class go by.
func ClassResource(class string) v1.ResourceName {
	return v1.ResourceName(resourceapi.ResourceDeviceClassPrefix + class)
}

// AddRequest adds the request to a list that is sorted by name and has each name
// once, and returns it as such. A request for none adds nothing, and counts are
// held at the largest int64 instead of overflowing.
func AddRequest(requests []Request, request Request) []Request {
	if request.Count <= 0 {
		return requests
	}
	i, found := slices.BinarySearchFunc(requests, request.Name, func(r Request, name v1.ResourceName) int {
		return strings.Compare(string(r.Name), string(name))
	})
	if !found {
		return slices.Insert(requests, i, request)
	}
	requests[i].Count = addCounts(requests[i].Count, request.Count)
	return requests
}

// merge returns the requests of both lists, which must be sorted by name: also
// sorted, each resource once. It may reuse the first.
func merge(a, b []Request) []Request {
	for _, request := range b {
		a = AddRequest(a, request)
	}
	return a
}

// TotalRequests returns what the pod's containers request, as the kubelet and the scheduler
// count: containers and sidecars add up, an init container counts where it needs more
// than those that run with it, and overhead is added.
func TotalRequests(pod *v1.Pod) v1.ResourceList {
	return resourcehelper.PodRequests(pod, resourcehelper.PodResourcesOptions{})
}

// requestsIn returns the devices in the total, by the kind of device that kindOf has
// for each resource, sorted by name, each kind once.
func requestsIn(total v1.ResourceList, kindOf func(v1.ResourceName) (kind v1.ResourceName, isDevice bool)) []Request {
	var requests []Request
	for name, quantity := range total {
		if kind, isDevice := kindOf(name); isDevice {
			requests = AddRequest(requests, Request{Name: kind, Count: unitsOf(quantity)})
		}
	}
	return requests
}

// UsesDRA reports whether the pod names devices through dynamic resource
// allocation: by a resource claim, or by a request for the units of a device
// class. An extended resource that a device class provides is not told from one
// of a device plugin here, because that depends on the node.
func UsesDRA(pod *v1.Pod) bool {
	if len(pod.Spec.ResourceClaims) > 0 {
		return true
	}
	return slices.ContainsFunc(pod.Spec.Containers, requestsDeviceClass) ||
		slices.ContainsFunc(pod.Spec.InitContainers, requestsDeviceClass)
}

func requestsDeviceClass(c v1.Container) bool {
	for name, quantity := range c.Resources.Requests {
		if isClass(name) && unitsOf(quantity) > 0 {
			return true
		}
	}
	return false
}
