package devicefit

import (
	v1 "k8s.io/api/core/v1"
	fwk "k8s.io/kube-scheduler/framework"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/device"
	"github.com/plimsoll-scheduler/plimsoll/pkg/fragmentation"
	"github.com/plimsoll-scheduler/plimsoll/pkg/line"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load"
)

// remains is what a node has left.
type remains struct {
	fragmentation.Node
	// measured says that the node's use is known.
	measured bool
	// of is what there was of the room: the load line, or what is allocatable if
	// the node's use is not known.
	of amount.Vector
	// free is the number of free devices of all kinds, each counted once.
	free int64
	// inClasses says which of the kinds are device classes.
	inClasses device.InClasses
}

// remains returns what the node has left. node is the load model's record of it, nil if
// there is none, and stocks is for its devices; the result holds it.
func (pl *DeviceFit) remains(c *cycle, nodeInfo fwk.NodeInfo, node *load.Node, stocks []device.Stock) remains {
	left := remains{}
	left.of, left.Unrequested = roomOf(nodeInfo)
	pl.measure(&left, &c.view, &c.rule, node)
	left.Devices, left.inClasses = c.devices.AppendStocks(stocks, nodeInfo)
	left.free = left.inClasses.Free(left.Devices)
	return left
}

// roomOf returns what the node can allocate, and what of it is not requested.
func roomOf(nodeInfo fwk.NodeInfo) (allocatable, unrequested amount.Vector) {
	of, requested := nodeInfo.GetAllocatable(), nodeInfo.GetRequested()
	allocatable = amount.Vector{amount.CPU: of.GetMilliCPU(), amount.Memory: of.GetMemory()}
	return allocatable, allocatable.Sub(amount.Vector{amount.CPU: requested.GetMilliCPU(), amount.Memory: requested.GetMemory()})
}

// left is remains with the record that the cycle's view has of the node.
func (pl *DeviceFit) left(c *cycle, nodeInfo fwk.NodeInfo, stocks []device.Stock) remains {
	return pl.remains(c, nodeInfo, c.view.NodeOf(nodeInfo), stocks)
}

// measure sets what of the remains depends on the node's use. node may be nil.
func (pl *DeviceFit) measure(left *remains, view *load.View, rule *line.Rule, node *load.Node) {
	left.Headroom = fragmentation.Unlimited()
	var use amount.Vector
	if use, left.measured = pl.use(view, node); left.measured {
		l := rule.On(node.Own, node.Allocatable)
		left.of = l.Limit
		left.Headroom = l.Headroom(use)
		left.Most = l.Cap(use)
	}
}

// stockOf returns what there is of the kind, nil if there is none.
func stockOf(stocks []device.Stock, kind v1.ResourceName) *device.Stock {
	for i := range stocks {
		if stocks[i].Name == kind {
			return &stocks[i]
		}
	}
	return nil
}
