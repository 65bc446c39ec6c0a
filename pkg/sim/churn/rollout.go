package churn

import (
	"math/rand/v2"
	"time"

	"github.com/plimsoll-scheduler/plimsoll/pkg/sim"
)

const (
	// rolledOutEvery is how often a workload has a new revision.
	rolledOutEvery = 6 * time.Hour
	// A rollout takes from fastest to slowest.
	fastest, slowest = 2 * time.Minute, 8 * time.Minute
	// ready is how long a pod that has started takes until one of the old is deleted.
	ready = 15 * time.Second
	// leastLeft is how long a pod lives at the least that replaces another.
	leastLeft = time.Minute
)

// rollOut has the pods of the workload, unless they are those of Jobs, replaced by ones
// of new ReplicaSets.
func (c *churner) rollOut(w *workload) {
	if w.becomes == CronJobs || w.becomes == Jobs {
		return
	}
	random, first := c.random("rollout", w.key), ownerOf(w.pods[0].Object)
	begin := c.scenario.MeasureFrom + part(rolledOutEvery, random.Float64())
	for revision := 1; begin < c.scenario.End; revision++ {
		owner := revised(first, revision)
		c.replaceAll(w, &owner, begin, begin+fastest+part(slowest-fastest, random.Float64()), random)
		begin += rolledOutEvery
	}
}

// replaceAll has the pods that are there from begin to end replaced by ones of the
// owner, one after the other. Those that come later have that owner from the start.
func (c *churner) replaceAll(w *workload, o *owner, begin, end time.Duration, random *rand.Rand) {
	var present []int
	for i := range w.pods {
		switch pod := &w.pods[i]; {
		case pod.Arrival > begin:
			*pod = c.owned(w, *pod, o)
		case endOf(pod) > end:
			present = append(present, i)
		}
	}
	for n, i := range present {
		old := &w.pods[i]
		arrival := begin + part(end-begin, float64(n)/float64(len(present)))
		replacement := c.replica(w, []sim.Pod{*old}, o, arrival, random)
		replacement.Until = old.Until
		if old.Lifetime > 0 {
			replacement.Lifetime = max(leastLeft, old.Arrival+old.StartDelay+old.Lifetime-arrival-replacement.StartDelay)
		}
		old.Until = min(endOf(old), arrival+replacement.StartDelay+ready)
		if replacement.Until > 0 && replacement.Until <= arrival {
			continue // there is no time for it
		}
		w.pods = append(w.pods, replacement)
	}
}
