package nodeload

import (
	"context"
	"math"

	fwk "k8s.io/kube-scheduler/framework"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/compat"
)

var _ compat.PlacementScorePlugin = &NodeLoad{}

// ScorePlacement ranks a placement of a pod group, 0 to 100: the mean over its
// pods of the score of each one's node with all of the group's pods there.
// (In-tree gang scheduling; feature gate GenericWorkload.)
func (pl *NodeLoad) ScorePlacement(_ context.Context, _ compat.PlacementState, _ compat.PodGroupInfo, placement *compat.PodGroupAssignments) (int64, *fwk.Status) {
	if len(placement.ProposedAssignments) == 0 {
		return compat.MinScore, nil
	}
	// A view of its own: those of the pods' cycles hold reservations that have
	// been taken back since.
	view := pl.model.View()
	use, group := map[string]amount.Vector{}, map[string]*newcomer{} // of the group, by node
	for _, assignment := range placement.ProposedAssignments {
		name := assignment.GetNodeName()
		use[name] = use[name].Add(pl.model.Estimate(assignment.GetPod()))
		group[name] = pl.newcomer(assignment.GetPod()).with(group[name])
	}
	nodes := make(map[string]fwk.NodeInfo, len(placement.Nodes))
	for _, node := range placement.Nodes {
		nodes[node.Node().Name] = node
	}
	sum := 0.0
	for _, assignment := range placement.ProposedAssignments {
		nodeInfo := nodes[assignment.GetNodeName()]
		if nodeInfo == nil {
			continue
		}
		a := pl.askOf(assignment.GetPod())
		name := assignment.GetNodeName()
		a.estimate = use[name]
		sum += float64(pl.scoreOf(&view, view.Node(name), nodeInfo, a, group[name]))
	}
	return int64(math.Round(sum / float64(len(placement.ProposedAssignments)))), nil
}

// PlacementScoreExtensions returns nil: scores need no normalizing.
func (pl *NodeLoad) PlacementScoreExtensions() compat.PlacementScoreExtensions { return nil }
