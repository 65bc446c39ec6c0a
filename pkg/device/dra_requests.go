package device

import (
	"slices"
	"strings"

	v1 "k8s.io/api/core/v1"
	resourceapi "k8s.io/api/resource/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/dynamic-resource-allocation/resourceclaim"
)

// Requests returns the devices that are still to be allocated to the pod's
// resource claims, sorted by name, each class once. What the pod asks for by
// its containers' requests is left to Matcher.Requests.
//
// A claim that is allocated asks for no further device, and neither does one
// for administrative access. A claim that does not exist (yet) counts as
// nothing: the pod is not scheduled until it does. Of alternatives the first
// counts. A request for all devices that a node has counts as one, the least
// that can satisfy it.
func (i *Inventory) Requests(pod *v1.Pod) []Request {
	claims, _ := i.claimsOf(pod)
	return sum(slices.DeleteFunc(claims, isAllocated))
}

// Shape is as Requests, except that it tells what pods of the pod's shape ask
// for: claims that were made for the pod alone count also when they are
// allocated. One that pods share does not, or it would count for each of them.
// ok is false as long as a claim does not exist.
func (i *Inventory) Shape(pod *v1.Pod) (requests []Request, ok bool) {
	claims, ok := i.claimsOf(pod)
	return sum(slices.DeleteFunc(claims, func(claim *resourceapi.ResourceClaim) bool {
		return isAllocated(claim) && !metav1.IsControlledBy(claim, pod)
	})), ok
}

func isAllocated(claim *resourceapi.ResourceClaim) bool { return claim.Status.Allocation != nil }

// sum adds up what the claims ask for.
func sum(claims []*resourceapi.ResourceClaim) []Request {
	var requests []Request
	for _, claim := range claims {
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
		if claim == nil || checkOwner && resourceclaim.IsForPod(pod, claim, true) != nil { // or it is of an earlier pod of that name
			complete = false
		} else if !slices.Contains(claims, claim) {
			claims = append(claims, claim)
		}
	}
	return claims, complete
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
