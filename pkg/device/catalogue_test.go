package device

import (
	"context"
	"math"
	"slices"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
	fwk "k8s.io/kube-scheduler/framework"
	st "k8s.io/kubernetes/pkg/scheduler/testing"
	"k8s.io/utils/clock"
)

// fixedClasses is a ClassInventory in which nothing changes, and its own view.
type fixedClasses struct {
	claimed    []Request // by each pod, still to be allocated
	allocated  []Request // to each pod, for it alone
	incomplete bool
	classOf    map[v1.ResourceName]v1.ResourceName
	nodes      map[string]NodeDevices
	reserved   map[types.UID][]Request
	unsynced   bool
}

func (f *fixedClasses) View() ClassView            { return f }
func (f *fixedClasses) Requests(*v1.Pod) []Request { return slices.Clone(f.claimed) }
func (f *fixedClasses) InitialRequests(*v1.Pod) (requests []Request, ok bool) {
	return merge(slices.Clone(f.claimed), f.allocated), !f.incomplete
}
func (f *fixedClasses) Reserve(pod types.UID, _ string, requests []Request) {
	f.reserved[pod] = requests
}
func (f *fixedClasses) Unreserve(pod types.UID) { delete(f.reserved, pod) }
func (f *fixedClasses) HasSynced() bool         { return !f.unsynced }
func (f *fixedClasses) Events() []fwk.ClusterEventWithHint {
	return []fwk.ClusterEventWithHint{{Event: fwk.ClusterEvent{Resource: fwk.ResourceClaim, ActionType: fwk.Update}}}
}
func (f *fixedClasses) Any() bool                    { return true }
func (f *fixedClasses) Node(name string) NodeDevices { return f.nodes[name] }
func (f *fixedClasses) ClassOf(name v1.ResourceName) (class v1.ResourceName, ok bool) {
	class, ok = f.classOf[name]
	return class, ok
}

func TestCatalogueRequests(t *testing.T) {
	classGPU, nic := ClassResource("gpu"), ClassResource("nic")
	provided := map[v1.ResourceName]v1.ResourceName{gpu: classGPU}
	plugin := map[string]string{"n": "8"} // node: how many GPUs it offers by a device plugin
	tests := []struct {
		name     string
		patterns []string
		classes  ClassInventory
		nodes    map[string]string
		pod      *st.PodWrapper
		want     []Request
		initial  []Request // if it differs
	}{
		{name: "none", pod: st.MakePod().Req(resources{"cpu": "4"}), classes: &fixedClasses{classOf: provided}},
		{name: "of a device plugin, without dynamic resource allocation", pod: st.MakePod().Req(resources{gpu: "2"}), want: []Request{{gpu, 2}}},
		{
			name: "by containers and claims together", pod: st.MakePod().Req(resources{classGPU: "1", fpga: "1"}),
			classes: &fixedClasses{claimed: []Request{{classGPU, 2}, {nic, 1}}},
			want:    []Request{{classGPU, 3}, {nic, 1}, {fpga, 1}},
		},
		{
			name: "what is allocated counts initially", pod: st.MakePod().Req(resources{fpga: "1"}),
			classes: &fixedClasses{allocated: []Request{{classGPU, 2}}},
			want:    []Request{{fpga, 1}}, initial: []Request{{classGPU, 2}, {fpga, 1}},
		},
		{
			name: "claims of a class that is no device", patterns: []string{"nvidia.com/*", string(nic)}, pod: st.MakePod(),
			classes: &fixedClasses{claimed: []Request{{classGPU, 2}, {nic, 1}}}, want: []Request{{nic, 1}},
		},
		{
			name: "a resource that a class provides is the class's", pod: st.MakePod().Req(resources{gpu: "2"}),
			classes: &fixedClasses{classOf: provided, claimed: []Request{{classGPU, 1}}}, want: []Request{{classGPU, 3}},
		},
		{
			name: "unless a node has a device plugin for it", pod: st.MakePod().Req(resources{gpu: "2"}), nodes: plugin,
			classes: &fixedClasses{classOf: provided}, want: []Request{{gpu, 2}},
		},
		{
			name: "a kubelet that still reports none has no device plugin", pod: st.MakePod().Req(resources{gpu: "2"}), nodes: map[string]string{"n": "0", "m": "0"},
			classes: &fixedClasses{classOf: provided}, want: []Request{{classGPU, 2}},
		},
		{
			name: "the class is no device", patterns: []string{"nvidia.com/*"}, pod: st.MakePod().Req(resources{gpu: "2"}),
			classes: &fixedClasses{classOf: provided}, want: []Request{{gpu, 2}},
		},
		{
			name: "only the class is a device", patterns: []string{string(classGPU)}, pod: st.MakePod().Req(resources{gpu: "2"}),
			classes: &fixedClasses{classOf: provided}, want: []Request{{classGPU, 2}},
		},
		{
			name: "requests for zero", pod: st.MakePod().InitReq(resources{gpu: "0"}).Req(resources{gpu: "0", classGPU: "0", fpga: "0"}),
			classes: &fixedClasses{classOf: provided},
		},
		{
			name: "claims for zero", pod: st.MakePod().Req(resources{fpga: "1"}),
			classes: &fixedClasses{claimed: []Request{{classGPU, 0}}}, want: []Request{{fpga, 1}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.patterns == nil {
				tt.patterns = []string{"*"}
			}
			if tt.classes == nil {
				tt.classes = NoClasses{}
			}
			c := NewCatalogue(newMatcher(t, tt.patterns...), tt.classes, clock.RealClock{})
			for node, gpus := range tt.nodes {
				c.SetNode(st.MakeNode().Name(node).Capacity(resources{gpu: gpus}).Obj())
			}
			pod := tt.pod.Obj()
			if got := c.Requests(pod); !slices.Equal(got, tt.want) {
				t.Errorf("Requests() = %v, want %v", got, tt.want)
			}
			if tt.initial == nil {
				tt.initial = tt.want
			}
			if got, ok := c.InitialRequests(pod); !slices.Equal(got, tt.initial) || !ok {
				t.Errorf("InitialRequests() = %v, %v, want %v", got, ok, tt.initial)
			}
		})
	}
}

