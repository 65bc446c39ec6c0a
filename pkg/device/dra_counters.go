package device

import (
	"maps"

	resourceapi "k8s.io/api/resource/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// budget is what is left of the counters that partitions of a larger device
// share.
type budget map[counter]resource.Quantity

type counter struct{ set, name string }

// budgetOf returns what the slices have.
func budgetOf(current []*slice) budget {
	b := budget{}
	for _, s := range current {
		for i := range s.SharedCounters {
			for name, c := range s.SharedCounters[i].Counters {
				b[counter{s.SharedCounters[i].Name, name}] = c.Value
			}
		}
	}
	return b
}

// knows reports whether all that is consumed is there at all.
func (b budget) knows(consumed []resourceapi.DeviceCounterConsumption) bool {
	for i := range consumed {
		for name := range consumed[i].Counters {
			if _, ok := b[counter{consumed[i].CounterSet, name}]; !ok {
				return false
			}
		}
	}
	return true
}

// fits reports whether enough is left.
func (b budget) fits(consumed []resourceapi.DeviceCounterConsumption) bool {
	for i := range consumed {
		for name, c := range consumed[i].Counters {
			left, ok := b[counter{consumed[i].CounterSet, name}]
			if !ok || left.Cmp(c.Value) < 0 {
				return false
			}
		}
	}
	return true
}

// take subtracts what is consumed.
func (b budget) take(consumed []resourceapi.DeviceCounterConsumption) {
	for i := range consumed {
		for name, c := range consumed[i].Counters {
			key := counter{consumed[i].CounterSet, name}
			left := b[key].DeepCopy()
			left.Sub(c.Value)
			b[key] = left
		}
	}
}

// room returns how many of the partitions fit one after another.
func (b budget) room(partitions []*offer, counts func(*offer) bool) int64 {
	left := maps.Clone(b)
	var room int64
	for _, o := range partitions {
		if counts(o) && left.fits(o.ConsumesCounters) {
			left.take(o.ConsumesCounters)
			room++
		}
	}
	return room
}
