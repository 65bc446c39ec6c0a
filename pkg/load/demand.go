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

// Demand returns the distribution of what the pod is expected to use: what its
// annotation says, as far as that counts, else what its workload's pods use if that is
// known, else what is usual for what it requests.
func (m *Model) Demand(pod *v1.Pod) demand.Demand {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.demand(pod, m.config.Estimator.Pod(pod))
}

func (m *Model) demand(pod *v1.Pod, requested amount.Vector) demand.Demand {
	said := m.annotations.Of(pod)
	if use := m.config.Overrides.Estimate(&said, requested); use != requested {
		return demand.Of(use)
	}
	if key, ok := m.keyOf(pod); ok {
		return m.workloads.Demand(key)
	}
	return m.workloads.Prior().Demand(requested)
}

// renewDemands takes in what was learned since the last time, if anybody wants to know.
func (m *Model) renewDemands() {
	if !m.knowsDemands {
		return
	}
	m.workloads.Renew()
	for _, n := range m.nodes.slots {
		if n == nil {
			continue
		}
		for _, p := range n.pods {
			if p.workload != nil {
				p.demand = p.workload.Demand()
			}
		}
		m.countRequests(n)
	}
}
