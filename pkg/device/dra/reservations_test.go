package dra

import (
	"testing"

	resourceapi "k8s.io/api/resource/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/plimsoll-scheduler/plimsoll/pkg/device"
)

// reservedFor has the claim reserved for pods.
func reservedFor(claim *resourceapi.ResourceClaim, pods ...types.UID) *resourceapi.ResourceClaim {
	for _, pod := range pods {
		claim.Status.ReservedFor = append(claim.Status.ReservedFor, resourceapi.ResourceClaimConsumerReference{Resource: "pods", UID: pod})
	}
	return claim
}

func TestReservationsCountUntilClaimsDo(t *testing.T) {
	i := newInventory(t, newClassOf("gpu", is("gpu")), newSliceOf("n1", newDevices("gpu", "g0", "g1", "g2", "g3")...), newSliceOf("n2", newDevices("gpu", "g0")...))
	gpus := func(count int64) []device.Request {
		return []device.Request{{Name: "example.com/other", Count: 7}, {Name: device.ClassResource("gpu"), Count: count}}
	}
	i.Reserve("a", "n1", gpus(2))
	expect(t, i, "n1", "gpu 2/4: 2 free")
	expect(t, i, "n2", "gpu 0/1: 1 free")
	i.Reserve("b", "n1", gpus(1))
	expect(t, i, "n1", "gpu 3/4: 1 free")
	i.Reserve("b", "n2", gpus(1)) // placed anew
	expect(t, i, "n1", "gpu 2/4: 2 free")
	expect(t, i, "n2", "gpu 1/1: 0 free")

	// A claim that is not allocated yet, or is for another pod, says nothing.
	set(i, reservedFor(newClaim("pending"), "a"), reservedFor(newClaim("other", "n1/g3"), "c"))
	expect(t, i, "n1", "gpu 3/4: 1 free")
	set(i, reservedFor(newClaim("c", "n1/g0", "n1/g1"), "a"))
	expect(t, i, "n1", "gpu 3/4: 1 free")
	unset(i, newClaim("c", "n1/g0", "n1/g1"), newClaim("other", "n1/g3"))
	expect(t, i, "n1", "gpu 0/4: 4 free")

	i.Unreserve("b")
	i.Unreserve("b")
	i.Unreserve("unknown")
	expect(t, i, "n2", "gpu 0/1: 1 free")
	i.Reserve("d", "unknown", gpus(1))
	i.Reserve("e", "n2", gpus(5))
	expect(t, i, "n2", "gpu 5/1: 0 free")
	i.Unreserve("d")
	i.Unreserve("e")
	if n := len(i.supply.reservations); n != 0 {
		t.Errorf("%d reservations are left", n)
	}
}