func TestInitialRequestsNeedAllClaims(t *testing.T) {
	c := NewCatalogue(newMatcher(t, "*"), &fixedClasses{claimed: []Request{{ClassResource("gpu"), 1}}, incomplete: true}, clock.RealClock{})
	if got, ok := c.InitialRequests(st.MakePod().Req(resources{fpga: "1"}).Obj()); ok || got != nil {
		t.Errorf("InitialRequests() = %v, %v, want none as long as a claim does not exist", got, ok)
	}
}

// stocksOf returns what the view has of the node, sorted by name.
func stocksOf(view View, node fwk.NodeInfo) ([]Stock, InClasses) {
	stocks, in := view.AppendStocks(nil, node)
	sortedByName(stocks[:len(stocks)-in.Classes])
	return stocks, in
}

func TestViewAppendsStocksOfBothKinds(t *testing.T) {
	a, b := ClassResource("a"), ClassResource("b")
	node := newNode(resources{"cpu": "8", gpu: "4", fpga: "2", "amd.com/gpu": "0"}, resources{gpu: "1"})
	offered := NodeDevices{Classes: []Stock{{a, 8, 2}, {b, 3, 1}}, All: Stock{"", 9, 2}}
	for _, tt := range []struct {
		name     string
		patterns []string
		offered  NodeDevices
		want     []Stock
		in       InClasses
		free     int64
		devices  float64
	}{
		{
			name: "devices of classes count once", patterns: []string{"*"}, offered: offered,
			want: []Stock{{gpu, 4, 1}, {fpga, 2, 0}, {a, 8, 2}, {b, 3, 1}}, in: InClasses{2, Stock{"", 9, 2}}, free: 3 + 2 + 7, devices: 4 + 2 + 9,
		},
		{
			name: "one class counts", patterns: []string{"nvidia.com/*", string(b)}, offered: offered,
			want: []Stock{{gpu, 4, 1}, {b, 3, 1}}, in: InClasses{1, Stock{"", 3, 1}}, free: 3 + 2, devices: 4 + 3,
		},
		{
			name: "no class counts", patterns: []string{"nvidia.com/*"}, offered: offered,
			want: []Stock{{gpu, 4, 1}}, free: 3, devices: 4,
		},
		{
			name: "no class is offered", patterns: []string{"*"},
			want: []Stock{{gpu, 4, 1}, {fpga, 2, 0}}, free: 3 + 2, devices: 4 + 2,
		},
		{
			name: "classes alone", patterns: []string{string(ClassResource("*"))}, offered: offered,
			want: []Stock{{a, 8, 2}, {b, 3, 1}}, in: InClasses{2, Stock{"", 9, 2}}, free: 7, devices: 9,
		},
	} {
		for _, known := range []bool{false, true} { // whether the node's resources are known by its informer
			c := NewCatalogue(newMatcher(t, tt.patterns...), &fixedClasses{nodes: map[string]NodeDevices{"node": tt.offered}}, clock.RealClock{})
			if known {
				c.SetNode(node.Node())
			}
			got, in := stocksOf(c.View(), node)
			if !slices.Equal(got, tt.want) || in != tt.in {
				t.Errorf("%s: AppendStocks() = %v, %v, want %v, %v", tt.name, got, in, tt.want, tt.in)
			}
			if free, devices := in.Free(got), in.Allocatable(got); free != tt.free || devices != tt.devices {
				t.Errorf("%s: %d of %v devices are free, want %d of %v", tt.name, free, devices, tt.free, tt.devices)
			}
		}
	}
}

