// Package scenarios has the whole way of a device on real nodes: a device plugin registers
// with the kubelet and reports its devices, Plimsoll places pods that ask for some, the
// kubelet has the plugin allocate them, containers use them; and what can go wrong on it.
//
// All run on one cluster with one real node, on which Plimsoll runs from its own image,
// and one simulated node. After each step of each scenario it is checked that what
// containers see, what the kubelet says and what Plimsoll counts are the same devices.
package scenarios
