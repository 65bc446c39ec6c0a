package explain

import (
	fwk "k8s.io/kube-scheduler/framework"
)

// Marks is what a plugin made of each node in a scheduling cycle, a byte a
// node, by the node's slot in the load model's view. Plugins write to it from
// many goroutines, each node's byte from one.
type Marks []uint8

const (
	unseen     = 0
	firstScore = 1   // a score of 0
	fits       = 127 // not rejected, and not scored (the framework scores no single node)
	firstWhy   = 128 // a rejection for reason 0
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

// Fragments is the fragmentation of each node in a scheduling cycle, before and
// after, by slot. Like Marks, it is written to from many goroutines.
type Fragments [][2]float32

// Note notes the node's.
func (f Fragments) Note(slot int, node Fragmentation) {
	if slot < len(f) {
		f[slot] = [2]float32{float32(node.Before), float32(node.After)}
	}
}

// At returns what was noted, and whether anything may have been.
func (f Fragments) At(slot int) (node Fragmentation, known bool) {
	if slot >= len(f) {
		return Fragmentation{}, false
	}
	return Fragmentation{Before: float64(f[slot][0]), After: float64(f[slot][1])}, true
}

// Trace is what the plugins noted in a scheduling cycle. It is in the cycle's
// state, where NodeLoad puts it and DeviceFit finds it.
type Trace struct {
	// Slot returns the slot of a node, and whether it has one.
	Slot                func(node string) (int, bool)
	NodeLoad, DeviceFit Marks // equally long
	// Fragmentation is DeviceFit's; nil if its strategy does not go by that.
	Fragmentation Fragments
}

// Considered are the slots of the nodes of which a plugin noted something.
func (t *Trace) Considered(yield func(slot int) bool) {
	deviceFit := t.DeviceFit[:len(t.NodeLoad)]
	for slot, mark := range t.NodeLoad {
		if mark|deviceFit[slot] != unseen && !yield(slot) {
			return
		}
	}
}

const traceKey fwk.StateKey = "plimsoll.io/explain"

// Clone returns a trace that notes nothing: copies of a cycle's state are for
// trying things out.
func (t *Trace) Clone() fwk.StateData {
	return &Trace{Slot: func(string) (int, bool) { return 0, false }}
}

// Begin puts a trace into the cycle's state.
func Begin(state fwk.CycleState, t *Trace) { state.Write(traceKey, t) }

// Of returns the cycle's trace, or nil if nothing is noted.
func Of(state fwk.CycleState) *Trace {
	data, err := state.Read(traceKey)
	if err != nil {
		return nil
	}
	return data.(*Trace)
}
