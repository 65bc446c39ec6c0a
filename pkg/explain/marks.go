package explain

import "encoding/binary"

// Marks is what a plugin made of each node in a scheduling cycle, a byte a
// node, by the node's slot in the load model's view. Plugins write to it from
// many goroutines, each node's byte from one.
type Marks []uint8

const (
	unseen     = 0
	firstScore = 1   // a score of 0
	fits       = 127 // not rejected, and not scored (the framework scores no single node)
	firstWhy   = 128 // a rejection for reason 0
	maxReasons = 128
)

// Score notes the node's score, 0 to 100.
func (m Marks) Score(slot int, score int64) {
	if slot < len(m) {
		m[slot] = uint8(firstScore + score)
	}
}

// Fit notes that the node was not rejected.
func (m Marks) Fit(slot int) {
	if slot < len(m) {
		m[slot] = fits
	}
}

// Reject notes that the node was rejected, for one of up to 128 reasons.
func (m Marks) Reject(slot int, why int) {
	if slot < len(m) {
		m[slot] = uint8(firstWhy + why)
	}
}

// marksAtOnce is of how many nodes any looks at the marks.
const marksAtOnce = 8

// any reports whether something was noted of the nodes that begin with a slot; true if
// they are not all of this view.
func (m Marks) any(first int) bool {
	return first+marksAtOnce > len(m) || binary.NativeEndian.Uint64(m[first:]) != 0
}

// NotScored is At's value for a node that was neither rejected nor scored.
const NotScored = -1

// At returns what was noted of the node: whether anything was, whether it was
// rejected and for what, else its score or NotScored.
func (m Marks) At(slot int) (seen, rejected bool, value int64) {
	switch {
	case slot >= len(m) || m[slot] == unseen:
		return false, false, NotScored
	case m[slot] >= firstWhy:
		return true, true, int64(m[slot] - firstWhy)
	case m[slot] == fits:
		return true, false, NotScored
	}
	return true, false, int64(m[slot] - firstScore)
}

// outcome returns what was noted of the node as it is shown, with the score in to.
func (m Marks) outcome(slot int, reason func(why int) string, to *int64) (o Outcome) {
	seen, rejected, value := m.At(slot)
	switch {
	case rejected:
		o.Rejected = reason(int(value))
	case seen && value != NotScored:
		*to = value
		o.Score = to
	}
	return o
}

// Fragments is the fragmentation of each node in a scheduling cycle, before and
// after, by slot. Like Marks, it is written to from many goroutines.
type Fragments [][2]float32

// Note notes the node's, without and with the pod.
func (f Fragments) Note(slot int, before, after float32) {
	if slot < len(f) {
		f[slot] = [2]float32{before, after}
	}
}

// At returns what was noted, and whether anything may have been.
func (f Fragments) At(slot int) (node Fragmentation, known bool) {
	if slot >= len(f) {
		return Fragmentation{}, false
	}
	return Fragmentation{Before: float64(f[slot][0]), After: float64(f[slot][1])}, true
}
