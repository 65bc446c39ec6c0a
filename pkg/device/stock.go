package device

import (
	v1 "k8s.io/api/core/v1"
	fwk "k8s.io/kube-scheduler/framework"
)

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

// StockOf returns what the node has of the resource. A node that does not
// know the resource has 0 of it.
func StockOf(node fwk.NodeInfo, name v1.ResourceName) Stock {
	return Stock{
		Name:        name,
		Allocatable: node.GetAllocatable().GetScalarResources()[name],
		Requested:   node.GetRequested().GetScalarResources()[name],
	}
}

// AppendStocks appends to stocks what the node has of each device resource that
// it offers at least one unit of, in no particular order.
func (m *Matcher) AppendStocks(stocks []Stock, node fwk.NodeInfo) []Stock {
	requested := node.GetRequested().GetScalarResources()
	for name, allocatable := range node.GetAllocatable().GetScalarResources() {
		if allocatable > 0 && m.Matches(name) {
			stocks = append(stocks, Stock{Name: name, Allocatable: allocatable, Requested: requested[name]})
		}
	}
	return stocks
}
