package scenario

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load"
)

// point is what a kubelet says of a node or a container at a moment. Times are by
// the node's clock.
type point struct {
	started, at time.Time
	used        int64 // since it started, in millicore-seconds
	memory      int64
}

// points are the last one, and the one before it if the two can be compared.
type points struct{ last, before *point }

// metricsServer measures what the world truly uses, as metrics-server does: what
// it tells is the difference between the last two scrapes (of its pkg/storage,
// whose functions the methods of points follow).
type metricsServer struct {
	world *world
	down  bool // polls fail
	nodes map[string]points
	pods  map[string]map[string]points // by pod and container
	podOf func(name string) *pod       // nil if there is none
}

var (
	_ load.PodSource = &metricsServer{}
	_ load.PodLister = &metricsServer{}
)

func newMetricsServer(w *world, podOf func(string) *pod) *metricsServer {
	s := &metricsServer{world: w, nodes: map[string]points{}, pods: map[string]map[string]points{}, podOf: podOf}
	w.scrape = s.scrape
	return s
}

// scrape asks the kubelet of the machine. What was known of a node that does not
// answer is dropped.
func (s *metricsServer) scrape(m *machine, second int) {
	if m.missed {
		s.forget(m)
		return
	}
	at := s.world.on(m, second)
	s.nodes[m.name] = s.nodes[m.name].nextOfNode(point{
		started: s.world.on(m, m.booted), at: at, used: m.used, memory: m.demand(second)[amount.Memory],
	})
	for _, p := range m.pods {
		before, now := s.pods[p.name], map[string]points{}
		for _, c := range p.containers {
			if run := c.state.Running; run != nil {
				now[c.name] = before[c.name].nextOfContainer(point{started: run.StartedAt.Time, at: at, used: c.used, memory: c.memory})
			}
		}
		s.pods[p.name] = now
	}
}

// forget drops what is known of the machine and its pods.
func (s *metricsServer) forget(m *machine) {
	delete(s.nodes, m.name)
	for _, p := range m.pods {
		delete(s.pods, p.name)
	}
}

// nextOfNode is nodeStorage.Store.
func (p points) nextOfNode(now point) points {
	switch {
	case p.last == nil:
		return points{last: &now}
	case now.at.After(p.last.at):
		return points{last: &now, before: p.last}
	case p.before != nil && p.before.at.Before(now.at):
		return points{last: &now, before: p.before}
	}
	return points{last: &now}
}

// leastRun is how long a container must have run for one scrape to be enough.
const leastRun = 10 * time.Second

// nextOfContainer is podStorage.Store.
func (p points) nextOfContainer(now point) points {
	if ran := now.at.Sub(now.started); ran >= leastRun && ran < interval {
		return points{last: &now, before: &point{started: now.started, at: now.started}}
	}
	if p.last == nil || !now.started.Before(p.last.at) {
		return points{last: &now}
	}
	return p.nextOfNode(now)
}

// reading is resourceUsage.
func (p points) reading() (load.Reading, bool) {
	if p.before == nil || p.last.started.Before(p.before.started) || p.last.used < p.before.used {
		return load.Reading{}, false
	}
	window := p.last.at.Sub(p.before.at)
	r := load.Reading{Timestamp: p.last.at, Window: window}
	r.Usage[amount.CPU] = float64(p.last.used-p.before.used) / window.Seconds() / 1000
	r.Usage[amount.Memory] = float64(p.last.memory)
	return r, true
}

// Poll implements load.Source.
func (s *metricsServer) Poll(context.Context) ([]load.Reading, error) {
	if s.down {
		return nil, errors.New("metrics.k8s.io does not answer")
	}
	var readings []load.Reading
	for _, m := range s.world.machines {
		if reading, ok := s.nodes[m.name].reading(); ok {
			reading.Node = m.name
			readings = append(readings, reading)
		}
	}
	return readings, nil
}

// PollPods implements load.PodSource.
func (s *metricsServer) PollPods(_ context.Context, pods []types.NamespacedName) ([]load.PodReading, error) {
	if s.down {
		return nil, errors.New("metrics.k8s.io does not answer")
	}
	var readings []load.PodReading
	for _, name := range pods {
		p := s.podOf(name.Name)
		if p == nil || p.unreadable {
			continue
		}
		if reading, ok := s.reading(p); ok {
			readings = append(readings, load.PodReading{Pod: name, Reading: reading})
		}
	}
	return readings, nil
}

// ListPods implements load.PodLister.
func (s *metricsServer) ListPods(ctx context.Context) ([]load.PodReading, error) {
	var pods []types.NamespacedName
	for name := range s.pods {
		pods = append(pods, nameOf(name))
	}
	slices.SortFunc(pods, func(a, b types.NamespacedName) int { return strings.Compare(a.Name, b.Name) })
	return s.PollPods(ctx, pods)
}

// reading is podStorage.GetMetrics, and what the source makes of it: the sum over
// the containers that run, if each of them can be told, at the earliest time.
func (s *metricsServer) reading(p *pod) (sum load.Reading, ok bool) {
	for _, c := range p.containers {
		points, measured := s.pods[p.name][c.name]
		if !measured {
			continue
		}
		if points.before == nil {
			return load.Reading{}, false
		}
		one, ok := points.reading()
		if !ok {
			continue
		}
		if sum.Timestamp.IsZero() || one.Timestamp.Before(sum.Timestamp) {
			sum.Timestamp, sum.Window = one.Timestamp, one.Window
		}
		for r := range sum.Usage {
			sum.Usage[r] += one.Usage[r]
		}
	}
	return sum, !sum.Timestamp.IsZero()
}
