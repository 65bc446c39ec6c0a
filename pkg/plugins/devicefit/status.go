package devicefit

import (
	fwk "k8s.io/kube-scheduler/framework"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/device"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load"
	"github.com/plimsoll-scheduler/plimsoll/pkg/status"
)

var (
	_ status.Reporter  = &DeviceFit{}
	_ status.Catalogue = &DeviceFit{}
)

// Report tells of the devices of nodes.
func (pl *DeviceFit) Report(view *load.View) status.NodeReporter {
	c := &cycle{view: *view, demand: demand{NeedsDevices: true}} // without devices that are away
	pl.complete(c)
	return func(to *status.Node, node *load.Node, info fwk.NodeInfo) {
		left, _ := pl.remains(c, info, nil)
		use, known := pl.use(view, node)
		starves := known && isFull(use, node.Allocatable)
		for i := range left.Devices {
			stock := &left.Devices[i]
			t := tally{}
			t.add(c.mix.Shapes(stock.Name), &left.Node, i)
			d := status.Devices{
				Resource: string(stock.Name), Allocatable: stock.Allocatable, Used: stock.Requested, Free: stock.Free(),
				Fragmented: t.fragmented, Stranded: t.stranded,
			}
			if starves {
				d.Starved = min(stock.Requested, stock.Allocatable)
			}
			to.Devices = append(to.Devices, d)
		}
	}
}

// isFull reports whether a node is expected to use all that it can allocate of a
// resource: then what its pods want more of they do not get.
func isFull(use, allocatable amount.Vector) bool {
	for r := range use {
		if allocatable[r] > 0 && use[r] >= allocatable[r] {
			return true
		}
	}
	return false
}

// Resources returns what resources are taken for.
func (pl *DeviceFit) Resources() []device.Resource { return pl.devices.Resources() }

// PodDevices returns the devices that a pod with a node has.
func (pl *DeviceFit) PodDevices(pod fwk.PodInfo) []device.Request {
	requests, _ := pl.devices.InitialRequests(pod.GetPod())
	return requests
}
