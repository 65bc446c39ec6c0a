// Package dra counts the devices that nodes offer through dynamic resource
// allocation (DRA), by device class: an Inventory is the device.ClassInventory
// of a cluster that has it.
//
// What is counted comes from ResourceSlices, ResourceClaims, DeviceClasses and
// DeviceTaintRules. Which devices a claim gets is the allocator's business: see
// Inventory for what of its rules is followed, and what is left out of account.
//
// Events do the work, one after the other: each brings the supply up to date,
// counts the nodes anew whose devices it may change, and publishes a snapshot. Looking up
// what a node has in a snapshot takes no lock and does not allocate.
package dra
