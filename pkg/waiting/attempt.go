package waiting

import (
	"math/bits"
	"sync/atomic"
	"time"

	v1 "k8s.io/api/core/v1"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load"
)

// Attempt is one try to place a pod: which nodes the plugin rejected, by their
// slot in the load model. Reject and Wish may be called from many goroutines, take
// no lock and allocate nothing; they do nothing on a nil Attempt.
type Attempt struct {
	pod     *v1.Pod
	key     string // namespace/name
	group   string // namespace/name of its pod group, if it was tried as a member
	before  History
	now     time.Time
	epoch   uint64 // of the view
	polls   uint64 // PodPolls of the view
	counted *atomic.Uint64
	retell  func()
	// vain is how many attempts in a row came of waking the pod, this one included.
	vain int
	// told is the number of rounds as of which what was rejected is looked at, or
	// will be.
	told atomic.Uint64

	slots    []atomic.Uint64 // a bit for each node
	rejected atomic.Bool
	reasons  atomic.Uint32
	largest  [amount.NumResources]atomic.Int64
	wished   atomic.Bool

	// wakes is how often the attempt was woken, and wokenAt when last. placed is
	// where the pod was placed, of a member of a group: its slot, or below 0. Set.mu
	// guards them.
	wakes   int
	wokenAt time.Time
	placed  int

	// need is what the pod needed when a round asked last, at askedAt, and asked how
	// it was then. Rounds alone use them.
	need    amount.Vector
	asked   *v1.Pod
	askedAt time.Time
}

// History is what earlier attempts at a pod have left.
type History struct {
	// Since is when the pod was first rejected; zero if it never was.
	Since time.Time
	// Largest is the most that one of the nodes could allocate, of each resource,
	// that rejected it in its last attempt with any.
	Largest amount.Vector
}

// Rejected reports whether the pod was ever rejected.
func (h *History) Rejected() bool { return !h.Since.IsZero() }

// Before returns what the attempts before have left.
func (a *Attempt) Before() History { return a.before }

// Reject notes that the plugin rejects the node, which is nil if the view does
// not have it and can allocate this much, for a reason from 0 to 31.
func (a *Attempt) Reject(node *load.Node, allocatable amount.Vector, reason int) {
	if a == nil {
		return
	}
	// Most rejections are for the same reason: writing it once spares the others the
	// fight over the memory that it is in.
	if bit := uint32(1) << reason; a.reasons.Load()&bit == 0 {
		a.reasons.Or(bit)
	}
	a.reject(node, allocatable)
}

// RejectTrial is Reject for a node as it would be without, or with, some pods,
// as preemption tries it. It is no reason that the attempt counts for.
func (a *Attempt) RejectTrial(node *load.Node, allocatable amount.Vector) {
	if a != nil {
		a.reject(node, allocatable)
	}
}

func (a *Attempt) reject(node *load.Node, allocatable amount.Vector) {
	for r := range a.largest {
		for most := a.largest[r].Load(); allocatable[r] > most; most = a.largest[r].Load() {
			if a.largest[r].CompareAndSwap(most, allocatable[r]) {
				break
			}
		}
	}
	if node != nil && node.Slot/64 < len(a.slots) {
		a.slots[node.Slot/64].Or(1 << (node.Slot % 64))
	}
	if !a.rejected.Load() {
		a.rejected.Store(true)
	}
	a.tell()
}

// Wish notes that it would help to know more of what single pods use than the
// view does: preemption could not tell which of them to evict.
func (a *Attempt) Wish() {
	if a == nil {
		return
	}
	a.wished.Store(true)
	a.tell()
}

// tell asks for a round if one has begun since the attempt did, which may have
// looked at the attempt before what is to be told.
func (a *Attempt) tell() {
	if rounds := a.counted.Load(); rounds != a.told.Load() {
		a.told.Store(rounds)
		a.retell()
	}
}

// granted reports whether more may be known by now than preemption knew.
func (a *Attempt) granted(podPolls uint64) bool { return a.wished.Load() && a.polls < podPolls }

// history returns what the attempt and those before it have left.
func (a *Attempt) history() History {
	h := a.before
	if !a.rejected.Load() {
		return h
	}
	if !h.Rejected() {
		h.Since = a.now
	}
	for r := range h.Largest {
		h.Largest[r] = a.largest[r].Load()
	}
	return h
}

// inherit takes over the rejections of an attempt before.
func (a *Attempt) inherit(before *Attempt) {
	for i := range min(len(a.slots), len(before.slots)) {
		a.slots[i].Store(before.slots[i].Load())
	}
	for r := range a.largest {
		a.largest[r].Store(before.largest[r].Load())
	}
	a.rejected.Store(before.rejected.Load())
	a.epoch = min(a.epoch, before.epoch)
}

// each yields the slots of the nodes that rejected the pod and are in both sets.
func (a *Attempt) each(one, other set) func(yield func(slot int) bool) {
	return func(yield func(slot int) bool) {
		for i := range min(len(a.slots), len(one), len(other)) {
			for word := one[i] & other[i] & a.slots[i].Load(); word != 0; word &= word - 1 {
				if !yield(64*i + bits.TrailingZeros64(word)) {
					return
				}
			}
		}
	}
}

// set is a set of nodes by their slot.
type set []uint64

func newSet(slots int) set { return make(set, words(slots)) }

// words is how many words a bit for each slot takes: 79 for 5,000 nodes.
func words(slots int) int { return (slots + 63) / 64 }

func (s set) add(slot int) { s[slot/64] |= 1 << (slot % 64) }

func (s set) remove(slot int) { s[slot/64] &^= 1 << (slot % 64) }

func (s set) has(slot int) bool { return s[slot/64]&(1<<(slot%64)) != 0 }
