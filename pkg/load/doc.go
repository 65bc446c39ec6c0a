// Package load is the load model: how loaded each node is now, and how loaded
// it will be once the pods that were just sent to it have started.
//
// The data flows one way:
//
//	Source -> Model (samples, in-flight ledger) -> View
//
// A Source reports what nodes use. A Model polls it, keeps the newest sample of
// each node, and keeps a ledger of the pods in flight: those assigned to a node
// whose use the node's sample cannot show yet. A View is an immutable picture
// of both, taken once a scheduling cycle, from which
//
//	predicted use = measured use + estimates of the pods in flight
//
// is read without a lock and without allocating.
//
// A process has one Model, shared by all scheduling profiles. It knows nothing
// of plugins. It also runs on standby replicas, so that a new leader starts
// with a warm model.
package load
