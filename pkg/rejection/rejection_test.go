package rejection

import (
	"strconv"
	"sync"
	"testing"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/apis/scheduling"
	st "k8s.io/kubernetes/pkg/scheduler/testing"

	"github.com/plimsoll-scheduler/plimsoll/pkg/load"
)

func TestIsExempt(t *testing.T) {
	owned := func(kind string, controls bool) *v1.Pod {
		pod := st.MakePod().Obj()
		pod.OwnerReferences = []metav1.OwnerReference{{Kind: kind, Name: "owner", Controller: &controls}}
		return pod
	}
	tests := []struct {
		name string
		pod  *v1.Pod
		want bool
	}{
		{"no priority", st.MakePod().Obj(), false},
		{"the highest priority of users", st.MakePod().Priority(scheduling.HighestUserDefinablePriority).Obj(), false},
		{"just below critical", st.MakePod().Priority(scheduling.SystemCriticalPriority - 1).Obj(), false},
		{"system-cluster-critical", st.MakePod().Priority(scheduling.SystemCriticalPriority).Obj(), true},
		{"system-node-critical", st.MakePod().Priority(scheduling.SystemCriticalPriority + 1000).Obj(), true},
		{"of a DaemonSet", owned("DaemonSet", true), true},
		{"of a DaemonSet that does not control it", owned("DaemonSet", false), false},
		{"of a ReplicaSet", owned("ReplicaSet", true), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := IsExempt(tt.pod); got != tt.want {
				t.Errorf("IsExempt = %v, want %v", got, tt.want)
			}
		})
	}
}

func newStatuses() *Statuses {
	return NewStatuses(2, func(reason int) *fwk.Status {
		return fwk.NewStatus(fwk.Unschedulable, "reason "+strconv.Itoa(reason))
	})
}

func TestStatusesAreOneForEachNodeAndReason(t *testing.T) {
	s := newStatuses()
	s.Grow(3)
	seen := map[*fwk.Status]bool{}
	for slot := range 3 {
		for reason := range 2 {
			status := s.For(&load.Node{Slot: slot}, reason)
			if want := "reason " + strconv.Itoa(reason); status.Message() != want || status.Code() != fwk.Unschedulable {
				t.Errorf("slot %d: %v, want %q", slot, status, want)
			}
			if seen[status] {
				t.Errorf("slot %d, reason %d: the status is another's", slot, reason)
			}
			seen[status] = true
		}
	}
	s.Grow(1) // fewer than there are
	s.Grow(200)
	for slot := range 3 {
		if !seen[s.For(&load.Node{Slot: slot}, 0)] {
			t.Errorf("slot %d has another status since there are more nodes", slot)
		}
	}
	node := &load.Node{Slot: 199}
	if first, again := s.For(node, 1), s.For(node, 1); first != again {
		t.Error("slot 199 has no status of its own")
	}
	if allocs := testing.AllocsPerRun(100, func() { s.For(node, 1) }); allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}

// A node that came after the last growth, or that the load model does not know,
// is rejected all the same.
func TestStatusesOfNodesThatCameLater(t *testing.T) {
	s := newStatuses()
	for _, node := range []*load.Node{nil, {Slot: 0}, {Slot: 1 << 20}} {
		if status := s.For(node, 1); status.Code() != fwk.Unschedulable || status.Message() != "reason 1" {
			t.Errorf("%+v: %v", node, status)
		}
	}
}

// The framework writes into the statuses of many nodes at once, while a cycle
// of another profile may make room for more. (It is the race detector that
// fails here.)
func TestStatusesAreUsedByMany(t *testing.T) {
	s := newStatuses()
	s.Grow(8)
	var group sync.WaitGroup
	for slot := range 8 {
		group.Go(func() {
			for range 1000 {
				if status := s.For(&load.Node{Slot: slot}, 0).WithPlugin(strconv.Itoa(slot)); status.Plugin() != strconv.Itoa(slot) {
					t.Errorf("the status of node %d says %s", slot, status.Plugin())
					return
				}
			}
		})
	}
	for n := range 1000 {
		s.Grow(8 + n)
	}
	group.Wait()
}
