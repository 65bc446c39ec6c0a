package device

import (
	"testing"
	"time"
)

// A number of units counts for awayFor after it was allocatable last.
func TestSupply(t *testing.T) {
	type step struct {
		minute                float64
		capacity, allocatable int64
		want                  int64
	}
	const look = -1 // nothing changes
	for _, tt := range []struct {
		name  string
		steps []step
	}{
		{"a plugin restarts", []step{{0, 8, 8, 8}, {60, 8, 0, 8}, {61, 8, 8, 8}, {120, look, look, 8}}},
		{"a plugin does not return", []step{{0, 8, 8, 8}, {60, 8, 0, 8}, {69.9, look, look, 8}, {70, look, look, 0}}},
		{"the kubelet forgets it, and nothing counts from then on anew", []step{{0, 8, 8, 8}, {60, 8, 0, 8}, {65, 0, 0, 8}, {69.9, look, look, 8}, {70, look, look, 0}}},
		{"a resource vanishes", []step{{0, 8, 8, 8}, {60, 0, 0, 8}, {70, look, look, 0}}},
		{"some devices fail", []step{{0, 8, 8, 8}, {60, 8, 6, 8}, {70, look, look, 6}, {80, 8, 0, 6}, {90, look, look, 0}}},
		{"one after another fails", []step{{0, 8, 8, 8}, {60, 8, 7, 8}, {65, 8, 5, 8}, {70, look, look, 7}, {75, look, look, 5}}},
		{"devices that fail for long do not return because others fail", []step{{0, 8, 8, 8}, {60, 8, 6, 8}, {80, 8, 5, 6}, {85, 8, 6, 6}, {89, 8, 5, 6}, {99, look, look, 5}}},
		{"a plugin restarts again and again", []step{{0, 8, 8, 8}, {5, 8, 0, 8}, {9, 8, 8, 8}, {14, 8, 0, 8}, {23, 8, 8, 8}, {24, 8, 0, 8}, {33, look, look, 8}, {34, look, look, 0}}},
		{"a node joins whose plugin has found none healthy yet", []step{{0, 8, 0, 8}, {9.9, look, look, 8}, {10, look, look, 0}}},
		{"and finds them", []step{{0, 8, 0, 8}, {2, 8, 8, 8}, {10, look, look, 8}}},
		{"a node joins with some that have failed", []step{{0, 8, 6, 8}, {10, look, look, 6}}},
		{"a plugin starts later", []step{{0, 0, 0, 0}, {60, 8, 0, 8}, {69, look, look, 8}, {70, look, look, 0}}},
		{"capacity that has been there is no news", []step{{0, 8, 0, 8}, {10, 8, 0, 0}, {20, 8, 0, 0}}},
		{"more capacity is", []step{{0, 8, 8, 8}, {60, 16, 8, 16}, {70, look, look, 8}}},
		{"fewer are made of the devices", []step{{0, 8, 8, 8}, {60, 4, 4, 8}, {70, look, look, 4}}},
		{"more are allocatable than there are", []step{{0, 0, 8, 8}, {10, 4, 8, 8}, {20, look, look, 8}}},
		{"none at all", []step{{0, 0, 0, 0}}},
		{"absurdly many", []step{{0, 1<<63 - 1, 1<<63 - 1, 1<<63 - 1}, {1, 0, 0, 1<<63 - 1}, {11, look, look, 0}}},
	} {
		s := &supply{}
		for _, step := range tt.steps {
			now := time.Unix(0, 0).Add(time.Duration(step.minute * float64(time.Minute)))
			if step.capacity == look {
				s.expire(now)
			} else {
				s.set(step.capacity, step.allocatable, now)
			}
			if got := s.expected(); got != step.want {
				t.Errorf("%s: at %v min %d expected, want %d", tt.name, step.minute, got, step.want)
			}
		}
	}
}
