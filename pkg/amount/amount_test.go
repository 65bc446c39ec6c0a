package amount

import (
	"math"
	"testing"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

func TestVectors(t *testing.T) {
	a, b := Vector{5, 70}, Vector{8, 40}
	for name, test := range map[string]struct{ got, want Vector }{
		"sum":                   {a.Add(b), Vector{13, 110}},
		"difference":            {a.Sub(b), Vector{-3, 30}},
		"larger":                {a.Max(b), Vector{8, 70}},
		"smaller":               {a.Min(b), Vector{5, 40}},
		"half":                  {a.Scaled(0.5), Vector{2, 35}},
		"sum with less":         {a.Add(Vector{-8, -80}), Vector{-3, -10}},
		"sum of the largest":    {Vector{math.MaxInt64, 1}.Add(Vector{1, 1}), Vector{math.MaxInt64, 2}},
		"sum up to the largest": {Vector{math.MaxInt64 - 1, 1}.Add(Vector{1, 1}), Vector{math.MaxInt64, 2}},
	} {
		if test.got != test.want {
			t.Errorf("%s: %v, want %v", name, test.got, test.want)
		}
	}
	if a != (Vector{5, 70}) || b != (Vector{8, 40}) {
		t.Error("an operation has changed its operands")
	}
}

func TestFromQuantity(t *testing.T) {
	for quantity, want := range map[string]Vector{
		"0": {0, 0}, "1": {1000, 1}, "250m": {250, 1}, "0.1m": {1, 1}, "2Gi": {2000 << 30, 2 << 30},
		"-1": {0, 0}, "9E": {Limit, Limit}, "1125899906842624": {Limit, Limit}, "2P": {Limit, Limit},
	} {
		for r := range NumResources {
			if got := FromQuantity(r, resource.MustParse(quantity)); got != want[r] {
				t.Errorf("%s of %s: %d, want %d", quantity, r.Name(), got, want[r])
			}
		}
	}
}

func TestFromList(t *testing.T) {
	list := v1.ResourceList{
		v1.ResourceCPU: resource.MustParse("1500m"), v1.ResourceMemory: resource.MustParse("1Gi"), "nvidia.com/gpu": resource.MustParse("8"),
	}
	if got := FromList(list); got != (Vector{1500, 1 << 30}) {
		t.Errorf("%v", got)
	}
	if got := FromList(nil); got != (Vector{}) {
		t.Errorf("of nothing: %v", got)
	}
}

func TestHowAmountsAreWritten(t *testing.T) {
	if got := CPU.Format(1500) + " " + Memory.Format(3<<30); got != "1500m 3Gi" {
		t.Errorf("%q", got)
	}
	if CPU.InUnits(1500) != 1.5 || Memory.InUnits(7) != 7 {
		t.Errorf("%v cores, %v bytes", CPU.InUnits(1500), Memory.InUnits(7))
	}
}
