package load

import (
	v1 "k8s.io/api/core/v1"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/demand"
)

// KnowDemands has the model know the demands of nodes and pods (Node.Demand), which
// takes some time at each poll. Call it before Run.
func (m *Model) KnowDemands() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.knowsDemands = true
}

// Demand returns the distribution of what the pod is expected to use: what is known of
// it (Config.Demands), else what its annotation says, as far as that counts, else what
// its workload's pods use if that is known, else what is usual for what it requests.
func (m *Model) Demand(pod *v1.Pod) demand.Demand {
	m.mu.Lock()
	defer m.mu.Unlock()
	d, _ := m.demand(pod, m.config.Estimator.Pod(pod))
	return d
}

// demand is Demand for a pod whose requests suggest the use, and whether it is the pod's
// own.
func (m *Model) demand(pod *v1.Pod, requested amount.Vector) (d demand.Demand, own bool) {
	if m.config.Demands != nil {
		if d, known := m.config.Demands(pod); known {
			return d, true
		}
	}
	annotation := m.annotations.Of(pod)
	if use := m.config.Overrides.Estimate(&annotation, requested); use != requested {
		return demand.Of(use), true
	}
	if key, ok := m.keyOf(pod); ok {
		return m.workloads.Demand(key), false
	}
	return m.workloads.Prior().Demand(requested), false
}

// setDemand takes the pod's demand anew. That of one that runs is its workload's, which
// most pods are of, so that they need no memory for their own.
func (m *Model) setDemand(p *pod, object *v1.Pod) {
	if p.own = nil; !m.knowsDemands {
		return
	}
	if d, own := m.demand(object, p.Requested); own || p.workload == nil {
		p.own = &d
	}
}

// demand returns the pod's demand, if the model knows demands.
func (p *pod) demand() demand.Demand {
	switch {
	case p.own != nil:
		return *p.own
	case p.workload != nil:
		return p.workload.Demand()
	}
	return demand.Demand{}
}

// renewDemands takes in what was learned since the last time, if anybody wants to know:
// in parts, so that a scheduling cycle that wants a view need not wait for all of it.
func (m *Model) renewDemands() {
	if !m.renewWorkloads() {
		return
	}
	for from := 0; m.renewNodes(from); from += observed {
	}
}

// renewWorkloads takes in what was learned of workloads, and reports whether anybody
// wants to know.
func (m *Model) renewWorkloads() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.knowsDemands {
		m.workloads.Renew()
	}
	return m.knowsDemands
}

// renewNodes takes in what was learned of the pods on the nodes from that slot on, and
// reports whether there are more.
func (m *Model) renewNodes(from int) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	slots := m.nodes.slots
	for _, n := range slots[min(from, len(slots)):min(from+observed, len(slots))] {
		if n != nil {
			m.countRequests(n)
		}
	}
	return from+observed < len(slots)
}
