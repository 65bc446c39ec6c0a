package sim

import (
	"container/heap"
	"context"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	resourcehelper "k8s.io/component-helpers/resource"
	clocktesting "k8s.io/utils/clock/testing"
)

// epoch is the start of simulated time. It lies ahead of real time, because
// Trimaran drops what is older than a few minutes of real time.
var epoch = time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)

// cycleTime is how much simulated time a scheduling cycle takes: about what one
// takes at some thousand nodes. Pods that arrive together wait for each other.
const cycleTime = 5 * time.Millisecond

// engine plays a scenario under one policy.
type engine struct {
	scenario *Scenario
	policy   *Policy
	onBound  func(policy string, pod *v1.Pod, node string, at time.Duration) // may be nil
	clock    *clocktesting.FakeClock
	now      time.Duration

	machines []*machine
	byNode   map[string]*machine
	tasks    []task
	byName   map[types.NamespacedName]*task

	events   eventHeap
	sequence uint64
	versions uint64

	metricsServer *metricsServer
	scheduler     *scheduler
	meter         *meter
	cycles        int
	real          time.Duration // spent in scheduling cycles
}

func newEngine(ctx context.Context, s *Scenario, policy *Policy, bound func(string, *v1.Pod, string, time.Duration)) (*engine, error) {
	e := &engine{
		scenario: s, policy: policy, onBound: bound, clock: clocktesting.NewFakeClock(epoch),
		byNode: make(map[string]*machine, len(s.Nodes)), byName: make(map[types.NamespacedName]*task, len(s.Pods)),
		tasks: make([]task, len(s.Pods)),
	}
	for _, node := range s.Nodes {
		m := newMachine(node, s.Background[node.Name])
		e.machines = append(e.machines, m)
		e.byNode[node.Name] = m
	}
	for i := range s.Pods {
		pod := &s.Pods[i]
		requests := resourcehelper.PodRequests(pod.Object, resourcehelper.PodResourcesOptions{})
		e.tasks[i] = task{spec: pod, devices: devicesIn(requests)}
	}
	e.meter = newMeter(s, e.machines)
	e.metricsServer = newMetricsServer(e)
	var err error
	e.scheduler, err = newScheduler(ctx, e)
	return e, err
}

// event is something that happens at a time. Of two at the same time the one
// that was planned first happens first.
type event struct {
	at       time.Duration
	sequence uint64
	do       func() error
}

type eventHeap []event

func (h eventHeap) Len() int { return len(h) }
func (h eventHeap) Less(i, j int) bool {
	return h[i].at < h[j].at || h[i].at == h[j].at && h[i].sequence < h[j].sequence
}
func (h eventHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *eventHeap) Push(x any)   { *h = append(*h, x.(event)) }
func (h *eventHeap) Pop() any {
	last := len(*h) - 1
	x := (*h)[last]
	(*h)[last] = event{}
	*h = (*h)[:last]
	return x
}

// plan has do called at a time.
func (e *engine) plan(at time.Duration, do func() error) {
	e.sequence++
	heap.Push(&e.events, event{at: at, sequence: e.sequence, do: do})
}

// every has do called at a time and then again and again.
func (e *engine) every(first, interval time.Duration, do func() error) {
	var again func() error
	at := first
	again = func() error {
		at += interval
		e.plan(at, again)
		return do()
	}
	e.plan(first, again)
}

func (e *engine) timeOf(t time.Duration) time.Time { return epoch.Add(t) }

// advance sets the clock, and has metrics-server read what is due until then.
func (e *engine) advance(to time.Duration) {
	e.metricsServer.scrapeUntil(to)
	e.now = to
	e.clock.SetTime(e.timeOf(to))
}

// happen lets everything happen that is due until t, which becomes the present.
func (e *engine) happen(t time.Duration) error {
	for len(e.events) > 0 && e.events[0].at <= t {
		next := heap.Pop(&e.events).(event)
		e.advance(next.at)
		if err := next.do(); err != nil {
			return err
		}
	}
	e.advance(t)
	return nil
}

// run plays the scenario to its end.
func (e *engine) run(ctx context.Context, progress func(done time.Duration)) error {
	if err := e.begin(ctx); err != nil {
		return err
	}
	for {
		if err := e.schedule(ctx); err != nil {
			return err
		}
		if len(e.events) == 0 || e.events[0].at > e.scenario.End {
			break
		}
		if err := e.happen(e.events[0].at); err != nil {
			return err
		}
		progress(e.now)
	}
	if err := e.happen(e.scenario.End); err != nil {
		return err
	}
	for _, m := range e.machines {
		e.settle(m, e.now)
	}
	progress(e.now)
	return nil
}

// schedule runs scheduling cycles until no pod is left that could be tried.
// Each takes its time, in which things happen.
func (e *engine) schedule(ctx context.Context) error {
	for e.now < e.scenario.End && e.scheduler.hasWork() {
		if err := ctx.Err(); err != nil {
			return err
		}
		start := time.Now() // real time: of the speed of decisions, nothing else depends on it
		node, pod, err := e.scheduler.scheduleOne(ctx)
		e.real += time.Since(start)
		e.cycles++
		if err != nil {
			return err
		}
		if err := e.happen(min(e.now+cycleTime, e.scenario.End)); err != nil {
			return err
		}
		if node != "" {
			if err := e.bind(pod, node); err != nil {
				return err
			}
		}
	}
	return nil
}

// begin makes the nodes, and plans what is to happen.
func (e *engine) begin(ctx context.Context) error {
	for _, node := range e.scenario.Nodes {
		if err := e.scheduler.nodes.add(node.DeepCopy()); err != nil {
			return err
		}
	}
	for i := range e.tasks {
		t := &e.tasks[i]
		if node := t.spec.Object.Spec.NodeName; node != "" {
			if err := e.arriveRunning(t, node); err != nil {
				return err
			}
			continue
		}
		e.plan(t.spec.Arrival, func() error { return e.arrive(t) })
	}
	e.metricsServer.prime()
	e.scheduler.plan(ctx, e)
	e.every(e.scenario.MeasureFrom, e.meter.timeline.Step, func() error {
		e.meter.step(e)
		return nil
	})
	return nil
}

// settle brings the machine's integrals, and what is measured of it, up to t.
func (e *engine) settle(m *machine, t time.Duration) {
	e.meter.pass(m, m.settled, t)
	m.settle(t)
}

func (e *engine) recount(m *machine) {
	before := m.memoryInUse
	m.recount(e.now)
	e.meter.memoryChanged(e, m, before)
}
