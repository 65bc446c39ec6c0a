// Package rejection has what it takes for a plugin to reject nodes for load in
// Filter: which pods no node is rejected for, and the statuses to reject with.
package rejection

import (
	"sync/atomic"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/apis/scheduling"

	"github.com/plimsoll-scheduler/plimsoll/pkg/load"
)

// IsExempt reports whether no node is ever rejected for load for the pod: a
// DaemonSet's pod has no other node to go to, and a critical one must run.
func IsExempt(pod *v1.Pod) bool {
	if pod.Spec.Priority != nil && *pod.Spec.Priority >= scheduling.SystemCriticalPriority {
		return true
	}
	owner := metav1.GetControllerOfNoCopy(pod)
	return owner != nil && owner.Kind == "DaemonSet"
}

// Statuses holds the statuses to reject nodes with, so that Filter allocates
// none. The framework writes its plugin's name into a status that it is given,
// and runs Filter for many nodes at once: hence one set for each node.
type Statuses struct {
	reasons   int
	newStatus func(reason int) *fwk.Status
	bySlot    atomic.Pointer[[][]*fwk.Status]
}

// NewStatuses returns statuses for the reasons below the number, each made by
// newStatus.
func NewStatuses(reasons int, newStatus func(reason int) *fwk.Status) *Statuses {
	s := &Statuses{reasons: reasons, newStatus: newStatus}
	s.bySlot.Store(&[][]*fwk.Status{})
	return s
}

// Grow sees to it that the nodes of slots below n have their statuses. It is
// called by one goroutine at a time.
func (s *Statuses) Grow(n int) {
	have := *s.bySlot.Load()
	if n <= len(have) {
		return
	}
	grown := append(make([][]*fwk.Status, 0, n), have...)
	for len(grown) < n {
		set := make([]*fwk.Status, s.reasons)
		for reason := range set {
			set[reason] = s.newStatus(reason)
		}
		grown = append(grown, set)
	}
	s.bySlot.Store(&grown)
}

// For returns the status to reject the node with. It is made only now if the
// load model has not heard of the node yet, which then is nil, or if Grow was
// not called for its slot.
func (s *Statuses) For(node *load.Node, reason int) *fwk.Status {
	bySlot := *s.bySlot.Load()
	if node == nil || node.Slot >= len(bySlot) {
		return s.newStatus(reason)
	}
	return bySlot[node.Slot][reason]
}
