package sim

import (
	"math"
	"testing"
)

func TestUnusableDevices(t *testing.T) {
	kinds := []podKind{{cpu: 4000, memory: 1, devices: 1, share: 0.75}, {cpu: 8000, memory: 1, devices: 4, share: 0.25}}
	for name, test := range map[string]struct {
		free unrequested
		want float64
	}{
		"fits both":              {unrequested{cpu: 8000, memory: 1, devices: 4}, 0},
		"too few for the larger": {unrequested{cpu: 8000, memory: 1, devices: 3}, 0.75},
		"too little CPU for it":  {unrequested{cpu: 7999, memory: 1, devices: 4}, 1},
		"too little for any":     {unrequested{cpu: 3999, memory: 1, devices: 4}, 4},
		"no memory":              {unrequested{cpu: 8000, memory: 0, devices: 2}, 2},
		"nothing free":           {unrequested{cpu: 0, memory: 0, devices: 0}, 0},
	} {
		if got := unusable([]unrequested{test.free}, kinds); math.Abs(got-test.want) > 1e-9 {
			t.Errorf("%s: %v devices, want %v", name, got, test.want)
		}
	}
}

// Each waiting pod takes the first place that has what it asks for; what pods without
// devices ask for is no loss of devices.
func TestDevicesThatWaitingPodsCouldHave(t *testing.T) {
	free := []unrequested{{cpu: 3000, memory: 9, devices: 2}, {cpu: 8000, memory: 9, devices: 4}}
	waiting := []podKind{
		{cpu: 4000, memory: 1, devices: 3},  // on the second node
		{cpu: 1000, memory: 1},              // wants no device
		{cpu: 4000, memory: 1, devices: 2},  // too large for what is left of the second, and for the first
		{cpu: 3000, memory: 1, devices: 1},  // on the first
		{cpu: 1000, memory: 10, devices: 1}, // more memory than any
	}
	if got := fitting(free, waiting); got != 4 || free[0] != (unrequested{cpu: 0, memory: 8, devices: 1}) || free[1] != (unrequested{cpu: 4000, memory: 8, devices: 1}) {
		t.Errorf("%d devices, and %+v left; want 4, one on each node", got, free)
	}
}
