package load

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/klog/v2"

	"github.com/plimsoll-scheduler/plimsoll/pkg/load/history"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load/ledger"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load/workload"
)

// PodSource is a Source that also reports what single pods use.
type PodSource interface {
	Source
	// PollPods returns the newest reading of each of the pods that the source
	// has one of, also if others could not be read: then the error says why. A
	// pod that the source does not know is no error.
	PollPods(ctx context.Context, pods []types.NamespacedName) ([]PodReading, error)
}

// PodReading is what a source says of one pod, not checked yet. Reading.Node is
// not used.
type PodReading struct {
	Pod types.NamespacedName
	Reading
}

const (
	// podBudget is how many pods are asked for in one poll: at one request each, 100
	// requests in 15 s, whatever the size of the cluster.
	podBudget = 100
	// Each purpose has a part of the budget that no other takes from it, and whatever
	// the others leave. First come pods that samples do not show in full, so that what
	// they show is not counted twice; then those that preemption asks about, and that
	// are about to go; what remains is for the pods that workloads are learned from.
	startingBudget   = 40
	preemptionBudget = 20
	// maxVictims bounds the pods that preemption has asked about of late.
	maxVictims = 10 * podBudget
)

// agenda has the pods that are to be measured.
type agenda struct {
	// unread are those that samples show in part, and those that they show in full
	// and that were never read.
	unread map[*pod]bool
	// victims are those that preemption asks about, with until when they are read: it
	// asks again when it is tried again.
	victims map[*pod]time.Time
	// terminating are those that were told to end. They are read until they are gone, so
	// that it is known what to take off samples then.
	terminating map[*pod]bool
	// listed says that all pods have been listed once.
	listed bool
	// polls is how often pods were asked for.
	polls uint64
}

func newAgenda() agenda {
	return agenda{unread: map[*pod]bool{}, victims: map[*pod]time.Time{}, terminating: map[*pod]bool{}}
}

// consider notes whether the pod is to be measured because it has started.
func (a *agenda) consider(p *pod, warmUp time.Duration) {
	switch p.Phase {
	case ledger.PartlyMeasured, ledger.Remeasuring:
		a.unread[p] = true
	case ledger.Measured:
		if _, seen := p.Expected(p.LastRead(), warmUp); !seen {
			a.unread[p] = true
			return
		}
		delete(a.unread, p)
	default:
		delete(a.unread, p)
	}
}

// want has the pod be read until then, because preemption asks about it.
func (a *agenda) want(p *pod, until time.Time) {
	if _, wanted := a.victims[p]; wanted || len(a.victims) < maxVictims {
		a.victims[p] = until
	}
}

func (a *agenda) drop(p *pod) {
	delete(a.unread, p)
	delete(a.victims, p)
	delete(a.terminating, p)
}

// next returns the pods to measure now, for each purpose the one first that has
// not been asked for the longest.
func (a *agenda) next(workloads *workload.Book[*pod], warm func(*pod) bool, now time.Time) []types.NamespacedName {
	maps.DeleteFunc(a.victims, func(_ *pod, until time.Time) bool { return now.After(until) })
	starting, preemption := byAsking(a.unread), byAsking(a.leaving())
	a.polls++
	c := choice{taken: make(map[*pod]bool, podBudget), poll: a.polls, now: now}
	starting = c.take(starting, startingBudget)
	preemption = c.take(preemption, preemptionBudget)
	workloads.InTurn(func(w *workload.Workload[*pod]) bool {
		if len(c.names) == podBudget {
			return false
		}
		if p, ok := w.Next(func(p *pod) bool { return warm(p) && !c.taken[p] }); ok {
			c.take([]*pod{p}, 1)
		}
		return true
	})
	c.take(starting, podBudget)
	c.take(preemption, podBudget)
	return c.names
}

// choice is the pods chosen to be measured now.
type choice struct {
	names []types.NamespacedName
	taken map[*pod]bool
	poll  uint64
	now   time.Time
}

// take chooses so many of the pods as the budget allows, and returns the rest.
func (c *choice) take(pods []*pod, limit int) (rest []*pod) {
	for i, p := range pods {
		if limit == 0 || len(c.names) == podBudget {
			return pods[i:]
		}
		if !c.taken[p] {
			limit--
			// Those at the end may be cut off by the timeout: next time they come first.
			c.taken[p], p.asked = true, c.poll*podBudget-uint64(len(c.names))
			c.names = append(c.names, p.name)
			if p.workload != nil {
				p.workload.Asked(c.now)
			}
		}
	}
	return nil
}

