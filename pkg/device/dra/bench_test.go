package dra

import (
	"fmt"
	"testing"

	resourceapi "k8s.io/api/resource/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/klog/v2"
)

const (
	benchNodes   = 5000
	benchDevices = 8
)

func benchNode(n int) string { return fmt.Sprintf("node-%d", n%benchNodes) }

func newBenchSlice(n int) *resourceapi.ResourceSlice {
	var names []string
	for d := range benchDevices {
		names = append(names, fmt.Sprintf("gpu-%d", d))
	}
	return newSliceOf(benchNode(n), newDevices("gpu", names...)...)
}

// newBenchInventory returns one of 5,000 nodes with 8 devices in two classes,
// half of which claims hold.
func newBenchInventory(b *testing.B) *Inventory {
	i := NewInventory(klog.Background(), everyFeature)
	set(i, newClassOf("gpu", is("gpu")), newClassOf("all"))
	for n := range benchNodes {
		set(i, newBenchSlice(n))
		for d := range benchDevices / 2 {
			set(i, newClaim(fmt.Sprintf("claim-%d-%d", n, d), fmt.Sprintf("%s/gpu-%d", benchNode(n), d)))
		}
	}
	if got := i.latest.Load().nodes; got != benchNodes {
		b.Fatalf("%d nodes have devices, want %d", got, benchNodes)
	}
	return i
}

// What a scheduling cycle does: a view, and the stocks of all nodes.
func BenchmarkInventoryView(b *testing.B) {
	i := newBenchInventory(b)
	names := make([]string, benchNodes)
	for n := range names {
		names[n] = benchNode(n)
	}
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		if n++; len(i.View().Node(names[n%benchNodes]).Classes) != 2 {
			b.Fatal("a node has not two kinds of devices")
		}
	}
}

// An allocation and its end are one iteration, of two events.
func BenchmarkInventoryClaimEvents(b *testing.B) {
	i := newBenchInventory(b)
	held := make([]*resourceapi.ResourceClaim, benchNodes)
	for n := range held {
		held[n] = newClaim("new", benchNode(n)+"/gpu-7")
	}
	pending := newClaim("new")
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		n++
		i.setClaim("default/new", held[n%benchNodes])
		i.setClaim("default/new", pending)
	}
}

func BenchmarkInventorySliceEvent(b *testing.B) {
	i := newBenchInventory(b)
	var changed []*resourceapi.ResourceSlice
	for n := range 64 {
		changed = append(changed, newBenchSlice(n))
	}
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		n++
		i.setSlice(changed[n%64].Name, changed[n%64])
	}
}

// A class with other selectors is evaluated on all devices.
func BenchmarkInventoryClassEvent(b *testing.B) {
	i := newBenchInventory(b)
	classes := []*resourceapi.DeviceClass{newClassOf("gpu", is("gpu")), newClassOf("gpu", is("nic"))}
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		n++
		i.setClass("gpu", classes[n%2])
	}
}

// A driver may call the pools of all nodes the same, although it should not.
func BenchmarkInventorySliceEventInPoolOfAllNodes(b *testing.B) {
	i := NewInventory(klog.Background(), everyFeature)
	set(i, newClassOf("gpu", is("gpu")))
	all := make([]runtime.Object, benchNodes)
	for n := range all {
		all[n] = change(newBenchSlice(n), func(s *resourceapi.ResourceSlice) { s.Spec.Pool.Name = "all" })
	}
	set(i, all...)
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		n++
		set(i, all[n%benchNodes])
	}
}

func TestInventoryViewDoesNotAllocate(t *testing.T) {
	i := newInventory(t, newClassOf("gpu", is("gpu")), newClassOf("all"), newBenchSlice(0))
	allocs := testing.AllocsPerRun(100, func() {
		view := i.View()
		if len(view.Node("node-0").Classes) != 2 || view.Node("none").Classes != nil || view.Node("node-0").All.Free() != benchDevices {
			t.Error("node-0 has not 8 devices in two classes")
		}
		view.ClassOf("example.com/gpu")
	})
	if allocs != 0 {
		t.Errorf("%v allocations, want 0", allocs)
	}
}
