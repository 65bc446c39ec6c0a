package devicefit

import (
	"fmt"
	"math"

	fwk "k8s.io/kube-scheduler/framework"

	"github.com/plimsoll-scheduler/plimsoll/pkg/apis/config"
	"github.com/plimsoll-scheduler/plimsoll/pkg/device"
)

// maxScoreBesideFreeDevices is the best score that a node with a free device
// gets for a pod without devices. The step up to 100 for a node without free
// devices keeps a nearly full device node from passing for a plain one.
const maxScoreBesideFreeDevices = fwk.MaxScore / 2

// rating rates a node by its stock of one device resource for a pod that asks
// for count units of it, from 0 to 100.
type rating func(stock device.Stock, count int64) float64

func ratingOf(strategy config.Strategy) (rating, error) {
	switch strategy {
	case config.MostAllocated:
		return mostAllocated, nil
	case config.LeastAllocated:
		return leastAllocated, nil
	}
	return nil, fmt.Errorf("unknown strategy %q: must be %s or %s", strategy, config.MostAllocated, config.LeastAllocated)
}

// mostAllocated rates by how much of the resource is in use once the pod is
// placed:
//
//	100 * min(1, (requested + count) / allocatable)
//
// and 0 if allocatable is 0: see scoreDevices.
func mostAllocated(stock device.Stock, count int64) float64 {
	if stock.Allocatable <= 0 {
		return 0
	}
	// Not in integers, which a sum or product of large counts would overflow.
	return float64(fwk.MaxScore) * min(1, (float64(stock.Requested)+float64(count))/float64(stock.Allocatable))
}

// leastAllocated rates by how much of the resource is left once the pod is
// placed:
//
//	100 - 100 * min(1, (requested + count) / allocatable)
//
// and 0 if allocatable is 0: see scoreDevices.
func leastAllocated(stock device.Stock, count int64) float64 {
	if stock.Allocatable <= 0 {
		return 0
	}
	return float64(fwk.MaxScore) - mostAllocated(stock, count)
}

// scoreDevices returns the score of the node, 0 to 100, for a pod that asks
// for devices, at least one resource of them: the mean of the ratings of these
// resources, rounded to the nearest integer.
//
// A node that passed the filters although its allocatable of a resource is 0
// has devices that cannot be counted here, because it offers them through DRA
// or because a scheduler extender manages the resource. It is rated 0 for the
// resource whatever the strategy: nodes whose devices can be counted come
// first, and nodes whose devices cannot are all the same.
func scoreDevices(rate rating, node fwk.NodeInfo, devices []device.Request) int64 {
	var sum float64
	for i := range devices {
		sum += rate(device.StockOf(node, devices[i].Name), devices[i].Count)
	}
	return int64(math.Round(sum / float64(len(devices))))
}

// scoreAvoidance returns the score of the node, 0 to 100, for a pod that asks
// for no devices: 100 without a free device, and otherwise, rounded to the
// nearest integer,
//
//	50 * (1 - max over the node's device resources of free / allocatable)
func scoreAvoidance(devices *device.Matcher, node fwk.NodeInfo) int64 {
	var freest float64
	for stock := range devices.Stocks(node) {
		freest = max(freest, float64(stock.Free())/float64(stock.Allocatable))
	}
	if freest == 0 {
		return fwk.MaxScore
	}
	return int64(math.Round(float64(maxScoreBesideFreeDevices) * (1 - freest)))
}
