package devicefit

import (
	"math"

	v1 "k8s.io/api/core/v1"
	fwk "k8s.io/kube-scheduler/framework"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/device"
	"github.com/plimsoll-scheduler/plimsoll/pkg/fragmentation"
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
	// classes is how many of the kinds are device classes, which come last, and
	// inClasses the devices that are in these: a device may be in several.
	classes   int
	inClasses device.Stock
}

// maxKinds is for how many kinds of devices on a node Score needs no
// allocation.
const maxKinds = 16

// remains returns what the node has left, and the load model's record of it.
// stocks is for its devices; the result holds it.
func (pl *DeviceFit) remains(c *cycle, nodeInfo fwk.NodeInfo, stocks []device.Stock) (remains, *load.Node) {
	allocatable, requested := nodeInfo.GetAllocatable(), nodeInfo.GetRequested()
	node := c.view.NodeOf(nodeInfo)
	left := remains{of: amount.Vector{amount.CPU: allocatable.GetMilliCPU(), amount.Memory: allocatable.GetMemory()}}
	left.Unrequested = left.of.Sub(amount.Vector{amount.CPU: requested.GetMilliCPU(), amount.Memory: requested.GetMemory()})
	left.Headroom = fragmentation.Unlimited()
	var use amount.Vector
	if use, left.measured = c.view.Use(node, pl.statistic); left.measured {
		l := c.rule.On(&node.Own, node.Allocatable)
		left.of = l.Limit
		left.Headroom = l.Headroom(use)
		left.Most = l.Cap(use)
	}
	extended := 0
	left.Devices, extended, left.inClasses = pl.stocks(c.classes, nodeInfo, stocks)
	left.classes = len(left.Devices) - extended
	left.countFree()
	return left, node
}

// stocks appends to stocks what the node has of each kind of device, first those
// of the extended resources, which are so many, and then those of classes. inClasses
// are the devices of the latter, each counted once.
func (pl *DeviceFit) stocks(classes device.InventoryView, nodeInfo fwk.NodeInfo, stocks []device.Stock) (_ []device.Stock, extended int, inClasses device.Stock) {
	stocks = pl.kinds.AppendStocks(stocks, nodeInfo)
	extended = len(stocks)
	if offered := classes.Node(nodeInfo.Node().Name); offered.Classes != nil {
		stocks, inClasses = appendClasses(stocks, pl.matcher, offered)
	}
	return stocks, extended, inClasses
}

// appendClasses appends to stocks the device classes that the matcher accepts,
// and returns the devices that are in these. If it does not accept all classes,
// that is not known, but it is no more than their sum.
func appendClasses(stocks []device.Stock, matcher *device.Matcher, offered device.NodeDevices) (_ []device.Stock, devices device.Stock) {
	var sum, free int64
	for _, class := range offered.Classes {
		if matcher.Matches(class.Name) {
			stocks = append(stocks, class)
			sum, free = sum+class.Allocatable, free+class.Free()
		}
	}
	devices.Allocatable = min(sum, offered.All.Allocatable)
	devices.Requested = devices.Allocatable - min(free, offered.All.Free())
	return stocks, devices
}

// outsideClasses returns the kinds that are no device classes.
func (left *remains) outsideClasses() []device.Stock {
	return left.Devices[:len(left.Devices)-left.classes]
}

// countFree sets the number of free devices, held at the largest int64 instead
// of overflowing.
func (left *remains) countFree() {
	left.free = left.inClasses.Free()
	for i := range left.outsideClasses() {
		left.free += min(left.Devices[i].Free(), math.MaxInt64-left.free)
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
