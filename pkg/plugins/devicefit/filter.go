package devicefit

import (
	"context"
	"math"

	v1 "k8s.io/api/core/v1"
	fwk "k8s.io/kube-scheduler/framework"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/device"
	"github.com/plimsoll-scheduler/plimsoll/pkg/line"
)

// strandsDevices is for which a node is rejected, as users see it in events. The
// scheduler counts nodes by it, so it holds no numbers.
const strandsDevices = "node(s) would strand free devices"

// newStatus returns the status to reject a node with. Preemption is of no help:
// what a pod without devices could evict is other pods without devices, and
// what those leave is for the devices.
func newStatus(int) *fwk.Status {
	return fwk.NewStatus(fwk.UnschedulableAndUnresolvable, strandsDevices)
}

// spare returns how much of a node's headroom its free devices do not need, each
// perDevice:
//
//	headroom - perDevice x free
//
// It is line.Unlimited for a resource of which they need nothing, and below 0 if
// there is less than they need.
func spare(headroom, perDevice amount.Vector, free int64) (room amount.Vector) {
	for r := range room {
		switch {
		case perDevice[r] == 0:
			room[r] = line.Unlimited
		case free > math.MaxInt64/perDevice[r] || headroom[r] < math.MinInt64+perDevice[r]*free:
			room[r] = math.MinInt64
		default:
			room[r] = headroom[r] - perDevice[r]*free
		}
	}
	return room
}

// strands reports whether a pod that is expected to use this much would take what
// the free devices of a node need.
func strands(use, spare amount.Vector) bool {
	for r := range use {
		if use[r] > spare[r] {
			return true
		}
	}
	return false
}

// Filter rejects a node on which a pod without devices would strand those that
// are free.
func (pl *DeviceFit) Filter(_ context.Context, state fwk.CycleState, pod *v1.Pod, nodeInfo fwk.NodeInfo) *fwk.Status {
	if pod.Spec.NodeName != "" {
		return nil
	}
	c := pl.cycleOf(state, pod)
	if !c.mayStrand {
		return nil // PreFilter skips these, but a profile may enable Filter alone
	}
	var buffer [device.UsualKinds]device.Stock
	node := c.view.NodeOf(nodeInfo)
	left := pl.remains(c, nodeInfo, node, buffer[:0])
	headroom, measured := pl.headroom(&left, nodeInfo)
	if left.free == 0 || !strands(c.Use, spare(headroom, pl.perDevice, left.free)) {
		if node != nil {
			c.marks.Fit(node.Slot)
		}
		return nil
	}
	pl.rejecting.note(node, hadDevices{free: left.free, mark: c.devices.Mark(nodeInfo.Node().Name)}, measured)
	if node != nil {
		c.marks.Reject(node.Slot, 0)
	}
	if c.trial {
		c.attempt.RejectTrial(node, allocatableOf(nodeInfo))
	} else {
		c.attempt.Reject(node, allocatableOf(nodeInfo), 0)
	}
	return pl.statuses.For(node, 0)
}

// headroom returns the node's headroom, and whether that is by its measured use.
// Where this is not known, what its pods request stands in.
func (pl *DeviceFit) headroom(left *remains, nodeInfo fwk.NodeInfo) (_ amount.Vector, measured bool) {
	if left.measured {
		return left.Headroom, true
	}
	requested := nodeInfo.GetNonZeroRequested()
	use := pl.model.Requested(amount.Vector{amount.CPU: requested.GetMilliCPU(), amount.Memory: requested.GetMemory()})
	return left.of.Sub(use), false
}

func allocatableOf(nodeInfo fwk.NodeInfo) amount.Vector {
	allocatable := nodeInfo.GetAllocatable()
	return amount.Vector{amount.CPU: allocatable.GetMilliCPU(), amount.Memory: allocatable.GetMemory()}
}