// leaving returns the pods that preemption asks about and those that are about to go.
func (a *agenda) leaving() map[*pod]bool {
	pods := make(map[*pod]bool, len(a.victims)+len(a.terminating))
	maps.Copy(pods, a.terminating)
	for p := range a.victims {
		pods[p] = true
	}
	return pods
}

func byAsking(pods map[*pod]bool) []*pod {
	return slices.SortedFunc(maps.Keys(pods), func(a, b *pod) int {
		return cmp.Or(cmp.Compare(a.asked, b.asked), cmp.Compare(a.name.Namespace, b.name.Namespace), cmp.Compare(a.name.Name, b.name.Name))
	})
}

// pollPods asks the source for the use of the pods that need it, and the first time
// for that of all.
func (m *Model) pollPods(ctx context.Context) {
	if m.podSource == nil {
		return
	}
	readings, err := m.readPods(ctx)
	if stopped(ctx) || readings == nil && err == nil {
		return
	}
	m.health.podPolling.say(ctx, err)
	m.observePods(klog.FromContext(ctx), readings)
	m.notify(ctx) // what a pod uses already no longer counts twice
}

// readPods returns nil if there is nothing to ask for.
func (m *Model) readPods(ctx context.Context) ([]PodReading, error) {
	m.mu.Lock()
	listed := m.agenda.listed
	m.mu.Unlock()
	if lister, ok := m.podSource.(PodLister); ok && !listed {
		readings, err := list(ctx, lister)
		m.mu.Lock()
		m.agenda.listed = err == nil
		m.mu.Unlock()
		if err == nil {
			return readings, nil
		}
	}
	m.mu.Lock()
	now := m.clock.Now()
	pods := m.agenda.next(m.workloads, func(p *pod) bool {
		at := p.node.clock.now(now)
		since := p.RunningSince(at)
		return m.config.Learn && !since.IsZero() && at.Sub(since) > m.config.WarmUp
	}, now)
	m.mu.Unlock()
	if len(pods) == 0 {
		return nil, nil
	}
	return m.podSource.PollPods(ctx, pods)
}

// list has all pods be listed within half of the time that is left, so that a list that
// takes too long leaves as much for single pods.
func list(ctx context.Context, lister PodLister) ([]PodReading, error) {
	if end, ends := ctx.Deadline(); ends {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(end)/2)
		defer cancel()
	}
	return lister.ListPods(ctx)
}

// observePods takes in what single pods use.
func (m *Model) observePods(logger klog.Logger, readings []PodReading) {
	changed := map[*node]bool{}
	for part := range slices.Chunk(readings, observed) {
		m.mu.Lock()
		for i := range part {
			if p := m.pods.only(part[i].Pod); p != nil && m.read(logger, p, &part[i]) {
				changed[p.node] = true
			}
		}
		m.mu.Unlock()
	}
	m.mu.Lock()
	m.podPolls++
	m.mu.Unlock()
	for part := range slices.Chunk(slices.Collect(maps.Keys(changed)), observed) {
		m.mu.Lock()
		for _, n := range part {
			if n == m.nodes.byName[n.name] { // it may be gone
				m.predict(n)
			}
		}
		m.mu.Unlock()
	}
}

// read takes in what a pod uses, and reports whether that is news.
func (m *Model) read(logger klog.Logger, p *pod, reading *PodReading) bool {
	sample, doubt, reason := reading.check()
	if reason = cmp.Or(reason, doubt.any()); reason != "" {
		m.metrics.dropped(reason)
		logger.V(5).Info("Dropped a load reading", "pod", reading.Pod, "reason", string(reason))
		return false
	}
	ours, clock := m.clock.Now(), &p.node.clock
	now := clock.now(ours)
	if sample.Timestamp = clock.at(sample.Timestamp); !clock.mayHaveShown(sample.Timestamp, ours) {
		m.metrics.dropped(dropClock)
		return false
	}
	_, before := p.Expected(now, m.config.WarmUp)
	if !p.Read(sample, m.config.WarmUp) {
		return false
	}
	if _, seen := p.Expected(now, m.config.WarmUp); seen && !before {
		m.metrics.predicted(p.Estimate, sample.Usage)
	}
	if use, complete := p.LastUse(sample.Timestamp, m.config.WarmUp); complete && p.workload != nil {
		p.workload.Learn(history.Sample{Timestamp: ours, Window: sample.Window, Usage: use}, p.node.short())
	}
	m.agenda.consider(p, m.config.WarmUp)
	return true
}

// Want has the pod be among the first to be measured at the next polls.
func (m *Model) Want(object *v1.Pod) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if p := m.pods.find(object); p != nil {
		m.agenda.want(p, m.clock.Now().Add(ledger.ReadingExpiration))
	}
}
