package sim

import (
	"math"
	"slices"
	"time"

	"gonum.org/v1/gonum/stat"
)

// timelineStep is the time between two entries of a timeline.
const timelineStep = 5 * time.Minute

// meter measures what a policy leads to.
type meter struct {
	from, to time.Duration
	devices  int64
	mix      []shape

	allocated int64 // devices of pods that have a node
	scheduled int
	waits     []time.Duration
	pending   map[*task]bool

	starved, hot80, hot100 time.Duration // times devices, nodes, nodes
	overcommits            int
	allocation, fragments  []float64 // percent of devices, by step
	means, deviations      []float64
	timeline               Timeline
}

func newMeter(s *Scenario, machines []*machine) *meter {
	m := &meter{
		from: s.MeasureFrom, to: s.End,
		mix: mixOf(s.Pods), pending: map[*task]bool{}, timeline: Timeline{Step: timelineStep},
	}
	for _, machine := range machines {
		m.devices += machine.devices
	}
	return m
}

// pass takes in that nothing changed on the machine for a while.
func (m *meter) pass(machine *machine, from, to time.Duration) {
	span := to - max(from, m.from)
	if span <= 0 || machine.demand <= 0.8*machine.cpu {
		return
	}
	m.hot80 += span
	if machine.demand > machine.cpu {
		m.hot100 += span
		m.starved += span * time.Duration(machine.devicesRunning)
	}
}

func (m *meter) memoryChanged(e *engine, machine *machine, before int64) {
	if e.now >= m.from && before <= machine.memory && machine.memoryInUse > machine.memory {
		m.overcommits++
	}
}

func (m *meter) arrived(_ *engine, t *task) { m.pending[t] = true }

func (m *meter) bound(e *engine, t *task) {
	delete(m.pending, t)
	m.scheduled++
	m.allocated += t.devices
	if t.spec.Arrival >= m.from {
		m.waits = append(m.waits, e.now-t.spec.Arrival)
	}
}

func (m *meter) ended(t *task) { m.allocated -= t.devices }

// step adds an entry to the timeline.
func (m *meter) step(e *engine) {
	percent := make([]float32, len(e.machines))
	values := make([]float64, len(e.machines))
	for i, machine := range e.machines {
		e.settle(machine, e.now)
		values[i] = 100 * machine.demand / machine.cpu
		percent[i] = float32(values[i])
	}
	m.timeline.Utilization = append(m.timeline.Utilization, percent)
	m.timeline.StarvedDeviceMinutes = append(m.timeline.StarvedDeviceMinutes, m.starved.Minutes())
	mean, deviation := stat.PopMeanStdDev(values, nil)
	m.means, m.deviations = append(m.means, mean), append(m.deviations, deviation)
	if m.devices > 0 {
		m.allocation = append(m.allocation, 100*float64(m.allocated)/float64(m.devices))
		m.fragments = append(m.fragments, 100*unusable(e.scheduler.free(), m.mix)/float64(m.devices))
	}
}

// result returns what was measured.
func (m *meter) result(e *engine) PolicyResult {
	r := PolicyResult{
		Name: e.policy.Name, Note: e.policy.Note,
		StarvedDeviceMinutes: m.starved.Minutes(),
		HotNodeMinutes80:     m.hot80.Minutes(), HotNodeMinutes100: m.hot100.Minutes(),
		MemoryOvercommitEvents: m.overcommits,
		PodsScheduled:          m.scheduled, PodsUnscheduled: len(m.pending),
		WaitSeconds:              m.waitQuantiles(e),
		DevicesAllocatedPercent:  mean(m.allocation),
		FragmentedDevicesPercent: mean(m.fragments),
		Decisions:                e.cycles,
		Timeline:                 m.timeline,
	}
	if e.real > 0 {
		r.DecisionsPerSecond = float64(e.cycles) / e.real.Seconds()
	}
	r.Timeline.Waits = m.waits
	r.Timeline.Placements = e.placements()
	var all []float64
	for _, nodes := range m.timeline.Utilization {
		for _, v := range nodes {
			all = append(all, float64(v))
		}
	}
	slices.Sort(all)
	r.Utilization = Utilization{
		Mean: mean(m.means), Stddev: mean(m.deviations),
		P50: quantile(0.5, all), P95: quantile(0.95, all), P99: quantile(0.99, all),
	}
	return r
}

// waitQuantiles are of the pods that arrived in the measured part. Those that
// still wait count as well: leaving them out would make a policy that leaves
// pods waiting look quick.
func (m *meter) waitQuantiles(e *engine) Quantiles {
	var seconds []float64
	for _, wait := range m.waits {
		seconds = append(seconds, wait.Seconds())
	}
	for t := range m.pending {
		if t.spec.Arrival >= m.from {
			seconds = append(seconds, (e.now - t.spec.Arrival).Seconds())
		}
	}
	slices.Sort(seconds)
	return Quantiles{P50: quantile(0.5, seconds), P99: quantile(0.99, seconds)}
}

// quantile is the smallest of the sorted values that at least the part of them
// does not exceed; 0 of none.
func quantile(part float64, sorted []float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[max(0, int(math.Ceil(part*float64(len(sorted))))-1)]
}

// mean is 0 of no values.
func mean(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	return stat.Mean(values, nil)
}

// placements returns which node each pod is on at present, -1 for none.
func (e *engine) placements() []int {
	index := make(map[*machine]int, len(e.machines))
	for i, m := range e.machines {
		index[m] = i
	}
	placements := make([]int, len(e.tasks))
	for i := range e.tasks {
		placements[i] = -1
		if m := e.tasks[i].machine; m != nil {
			placements[i] = index[m]
		}
	}
	return placements
}
