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
