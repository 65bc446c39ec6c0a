package churn

import (
	"fmt"
	"math"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/plimsoll-scheduler/plimsoll/pkg/sim"
)

// retime has the pods of the workload come and go as what it is dealt out to.
func (c *churner) retime(w *workload) {
	switch w.becomes {
	case Autoscaling:
		c.autoscale(w)
	case CronJobs:
		c.runRegularly(w)
	case Jobs:
		c.runOnce(w)
	case Nights:
		c.closeAtNight(w)
	}
}

const (
	// leastReplicas is what an autoscaled workload has when there is little to do.
	leastReplicas = 2
	// scaledEvery is how often it is scaled up, and scaledFor for how long: a quarter
	// of the time.
	scaledEvery, scaledFor = 3 * time.Hour, 45 * time.Minute
	// scaledUpIn and scaledDownIn are how long the scaling takes.
	scaledUpIn, scaledDownIn = time.Minute, 5 * time.Minute
	// leastMore and mostMore bound how many replicas are added.
	leastMore, mostMore = 4, 100
	// understated is the part of their CPU that autoscaled replicas request.
	understated = 0.1
)

// autoscale has the workload go from 2 replicas to N and back. One with fewer than
// that on average remains a service.
func (c *churner) autoscale(w *workload) {
	if w.replicas < leastReplicas {
		w.becomes = ""
		return
	}
	random, owner, templates := c.random("autoscale", w.key), ownerOf(w.pods[0].Object), w.pods
	w.pods = nil
	add := func(arrival, until time.Duration) {
		pod := c.replica(w, templates, &owner, arrival, random)
		pod.Kind, pod.Until, pod.Object.Spec = sim.Autoscaled, until, requestingLess(&pod.Object.Spec)
		w.pods = append(w.pods, pod)
	}
	for range leastReplicas {
		add(c.duringFill(random.Float64()), 0)
	}
	more := math.Round((w.replicas - leastReplicas) * float64(scaledEvery) / float64(scaledFor))
	replicas := int(min(mostMore, max(leastMore, more)))
	for up := part(scaledEvery, random.Float64()); up < c.scenario.End; up += scaledEvery {
		for i := range replicas {
			step := float64(i) / float64(replicas)
			add(up+part(scaledUpIn, step), up+scaledFor+part(scaledDownIn, step))
		}
	}
}

func part(of time.Duration, ratio float64) time.Duration {
	return time.Duration(ratio * float64(of))
}

// duringFill returns a time before the measured part.
func (c *churner) duringFill(ratio float64) time.Duration { return part(c.scenario.MeasureFrom, ratio) }

// requestingLess returns a spec that requests a tenth of the CPU.
func requestingLess(spec *v1.PodSpec) v1.PodSpec {
	less := *spec.DeepCopy()
	for i := range less.Containers {
		requests := less.Containers[i].Resources.Requests
		if cpu, ok := requests[v1.ResourceCPU]; ok {
			requests[v1.ResourceCPU] = *resource.NewMilliQuantity(int64(math.Ceil(float64(cpu.MilliValue())*understated)), resource.DecimalSI)
		}
	}
	return less
}

const (
	// runsPerPeriod is how many runs of a CronJob would fit between two.
	runsPerPeriod = 3
	// mostParallel bounds the pods of a run, and longestPeriod the time between two.
	mostParallel  = 50
	longestPeriod = 12 * time.Hour
)

// runRegularly makes the workload a CronJob: each run is a Job of its own, whose pods
// come together and live for a third of the time until the next.
func (c *churner) runRegularly(w *workload) {
	random, owner, templates := c.random("cronjob", w.key), ownerOf(w.pods[0].Object), w.pods
	w.pods = nil
	period := []time.Duration{30 * time.Minute, time.Hour, 2 * time.Hour}[random.IntN(3)]
	life, parallel := period/runsPerPeriod, 1
	if pods := w.replicas * runsPerPeriod; pods >= 1 {
		parallel = int(min(mostParallel, math.Round(pods)))
	} else {
		rare := part(life, 1/max(w.replicas, 1e-3))
		period = min(longestPeriod, rare.Truncate(period)+period)
	}
	for at := part(period, random.Float64()).Truncate(time.Minute); at < c.scenario.End; at += period {
		job := jobOf(owner, fmt.Sprintf("%08d", sim.Start().Add(at).Unix()/60))
		for range parallel {
			pod := c.replica(w, templates, &job, at, random)
			pod.Kind, pod.Lifetime = sim.CronJob, part(life, 0.8+0.4*random.Float64())
			w.pods = append(w.pods, pod)
		}
	}
}

// mostTogether is how many pods a Job has at the most.
const mostTogether = 4

// runOnce makes Jobs of the pods, each of up to four that come together. With Daily,
// those that come in the measured part come at night.
func (c *churner) runOnce(w *workload) {
	random, owner := c.random("job", w.key), ownerOf(w.pods[0].Object)
	jobs := 0
	for at := 0; at < len(w.pods); jobs++ {
		together := w.pods[at:min(len(w.pods), at+1+random.IntN(mostTogether))]
		at += len(together)
		job := jobOf(owner, fmt.Sprint(jobs))
		arrival := together[0].Arrival
		night, found := c.someNight(random.Float64())
		if c.on[Daily] && found && arrival >= c.scenario.MeasureFrom {
			arrival = night
		}
		for i := range together {
			end := endOf(&together[i])
			pod := c.owned(w, together[i], &job)
			if arrival < c.scenario.MeasureFrom && end != sim.Forever { // it lives as long as before
				pod.Lifetime = max(time.Second, end-arrival-pod.StartDelay)
			}
			pod.Arrival, pod.Kind = arrival, sim.Job
			together[i] = pod
		}
	}
}

// morning is over how long the replicas come that were scaled to zero.
const morning = 2 * time.Minute

// closeAtNight has the workload scaled to zero over night. By day it has as many
// replicas as there were on average.
func (c *churner) closeAtNight(w *workload) {
	random, owner, templates := c.random("night", w.key), ownerOf(w.pods[0].Object), w.pods
	w.pods = nil
	replicas := int(max(1, math.Round(w.replicas)))
	for day := c.firstDay(); day.begin < c.scenario.End; day = day.next() {
		for i := range replicas {
			ratio := float64(i) / float64(replicas)
			arrival := day.begin + part(morning, ratio)
			if day.begin < 0 { // it has begun before the scenario
				arrival = c.duringFill(ratio)
			}
			if arrival >= day.end {
				continue
			}
			pod := c.replica(w, templates, &owner, arrival, random)
			pod.Kind, pod.Until = sim.Service, day.end
			w.pods = append(w.pods, pod)
		}
	}
}
