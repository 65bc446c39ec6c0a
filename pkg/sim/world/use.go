package world

import (
	"math"
	"slices"
	"time"

	"gonum.org/v1/gonum/stat"
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
	// Memory is what it uses when it has just started, in bytes. It grows by Growth
	// with each GrowthStep that it runs, GrowthSteps times. A Growth of 0 is none, and
	// needs no step.
	Memory      int64
	Growth      int64
	GrowthStep  time.Duration
	GrowthSteps int
	// MemorySeries, if there is one, is the use of memory over time in the place of all
	// of that, in bytes, with as many entries as CPU.
	MemorySeries []int64
	// ByAge: the entries are of the time since the pod started. Else they are of the time
	// since the start of the simulation.
	ByAge bool
}

// startedAt returns the use of a pod that starts at a time: one that is by time since the
// start of the simulation.
func (u *Use) startedAt(since time.Duration) *Use {
	if !u.ByAge || len(u.CPU) == 0 {
		return u
	}
	length := u.Step * time.Duration(len(u.CPU))
	started := *u
	started.ByAge, started.Offset = false, ((u.Offset-since)%length+length)%length
	return &started
}

// MemoryAt returns the use of memory when the pod has been running for so long, in
// bytes.
func (u *Use) MemoryAt(age time.Duration) int64 {
	if u.Growth == 0 {
		return u.Memory
	}
	return u.Memory + u.Growth*min(int64(age/u.GrowthStep), int64(u.GrowthSteps))
}

// nextGrowth returns the age at which the use of memory grows next.
func (u *Use) nextGrowth(age time.Duration) time.Duration {
	steps := age/max(1, u.GrowthStep) + 1
	if u.Growth == 0 || steps > time.Duration(u.GrowthSteps) {
		return never
	}
	return steps * u.GrowthStep
}

// CPUAt returns the use of CPU at a time since the start of the simulation, in
// cores.
func (u *Use) CPUAt(t time.Duration) float64 {
	if len(u.CPU) == 0 {
		return u.Base
	}
	return u.Base + u.Scale*u.CPU[u.entryAt(t)]
}

// CPUMoments returns the mean, in cores, and the variance of the use of CPU over all
// entries.
func (u *Use) CPUMoments() (mean, variance float64) {
	if len(u.CPU) == 0 {
		return u.Base, 0
	}
	mean, variance = stat.PopMeanVariance(u.CPU, nil)
	return u.Base + u.Scale*mean, u.Scale * u.Scale * variance
}

// PeakMemory returns the most memory that is used, in bytes, if the pod runs for long
// enough.
func (u *Use) PeakMemory() int64 {
	if len(u.MemorySeries) > 0 {
		return slices.Max(u.MemorySeries)
	}
	return u.Memory + u.Growth*int64(u.GrowthSteps)
}

// entryAt returns which entry of CPU holds at the time.
func (u *Use) entryAt(t time.Duration) int {
	return int((t + u.Offset) / u.Step % time.Duration(len(u.CPU)))
}

// never is when a constant use changes.
const never = time.Duration(math.MaxInt64)

// nextChange returns when the next entry begins after t.
func (u *Use) nextChange(t time.Duration) time.Duration {
	if len(u.CPU) < 2 || u.Scale == 0 && len(u.MemorySeries) == 0 {
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
