// Package devicefit is the DeviceFit plugin of the scheduler framework: it
// ranks nodes by the devices that they have left.
//
// A pod that asks for devices is packed onto the nodes whose devices are most
// in use, or spread over those whose devices are least in use. A pod that asks
// for none stays off nodes with free devices, because each of those devices
// will need host CPU and memory that the pod would take.
//
// Whether a node has enough devices at all is decided by NodeResourcesFit.
// DeviceFit rejects no node.
//
// Devices that a node offers only through dynamic resource allocation have no
// count in the node's status, so DeviceFit does not see them: they make no
// node a device node, and a pod that asks for devices in this way alone is not
// ranked.
package devicefit
