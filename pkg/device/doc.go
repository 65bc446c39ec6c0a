// Package device tells which resources are devices, what a pod asks for of
// them and what a node has. A Catalogue answers all of it for one plugin.
//
// A device here is a unit of an extended resource (a resource with a domain
// that is not Kubernetes' own, such as nvidia.com/gpu) that a Matcher accepts.
// Counts come from where the scheduler takes its own: allocatable from the
// node's status, requested from the pods assigned to it. Which of its devices
// a node hands to a pod is the kubelet's business.
//
// Or it is a device of a device class, which a node offers through dynamic
// resource allocation (DRA) and which the Matcher accepts, too. These have no
// count in the node's status; a ClassInventory counts them (see package dra).
// Without dynamic resource allocation that is NoClasses.
//
// None of a resource is the same as the resource being absent, wherever it is
// said: in a node's allocatable, a container's requests, or a resource claim.
//
// A Catalogue follows events of the cluster. What its View is asked for a node
// takes no lock and does not allocate, so it may be called for each node from
// many goroutines.
package device
