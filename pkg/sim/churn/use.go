package churn

import (
	"time"

	"github.com/plimsoll-scheduler/plimsoll/pkg/sim"
)

const (
	// shared is the part of a replica's use that is the same for all of a workload.
	shared = 0.7
	// Memory grows from the part grownFrom to grownTo, in growthSteps.
	grownFrom, grownTo = 0.5, 1.5
	growthStep         = 15 * time.Minute
	growthSteps        = 16
)

// reuse has the pods of the workload use what services do, unless they are those of
// Jobs.
func (c *churner) reuse(w *workload) {
	if w.becomes == CronJobs || w.becomes == Jobs {
		return
	}
	common := w.pods[0].Use
	for i := range w.pods {
		use := &w.pods[i].Use
		if c.on[Correlation] || c.on[Daily] {
			use.CPU = c.dayOf(use, &common)
			use.Base, use.Scale = 0, 1
			use.Offset %= use.Step
		}
		if c.on[MemoryGrowth] {
			memory := float64(use.Memory)
			use.Memory = int64(grownFrom * memory)
			use.Growth, use.GrowthStep, use.GrowthSteps = int64((grownTo-grownFrom)*memory/growthSteps), growthStep, growthSteps
		}
	}
}

// constantStep is the step of a series that is made of constant use.
const constantStep = 5 * time.Minute

// dayOf returns what a pod uses over a day, in cores, as a series with the step of its
// own: a part of what it would use, and of what the workload's first pod would, both
// by the traffic of the hour.
func (c *churner) dayOf(own, common *sim.Use) []float64 {
	if own.Step == 0 {
		own.Step = constantStep
	}
	values := make([]float64, wholeDay/own.Step)
	for i := range values {
		at := max(0, time.Duration(i)*own.Step-own.Offset%own.Step)
		values[i] = own.CPUAt(at)
		if c.on[Correlation] {
			values[i] += shared * (common.CPUAt(at) - values[i])
		}
		if c.on[Daily] {
			values[i] *= traffic(at)
		}
	}
	return values
}
