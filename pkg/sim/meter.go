package sim

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"time"

	"gonum.org/v1/gonum/stat"
	fwk "k8s.io/kube-scheduler/framework"

	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/world"
)

// timelineStep is the time between two entries of a timeline.
const timelineStep = 5 * time.Minute

// meter measures what a policy leads to. It is told of what machines and pods go
// through.
type meter struct {
	clock    *world.Clock
	from     time.Duration
	devices  int64
	podKinds []podKind

	allocated int64 // devices of pods that have a node
	scheduled int
	waits     []time.Duration
	inVain    []time.Duration // of pods that were deleted while they waited
	withdrew  int             // such pods
	pending   map[*lifecycle]bool

	starved, hot80, hot100 time.Duration // times devices, nodes, nodes
	short                  time.Duration // times pods
	idle                   time.Duration // times devices: free in vain, see step
	looked                 starvation    // summed over steps
	overcommits            int
	allocation, fragments  []float64 // percent of devices, by step
	means, deviations      []float64
	timeline               Timeline
}

var (
	_ world.Observer    = &meter{}
	_ lifecycleObserver = &meter{}
)

func newMeter(s *Scenario, clock *world.Clock) *meter {
	m := &meter{
		clock: clock, from: s.MeasureFrom,
		podKinds: podKindsOf(s.Pods), pending: map[*lifecycle]bool{}, timeline: Timeline{Step: timelineStep},
	}
	for _, node := range s.Nodes {
		m.devices += world.DevicesIn(node.Status.Allocatable)
	}
	return m
}

// Passed implements world.Observer.
func (m *meter) Passed(machine *world.Machine, from, to time.Duration) {
	span := to - max(from, m.from)
	if span <= 0 || machine.Demand() <= 0.8*machine.CPU {
		return
	}
	m.hot80 += span
	if machine.Demand() > machine.CPU {
		m.hot100 += span
		m.starved += span * time.Duration(machine.DevicesRunning())
		m.short += span * time.Duration(len(machine.Running()))
	}
}

// MemoryChanged implements world.Observer.
func (m *meter) MemoryChanged(machine *world.Machine, before int64) {
	if m.clock.Elapsed() >= m.from && before <= machine.Memory && machine.MemoryInUse() > machine.Memory {
		m.overcommits++
	}
}

func (m *meter) arrived(l *lifecycle) { m.pending[l] = true }

func (m *meter) bound(l *lifecycle) {
	delete(m.pending, l)
	m.scheduled++
	m.allocated += l.devices
	if l.spec.Arrival >= m.from {
		m.waits = append(m.waits, m.clock.Elapsed()-l.spec.Arrival)
	}
}

func (m *meter) ran(l *lifecycle) { m.allocated += l.devices }

func (m *meter) started(*lifecycle) {}

func (m *meter) ended(l *lifecycle) { m.allocated -= l.devices }

func (m *meter) withdrawn(l *lifecycle) {
	delete(m.pending, l)
	m.withdrew++
	if l.spec.Arrival >= m.from {
		m.inVain = append(m.inVain, m.clock.Elapsed()-l.spec.Arrival)
	}
}

// step adds an entry to the timeline. nodes are the machines as the scheduler
// sees them.
func (m *meter) step(machines []*world.Machine, nodes []fwk.NodeInfo) {
	percent := make([]float32, len(machines))
	values := make([]float64, len(machines))
	for i, machine := range machines {
		machine.Advance(m.clock.Elapsed())
		values[i] = 100 * machine.Demand() / machine.CPU
		percent[i] = float32(values[i])
	}
	m.timeline.Utilization = append(m.timeline.Utilization, percent)
	m.timeline.StarvedDeviceMinutes = append(m.timeline.StarvedDeviceMinutes, m.starved.Minutes())
	mean, deviation := stat.PopMeanStdDev(values, nil)
	m.means, m.deviations = append(m.means, mean), append(m.deviations, deviation)
	if m.devices > 0 {
		free := freeOn(nodes)
		m.looked.add(starvationOn(machines, nodes, free, m.clock.Elapsed()))
		m.allocation = append(m.allocation, 100*float64(m.allocated)/float64(m.devices))
		inVain := unusable(free, m.podKinds)
		m.fragments = append(m.fragments, 100*inVain/float64(m.devices))
		if kept := fitting(free, m.waiting()); kept > 0 {
			inVain = float64(kept) + unusable(free, m.podKinds)
		}
		m.idle += time.Duration(inVain * float64(timelineStep))
	}
}

// waiting returns the kinds of the pods that wait, in the order in which they came.
func (m *meter) waiting() []podKind {
	pods := slices.SortedFunc(maps.Keys(m.pending), func(a, b *lifecycle) int {
		return cmp.Or(cmp.Compare(a.spec.Arrival, b.spec.Arrival), cmp.Compare(a.spec.Object.Name, b.spec.Object.Name))
	})
	kinds := make([]podKind, len(pods))
	for i, l := range pods {
		kinds[i] = podKindOf(l.spec.Object)
	}
	return kinds
}

// result returns what was measured.
func (m *meter) result() PolicyResult {
	r := PolicyResult{
		StarvedDeviceMinutes: m.starved.Minutes(), LostDeviceMinutes: (m.starved + m.idle).Minutes(),
		StarvedMovablePercent:  percent(m.looked.movable, m.looked.devices),
		StarvedOutgrownPercent: percent(m.looked.outgrown, m.looked.devices),
		ShortPodMinutes:        m.short.Minutes(),
		HotNodeMinutes80:       m.hot80.Minutes(), HotNodeMinutes100: m.hot100.Minutes(),
		MemoryOvercommitEvents: m.overcommits,
		PodsScheduled:          m.scheduled, PodsUnscheduled: len(m.pending) + m.withdrew,
		WaitSeconds:              m.waitQuantiles(),
		DevicesAllocatedPercent:  mean(m.allocation),
		FragmentedDevicesPercent: mean(m.fragments),
		Timeline:                 m.timeline,
	}
	r.Timeline.Waits = m.waits
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
// still wait, or did when they were deleted, count as well: leaving them out would
// make a policy that leaves pods waiting look quick.
func (m *meter) waitQuantiles() Quantiles {
	var seconds []float64
	for _, wait := range slices.Concat(m.waits, m.inVain) {
		seconds = append(seconds, wait.Seconds())
	}
	for l := range m.pending {
		if l.spec.Arrival >= m.from {
			seconds = append(seconds, (m.clock.Elapsed() - l.spec.Arrival).Seconds())
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

// percent is 0 of nothing.
func percent(part, of int64) float64 {
	if of == 0 {
		return 0
	}
	return 100 * float64(part) / float64(of)
}

// mean is 0 of no values.
func mean(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	return stat.Mean(values, nil)
}
