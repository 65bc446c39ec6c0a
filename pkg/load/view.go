package load

import (
	"math/rand/v2"
	"sync/atomic"
	"time"

	fwk "k8s.io/kube-scheduler/framework"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/demand"
	"github.com/plimsoll-scheduler/plimsoll/pkg/line"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load/history"
)

// State says whether a node's measured use can be believed.
type State int

// The states of a node.
const (
	// Missing: no sample was ever seen.
	Missing State = iota
	// Stale: the newest sample is older than the expiration.
	Stale
	// Fresh: the newest sample is recent.
	Fresh
)

// String returns the state's name.
func (s State) String() string {
	return [...]string{Missing: "Missing", Stale: "Stale", Fresh: "Fresh"}[s]
}

// Node is what the model knew of a node when the view was taken. It must not
// be changed.
//
// Filter and Score look at hundreds of nodes a pod, of which few are in a processor's
// cache. So what all of them read is in its first 64 bytes, and what LeastExpectedLoss
// reads besides in one piece of 128. (A test says so.)
type Node struct {
	// Slot numbers the node, from 0, below View.Slots. It is stable for as long
	// as the node exists, and reused after that.
	Slot int
	// Sampled says that there is a sample. seenAt, Measured, Deviation and
	// CoveredSeconds are valid only if there is.
	Sampled bool
	// Inherited says that pods were on it before the model began: see View.Awaits.
	Inherited bool
	// Version tells what was known of the node at one time from what was at another.
	Version uint32
	// seenAt is the time by our clock from which the newest sample's age counts, in
	// nanoseconds since 1970.
	seenAt int64
	// Own are thresholds of its own, from its annotations; nil if it has none.
	Own *line.Own
	// Predicted is what Measured will be once the pods in flight have been
	// running for as long as the window.
	Predicted history.Statistics
	// Measured is each statistic of the samples in the window.
	Measured history.Statistics

	// Deviation is the standard deviation of the samples in the window.
	Deviation amount.Vector
	// Demand is the sum of the demands of the pods on the node that samples show, at
	// least in part, and Unseen of those that none shows, which the prediction has
	// with UnseenUse. The demands are zero unless the model is to know them: see
	// Model.KnowDemands.
	Demand, Unseen demand.Compact
	UnseenUse      amount.Vector

	// Allocatable is from the node's status.
	Allocatable amount.Vector
	// Requested is what the requests of the pods on the node suggest that they use.
	Requested amount.Vector
	// ClockSkew is by how much the node's clock is ahead of ours where that is too
	// much to be believed, else 0.
	ClockSkew time.Duration
	// CoveredSeconds is how much of the window the samples in it stand for.
	CoveredSeconds float32
	Name           string
	// Born is larger than the Epoch of each view that does not have the node.
	Born uint64
}

// InFlight returns how much of the prediction is not measured yet.
func (n *Node) InFlight(s Statistic) amount.Vector { return n.Predicted[s].Sub(n.Measured[s]) }

// Short reports of which resources n, which may be nil, has too little for its pods, so
// that they may get less than they would use: its newest sample shows that 90 % of what
// it can allocate is in use, or more. Without a fresh sample it is not known to have.
func (v *View) Short(n *Node) (short [amount.NumResources]bool) {
	if v.State(n) != Fresh {
		return short
	}
	return shortOf(n.Measured[Latest], n.Allocatable)
}

// Largest returns the most that any node can allocate of each resource.
func (v *View) Largest() amount.Vector {
	if v.snapshot == nil {
		return amount.Vector{}
	}
	return v.largest
}

// View is an immutable picture of all nodes at one moment. Its methods take no
// lock and allocate nothing.
type View struct {
	*snapshot
	// Now is when the view was taken.
	Now time.Time
	// PodPolls is how often single pods had been measured (see Model.Relief).
	PodPolls uint64
	// Epoch grows with each node that is added: see Node.Born.
	Epoch      uint64
	expiration time.Duration
	newest     time.Time // when the newest sample of all nodes was seen
	awaited    time.Time // see Awaits
}

