package load

import (
	"cmp"
	"slices"

	"k8s.io/apimachinery/pkg/types"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load/ledger"
)

// PodState is what is known of a pod's use of its node.
type PodState struct {
	// Name is empty for a pod that has left.
	Name  types.NamespacedName
	Phase ledger.Phase
	// Expected is what it is expected to use, and Seen whether that was seen
	// rather than estimated.
	Expected amount.Vector
	Seen     bool
}

// PodsOn returns the states of the pods on the node, in the order of their names,
// and then of those that have left and that samples still show.
func (m *Model) PodsOn(nodeName string) []PodState {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := m.nodes.byName[nodeName]
	if n == nil {
		return nil
	}
	now := n.clock.now(m.clock.Now())
	state := func(r *ledger.Record) PodState {
		expected, seen := r.Expected(now, m.config.WarmUp)
		return PodState{Phase: r.Phase, Expected: expected, Seen: seen}
	}
	states := make([]PodState, 0, len(n.pods)+len(n.departed))
	for _, p := range n.pods {
		s := state(&p.Record)
		s.Name = p.name
		states = append(states, s)
	}
	slices.SortFunc(states, func(a, b PodState) int {
		return cmp.Or(cmp.Compare(a.Name.Namespace, b.Name.Namespace), cmp.Compare(a.Name.Name, b.Name.Name))
	})
	for _, r := range n.departed {
		states = append(states, state(r))
	}
	return states
}