func TestTakeFromStocksOfBothKinds(t *testing.T) {
	a, b := ClassResource("a"), ClassResource("b")
	stocks := []Stock{{gpu, 4, 1}, {fpga, 2, 0}, {a, 8, 2}, {b, 3, 0}}
	in := InClasses{Classes: 2, Devices: Stock{Allocatable: 8, Requested: 2}}
	in.Take(stocks, []Request{{a, 4}, {gpu, 2}, {ClassResource("c"), 7}, {"amd.com/gpu", 7}})
	want := []Stock{{gpu, 4, 3}, {fpga, 2, 0}, {a, 8, 6}, {b, 3, 1}} // of the 8 devices 2 are free, of b no more than these
	if !slices.Equal(stocks, want) || in.Devices != (Stock{Allocatable: 8, Requested: 6}) {
		t.Errorf("%v, %v in classes, want %v", stocks, in.Devices, want)
	}
	if free := in.Free(stocks); free != 1+2+2 {
		t.Errorf("%d devices are free, want 5", free)
	}
}

// Counts that are absurd neither overflow nor turn into few.
func TestStocksOfLargestCounts(t *testing.T) {
	const most = math.MaxInt64
	stocks := []Stock{{gpu, most, 0}, {fpga, most, 0}, {ClassResource("a"), most, 0}}
	in := InClasses{Classes: 1, Devices: Stock{Allocatable: most}}
	if free, devices := in.Free(stocks), in.Allocatable(stocks); free != most || devices != 3*float64(most) {
		t.Errorf("%d of %v devices are free, want the largest number", free, devices)
	}
	for range 2 {
		in.Take(stocks, []Request{{gpu, most}, {ClassResource("a"), most}})
	}
	if free := in.Free(stocks); free != most || stocks[0].Free() != 0 || stocks[2].Free() != 0 {
		t.Errorf("%d devices are free, by stocks %v", free, stocks)
	}
}

func TestViewDoesNotAllocate(t *testing.T) {
	offered := NodeDevices{Classes: []Stock{{ClassResource("a"), 8, 2}}, All: Stock{"", 8, 2}}
	for name, classes := range map[string]ClassInventory{"no classes": NoClasses{}, "classes": &fixedClasses{nodes: map[string]NodeDevices{"node": offered}}} {
		node := newNode(resources{"cpu": "8", gpu: "4", fpga: "2"}, resources{gpu: "1"})
		c := NewCatalogue(newMatcher(t, "*"), classes, clock.RealClock{})
		c.SetNode(node.Node())
		view := c.View()
		allocs := testing.AllocsPerRun(100, func() {
			var buffer [4]Stock
			if stocks, in := view.AppendStocks(buffer[:0], node); in.Free(stocks) < 5 {
				t.Errorf("%s: only %d devices are free", name, in.Free(stocks))
			}
		})
		if allocs != 0 {
			t.Errorf("%s: %v allocations, want 0", name, allocs)
		}
	}
}

// Only what the scheduler does not count itself is reserved.
func TestCatalogueReservesDevicesOfClasses(t *testing.T) {
	classes := &fixedClasses{reserved: map[types.UID][]Request{}}
	c := NewCatalogue(newMatcher(t, "*"), classes, clock.RealClock{})
	requests := []Request{{ClassResource("gpu"), 2}, {gpu, 1}}
	c.Reserve("of a class", "n", requests)
	c.Reserve("of a device plugin", "n", []Request{{gpu, 1}})
	c.Reserve("none", "n", nil)
	if len(classes.reserved) != 1 || !slices.Equal(classes.reserved["of a class"], requests) {
		t.Errorf("reserved is %v", classes.reserved)
	}
	for _, pod := range []types.UID{"of a class", "of a device plugin", "none", "unknown"} {
		c.Unreserve(pod)
	}
	if len(classes.reserved) != 0 {
		t.Errorf("still reserved is %v", classes.reserved)
	}
}

