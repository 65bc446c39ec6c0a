package load

import "time"

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
type Node struct {
	Name string
	// Slot numbers the node, from 0, below View.Slots. It is stable for as long
	// as the node exists, and reused after that.
	Slot int
	// Allocatable is from the node's status, Thresholds from its annotations.
	Allocatable Amounts
	Thresholds  Thresholds
	// Sample is the newest sample. It, and Measured, Deviation and Covered, are
	// valid only if Sampled.
	Sample  Sample
	Sampled bool
	// Measured is each statistic of the samples in the window, Deviation their
	// standard deviation, and Covered how much of the window they stand for.
	Measured  Statistics
	Deviation Amounts
	Covered   time.Duration
	// Predicted is what Measured will be once the pods in flight have been
	// running for as long as the window.
	Predicted Statistics
}

// InFlight returns how much of the prediction is not measured yet.
func (n *Node) InFlight(s Statistic) Amounts { return n.Predicted[s].Sub(n.Measured[s]) }

// Line returns the use at which n is at its load line: the percent of its
// allocatable that its annotation names, else the given one, of which 0 means
// all.
func (n *Node) Line(percent Amounts) Amounts {
	for r, p := range percent {
		if n.Thresholds.Set[r] {
			p = n.Thresholds.Percent[r]
		}
		if p == 0 {
			p = 100
		}
		percent[r] = int64(float64(p) / 100 * float64(n.Allocatable[r]))
	}
	return percent
}

// LargestShare is the part of the largest node's line that a pod counts for at
// the most when it is asked whether a node can take it.
//
// A pod that is estimated to use most of that line, or more, would find no node
// below it, and wait for ever where kube-scheduler places it. It gets a large
// node that is nearly idle.
const LargestShare = 2. / 3

// Most returns the most that a pod counts for, where the load line is at these
// percent of allocatable, of which 0 means all: see LargestShare.
func (v *View) Most(percent Amounts) Amounts {
	if v.snapshot == nil {
		return Amounts{}
	}
	return LargestShareOf(percent, v.largest)
}

// LargestShareOf returns LargestShare of the line of a node that is the largest
// one.
func LargestShareOf(percent, allocatable Amounts) Amounts {
	for r, p := range percent {
		if p == 0 {
			p = 100
		}
		percent[r] = int64(LargestShare * float64(p) / 100 * float64(allocatable[r]))
	}
	return percent
}

// Headroom returns how far n's predicted use is below its load line (see
// Line). It is negative for a node over the line.
func (n *Node) Headroom(s Statistic, percent Amounts) Amounts {
	return n.Line(percent).Sub(n.Predicted[s])
}

// View is an immutable picture of all nodes at one moment. Its methods take no
// lock and allocate nothing.
type View struct {
	*snapshot
	// Now is when the view was taken.
	Now time.Time
	// PodPolls is how often single pods had been measured (see Model.Relief).
	PodPolls   uint64
	expiration time.Duration
}

// Node returns what is known of the named node, or nil if it is not known.
func (v *View) Node(name string) *Node {
	slot, ok := v.index[name]
	if !ok {
		return nil
	}
	return v.at(slot)
}

// Slot returns the slot of the named node, and whether it is known.
func (v *View) Slot(name string) (slot int, known bool) {
	slot, known = v.index[name]
	return slot, known
}

// At returns the node in the slot, which must be below Slots; nil if it is free.
func (v *View) At(slot int) *Node { return v.at(slot) }

// State returns the state of n, which may be nil.
func (v *View) State(n *Node) State {
	switch {
	case n == nil || !n.Sampled:
		return Missing
	case v.Now.Sub(n.Sample.Timestamp) > v.expiration:
		return Stale
	default:
		return Fresh
	}
}

// Age returns how old n's sample is. It means something only if n is sampled.
func (v *View) Age(n *Node) time.Duration { return v.Now.Sub(n.Sample.Timestamp) }

// Slots returns the number of slots in use or free: one more than the highest
// slot of a node.
func (v *View) Slots() int { return len(v.chunks) * chunkSize }

// All calls yield for each node, in the order of slots, until it returns false.
func (v *View) All(yield func(*Node) bool) {
	for _, c := range v.chunks {
		for _, n := range c {
			if n != nil && !yield(n) {
				return
			}
		}
	}
}

// chunkSize balances what a change copies (one chunk, and the list of chunks):
// at 5,000 nodes that is 512 B + 632 B.
const chunkSize = 64

// chunk is a run of slots; a free slot is nil.
type chunk [chunkSize]*Node

// snapshot is a two-level array that is never changed once published: a new
// version shares all chunks with the old one but those with changed nodes.
type snapshot struct {
	index  map[string]int // node name to slot; shared until nodes come or go
	chunks []*chunk
	// largest is the most that any node can allocate of each resource.
	largest Amounts
}

func (s *snapshot) at(slot int) *Node { return s.chunks[slot/chunkSize][slot%chunkSize] }

// with returns a version of s in which the given slots hold the given nodes
// (nil frees a slot), and index, if not nil, replaces the index. largest is the
// caller's to set.
func (s *snapshot) with(changed map[int]*Node, index map[string]int) *snapshot {
	next := &snapshot{index: s.index, largest: s.largest, chunks: append([]*chunk(nil), s.chunks...)}
	if index != nil {
		next.index = index
	}
	copied := map[int]bool{}
	for slot, node := range changed {
		i := slot / chunkSize
		for i >= len(next.chunks) {
			next.chunks = append(next.chunks, &chunk{})
			copied[len(next.chunks)-1] = true
		}
		if !copied[i] {
			fresh := *next.chunks[i]
			next.chunks[i], copied[i] = &fresh, true
		}
		next.chunks[i][slot%chunkSize] = node
	}
	return next
}
