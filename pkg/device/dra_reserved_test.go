package device

import (
	"testing"

	v1 "k8s.io/api/core/v1"
	resourceapi "k8s.io/api/resource/v1"
	"k8s.io/apimachinery/pkg/types"
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
	gpus := func(count int64) []Request { return []Request{{"example.com/other", 7}, {resourceOf("gpu"), count}} }
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

	i.Release("b")
	i.Release("b")
	i.Release("unknown")
	expect(t, i, "n2", "gpu 0/1: 1 free")
	i.Reserve("d", "unknown", gpus(1))
	i.Reserve("e", "n2", gpus(5))
	expect(t, i, "n2", "gpu 5/1: 0 free")
	i.Release("d")
	i.Release("e")
	if n := len(i.supply.reserved); n != 0 {
		t.Errorf("%d reservations are left", n)
	}
}

// A device that is taken from one class is taken from the others that it is in.
func TestTakeFromOverlappingClasses(t *testing.T) {
	for _, tt := range []struct {
		name         string
		a, b, all    int64 // devices
		take         []Request
		freeA, freeB int64
	}{
		{"all devices are in both", 8, 8, 8, []Request{{"a", 3}}, 5, 5},
		{"none are", 8, 4, 12, []Request{{"a", 3}}, 5, 4},
		{"those of b are in a", 8, 4, 8, []Request{{"a", 3}}, 5, 4},
		{"of both", 8, 8, 8, []Request{{"a", 3}, {"b", 1}}, 4, 4},
		{"more than there are", 8, 8, 8, []Request{{"a", 9}}, 0, 0},
		{"of a class that is not there", 8, 8, 8, []Request{{"c", 9}}, 8, 8},
	} {
		classes, all := []Stock{{"a", tt.a, 0}, {"b", tt.b, 0}}, Stock{"", tt.all, 0}
		Take(classes, &all, tt.take)
		if classes[0].Free() != tt.freeA || classes[1].Free() != tt.freeB {
			t.Errorf("%s: %v, want %d and %d free", tt.name, classes, tt.freeA, tt.freeB)
		}
	}
}

func TestOfClass(t *testing.T) {
	for name, want := range map[v1.ResourceName]bool{resourceOf("gpu"): true, gpu: false, "cpu": false} {
		if got := (Request{name, 1}).OfClass(); got != want {
			t.Errorf("OfClass() of %s is %v", name, got)
		}
	}
}
