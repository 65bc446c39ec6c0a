package nodeload

import (
	fwk "k8s.io/kube-scheduler/framework"

	"github.com/plimsoll-scheduler/plimsoll/pkg/load"
)

// rejection is the statuses of one node, by verdict.
type rejection [numVerdicts]*fwk.Status

// growRejections sees to it that each node has its statuses.
func (pl *NodeLoad) growRejections(slots int) {
	have := *pl.rejections.Load()
	if slots <= len(have) {
		return
	}
	grown := append(make([]rejection, 0, slots), have...)
	for len(grown) < slots {
		grown = append(grown, newRejection())
	}
	pl.rejections.Store(&grown)
}

func newRejection() (r rejection) {
	for v := fits + 1; v < numVerdicts; v++ {
		r[v] = newStatus(v)
	}
	return r
}

// newStatus returns the status for a verdict. Preemption may free a node that
// is over the line, but cannot make metrics fresh.
func newStatus(v verdict) *fwk.Status {
	if v == staleMetrics {
		return fwk.NewStatus(fwk.UnschedulableAndUnresolvable, v.reason())
	}
	return fwk.NewStatus(fwk.Unschedulable, v.reason())
}

func (pl *NodeLoad) reject(node *load.Node, v verdict) *fwk.Status {
	if node == nil {
		return newStatus(v) // a node that the model has not heard of yet
	}
	return (*pl.rejections.Load())[node.Slot][v]
}
