package dra

import (
	resourceapi "k8s.io/api/resource/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/plimsoll-scheduler/plimsoll/pkg/device"
)

// reservation is what a pod was promised on a node.
type reservation struct {
	node     string
	requests []device.Request
}

// Reserve counts devices of classes as held by the pod on the node, in place of
// what it has reserved before. It bridges the time until the pod's claims say so:
// pods are placed faster than claims are written and seen, and each must count
// with those before it.
func (i *Inventory) Reserve(pod types.UID, node string, requests []device.Request) {
	i.change(func(s *supply) {
		s.unreserve(pod)
		s.reservations[pod] = reservation{node, requests}
		s.mark(node)
	})
}

// Unreserve takes back a reservation, if there is one. A claim that is allocated
// for the pod does so, too.
func (i *Inventory) Unreserve(pod types.UID) {
	i.change(func(s *supply) { s.unreserve(pod) })
}

func (s *supply) unreserve(pod types.UID) {
	if r, ok := s.reservations[pod]; ok {
		delete(s.reservations, pod)
		s.mark(r.node)
	}
}

// unreserveFor takes back the reservations of the pods that the claim is
// allocated for.
func (s *supply) unreserveFor(claim *resourceapi.ResourceClaim) {
	if claim == nil || claim.Status.Allocation == nil {
		return
	}
	for i := range claim.Status.ReservedFor {
		s.unreserve(claim.Status.ReservedFor[i].UID)
	}
}
