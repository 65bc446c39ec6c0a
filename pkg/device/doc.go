// Package device tells which resources are devices, what a pod asks for of
// them and what a node has. A Catalogue answers all of it for one plugin.
//
// A device here is a unit of an extended resource (a resource with a domain
// that is not Kubernetes' own, such as nvidia.com/gpu) that a Matcher accepts and
// that is not taken for a counter. Counts come from where the scheduler takes its
// own: allocatable from the node's status, requested from the pods assigned to it.
// Which of its devices a node hands to a pod is the kubelet's business.
//
// A counter is an extended resource of which there is enough, such as the 1,000
// uses of /dev/kvm that each node of some clusters offers. What a resource is taken
// for is decided by the first of these that applies (names.go, verdict.go):
//
//  1. A pattern of the configuration excludes it, or none matches it: no device.
//  2. A pattern other than "*" matches it: a device.
//  3. Its name is known, to be that of a counter, or of devices.
//  4. A node has more than 16 units of it: a counter.
//  5. 90 percent of the nodes have it, those of the control plane apart: a counter.
//  6. It is a device.
//
// 4 and 5 have margins: they hold until no node has more than 8 units, and until
// less than 75 percent of the nodes have it. Pods, and what they ask for, have no
// say: a cluster that has just started has none, and a verdict that moves with them
// would move pods in turn.
//
// Devices that are away for a moment, because their plugin restarts, still count
// where a node's CPU and memory are kept for them: see View.WithAway.
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
