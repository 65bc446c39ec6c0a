// Package nodeload is the NodeLoad plugin of the scheduler framework: it keeps
// nodes below a line of measured use, and prefers those furthest below it.
//
// A node's predicted use is what the load model measured there, and the estimates
// of the pods in flight to it, and that of the pod to be placed. Filter rejects a
// node whose prediction is above a threshold (filter.go); Score ranks by the
// distance to it (score.go). Both are pure functions over the view of the load model
// that PreFilter took for the scheduling cycle, and over what the pod asks for
// (policy.go).
//
// A pod that was rejected is put back into the queue as soon as one of the nodes
// that rejected it would take it (wait.go, and package waiting).
package nodeload
