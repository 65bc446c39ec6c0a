// Package device tells which resources are devices, what a pod asks for of
// them and what a node has.
//
// A device here is a unit of an extended resource (a resource with a domain
// that is not Kubernetes' own, such as nvidia.com/gpu) that a Matcher accepts.
// Counts come from where the scheduler takes its own: allocatable from the
// node's status, requested from the pods assigned to it. Which of its devices
// a node hands to a pod is the kubelet's business.
//
// Devices that a node offers through dynamic resource allocation (DRA) have no
// count in its status. UsesDRA tells which pods ask for those; a node's stock
// never includes them, so an allocatable of 0 means "none known", not "none".
//
// Nothing here holds state, takes a lock or, apart from Requests, allocates,
// so all of it may be called for each node from many goroutines.
package device
