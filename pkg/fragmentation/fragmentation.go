// Package fragmentation measures how many of a node's free devices are of no
// use to the pods that the cluster typically runs.
//
// The idea is Fragmentation Gradient Descent (Weng et al., "Beware of
// Fragmentation: Scheduling GPU-Sharing Workloads with Fragmentation Gradient
// Descent", USENIX ATC 2023): keep the mix of pods that the cluster runs, and
// place each pod where it makes the fewest of the remaining devices unusable to
// a pod drawn from that mix. Here a device is usable only if the node's live
// headroom, too, would feed such a pod. Devices are whole: extended resources
// have no shares.
package fragmentation

import (
	"math"

	v1 "k8s.io/api/core/v1"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/device"
)

// Shape is what pods of one shape ask for.
type Shape struct {
	// Count is how many devices of the kind that the shape is listed under a pod
	// asks for, at least 1, and Others its devices of other kinds.
	Count int64
	// Requests is its CPU and memory requests, Use what it is expected to use.
	Requests, Use amount.Vector
	// Weight is the share of the shape in the demand for devices of its kind:
	// the weights of a kind add up to 1.
	Weight float64
	Others []device.Request
}

// Mix is the shapes of pods that a cluster runs, by kind of device. It is
// immutable. A shape with devices of several kinds is listed under each.
type Mix struct {
	kinds map[v1.ResourceName][]Shape
	other []Shape // of a kind that no pod has asked for yet
}

// Shapes returns the shapes that ask for the kind of device.
func (m *Mix) Shapes(kind v1.ResourceName) []Shape {
	if shapes, ok := m.kinds[kind]; ok {
		return shapes
	}
	return m.other
}

// Room is what a node has left for further pods, besides devices.
type Room struct {
	// Unrequested is what is allocatable and not requested.
	Unrequested amount.Vector
	// Headroom is how far the node's predicted use is below its load line;
	// Unlimited if that is not known.
	Headroom amount.Vector
	// Most is the most that one pod's use counts for (see line.Line.Cap).
	Most amount.Vector
}

// Unlimited returns the headroom of a node of whose use nothing is known: then
// requests alone limit what it takes.
func Unlimited() (a amount.Vector) {
	for r := range a {
		a[r] = math.MaxInt64
	}
	return a
}

// Without returns what is left once a pod with these requests and this use is
// placed.
func (r Room) Without(requests, use amount.Vector) Room {
	r.Unrequested = r.Unrequested.Sub(requests)
	for i, headroom := range r.Headroom {
		if headroom != math.MaxInt64 {
			r.Headroom[i] = headroom - use[i]
		}
	}
	return r
}

// Feeds reports whether there is live headroom for a pod with this use.
func (r *Room) Feeds(use *amount.Vector) bool {
	limits := r.limits()
	return limits.take(&amount.Vector{}, use)
}

// limits are the largest requests and use of a pod that would be fed.
type limits struct{ requests, use amount.Vector }

// limits are those of the room, so that what does not depend on the pod is done
// once for all shapes. A pod that asks for none of a resource is fed also where
// there is less than none left.
func (r *Room) limits() (l limits) {
	for i := range l.use {
		l.requests[i] = max(r.Unrequested[i], 0)
		if l.use[i] = max(r.Headroom[i], 0); l.use[i] >= r.Most[i] {
			l.use[i] = math.MaxInt64
		}
	}
	return l
}

// take reports whether a pod with these requests and this use would be fed.
func (l *limits) take(requests, use *amount.Vector) bool {
	for i := range requests {
		if requests[i] > l.requests[i] || use[i] > l.use[i] {
			return false
		}
	}
	return true
}

// Node is what a node has left.
type Node struct {
	Room
	// Devices are what it has of each kind.
	Devices []device.Stock
}

// free returns how many devices of the kind are free.
func (n *Node) free(kind v1.ResourceName) int64 {
	for i := range n.Devices {
		if n.Devices[i].Name == kind {
			return n.Devices[i].Free()
		}
	}
	return 0
}

// Of returns the fragmentation of the i-th kind of the node's devices, in
// devices: how many of the free ones a pod that asks for some is expected to
// find of no use:
//
//	F = free x sum over shapes of weight x (1 if the node cannot host one, else 0)
//
// (the paper's F_n(M), with whole devices). shapes are the mix's for that kind.
// The result is between 0 and the number of free devices.
func Of(shapes []Shape, n *Node, i int) float64 {
	free := n.Devices[i].Free()
	if free == 0 {
		return 0
	}
	unusable, room := 0.0, n.limits()
	for j := range shapes {
		if s := &shapes[j]; s.Count > free || !room.take(&s.Requests, &s.Use) || !n.hasOthers(s) {
			unusable += s.Weight
		}
	}
	return unusable * float64(free)
}

func (n *Node) hasOthers(s *Shape) bool {
	for i := range s.Others {
		if s.Others[i].Count > n.free(s.Others[i].Name) {
			return false
		}
	}
	return true
}
