package device

import (
	"slices"
	"testing"

	"k8s.io/kubernetes/pkg/scheduler/framework"
	st "k8s.io/kubernetes/pkg/scheduler/testing"
)

func newNode(capacity resources, requests ...resources) *framework.NodeInfo {
	node := framework.NewNodeInfo()
	node.SetNode(st.MakeNode().Name("node").Capacity(capacity).Obj())
	for _, r := range requests {
		pod, err := framework.NewPodInfo(st.MakePod().Req(r).Obj())
		if err != nil {
			panic(err)
		}
		node.AddPodInfo(pod)
	}
	return node
}

func TestAppendStocks(t *testing.T) {
	node := newNode(
		resources{"cpu": "8", "hugepages-2Mi": "1Gi", gpu: "8", fpga: "2", "amd.com/gpu": "0", "example.org/kvm": "100"},
		resources{gpu: "3", "amd.com/gpu": "1"}, resources{gpu: "1", "example.org/nic": "1"},
	)
	got, _ := stocksOf(newCatalogue(t, "*.com/*").View(), node)
	want := []Stock{{Name: gpu, Allocatable: 8, Requested: 4}, {Name: fpga, Allocatable: 2}}
	if !slices.Equal(got, want) {
		t.Errorf("AppendStocks() = %v, want %v", got, want)
	}
}

func TestFreeIsNeverNegative(t *testing.T) {
	for _, tt := range []struct{ allocatable, requested, want int64 }{{8, 3, 5}, {8, 8, 0}, {6, 8, 0}, {0, 1, 0}} {
		if got := (Stock{Allocatable: tt.allocatable, Requested: tt.requested}).Free(); got != tt.want {
			t.Errorf("%d of %d requested: Free() = %d, want %d", tt.requested, tt.allocatable, got, tt.want)
		}
	}
}
