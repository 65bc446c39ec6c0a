package sim

import (
	"math"
	"time"
)

// cpuAt returns the use of CPU at a time since the start of the simulation, in
// cores.
func (u *Use) cpuAt(t time.Duration) float64 {
	if len(u.CPU) == 0 {
		return u.Base
	}
	return u.Base + u.Scale*u.CPU[u.entryAt(t)]
}

// entryAt returns which entry of CPU holds at the time.
func (u *Use) entryAt(t time.Duration) int {
	return int((t + u.Offset) / u.Step % time.Duration(len(u.CPU)))
}

// nextChange returns when the next entry begins after t.
func (u *Use) nextChange(t time.Duration) time.Duration {
	if len(u.CPU) < 2 || u.Scale == 0 {
		return math.MaxInt64
	}
	return ((t+u.Offset)/u.Step+1)*u.Step - u.Offset
}

// meanCPU returns the mean use of CPU between two times, in cores.
func (u *Use) meanCPU(from, to time.Duration) float64 {
	if to <= from {
		return u.cpuAt(to)
	}
	sum := 0.0 // core-nanoseconds
	for at := from; at < to; {
		end := min(u.nextChange(at), to)
		sum += u.cpuAt(at) * float64(end-at)
		at = end
	}
	return sum / float64(to-from)
}