// Node returns what is known of the named node, or nil if it is not known.
func (v *View) Node(name string) *Node {
	slot, ok := v.index.slots[name]
	if !ok {
		return nil
	}
	return v.at(slot)
}

// NodeOf is Node by what the scheduler knows of the node, and a few times as fast.
func (v *View) NodeOf(nodeInfo fwk.NodeInfo) *Node {
	generation := nodeInfo.GetGeneration()
	if slot, ok := v.index.memo.slot(generation); ok {
		return v.at(slot)
	}
	slot, ok := v.index.slots[nodeInfo.Node().Name]
	if !ok {
		return nil
	}
	v.index.memo.note(generation, slot)
	return v.at(slot)
}

// Slot returns the slot of the named node, and whether it is known.
func (v *View) Slot(name string) (slot int, known bool) {
	slot, known = v.index.slots[name]
	return slot, known
}

// At returns the node in the slot, which must be below Slots; nil if it is free.
func (v *View) At(slot int) *Node { return v.at(slot) }

// State returns the state of n, which may be nil.
func (v *View) State(n *Node) State {
	switch {
	case n == nil || !n.Sampled:
		return Missing
	case v.Age(n) > v.expiration:
		return Stale
	default:
		return Fresh
	}
}

const (
	// outageHold is how long a node is judged by what was last known of it in an
	// outage of the source as a whole, and outageFade how long it takes from then
	// on until it is judged by the requests of its pods alone.
	outageHold = 10 * time.Minute
	outageFade = 20 * time.Minute
)

// Use returns the use by which n, which may be nil, is judged, and whether
// anything is known of it. What is not known is not judged: requests alone limit
// what the node takes.
//
// Absence of news is no good news. A node whose samples stop while others are
// measured is judged by what was last predicted of it, with what is in flight, and
// never by less than its pods request. If no node is measured any more it is the
// source that fails: then what was last known holds for outageHold, and gives way
// to requests within outageFade, so that an outage neither lets all pods in at once
// that wait for load, nor keeps them out for as long as it lasts.
func (v *View) Use(n *Node, s Statistic) (use amount.Vector, known bool) {
	switch v.State(n) {
	case Missing:
		return amount.Vector{}, false
	case Fresh:
		return n.Predicted[s], true
	}
	last := n.Predicted[s].Max(n.Requested)
	outage := v.Now.Sub(v.newest) - v.expiration
	switch {
	case outage <= outageHold:
		return last, true
	case outage >= outageHold+outageFade:
		return amount.Vector{}, false
	}
	left := 1 - (outage-outageHold).Seconds()/outageFade.Seconds()
	return n.Requested.Add(last.Sub(n.Requested).Scaled(left)), true
}

// firstSample is how long after the first poll the first sample of a node may be
// expected: metrics-server, if it has been restarted too, knows nothing before it has
// scraped a node twice, 15 s apart or a bit more, and then it is to be polled.
const firstSample = time.Minute

// Awaits reports whether n, which may be nil, is to be measured first: pods run on it
// that were there before us, and its first sample may yet come. By requests alone a
// hot node would look like any other. Where no source is served none comes.
func (v *View) Awaits(n *Node) bool {
	return n != nil && !n.Sampled && n.Inherited && v.Now.Before(v.awaited)
}

// Age returns how old n's sample is. It means something only if n is sampled.
func (v *View) Age(n *Node) time.Duration { return time.Duration(v.Now.UnixNano() - n.seenAt) }

// Slots returns the number of slots in use or free: at least one more than the highest
// slot of a node.
func (v *View) Slots() int { return v.chunks * chunkSize }

// All calls yield for each node, in the order of slots, until it returns false.
func (v *View) All(yield func(*Node) bool) {
	for slot := range v.Slots() {
		if n := v.at(slot); n != nil && !yield(n) {
			return
		}
	}
}

// chunkSize and groupSize balance what a change copies (one chunk, one group, and the
// list of groups), which at 5,000 nodes is 512 B + 128 B + 40 B.
const (
	chunkSize = 64
	groupSize = 16
)

