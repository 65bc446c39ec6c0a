package load

import "github.com/plimsoll-scheduler/plimsoll/pkg/load/workload"

// Workloads returns what was learned of each workload, in the order of their
// namespaces and names.
func (m *Model) Workloads() []workload.State {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.workloads.States()
}
