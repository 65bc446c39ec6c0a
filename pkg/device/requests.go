package device

import (
	"slices"
	"strings"

	v1 "k8s.io/api/core/v1"
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

// Requests returns the devices that the pod's containers ask for, sorted by name,
// each resource once. Those of resource claims are left to Inventory.Requests. They are counted as the kubelet and the scheduler count:
// containers and sidecars add up, an init container counts where it needs more
// than those that run with it, and overhead is added.
func (m *Matcher) Requests(pod *v1.Pod) []Request {
	var requests []Request
	for name, quantity := range resourcehelper.PodRequests(pod, resourcehelper.PodResourcesOptions{}) {
		if count := quantity.Value(); count > 0 && m.Matches(name) {
			requests = append(requests, Request{Name: name, Count: count})
		}
	}
	slices.SortFunc(requests, func(a, b Request) int { return strings.Compare(string(a.Name), string(b.Name)) })
	return requests
}

// UsesDRA reports whether the pod names devices through dynamic resource
// allocation: by a resource claim, or by a request for the units of a device
// class. An extended resource that a device class stands behind is not told
// from one of a device plugin here, because that depends on the node.
func UsesDRA(pod *v1.Pod) bool {
	if len(pod.Spec.ResourceClaims) > 0 {
		return true
	}
	return slices.ContainsFunc(pod.Spec.Containers, requestsDeviceClass) ||
		slices.ContainsFunc(pod.Spec.InitContainers, requestsDeviceClass)
}

func requestsDeviceClass(c v1.Container) bool {
	for name, quantity := range c.Resources.Requests {
		if isClass(name) && !quantity.IsZero() {
			return true
		}
	}
	return false
}
