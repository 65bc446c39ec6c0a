package devicefit

import (
	"fmt"
	"iter"

	"github.com/plimsoll-scheduler/plimsoll/pkg/explain"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load"
)

// account is DeviceFit's part in the explanation of a cycle.
type account struct {
	// fragments are how the fragmentation of each node would change; nil if nodes are
	// not ranked by that.
	fragments explain.Fragments
}

var _ explain.Account = &account{}

// Reason returns the only reason for which nodes are rejected.
func (a *account) Reason(int) string { return strandsDevices }

// Describe shows how the node's fragmentation would change.
func (a *account) Describe(e *explain.Entry, node *load.Node, made explain.Outcome) {
	e.DeviceFit = made
	if fragmentation, known := a.fragments.At(node.Slot); known && made.Score != nil {
		e.SetFragmentation(fragmentation)
	}
}

// WaitsFor says what has to happen for one of the nodes to have enough headroom.
func (a *account) WaitsFor(rejected iter.Seq2[*load.Node, int]) string {
	nodes := 0
	for range rejected {
		nodes++
	}
	if nodes == 0 {
		return ""
	}
	return fmt.Sprintf("the predicted use of one of %d node(s) to fall, or its free devices to be taken, so that enough headroom is left for each", nodes)
}
