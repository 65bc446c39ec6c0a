package scenario

import (
	"slices"
	"time"

	v1 "k8s.io/api/core/v1"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	simworld "github.com/plimsoll-scheduler/plimsoll/pkg/sim/world"
)

// interval is that of metrics-server's scrapes and of the model's polls.
const interval = 15 * time.Second

// world is what is true of a cluster, whether or not anybody measures it. It goes
// by whole seconds: within one, nothing changes.
type world struct {
	clock    *simworld.Clock
	machines []*machine
	// scrape is called when a machine is due to be measured, in the second.
	scrape func(m *machine, second int)
	// passed is the second since the start up to which all counters go.
	passed int
}

// newWorld returns a world in which nothing is. It begins two intervals before the
// clock's start, so that at the start there is something to measure.
func newWorld() *world {
	w := &world{
		clock:  simworld.NewClock(time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)),
		passed: -int(2 * interval / time.Second),
	}
	w.clock.BeforeAdvance(func(to time.Duration) { w.pass(int(to / time.Second)) })
	return w
}

// pass has the counters go on to the second, and machines measured on the way.
func (w *world) pass(to int) {
	for w.passed < to {
		for _, m := range w.machines {
			m.pass(w.passed)
		}
		w.passed++
		for _, m := range w.machines {
			if (w.passed-m.phase)%int(interval/time.Second) == 0 {
				w.scrape(m, w.passed)
			}
		}
	}
}

// second is the present one, since the start.
func (w *world) second() int { return int(w.clock.Elapsed() / time.Second) }

// on returns what the machine's clock shows in the second.
func (w *world) on(m *machine, second int) time.Time {
	return w.clock.Time(time.Duration(second) * time.Second).Add(m.skew)
}

// machine returns the machine of the name, nil if there is none.
func (w *world) machine(name string) *machine {
	for _, m := range w.machines {
		if m.name == name {
			return m
		}
	}
	return nil
}

// remove has the machine, and all that runs on it, be no more.
func (w *world) remove(m *machine) {
	for len(m.pods) > 0 {
		m.pods[0].leave()
	}
	w.machines = slices.DeleteFunc(w.machines, func(other *machine) bool { return other == m })
}

// pattern is what is used of CPU over time: each of the amounts, in millicores, for
// so many seconds, and then again.
type pattern struct {
	cpu   []int64
	every int
}

func (p pattern) at(second int) int64 {
	if len(p.cpu) < 2 {
		return p.cpu[0]
	}
	const long = 1 << 20 // of rounds before the start
	return p.cpu[(second+long*p.every*len(p.cpu))/p.every%len(p.cpu)]
}

// machine is a node as it truly is.
type machine struct {
	name   string
	cpu    int64 // in millicores
	base   amount.Vector
	skew   time.Duration // by which its clock is ahead
	phase  int           // seconds after each poll at which it is measured
	missed bool          // its kubelet answers no scrape
	booted int           // second since the start
	used   int64         // since it booted, in millicore-seconds
	pods   []*pod
}

// demand returns what is asked for in the second. It may be more than there is.
func (m *machine) demand(second int) amount.Vector {
	sum := m.base
	for c := range m.running {
		sum = sum.Add(c.demand(second))
	}
	return sum
}

// running calls yield for each container that runs.
func (m *machine) running(yield func(*container) bool) {
	for _, p := range m.pods {
		for _, c := range p.containers {
			if c.state.Running != nil && !yield(c) {
				return
			}
		}
	}
}

// given returns what of the demand for CPU is given, if the whole demand is that.
func (m *machine) given(demand, whole int64) int64 {
	if whole <= m.cpu {
		return demand
	}
	return demand * m.cpu / whole
}

// pass has the counters go on by the second.
func (m *machine) pass(second int) {
	whole := m.demand(second)[amount.CPU]
	if second >= m.booted {
		m.used += m.given(whole, whole)
	}
	for c := range m.running {
		if second >= c.startedAt {
			c.used += m.given(c.demand(second)[amount.CPU], whole)
		}
	}
}

// toCome returns what will be asked for once all runs that is to run.
func (m *machine) toCome(second int) amount.Vector {
	sum := m.base
	for _, p := range m.pods {
		var now, then amount.Vector // init containers do not run beside the others
		for _, c := range p.containers {
			if runs(c) {
				now = now.Add(c.demand(second))
			}
			if c.kind != initial && (runs(c) || c.isToRun()) {
				then = then.Add(c.demand(second))
			}
		}
		sum = sum.Add(now.Max(then))
	}
	return sum
}

// pod is what a pod truly does. What the API server has of it is made of this.
type pod struct {
	name       string
	object     *v1.Pod // as it was made, but for its containers' resources
	machine    *machine
	containers []*container // init containers first
	// starts is how long it takes to start when it is bound, takes to end when it
	// is told to; negative if it does so when a command says so.
	starts, takes, grace time.Duration
	unreadable           bool
	conditions           []v1.PodCondition // beside those that all pods have
}

// join has the pod be on the machine.
func (p *pod) join(m *machine) {
	p.leave()
	p.machine = m
	m.pods = append(m.pods, p)
}

// leave has the pod be on no machine any more.
func (p *pod) leave() {
	if p.machine != nil {
		p.machine.pods = slices.DeleteFunc(p.machine.pods, func(other *pod) bool { return other == p })
	}
	p.machine = nil
}

// container returns the container of the name, nil if there is none.
func (p *pod) container(name string) *container {
	for _, c := range p.containers {
		if c.name == name {
			return c
		}
	}
	return nil
}

// kind is what a container is in its pod.
type kind int

const (
	regular kind = iota
	sidecar
	initial
)

// container is what a container truly does.
type container struct {
	name   string
	kind   kind
	cpu    pattern
	memory int64
	// policy and again say when it runs again after it ended: by the pod's policy,
	// and after these exit codes.
	policy v1.RestartPolicy
	again  []int32

	state, last v1.ContainerState // as a kubelet tells of them
	restarts    int32
	startedAt   int   // second since the start
	used        int64 // since it was started, in millicore-seconds
	looping     bool  // it crashes again and again
	failures    int   // in a row
}

func (c *container) demand(second int) amount.Vector {
	return amount.Vector{amount.CPU: c.cpu.at(second), amount.Memory: c.memory}
}

// isToRun reports whether it does not run and will.
func (c *container) isToRun() bool {
	if ended := c.state.Terminated; ended != nil {
		return c.runsAgain(ended.ExitCode)
	}
	return true
}

// runsAgain reports whether it is started again after it ended so.
func (c *container) runsAgain(exitCode int32) bool {
	if slices.Contains(c.again, exitCode) {
		return true
	}
	switch c.policy {
	case v1.RestartPolicyNever:
		return false
	case v1.RestartPolicyOnFailure:
		return exitCode != 0
	}
	return true
}
