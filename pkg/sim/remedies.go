package sim

import (
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"
	fwk "k8s.io/kube-scheduler/framework"

	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/world"
)

// starvation is how many devices starve at a moment, and what would help them.
type starvation struct {
	devices int64
	// movable are those on nodes where it would end if one pod were on another node,
	// which has room for what the pod requests and for what it uses. Nothing but CPU,
	// memory and devices is looked at, so it is no less than what moves could end.
	movable int64
	// outgrown are those on other nodes where a pod alone uses more than the node has.
	outgrown int64
}

func (s *starvation) add(t starvation) {
	s.devices += t.devices
	s.movable += t.movable
	s.outgrown += t.outgrown
}

// starvationOn looks at the machines, which are the nodes, at a time.
func starvationOn(machines []*world.Machine, nodes []fwk.NodeInfo, free []unrequested, now time.Duration) (s starvation) {
	machine := make(map[string]*world.Machine, len(machines))
	for _, m := range machines {
		machine[m.Name] = m
	}
	others := make([]other, len(nodes))
	for i, node := range nodes {
		m := machine[node.Node().Name]
		others[i] = other{free[i], m.CPU - m.Demand()}
	}
	for _, node := range nodes {
		m := machine[node.Node().Name]
		devices := m.DevicesRunning()
		if devices == 0 || m.Demand() <= m.CPU {
			continue
		}
		s.devices += devices
		switch short := m.Demand() - m.CPU; {
		case endsByMove(m, node, others, short, now):
			s.movable += devices
		case isOutgrown(m, now):
			s.outgrown += devices
		}
	}
	return s
}

// other is what a node has room for: by requests, and in cores by use.
type other struct {
	unrequested
	headroom float64
}

// endsByMove reports whether one of the machine's pods, of those that use as much as it is
// short of, could be on another node. Its own has no headroom.
func endsByMove(m *world.Machine, node fwk.NodeInfo, others []other, short float64, now time.Duration) bool {
	kinds := make(map[types.UID]podKind, len(node.GetPods()))
	for _, pod := range node.GetPods() {
		kinds[pod.GetPod().UID] = podKindOf(pod.GetPod())
	}
	for _, task := range m.Running() {
		use := task.Use.CPUAt(now)
		kind, known := kinds[task.UID]
		if use < short || !known {
			continue
		}
		if slices.ContainsFunc(others, func(o other) bool { return use <= o.headroom && kind.fits(o.unrequested) }) {
			return true
		}
	}
	return false
}

// isOutgrown reports whether one of the machine's pods alone uses more than it has.
func isOutgrown(m *world.Machine, now time.Duration) bool {
	return slices.ContainsFunc(m.Running(), func(task *world.Task) bool { return task.Use.CPUAt(now) > m.CPU })
}
