package world

import (
	"slices"
	"time"

	v1 "k8s.io/api/core/v1"
	v1helper "k8s.io/kubernetes/pkg/apis/core/v1/helper"
)

// Background is a constant use of a node by something that is no pod: CPU in
// cores, memory in bytes.
type Background struct {
	CPU    float64
	Memory int64
}

// Observer is told of what machines go through.
type Observer interface {
	// Passed: nothing changed on the machine from one time to the other.
	Passed(m *Machine, from, to time.Duration)
	// MemoryChanged: the memory in use was before and is something else now, or
	// the same.
	MemoryChanged(m *Machine, before int64)
}

// Machine is a node as it really is: what its tasks use, whether or not anybody
// measures it.
type Machine struct {
	Name    string
	CPU     float64 // allocatable, in cores
	Memory  int64   // allocatable, in bytes
	Devices int64   // allocatable

	clock      *Clock
	observer   Observer
	background Background
	running    []*Task

	demand         float64 // of the running tasks and the background, in cores
	memoryInUse    int64
	devicesRunning int64 // held by running tasks
	// advanced is until when the integrals go: of the CPU that was asked for, and
	// of what was given, which is no more than there is; in core-seconds.
	advanced        time.Duration
	demanded, given float64
}

// NewMachine returns the machine behind a node. It runs no task.
func NewMachine(clock *Clock, node *v1.Node, background Background, observer Observer) *Machine {
	m := &Machine{
		Name:    node.Name,
		CPU:     float64(node.Status.Allocatable.Cpu().MilliValue()) / 1000,
		Memory:  node.Status.Allocatable.Memory().Value(),
		Devices: DevicesIn(node.Status.Allocatable),
		clock:   clock, observer: observer, background: background,
	}
	m.sum()
	return m
}

// DevicesIn returns the number of all extended resources in the list.
func DevicesIn(list v1.ResourceList) int64 {
	sum := int64(0)
	for name, quantity := range list {
		if v1helper.IsExtendedResourceName(name) {
			sum += quantity.Value()
		}
	}
	return sum
}

// Demand returns the CPU that is asked for at present, in cores. It may be more
// than there is.
func (m *Machine) Demand() float64 { return m.demand }

// MemoryInUse returns the memory that is asked for at present, in bytes. It may
// be more than there is.
func (m *Machine) MemoryInUse() int64 { return m.memoryInUse }

// DevicesRunning returns how many devices the running tasks hold.
func (m *Machine) DevicesRunning() int64 { return m.devicesRunning }

// Running returns the running tasks. The list must not be changed.
func (m *Machine) Running() []*Task { return m.running }

// Advance brings the counters up to t, which may lie ahead of the clock if
// nothing changes until then.
func (m *Machine) Advance(t time.Duration) {
	m.observer.Passed(m, m.advanced, t)
	seconds := (t - m.advanced).Seconds()
	m.demanded += m.demand * seconds
	m.given += min(m.demand, m.CPU) * seconds
	m.advanced = t
}

// start has the task run on the machine.
func (m *Machine) start(t *Task) {
	m.Advance(m.clock.Elapsed())
	m.running = append(m.running, t)
	m.recount()
}

// stop has the task run no more.
func (m *Machine) stop(t *Task) {
	m.Advance(m.clock.Elapsed())
	if i := slices.Index(m.running, t); i >= 0 {
		m.running = slices.Delete(m.running, i, i+1)
	}
	m.recount()
}

// recount takes anew what is used, and tells of it.
func (m *Machine) recount() {
	before := m.memoryInUse
	m.sum()
	m.observer.MemoryChanged(m, before)
}

// sum adds up what is used at present. It is made anew each time, so that no
// error adds up over a day.
func (m *Machine) sum() {
	m.demand, m.memoryInUse, m.devicesRunning = m.background.CPU, m.background.Memory, 0
	now := m.clock.Elapsed()
	for _, task := range m.running {
		m.demand += task.Use.CPUAt(now)
		m.memoryInUse += task.MemoryAt(now)
		m.devicesRunning += task.Devices
	}
}

// Counters returns what the machine's counters say. They go as far as it was
// advanced.
func (m *Machine) Counters() Counters {
	return Counters{At: m.advanced, Demanded: m.demanded, Given: m.given, Memory: min(m.memoryInUse, m.Memory)}
}
