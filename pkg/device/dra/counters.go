package dra

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
func budgetOf(slices []*slice) budget {
	b := budget{}
	for _, s := range slices {
		for i := range s.SharedCounters {
			for name, c := range s.SharedCounters[i].Counters {
				b[counter{s.SharedCounters[i].Name, name}] = c.Value
			}
		}
	}
	return b
}

// hasCounters reports whether all counters that are consumed exist at all.
func (b budget) hasCounters(consumed []resourceapi.DeviceCounterConsumption) bool {
	for i := range consumed {
		for name := range consumed[i].Counters {
			if _, ok := b[counter{consumed[i].CounterSet, name}]; !ok {
				return false
			}
		}
	}
	return true
}

// suffices reports whether enough is left for what is consumed.
func (b budget) suffices(consumed []resourceapi.DeviceCounterConsumption) bool {
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

// subtract takes off what is consumed.
func (b budget) subtract(consumed []resourceapi.DeviceCounterConsumption) {
	for i := range consumed {
		for name, c := range consumed[i].Counters {
			key := counter{consumed[i].CounterSet, name}
			left := b[key].DeepCopy()
			left.Sub(c.Value)
			b[key] = left
		}
	}
}

// countFitting returns how many of the partitions that the condition holds for
// fit, one after another.
func (b budget) countFitting(partitions []*offer, condition func(*offer) bool) int64 {
	left := maps.Clone(b)
	var fitting int64
	for _, o := range partitions {
		if condition(o) && left.suffices(o.ConsumesCounters) {
			left.subtract(o.ConsumesCounters)
			fitting++
		}
	}
	return fitting
}
