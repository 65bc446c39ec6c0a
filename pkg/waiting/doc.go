// Package waiting keeps the pods that wait because a plugin rejected nodes for
// load, and puts each back into the scheduling queue when one of those nodes
// would take it.
//
// A drop in measured load is no event of the cluster, so without this a pod would
// wait for the five minutes after which the queue retries everything. And only the
// pods that a node would take now are woken, not all: room for three wakes three,
// in the order of the queue.
//
// What is remembered does not depend on how a scheduling cycle ends, or on which
// plugin ends it:
//
//	Set.Begin       a pod is tried: its Attempt begins, and is remembered
//	Attempt.Reject  Filter rejects a node: one bit, without a lock
//	Set.Wake        a round: looks at all attempts, whether they are over or not
//	Set.Reserve     the pod is placed; Set.Unreserve, that was taken back
//
// A pod is forgotten when it was placed without having been rejected, and else
// when a round sees it bound or gone.
//
// # Nothing is missed
//
// A round that runs while a pod is being tried may look at the attempt before
// Filter has rejected the node that has room by now, which Filter does by the older
// view of the attempt. So an attempt knows how many rounds had begun before its
// view was taken, and a rejection that comes after the begin of another one asks
// for one more. The order of steps makes that sure:
//
//	a round:    count it; take the view; read the bits
//	a rejection: set the bit; read the count
//
// Either the round reads the bit, or the rejection reads the count. A change after
// the view of the round was taken is told by the load model after it, which makes
// another round.
//
// Activating a pod that is being tried is not lost: the scheduling queue retries it
// when the attempt fails. That of a pod that another plugin holds back (PreEnqueue)
// is, so a pod that was woken and not tried since is woken again. Both are bounded:
// such a pod is woken after 1, 2, 4 seconds and so on, and one that is tried again
// and again in vain rests in between.
//
// # Pod groups
//
// A group is woken through its members, when all that found no room in its last
// attempt find some together (group.go).
package waiting
