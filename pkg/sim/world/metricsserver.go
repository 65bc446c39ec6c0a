package world

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// Sampling says how well metrics-server measures nodes and pods.
type Sampling struct {
	// Interval is the time between two samples of a node, each at its own phase,
	// and the window that a sample is the average of.
	Interval time.Duration
	// Delay is the time from the end of a sample's window until it can be read.
	Delay time.Duration
	// Missing is the part of the samples that is never seen, 0 to 1.
	Missing float64
}

// Sample is what metrics-server says of a node or a pod.
type Sample struct {
	// End is the end of the window over which the use was measured.
	End, Window time.Duration
	CPU         float64 // cores
	Memory      float64 // bytes
}

// MetricsServer plays metrics-server: it reads each machine's counters on an
// interval, each at its own phase, and what it tells of a machine is the
// difference between two readings.
type MetricsServer struct {
	Sampling
	clock     *Clock
	seed      uint64
	scraped   []scraped // by phase
	byMachine map[*Machine]*History
	next      int // of scraped, to be read
	round     time.Duration
}

// scraped is a machine, and what was read of it.
type scraped struct {
	machine *Machine
	phase   time.Duration
	history *History
}

// NewMetricsServer returns a metrics-server of the machines, which reads them as
// the clock is set. The seed gives their phases and which samples are missing.
func NewMetricsServer(clock *Clock, machines []*Machine, sampling Sampling, seed uint64) *MetricsServer {
	s := &MetricsServer{Sampling: sampling, clock: clock, seed: seed, byMachine: map[*Machine]*History{}}
	for i, m := range machines {
		phase := time.Duration(Chance(seed, uint64(i), 0) * float64(s.Interval))
		history := &History{}
		s.scraped = append(s.scraped, scraped{m, phase, history})
		s.byMachine[m] = history
	}
	slices.SortStableFunc(s.scraped, func(a, b scraped) int { return cmp.Compare(a.phase, b.phase) })
	clock.BeforeAdvance(s.scrapeUntil)
	return s
}

// Prime has the machines measured before the start, at what they use then: in a
// cluster that runs, metrics-server has been there before the first pod.
func (s *MetricsServer) Prime() {
	for i := range s.scraped {
		m, history := s.scraped[i].machine, s.scraped[i].history
		for n := range len(history.ring) {
			at := s.scraped[i].phase - time.Duration(len(history.ring)-n)*s.Interval
			history.Add(Counters{
				At: at, Memory: min(m.memoryInUse, m.Memory),
				Demanded: m.demand * at.Seconds(), Given: min(m.demand, m.CPU) * at.Seconds(),
			})
		}
	}
}

// scrapeUntil reads what is due up to t. No demand may have changed since the
// last call.
func (s *MetricsServer) scrapeUntil(t time.Duration) {
	for len(s.scraped) > 0 {
		node := &s.scraped[s.next]
		at := s.round*s.Interval + node.phase
		if at > t {
			return
		}
		if Chance(s.seed, uint64(s.next)+1<<32, uint64(s.round)) >= s.Missing {
			node.machine.Advance(at)
			node.history.Add(node.machine.Counters())
		}
		if s.next++; s.next == len(s.scraped) {
			s.next = 0
			s.round++
		}
	}
}

// visible returns the readings between which the newest sample lies that can be
// read now.
func (s *MetricsServer) visible(m *Machine) (from, to Counters, ok bool) {
	history, now := s.byMachine[m], s.clock.Elapsed()
	for n := 0; ; n++ {
		if to, ok = history.Back(n); !ok {
			return from, to, false
		}
		if to.At+s.Delay <= now {
			from, ok = history.Back(n + 1)
			return from, to, ok
		}
	}
}

// Node returns the newest sample of the machine, and whether there is one.
func (s *MetricsServer) Node(m *Machine) (Sample, bool) {
	from, to, ok := s.visible(m)
	if !ok {
		return Sample{}, false
	}
	return Sample{
		End: to.At, Window: to.At - from.At,
		CPU: (to.Given - from.Given) / (to.At - from.At).Seconds(), Memory: float64(to.Memory),
	}, true
}

// leastPodWindow is how long a container must have run for metrics-server to
// say anything of it.
const leastPodWindow = 10 * time.Second

// Pod returns the newest sample of the task, and whether there is one.
func (s *MetricsServer) Pod(t *Task) (Sample, bool) {
	if t.machine == nil {
		return Sample{}, false
	}
	from, to, ok := s.visible(t.machine)
	begin := max(from.At, t.startedAt)
	if !ok || to.At-begin < leastPodWindow {
		return Sample{}, false
	}
	return Sample{
		End: to.At, Window: to.At - begin,
		CPU: t.Use.MeanCPU(begin, to.At) * MetShare(from, to), Memory: float64(t.MemoryAt(to.At)),
	}, true
}

// UsedPercent returns the newest sample of the machine in percent of its
// allocatable, and whether there is one.
func (s *MetricsServer) UsedPercent(m *Machine) (cpu, memory float64, ok bool) {
	from, to, ok := s.visible(m)
	if !ok {
		return math.NaN(), math.NaN(), false
	}
	cpu = 100 * (to.Given - from.Given) / (to.At - from.At).Seconds() / m.CPU
	return cpu, 100 * float64(to.Memory) / float64(m.Memory), true
}
