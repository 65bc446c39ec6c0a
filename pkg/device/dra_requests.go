package device

import (
	"slices"
	"strings"

	v1 "k8s.io/api/core/v1"
	resourceapi "k8s.io/api/resource/v1"
	resourcehelper "k8s.io/component-helpers/resource"
	"k8s.io/dynamic-resource-allocation/resourceclaim"
)

// Requests returns what the pod asks for of device classes, sorted by name,
// each class once: by its resource claims, and by requests for the resource of
// a class. An extended resource with a class behind it is not among them,
// because only a node says which of the two it offers; see
// InventoryView.Resource.
//
// A claim that is allocated asks for no further device, and neither does one
// for administrative access. A claim that does not exist (yet) counts as
// nothing: the pod is not scheduled until it does. Of alternatives the first
// counts. A request for all devices that a node has counts as one, the least
// that can satisfy it.
func (i *Inventory) Requests(pod *v1.Pod) []Request {
	if !UsesDRA(pod) {
		return nil
	}
	var requests []Request
	for name, quantity := range resourcehelper.PodRequests(pod, resourcehelper.PodResourcesOptions{}) {
		if count := quantity.Value(); count > 0 && strings.HasPrefix(string(name), resourceapi.ResourceDeviceClassPrefix) {
			requests = add(requests, name, count)
		}
	}
	for _, claim := range i.claimsOf(pod) {
		if claim.Status.Allocation != nil {
			continue
		}
		for r := range claim.Spec.Devices.Requests {
			if class, count := asked(&claim.Spec.Devices.Requests[r]); count > 0 {
				requests = add(requests, resourceOf(class), count)
			}
		}
	}
	return requests
}

// Merge returns the requests of both lists, which must be sorted by name: also
// sorted, each resource once. It may reuse the first.
func Merge(a, b []Request) []Request {
	for _, request := range b {
		a = add(a, request.Name, request.Count)
	}
	return a
}

// add adds the request to a sorted list.
func add(requests []Request, name v1.ResourceName, count int64) []Request {
	i, found := slices.BinarySearchFunc(requests, name, func(r Request, name v1.ResourceName) int {
		return strings.Compare(string(r.Name), string(name))
	})
	if !found {
		return slices.Insert(requests, i, Request{Name: name, Count: count})
	}
	requests[i].Count += count
	return requests
}

// claimsOf returns those of the pod's claims that exist, each once.
func (i *Inventory) claimsOf(pod *v1.Pod) []*resourceapi.ResourceClaim {
	if i.claims == nil {
		return nil
	}
	var claims []*resourceapi.ResourceClaim
	for c := range pod.Spec.ResourceClaims {
		name, checkOwner, err := resourceclaim.Name(pod, &pod.Spec.ResourceClaims[c])
		if err != nil || name == nil {
			continue
		}
		claim, err := i.claims.ResourceClaims(pod.Namespace).Get(*name)
		if err != nil || slices.Contains(claims, claim) {
			continue
		}
		if checkOwner && resourceclaim.IsForPod(pod, claim, true) != nil {
			continue // of an earlier pod of that name
		}
		claims = append(claims, claim)
	}
	return claims
}

// asked returns how many devices of which class the request asks for, 0 if
// none is to be held for it.
func asked(request *resourceapi.DeviceRequest) (class string, count int64) {
	switch exact := request.Exactly; {
	case exact != nil:
		if isSet(exact.AdminAccess) {
			return "", 0
		}
		return exact.DeviceClassName, number(exact.AllocationMode, exact.Count)
	case len(request.FirstAvailable) > 0:
		first := &request.FirstAvailable[0]
		return first.DeviceClassName, number(first.AllocationMode, first.Count)
	}
	return "", 0
}

func number(mode resourceapi.DeviceAllocationMode, count int64) int64 {
	if mode == resourceapi.DeviceAllocationModeExactCount || mode == "" {
		return count
	}
	return 1
}

// resourceOf returns the resource of the class.
func resourceOf(class string) v1.ResourceName {
	return v1.ResourceName(resourceapi.ResourceDeviceClassPrefix + class)
}