// chunk is a run of slots; a free slot is nil.
type chunk [chunkSize]*Node

// group is a run of chunks.
type group [groupSize]*chunk

// snapshot is a three-level array that is never changed once published: a new
// version shares all chunks with the old one but those with changed nodes.
type snapshot struct {
	index  *index // shared until nodes come or go
	groups []*group
	few    [16]*group // which groups is part of while they are no more
	chunks int        // in the groups: only the last may have fewer than groupSize
	// largest is the most that any node can allocate of each resource.
	largest amount.Vector
}

func (s *snapshot) at(slot int) *Node {
	return s.groups[slot/(groupSize*chunkSize)][slot/chunkSize%groupSize][slot%chunkSize]
}

// next returns a version of s that is to be changed before it is published.
func (s *snapshot) next() *snapshot {
	next := *s
	next.groups = append(next.few[:0], s.groups...)
	return &next
}

// put has the slot hold the node, nil to free it, in a version that is not published
// yet: the chunk, if it is shared with the one before, is copied.
func (s *snapshot) put(slot int, node *Node, before *snapshot) {
	index := slot / chunkSize
	for ; s.chunks <= index; s.chunks++ {
		s.groupOf(s.chunks, before)[s.chunks%groupSize] = &chunk{}
	}
	c := &s.groupOf(index, before)[index%groupSize]
	if index < before.chunks && *c == before.groups[index/groupSize][index%groupSize] {
		fresh := **c
		*c = &fresh
	}
	(*c)[slot%chunkSize] = node
}

// groupOf returns the group of a chunk, a copy if it is shared with the version before.
// That of the chunk after the last one is made if need be.
func (s *snapshot) groupOf(chunk int, before *snapshot) *group {
	i := chunk / groupSize
	if i == len(s.groups) {
		s.groups = append(s.groups, &group{})
	}
	if i < len(before.groups) && s.groups[i] == before.groups[i] {
		fresh := *s.groups[i]
		s.groups[i] = &fresh
	}
	return s.groups[i]
}

// index has the slots of all nodes.
type index struct {
	slots map[string]int // by name
	memo  memo
}

func newIndex(slots map[string]int) *index {
	size := memoWays
	for size < 2*len(slots) {
		size *= 2
	}
	return &index{slots: slots, memo: make(memo, size)}
}

// memo remembers the slots of nodes by the generation of the scheduler's
// NodeInfo, a number that each change of one gets anew, so that no two nodes
// ever have the same. It saves most lookups by name, which read half a dozen
// places in memory. It belongs to an index: slots are reused once that is
// replaced.
//
// An entry is one word, so no lock is needed, and holds generation and slot + 1. Each
// generation has memoWays entries to be in, beside each other, which it shares with others:
// with one, a fourth of the nodes would keep another from being remembered, and be kept by
// it. The number of entries is a power of two.
type memo []atomic.Uint64

// memoWays is how many entries a generation may be in: half of what a processor fetches at
// once.
const memoWays = 4

// slotBits is for how many nodes entries have room, 16 million. The rest is for
// generations: ten thousand changes a second for three years. What is beyond is
// not remembered.
const slotBits = 24

// entries are those that the generation may be in.
func (m memo) entries(generation int64) []atomic.Uint64 {
	first := int(generation) * memoWays & (len(m) - 1)
	return m[first : first+memoWays]
}

func (m memo) slot(generation int64) (slot int, known bool) {
	entries := m.entries(generation)
	for i := range entries {
		if entry := entries[i].Load(); entry>>slotBits == uint64(generation) && entry != 0 {
			return int(entry&(1<<slotBits-1)) - 1, true
		}
	}
	return -1, false
}

// note remembers the slot of a generation, in the place of any other: which one is left to
// chance, because what is remembered may be of nodes that are asked for all the time, or of
// generations that nobody asks for any more.
func (m memo) note(generation int64, slot int) {
	if generation > 0 && slot < 1<<slotBits-1 {
		m.entries(generation)[rand.IntN(memoWays)].Store(uint64(generation)<<slotBits | uint64(slot+1))
	}
}
