// Package device tells which resources are devices, what a pod asks for of
// them and what a node has.
//
// A device here is a unit of an extended resource (a resource with a domain
// that is not Kubernetes' own, such as nvidia.com/gpu) that a Matcher accepts.
// Counts come from where the scheduler takes its own: allocatable from the
// node's status, requested from the pods assigned to it. Which of its devices
// a node hands to a pod is the kubelet's business.
//
// Or it is a device of a device class, which a node offers through dynamic
// resource allocation (DRA) and which the Matcher accepts, too. These have no
// count in the node's status; an Inventory counts them from ResourceSlices and
// ResourceClaims. Which of them a claim gets is the allocator's business.
//
// Kinds and an Inventory follow events of the cluster. What is asked of them
// and of a Matcher for a node (AppendStocks, Node of an InventoryView, Matches)
// takes no lock and does not allocate, so it may be called for each node from
// many goroutines.
package device
