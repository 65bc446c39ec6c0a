package nodeload

import (
	fwk "k8s.io/kube-scheduler/framework"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load"
	"github.com/plimsoll-scheduler/plimsoll/pkg/status"
)

var (
	_ status.Reporter = &NodeLoad{}
	_ status.Lines    = &NodeLoad{}
)

// Report tells of nodes against the line that holds for pods in no band.
func (pl *NodeLoad) Report(view *load.View) status.NodeReporter {
	report := pl.ReportLine(view)
	return func(to *status.Node, node *load.Node, _ fwk.NodeInfo) { report(to, node) }
}

// ReportLine is Report.
func (pl *NodeLoad) ReportLine(view *load.View) func(to *status.Node, node *load.Node) {
	rule := pl.policy.general
	rule.Largest = view.Largest()
	return func(to *status.Node, node *load.Node) {
		use, known := pl.policy.use(view, node, pl.policy.filterBy)
		if !known {
			return
		}
		l := rule.On(node.Own, node.Allocatable)
		if r, over := l.Over(use); over {
			to.Over = string(r.Name())
		}
		measured, headroom := node.Measured[pl.policy.filterBy], l.Headroom(use)
		of := func(r amount.Resource) *status.Use {
			return &status.Use{
				Measured: r.InUnits(measured[r]), InFlight: r.InUnits(use[r] - measured[r]), Predicted: r.InUnits(use[r]),
				LinePercent: l.Percent[r], Line: r.InUnits(l.Limit[r]), Headroom: r.InUnits(headroom[r]),
			}
		}
		to.CPU.Use, to.Memory.Use = of(amount.CPU), of(amount.Memory)
	}
}
