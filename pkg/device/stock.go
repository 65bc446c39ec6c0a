package device

import (
	"math"

	v1 "k8s.io/api/core/v1"
)

// UsualKinds is for how many kinds of device on a node a buffer of stocks suffices,
// so that none need be allocated.
const UsualKinds = 16

// Stock is what a node has of one device resource or device class, in units.
type Stock struct {
	Name v1.ResourceName
	// Allocatable is how many healthy devices the node offers to pods.
	Allocatable int64
	// Requested is how many the pods assigned to the node ask for. It is above
	// Allocatable when devices failed after pods were given them.
	Requested int64
}

// Free returns how many devices no pod has asked for, at least 0.
func (s Stock) Free() int64 {
	return max(0, s.Allocatable-s.Requested)
}

// InClasses says which stocks of a node are of device classes: the last ones of
// their list. A device may be in several classes, so the numbers of these do not
// add up; Devices counts each once. The zero value is that of a list without
// device classes.
type InClasses struct {
	// Classes is how many of the stocks are of device classes.
	Classes int
	// Devices are the devices that are in at least one of them. It has no name.
	Devices Stock
}

// split returns the stocks of extended resources, and those of classes.
func (in *InClasses) split(stocks []Stock) (extended, classes []Stock) {
	at := len(stocks) - in.Classes
	return stocks[:at], stocks[at:]
}

// Free returns how many devices of all kinds are free, each counted once: at
// most the largest int64, instead of overflowing.
func (in *InClasses) Free(stocks []Stock) int64 {
	extended, _ := in.split(stocks)
	free := in.Devices.Free()
	for i := range extended {
		free = addCounts(free, extended[i].Free())
	}
	return free
}

// Allocatable returns how many devices of all kinds there are, each counted once.
func (in *InClasses) Allocatable(stocks []Stock) float64 {
	extended, _ := in.split(stocks)
	devices := float64(in.Devices.Allocatable) // which a sum of large counts does not overflow
	for i := range extended {
		devices += float64(extended[i].Allocatable)
	}
	return devices
}

// Requested returns how many devices of all kinds are in use, each counted once:
// those that pods asked for and that are healthy.
func (in *InClasses) Requested(stocks []Stock) float64 {
	extended, _ := in.split(stocks)
	devices := float64(min(in.Devices.Requested, in.Devices.Allocatable))
	for i := range extended {
		devices += float64(min(extended[i].Requested, extended[i].Allocatable))
	}
	return devices
}

// Take counts what the requests ask for as requested, as far as the node has
// it. It changes the stocks.
func (in *InClasses) Take(stocks []Stock, requests []Request) {
	extended, classes := in.split(stocks)
	for _, request := range requests {
		if stock := stockOf(extended, request.Name); stock != nil {
			stock.Requested = addCounts(stock.Requested, request.Count)
		}
	}
	takeOfClasses(classes, &in.Devices, requests)
}

// stockOf returns what there is of the kind, nil if there is none.
func stockOf(stocks []Stock, kind v1.ResourceName) *Stock {
	for i := range stocks {
		if stocks[i].Name == kind {
			return &stocks[i]
		}
	}
	return nil
}

// addCounts returns a + b, or the largest int64 if that is larger. b must not be
// negative.
func addCounts(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}
