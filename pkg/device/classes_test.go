package device

import (
	"testing"

	v1 "k8s.io/api/core/v1"
)

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
		node := NodeDevices{Classes: []Stock{{"a", tt.a, 0}, {"b", tt.b, 0}}, All: Stock{"", tt.all, 0}}
		node.Take(tt.take)
		classes := node.Classes
		if classes[0].Free() != tt.freeA || classes[1].Free() != tt.freeB {
			t.Errorf("%s: %v, want %d and %d free", tt.name, classes, tt.freeA, tt.freeB)
		}
	}
}

func TestOfClass(t *testing.T) {
	for name, want := range map[v1.ResourceName]bool{ClassResource("gpu"): true, gpu: false, "cpu": false} {
		if got := (Request{name, 1}).OfClass(); got != want {
			t.Errorf("OfClass() of %s is %v", name, got)
		}
	}
}
