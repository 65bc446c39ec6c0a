package world

import (
	"math"
	"time"
)

// Use is what a pod uses over time.
type Use struct {
	// CPU is in cores. Entry i is the use from i x Step until the next entry; after the
	// last entry follows the first. Pods may share it: it is not changed.
	CPU []float64
	// Scale and Base make the pod's use of an entry: Base + Scale x entry.
	Scale, Base float64
	Step        time.Duration
	// Offset is the place in CPU at the start of the simulation.
	Offset time.Duration
	// Memory is in bytes.
	Memory int64
}

// CPUAt returns the use of CPU at a time since the start of the simulation, in
// cores.
func (u *Use) CPUAt(t time.Duration) float64 {
	if len(u.CPU) == 0 {
		return u.Base
	}
	return u.Base + u.Scale*u.CPU[u.entryAt(t)]
}

// entryAt returns which entry of CPU holds at the time.
func (u *Use) entryAt(t time.Duration) int {
	return int((t + u.Offset) / u.Step % time.Duration(len(u.CPU)))
}

// never is when a constant use changes.
const never = time.Duration(math.MaxInt64)

// nextChange returns when the next entry begins after t.
func (u *Use) nextChange(t time.Duration) time.Duration {
	if len(u.CPU) < 2 || u.Scale == 0 {
		return never
	}
	return ((t+u.Offset)/u.Step+1)*u.Step - u.Offset
}

// MeanCPU returns the mean use of CPU between two times, in cores.
func (u *Use) MeanCPU(from, to time.Duration) float64 {
	if to <= from {
		return u.CPUAt(to)
	}
	sum := 0.0 // core-nanoseconds
	for at := from; at < to; {
		end := min(u.nextChange(at), to)
		sum += u.CPUAt(at) * float64(end-at)
		at = end
	}
	return sum / float64(to-from)
}
