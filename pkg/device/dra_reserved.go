package device

import (
	resourceapi "k8s.io/api/resource/v1"
	"k8s.io/apimachinery/pkg/types"
)

// reservation is what a pod was promised on a node.
type reservation struct {
	node     string
	requests []Request
}

// Reserve counts devices of classes as held by the pod on the node. It bridges
// the time until the pod's claims say so: pods are placed faster than claims are
// written and seen, and each must count with those before it.
func (i *Inventory) Reserve(pod types.UID, node string, requests []Request) {
	i.change(func(s *supply) {
		s.release(pod)
		s.reserved[pod] = reservation{node, requests}
		s.concern(node)
	})
}

// Release takes back a reservation, if there is one. A claim that is allocated
// for the pod does so, too.
func (i *Inventory) Release(pod types.UID) {
	i.change(func(s *supply) { s.release(pod) })
}

func (s *supply) release(pod types.UID) {
	if r, ok := s.reserved[pod]; ok {
		delete(s.reserved, pod)
		s.concern(r.node)
	}
}

// releaseFor takes back the reservations of the pods that the claim is for.
func (s *supply) releaseFor(claim *resourceapi.ResourceClaim) {
	if claim == nil || claim.Status.Allocation == nil {
		return
	}
	for i := range claim.Status.ReservedFor {
		s.release(claim.Status.ReservedFor[i].UID)
	}
}

// Take counts what the requests ask for as held, as far as the node has it.
// Which other classes the devices are in is not known; no class has more free
// devices than all have.
func Take(classes []Stock, all *Stock, requests []Request) {
	for _, request := range requests {
		for i := range classes {
			if classes[i].Name == request.Name {
				classes[i].Requested += request.Count
				all.Requested += request.Count
			}
		}
	}
	for i := range classes {
		classes[i].Requested += max(0, classes[i].Free()-all.Free())
	}
}
