package workload

import (
	"math"
	"slices"
	"time"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
)

// State is what is known of a workload, for people to read.
type State struct {
	Namespace, Kind, Name string
	// Containers are the names of its pods' containers, joined by commas.
	Containers string
	// Pods is how many of it run.
	Pods      int
	Resources [amount.NumResources]ResourceState
}

// ResourceState is what is known of the use of a resource by one pod, in the unit of
// an amount.Vector.
type ResourceState struct {
	// Requested is what the requests suggest.
	Requested float64
	// Weight is how much time the samples stand for. Mean and Deviation mean something
	// only if it is above 0.
	Weight          time.Duration
	Mean, Deviation float64
	// Estimate is what the next pod is expected to use.
	Estimate float64
}

// Error returns the root mean square of what pods used less what is estimated now:
// sqrt(deviation² + (mean - estimate)²); 0 if nothing was measured.
func (s *ResourceState) Error() float64 {
	if s.Weight == 0 {
		return 0
	}
	return math.Hypot(s.Deviation, s.Mean-s.Estimate)
}

// States returns the state of each workload, in the order of their keys.
func (b *Book[Pod]) States() []State {
	keys := make([]Key, 0, len(b.workloads))
	for key := range b.workloads {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(x, y Key) int { return x.compare(&y) })
	states := make([]State, len(keys))
	for i := range keys {
		states[i] = b.workloads[keys[i]].state()
	}
	return states
}

func (w *Workload[Pod]) state() State {
	s := State{Namespace: w.key.namespace, Kind: w.key.kind, Name: w.key.name, Containers: w.key.containers, Pods: len(w.pods)}
	for r := range s.Resources {
		use, requested := &w.use[r], w.key.requests[r]
		s.Resources[r] = ResourceState{
			Requested: float64(requested), Weight: time.Duration(use.weight * float64(time.Second)),
			Mean: use.mean, Deviation: use.deviation(), Estimate: float64(use.estimate(amount.Resource(r), requested)),
		}
	}
	return s
}
