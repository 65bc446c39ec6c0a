// Package devicefit is the DeviceFit plugin of the scheduler framework: it
// places pods by the devices that nodes have left.
//
// A pod that asks for devices goes where it leaves the most of the free devices
// of use to the pods that the cluster typically runs (LeastFragmentation, see
// package fragmentation), or to the node whose devices are the most or the least
// in use. A device is of use only where the node's live headroom, too, would
// feed the pod that takes it. A pod that asks for none stays off nodes with free
// devices, because each of those will need host CPU and memory that the pod
// would take; with headroomPerDevice such a node rejects it (filter.go).
//
// Devices that are away for a moment, because their device plugin restarts, are as
// good as free for pods without devices, and not there for those with.
//
// Live headroom is how far a node's predicted use is below its load line. The
// line is that of NodeLoad in the same profile, or all of allocatable. Where a
// node's use is not known, requests alone count.
//
// Devices that a node offers through dynamic resource allocation count as those
// of its device plugins do; a device class is a kind of device (see Inventory in
// package dra). A pod whose claims are allocated already, or are for classes
// that do not count, is not ranked, but it is no pod without devices either.
//
// Whether a node has enough devices at all is decided by NodeResourcesFit and
// DynamicResources, and which of them a pod gets by the kubelet and by the
// allocator of dynamic resource allocation.
package devicefit
