package input

import (
	"fmt"
	"maps"
	"slices"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	v1helper "k8s.io/kubernetes/pkg/apis/core/v1/helper"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/input/warning"
)

const (
	nodesTwice              warning.Kind = "nodes that come twice are taken once"
	nodesUnreadable         warning.Kind = "nodes with a value that cannot be read, or without a name, are left out"
	nodesUnusable           warning.Kind = "nodes without the CPU or memory that pods may have, or with impossible amounts, are left out"
	nodesWithoutAllocatable warning.Kind = "nodes without allocatable: their capacity counts"
	nodesWithoutPods        warning.Kind = "nodes without allocatable pods have room for as many as the kubelet allows by default"
)

// defaultMaxPods is how many pods the kubelet allows on a node by default.
const defaultMaxPods = 110

// nodesKnown tells of nodes of a snapshot by name: true if it has been taken, false if
// it is left out.
type nodesKnown map[string]bool

// takeNodes takes the nodes that pods can be placed on.
func (s *snapshot) takeNodes(path string, from *objects, warnings *warning.List) (nodesKnown, error) {
	known := nodesKnown{}
	var left warning.List
	for i := range from.nodes {
		node, origin := &from.nodes[i].object, from.nodes[i].origin
		if known[node.Name] {
			left.Add(nodesTwice, origin.Where(), "node %s comes a second time: it is left out here", node.Name)
			continue
		}
		if fault := from.nodes[i].fault; fault != nil {
			known[node.Name] = false
			left.AddError(nodesUnreadable, fault, called("node", node.Name)+" is left out")
			continue
		}
		if node.Status.Allocatable == nil && node.Status.Capacity != nil { // as the API server does
			node.Status.Allocatable = node.Status.Capacity.DeepCopy()
			left.Add(nodesWithoutAllocatable, origin.Where(), "node %s has no status.allocatable: its capacity counts as that", node.Name)
		}
		if fault := faultOfNode(node); fault != "" {
			known[node.Name] = false
			left.Add(nodesUnusable, origin.Where(), "node %s: %s; it is left out", node.Name, fault)
			continue
		}
		if _, ok := node.Status.Allocatable[v1.ResourcePods]; !ok {
			node.Status.Allocatable[v1.ResourcePods] = *resource.NewQuantity(defaultMaxPods, resource.DecimalSI)
			left.Add(nodesWithoutPods, origin.Where(), "node %s has no status.allocatable[pods]: %d is taken, the kubelet's default", node.Name, defaultMaxPods)
		}
		known[node.Name] = true
		s.nodes = append(s.nodes, node)
	}
	var err error
	switch {
	case len(from.nodes) == 0:
		err = fmt.Errorf("%s: there is no object of kind Node in it: make nodes by %s", path, command(path, "Node"))
	case len(s.nodes) == 0:
		err = fmt.Errorf("%s: none of the %d nodes in it can be used", path, len(from.nodes))
	}
	return known, warnings.Settle(&left, err)
}

// faultOfNode says why no pod can be placed on the node, or "".
func faultOfNode(node *v1.Node) string {
	if node.Status.Allocatable == nil {
		return "it has no status.allocatable, and no status.capacity"
	}
	if fault := faultOfAmounts(node.Status.Allocatable); fault != "" {
		return "status.allocatable" + fault
	}
	for _, name := range []v1.ResourceName{v1.ResourceCPU, v1.ResourceMemory} {
		if quantity, ok := node.Status.Allocatable[name]; !ok {
			return fmt.Sprintf("it has no status.allocatable[%s]", name)
		} else if quantity.IsZero() {
			return fmt.Sprintf("status.allocatable[%s] is 0", name)
		}
	}
	return ""
}

// faultOfAmounts says which amount is impossible, or "". It must follow what has the
// amounts.
func faultOfAmounts(list v1.ResourceList) string {
	for _, name := range slices.Sorted(maps.Keys(list)) {
		quantity := list[name]
		if quantity.Sign() < 0 {
			return fmt.Sprintf("[%s] is %s, and cannot be below 0", name, quantity.String())
		}
		limit := resource.NewQuantity(amount.Limit, resource.BinarySI)
		if name == v1.ResourceCPU {
			limit = resource.NewQuantity(amount.Limit/1000, resource.DecimalSI)
		}
		if quantity.Cmp(*limit) > 0 {
			return fmt.Sprintf("[%s] is %s, and cannot be above %s", name, quantity.String(), limit.String())
		}
		if isCounted(name) && quantity.CmpInt64(quantity.Value()) != 0 { // Value rounds up
			return fmt.Sprintf("[%s] is %v, and must be a whole number", name, quantity.AsApproximateFloat64())
		}
	}
	return ""
}

// isCounted reports whether the API server takes whole amounts of the resource only.
func isCounted(name v1.ResourceName) bool {
	return name == v1.ResourcePods || v1helper.IsExtendedResourceName(name)
}
