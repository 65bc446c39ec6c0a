// Package load is the load model: how loaded each node is now, and how loaded
// it will be once the pods that were just sent to it have started.
//
// The data flows one way:
//
//	Source -> history and ledger -> prediction -> View
//
// A Source reports what nodes and pods use. The Model polls it, keeps the samples
// of each node for a while (package history), and one record a pod (package
// ledger), which says what of the pod's use the samples show. From both follows
// what each node will use (ledger.Predict). What the pods of a workload use is the
// estimate for its next one (package workload). A View is an immutable picture of
// all nodes, taken once a scheduling cycle, that is read without a lock and
// without allocating.
//
// The Model is a lock around parts that do not know it. A process has one, shared
// by all scheduling profiles. It knows nothing of plugins. It also runs on standby
// replicas, so that a new leader starts with a warm model.
package load
