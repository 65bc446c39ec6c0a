package sim

import (
	"time"

	v1 "k8s.io/api/core/v1"
	v1helper "k8s.io/kubernetes/pkg/apis/core/v1/helper"
)

// machine is a node as it really is: what its pods use, whether or not anybody
// measures it.
type machine struct {
	name    string
	cpu     float64 // allocatable, in cores
	memory  int64   // allocatable, in bytes
	devices int64
	running []*task

	demand         float64 // of the running pods, in cores
	memoryInUse    int64
	devicesRunning int64 // held by running pods
	// settled is until when the integrals go: of the CPU that was asked for, and
	// of what was given, which is no more than there is; in core-seconds.
	settled         time.Duration
	demanded, given float64
	// background is what uses the node beside its pods.
	background Background

	scraped points // by metrics-server
	minutes points // by an agent on the node, for Koordinator's reports
}

func newMachine(node *v1.Node, background Background) *machine {
	m := &machine{
		name:       node.Name,
		cpu:        float64(node.Status.Allocatable.Cpu().MilliValue()) / 1000,
		memory:     node.Status.Allocatable.Memory().Value(),
		devices:    devicesIn(node.Status.Allocatable),
		background: background,
	}
	m.recount(0)
	return m
}

// devicesIn returns the number of all extended resources in the list.
func devicesIn(list v1.ResourceList) int64 {
	sum := int64(0)
	for name, quantity := range list {
		if v1helper.IsExtendedResourceName(name) {
			sum += quantity.Value()
		}
	}
	return sum
}

// settle brings the integrals up to t. Demand must not have changed since the
// last time.
func (m *machine) settle(t time.Duration) {
	seconds := (t - m.settled).Seconds()
	m.demanded += m.demand * seconds
	m.given += min(m.demand, m.cpu) * seconds
	m.settled = t
}

// recount takes anew what the running pods use at t. Sums are made anew each
// time, so that no error adds up over a day.
func (m *machine) recount(t time.Duration) {
	m.demand, m.memoryInUse, m.devicesRunning = m.background.CPU, m.background.Memory, 0
	for _, pod := range m.running {
		m.demand += pod.spec.Use.cpuAt(t)
		m.memoryInUse += pod.spec.Use.Memory
		m.devicesRunning += pod.devices
	}
}

// throttle returns which part of the demand was met between two points.
func throttle(from, to point) float64 {
	if demanded := to.demanded - from.demanded; demanded > 0 {
		return (to.given - from.given) / demanded
	}
	return 1
}

// point is what a node's counters say at a moment.
type point struct {
	at              time.Duration
	demanded, given float64 // core-seconds since the start
	memory          int64
}

func (m *machine) point() point {
	return point{at: m.settled, demanded: m.demanded, given: m.given, memory: min(m.memoryInUse, m.memory)}
}

// points are the newest points of a node, in a ring.
type points struct {
	ring  [8]point
	count int
}

func (p *points) add(x point) {
	p.ring[p.count%len(p.ring)] = x
	p.count++
}

// back returns the point that is so many before the newest, and whether it is
// still there.
func (p *points) back(n int) (point, bool) {
	if n >= p.count || n >= len(p.ring) {
		return point{}, false
	}
	return p.ring[(p.count-1-n)%len(p.ring)], true
}
