package devicefit

import (
	fwk "k8s.io/kube-scheduler/framework"

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
		left := pl.left(c, info, nil)
		starves := starves(view, node)
		for i := range left.Devices {
			stock := &left.Devices[i]
			t := tally{}
			t.add(c.mix.Shapes(stock.Name), &left.Node, i, starves)
			d := status.Devices{
				Resource: string(stock.Name), Allocatable: stock.Allocatable, Used: stock.Requested, Free: stock.Free(),
				Fragmented: t.fragmented, Stranded: t.stranded, Starved: int64(t.starved),
			}
			to.Devices = append(to.Devices, d)
		}
	}
}

// Resources returns what resources are taken for.
func (pl *DeviceFit) Resources() []device.Resource { return pl.devices.Resources() }

// PodDevices returns the devices that a pod with a node has.
func (pl *DeviceFit) PodDevices(pod fwk.PodInfo) []device.Request {
	requests, _ := pl.devices.InitialRequests(pod.GetPod())
	return requests
}
