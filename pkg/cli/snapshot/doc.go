// Package snapshot is the command kubectl plimsoll snapshot: it writes what kubectl
// plimsoll simulate --cluster needs of a cluster to a directory.
//
// Nodes, pods and their metrics are read from the API server. With a Prometheus, what
// happened before is recorded as well: when pods came and went, and what they used.
// What simulations do not need, such as the environment of containers, is not written.
package snapshot
