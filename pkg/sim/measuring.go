package sim

import (
	"cmp"
	"context"
	"math"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load"
)

// metricsServer plays metrics-server: it reads each node's counters on an
// interval, each node at its own phase, and what it tells of a node is the
// difference between two readings.
type metricsServer struct {
	MetricsServer
	e      *engine
	order  []*machine // by phase
	phases []time.Duration
	next   int // of order, to be read
	round  time.Duration
	seed   uint64
}

var _ load.PodSource = &metricsServer{}

func newMetricsServer(e *engine) *metricsServer {
	s := &metricsServer{MetricsServer: e.scenario.Metrics, e: e, seed: e.scenario.Seed}
	s.order = slices.Clone(e.machines)
	phase := map[*machine]time.Duration{}
	for i, m := range e.machines {
		phase[m] = time.Duration(chance(s.seed, uint64(i), 0) * float64(s.Interval))
	}
	slices.SortStableFunc(s.order, func(a, b *machine) int { return cmp.Compare(phase[a], phase[b]) })
	for _, m := range s.order {
		s.phases = append(s.phases, phase[m])
	}
	return s
}

// chance returns a number that is evenly spread over 0 to 1, and depends on
// nothing but its arguments: what is drawn for one node does not depend on how
// much has been drawn for others.
func chance(seed, a, b uint64) float64 {
	x := seed ^ a*0x9e3779b97f4a7c15 ^ b*0xbf58476d1ce4e5b9
	for range 2 { // the finalizer of SplitMix64
		x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
		x = (x ^ x>>27) * 0x94d049bb133111eb
		x ^= x >> 31
	}
	return float64(x>>11) / (1 << 53)
}

// prime has the nodes measured before the start, at what they use then: in a
// cluster that runs, metrics-server has been there before the first pod.
func (s *metricsServer) prime() {
	for i, m := range s.order {
		for n := range len(m.scraped.ring) {
			at := s.phases[i] - time.Duration(len(m.scraped.ring)-n)*s.Interval
			m.scraped.add(point{
				at: at, memory: min(m.memoryInUse, m.memory),
				demanded: m.demand * at.Seconds(), given: min(m.demand, m.cpu) * at.Seconds(),
			})
		}
	}
}

// scrapeUntil reads what is due up to t. No demand may have changed since the
// last call.
func (s *metricsServer) scrapeUntil(t time.Duration) {
	for {
		at := s.round*s.Interval + s.phases[s.next]
		if at > t {
			return
		}
		if chance(s.seed, uint64(s.next)+1<<32, uint64(s.round)) >= s.Missing {
			m := s.order[s.next]
			s.e.settle(m, at)
			m.scraped.add(m.point())
		}
		if s.next++; s.next == len(s.order) {
			s.next = 0
			s.round++
		}
	}
}

// visible returns the readings between which the newest sample lies that can be
// read now.
func (s *metricsServer) visible(m *machine) (from, to point, ok bool) {
	now := s.e.now
	for n := 0; ; n++ {
		if to, ok = m.scraped.back(n); !ok {
			return from, to, false
		}
		if to.at+s.Delay <= now {
			from, ok = m.scraped.back(n + 1)
			return from, to, ok
		}
	}
}

// Poll implements load.Source.
func (s *metricsServer) Poll(context.Context) ([]load.Reading, error) {
	readings := make([]load.Reading, 0, len(s.e.machines))
	for _, m := range s.e.machines {
		from, to, ok := s.visible(m)
		if !ok {
			continue
		}
		readings = append(readings, load.Reading{
			Node: m.name, Timestamp: s.e.timeOf(to.at), Window: to.at - from.at,
			Usage: [amount.NumResources]float64{
				amount.CPU:    (to.given - from.given) / (to.at - from.at).Seconds(),
				amount.Memory: float64(to.memory),
			},
		})
	}
	return readings, nil
}

// leastPodWindow is how long a container must have run for metrics-server to
// say anything of it.
const leastPodWindow = 10 * time.Second

// PollPods implements load.PodSource.
func (s *metricsServer) PollPods(_ context.Context, pods []types.NamespacedName) ([]load.PodReading, error) {
	readings := make([]load.PodReading, 0, len(pods))
	for _, name := range pods {
		t := s.e.byName[name]
		if t == nil || t.machine == nil || !t.isRunning {
			continue
		}
		from, to, ok := s.visible(t.machine)
		begin := max(from.at, t.startedAt)
		if !ok || to.at-begin < leastPodWindow {
			continue
		}
		readings = append(readings, load.PodReading{Pod: name, Reading: load.Reading{
			Timestamp: s.e.timeOf(to.at), Window: to.at - begin,
			Usage: [amount.NumResources]float64{
				amount.CPU:    t.spec.Use.meanCPU(begin, to.at) * throttle(from, to),
				amount.Memory: float64(t.spec.Use.Memory),
			},
		}})
	}
	return readings, nil
}

// usedPercent returns what metrics-server says of a node in percent of its
// capacity, and false if it says nothing.
func (s *metricsServer) usedPercent(m *machine) (cpu, memory float64, ok bool) {
	from, to, ok := s.visible(m)
	if !ok {
		return math.NaN(), math.NaN(), false
	}
	cpu = 100 * (to.given - from.given) / (to.at - from.at).Seconds() / m.cpu
	return cpu, 100 * float64(to.memory) / float64(m.memory), true
}