// A catalogue does all that it does without dynamic resource allocation, too.
func TestCatalogueWithoutClasses(t *testing.T) {
	c := NewCatalogue(newMatcher(t, "*"), NoClasses{}, clock.RealClock{})
	claims := st.MakePod().UID("p").PodResourceClaims(v1.PodResourceClaim{Name: "c"}).Req(resources{gpu: "1", ClassResource("gpu"): "1"}).Obj()
	want := []Request{{ClassResource("gpu"), 1}, {gpu, 1}}
	if got, ok := c.InitialRequests(claims); !ok || !slices.Equal(got, want) {
		t.Errorf("InitialRequests() = %v, %v, want %v", got, ok, want)
	}
	node := newNode(resources{gpu: "4"})
	before, _ := stocksOf(c.View(), node)
	c.Reserve("p", "node", want)
	if after, in := stocksOf(c.View(), node); !slices.Equal(before, after) || in != (InClasses{}) {
		t.Errorf("%v, %v after a reservation, want %v", after, in, before)
	}
	c.Unreserve("p")
	if events := c.Events(); len(events) != 1 || events[0].Event.Resource != fwk.Node {
		t.Errorf("events %v, want those of nodes", events)
	}
	if !c.HasSynced() {
		t.Error("there is something to wait for")
	}
}

func TestCatalogueEventsAreOfNodesAndClasses(t *testing.T) {
	var got []fwk.EventResource
	for _, event := range NewCatalogue(newMatcher(t, "*"), &fixedClasses{}, clock.RealClock{}).Events() {
		got = append(got, event.Event.Resource)
	}
	if want := []fwk.EventResource{fwk.Node, fwk.ResourceClaim}; !slices.Equal(got, want) {
		t.Errorf("events of %v, want %v", got, want)
	}
}

// What counts of a node is what is allocatable: with devices that all have failed
// it still has their capacity.
func TestCatalogueWatchesNodes(t *testing.T) {
	classGPU := ClassResource("gpu")
	pod := st.MakePod().Req(resources{gpu: "1"}).Obj()
	node := func(allocatable string) *v1.Node {
		n := st.MakeNode().Name("n").Capacity(resources{gpu: "8"}).Obj()
		n.Status.Allocatable = v1.ResourceList{gpu: resource.MustParse(allocatable)}
		return n
	}
	ctx := t.Context()
	client := fake.NewClientset(node("0"))
	factory := informers.NewSharedInformerFactory(client, 0)
	classes := &fixedClasses{classOf: map[v1.ResourceName]v1.ResourceName{gpu: classGPU}, unsynced: true}
	c := NewCatalogue(newMatcher(t, "*"), classes, clock.RealClock{})
	if err := c.Watch(factory, nil); err != nil {
		t.Fatal(err)
	}
	until := func(what string, condition func() bool) {
		t.Helper()
		err := wait.PollUntilContextTimeout(ctx, time.Millisecond, 30*time.Second, true, func(context.Context) (bool, error) { return condition(), nil })
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	requestsAre := func(kind v1.ResourceName) func() bool {
		return func() bool { return slices.Equal(c.Requests(pod), []Request{{kind, 1}}) }
	}
	classes.unsynced = false
	if c.HasSynced() {
		t.Error("all nodes are known before the informers run")
	}
	factory.Start(ctx.Done())
	until("the nodes do not get known", c.HasSynced)
	if classes.unsynced = true; c.HasSynced() {
		t.Error("all is known although the classes are not")
	}
	if !requestsAre(classGPU)() {
		t.Errorf("a node of which no device is allocatable: requests %v, want %s", c.Requests(pod), classGPU)
	}
	if _, err := client.CoreV1().Nodes().UpdateStatus(ctx, node("8"), metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	until("the devices of the node are not seen", requestsAre(gpu))
	if _, err := client.CoreV1().Nodes().UpdateStatus(ctx, node("0"), metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	until("the devices of the node are not seen to go", requestsAre(classGPU))
	if _, err := client.CoreV1().Nodes().UpdateStatus(ctx, node("1"), metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	until("the devices of the node are not seen to return", requestsAre(gpu))
	if err := client.CoreV1().Nodes().Delete(ctx, "n", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	until("the node is not seen to go", requestsAre(classGPU))
}
