package devicefit

import (
	"context"
	"math"

	fwk "k8s.io/kube-scheduler/framework"

	"github.com/plimsoll-scheduler/plimsoll/pkg/compat"
	"github.com/plimsoll-scheduler/plimsoll/pkg/device"
)

// ScorePlacement ranks a placement of a pod group, 0 to 100: the mean over its
// pods of the score that each gets on its node once those of the group before
// it are there. (In-tree gang scheduling; feature gate GenericWorkload.)
func (pl *DeviceFit) ScorePlacement(_ context.Context, _ compat.PlacementState, _ compat.PodGroupInfo, placement *compat.PodGroupAssignments) (int64, *fwk.Status) {
	if len(placement.ProposedAssignments) == 0 {
		return compat.MinScore, nil
	}
	nodes := make(map[string]fwk.NodeInfo, len(placement.Nodes))
	for _, node := range placement.Nodes {
		nodes[node.Node().Name] = node
	}
	placed := map[string]*leftovers{} // what the pods so far leave, by node
	sum := 0.0
	for _, assignment := range placement.ProposedAssignments {
		c := pl.newCycle(assignment.GetPod())
		name := assignment.GetNodeName()
		if nodes[name] == nil {
			continue // no node of the placement: counts 0
		}
		left := placed[name]
		if left == nil {
			left = pl.leftovers(c, nodes[name])
			placed[name] = left
		}
		score := compat.MaxScore
		if pl.cares(c) {
			trial := left.withAway
			if c.NeedsDevices {
				trial = left.present
			}
			trial.Devices = append([]device.Stock(nil), trial.Devices...)
			score, _ = pl.score(c, &trial)
		}
		sum += float64(score)
		left.present.take(&c.demand)
		left.withAway.take(&c.demand)
	}
	return int64(math.Round(sum / float64(len(placement.ProposedAssignments)))), nil
}

// PlacementScoreExtensions returns nil: scores need no normalizing.
func (pl *DeviceFit) PlacementScoreExtensions() compat.PlacementScoreExtensions { return nil }

// leftovers is what a node has left, without and with the devices that are away
// for a moment: for pods with and without devices.
type leftovers struct{ present, withAway remains }

func (pl *DeviceFit) leftovers(c *cycle, nodeInfo fwk.NodeInfo) *leftovers {
	var left leftovers
	by := *c
	by.devices = pl.devices.View()
	left.present = pl.left(&by, nodeInfo, nil)
	by.devices = by.devices.WithAway()
	left.withAway = pl.left(&by, nodeInfo, nil)
	return &left
}

// take takes what a pod asks for off what is left.
func (left *remains) take(d *demand) {
	left.Room = left.Without(d.Requests, d.Use)
	left.inClasses.Take(left.Devices, d.Devices)
	left.free = left.inClasses.Free(left.Devices)
}
