package dra

import (
	"slices"

	v1 "k8s.io/api/core/v1"
	resourceapi "k8s.io/api/resource/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/dynamic-resource-allocation/resourceclaim"

	"github.com/plimsoll-scheduler/plimsoll/pkg/compat"
	"github.com/plimsoll-scheduler/plimsoll/pkg/device"
)

// Requests returns the devices that are still to be allocated to the pod's
// resource claims, sorted by name, each class once. What the pod asks for by
// its containers' requests is left out.
//
// A claim that is allocated asks for no further device, and neither does one
// for administrative access. A claim that does not exist (yet) counts as
// nothing: the pod is not scheduled until it does. Of alternatives the first
// counts. A request for all devices that a node has counts as one, the least
// that can satisfy it.
func (i *Inventory) Requests(pod *v1.Pod) []device.Request {
	claims, _ := i.claimsOf(pod)
	return requestsOf(slices.DeleteFunc(claims, isAllocated))
}

// InitialRequests is as Requests, except that it tells what pods ask for that are
// created as this one was: claims that were made for the pod alone count also
// when they are allocated. One that pods share does not, or it would count for
// each of them. ok is false as long as a claim does not exist.
func (i *Inventory) InitialRequests(pod *v1.Pod) (requests []device.Request, ok bool) {
	claims, ok := i.claimsOf(pod)
	return requestsOf(slices.DeleteFunc(claims, func(claim *resourceapi.ResourceClaim) bool {
		return isAllocated(claim) && !metav1.IsControlledBy(claim, pod)
	})), ok
}

func isAllocated(claim *resourceapi.ResourceClaim) bool { return claim.Status.Allocation != nil }

// requestsOf adds up what the claims ask for.
func requestsOf(claims []*resourceapi.ResourceClaim) []device.Request {
	var requests []device.Request
	for _, claim := range claims {
		for r := range claim.Spec.Devices.Requests {
			requests = device.AddRequest(requests, requestOf(&claim.Spec.Devices.Requests[r]))
		}
	}
	return requests
}

// claimsOf returns those of the pod's claims that exist, each once, and whether
// these are all.
func (i *Inventory) claimsOf(pod *v1.Pod) (claims []*resourceapi.ResourceClaim, complete bool) {
	complete = true
	for c := range pod.Spec.ResourceClaims {
		name, checkOwner, err := resourceclaim.Name(pod, &pod.Spec.ResourceClaims[c])
		if err == nil && name == nil {
			continue // there is none to be made
		}
		var claim *resourceapi.ResourceClaim
		if err == nil && i.claims != nil {
			claim, _ = i.claims.ResourceClaims(pod.Namespace).Get(*name) // fails only if there is none
		}
		if claim == nil || checkOwner && !compat.IsClaimOf(claim, pod) { // or it is of an earlier pod of that name
			complete = false
		} else if !slices.Contains(claims, claim) {
			claims = append(claims, claim)
		}
	}
	return claims, complete
}

// requestOf returns the devices that the claim's request asks for, 0 if none are
// to be held for it.
func requestOf(request *resourceapi.DeviceRequest) device.Request {
	switch exact := request.Exactly; {
	case exact != nil:
		if isSet(exact.AdminAccess) {
			return device.Request{}
		}
		return requestFor(exact.DeviceClassName, exact.AllocationMode, exact.Count)
	case len(request.FirstAvailable) > 0:
		first := &request.FirstAvailable[0]
		return requestFor(first.DeviceClassName, first.AllocationMode, first.Count)
	}
	return device.Request{}
}

func requestFor(class string, mode resourceapi.DeviceAllocationMode, count int64) device.Request {
	if mode != resourceapi.DeviceAllocationModeExactCount && mode != "" {
		count = 1
	}
	return device.Request{Name: device.ClassResource(class), Count: count}
}
