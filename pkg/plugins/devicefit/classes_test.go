package devicefit

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	resourceapi "k8s.io/api/resource/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2/ktesting"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework"
	st "k8s.io/kubernetes/pkg/scheduler/testing"

	"github.com/plimsoll-scheduler/plimsoll/pkg/device"
	"github.com/plimsoll-scheduler/plimsoll/pkg/device/dra"
	"github.com/plimsoll-scheduler/plimsoll/pkg/fragmentation"
)

// offer returns a slice of a node's devices, and newClass a class that all
// devices are in.
func offer(node string, count int) *resourceapi.ResourceSlice {
	slice := &resourceapi.ResourceSlice{
		ObjectMeta: metav1.ObjectMeta{Name: node},
		Spec: resourceapi.ResourceSliceSpec{
			Driver: "example.com", NodeName: &node, Pool: resourceapi.ResourcePool{Name: node, ResourceSliceCount: 1},
		},
	}
	for i := range count {
		slice.Spec.Devices = append(slice.Spec.Devices, resourceapi.Device{Name: fmt.Sprint(i)})
	}
	return slice
}

func newClass(name string, extended ...string) *resourceapi.DeviceClass {
	class := &resourceapi.DeviceClass{ObjectMeta: metav1.ObjectMeta{Name: name}}
	for _, resource := range extended {
		class.Spec.ExtendedResourceName = &resource
	}
	return class
}

// newClaim returns a claim of devices of class gpu, and claimant a pod that names
// it, which owns it.
func newClaim(name string, count int64) *resourceapi.ResourceClaim {
	claim := &resourceapi.ResourceClaim{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name}}
	claim.OwnerReferences = []metav1.OwnerReference{{Kind: "Pod", Name: name, UID: types.UID(name), Controller: new(true)}}
	claim.Spec.Devices.Requests = []resourceapi.DeviceRequest{{
		Name: "r", Exactly: &resourceapi.ExactDeviceRequest{DeviceClassName: "gpu", AllocationMode: resourceapi.DeviceAllocationModeExactCount, Count: count},
	}}
	return claim
}

func claimant(name string) *st.PodWrapper {
	return st.MakePod().Namespace("default").Name(name).UID(name).PodResourceClaims(v1.PodResourceClaim{Name: "c", ResourceClaimName: &name})
}

// holding has the claim hold the first devices of the node.
func holding(claim *resourceapi.ResourceClaim, node string, count int) *resourceapi.ResourceClaim {
	claim.Status.Allocation = &resourceapi.AllocationResult{}
	for i := range count {
		claim.Status.Allocation.Devices.Results = append(claim.Status.Allocation.Devices.Results,
			resourceapi.DeviceRequestAllocationResult{Driver: "example.com", Pool: node, Device: fmt.Sprint(i)})
	}
	return claim
}

// withDRA has the cluster know these objects.
func (c *cluster) withDRA(t testing.TB, objects ...runtime.Object) *fake.Clientset {
	t.Helper()
	client := fake.NewClientset(objects...)
	c.informers = informers.NewSharedInformerFactory(client, 0)
	logger, _ := ktesting.NewTestContext(t)
	inventory := dra.NewInventory(logger, dra.Features{ExtendedResources: true})
	c.inventory = inventory
	if err := inventory.Watch(c.informers); err != nil {
		t.Fatal(err)
	}
	c.informers.Start(t.Context().Done())
	if !cache.WaitForCacheSync(t.Context().Done(), inventory.HasSynced) {
		t.Fatal("the inventory does not get complete")
	}
	return client
}

var roomy = resources{"cpu": "64", "memory": "256Gi"}

func TestClaimsAreScoredAsDevices(t *testing.T) {
	for _, tt := range []struct {
		strategy string
		want     []string // from best to worst
	}{
		{"LeastFragmentation", []string{"half", "whole", "none"}},
		{"MostAllocated", []string{"half", "whole", "none"}},
		{"LeastAllocated", []string{"whole", "half", "none"}},
	} {
		c := newCluster()
		c.withDRA(t, newClass("gpu"), newClass("any"), offer("whole", 8), offer("half", 8),
			holding(newClaim("held", 4), "half", 4), newClaim("claims", 4))
		nodes := []fwk.NodeInfo{newNode(t, "whole", roomy), newNode(t, "half", roomy), newNode(t, "none", roomy)}
		profile, err := c.newProfile(t.Context(), fmt.Sprintf(`{"strategy": %q}`, tt.strategy))
		if err != nil {
			t.Fatal(err)
		}
		for name, pod := range map[string]*v1.Pod{
			"a claim":                  claimant("claims").Obj(),
			"units of a class":         st.MakePod().Req(resources{class: "4"}).Obj(),
			"a claim and a held claim": claimant("claims").PodResourceClaims(v1.PodResourceClaim{Name: "held", ResourceClaimName: new("held")}).Obj(),
		} {
			got := scores(t, profile, pod, nodes...)
			order := []string{"none", "whole", "half"}
			slices.SortFunc(order, func(a, b string) int { return int(got[b] - got[a]) })
			if !slices.Equal(order, tt.want) || got["none"] != 0 {
				t.Errorf("%s, %s: scores %v, want %v from best to worst", tt.strategy, name, got, tt.want)
			}
		}
		if got := scores(t, profile, claimant("held").Obj(), nodes...); got != nil {
			t.Errorf("%s: a pod whose claim is allocated needs no further device; scores %v", tt.strategy, got)
		}
		got := scores(t, profile, st.MakePod().Req(resources{"cpu": "1"}).Obj(), nodes...)
		if got["none"] != 100 || got["half"] > 50 || got["whole"] > 50 {
			t.Errorf("%s: scores %v for a pod without devices", tt.strategy, got)
		}
	}
}

// Devices are counted once, however many classes they are in.
func TestHeadroomForDevicesOfClasses(t *testing.T) {
	const perDevice = `"headroomPerDevice": {"cpu": "1"}`
	for _, tt := range []struct {
		name, args string
		gpus       string // that a device plugin offers as well
		cores      float64
		rejected   bool
	}{
		{name: "enough for each free device", args: `{` + perDevice + `}`, cores: 57},
		{name: "not enough", args: `{` + perDevice + `}`, cores: 57.01, rejected: true},
		{name: "enough for those of a device plugin as well", args: `{` + perDevice + `}`, gpus: "2", cores: 55},
		{name: "not enough for those of a device plugin", args: `{` + perDevice + `}`, gpus: "2", cores: 55.01, rejected: true},
		{name: "one class counts", args: `{"resources": ["deviceclass.resource.kubernetes.io/any"], ` + perDevice + `}`, cores: 57.01, rejected: true},
		{name: "no class counts", args: `{"resources": ["example.com/*"], ` + perDevice + `}`, cores: 63},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newCluster()
			c.withDRA(t, newClass("gpu"), newClass("any"), offer("n", 8), holding(newClaim("held", 2), "n", 2)) // 6 are free
			capacity := resources{"cpu": "64", "memory": "256Gi"}
			if tt.gpus != "" {
				capacity[gpu] = tt.gpus
			}
			node := c.measure(newNode(t, "n", capacity), tt.cores)
			c.model.Poll(t.Context())
			pl := pluginOf(t, c, tt.args)
			state := framework.NewCycleState()
			status := pl.Filter(t.Context(), state, st.MakePod().Req(resources{"cpu": "1"}).Obj(), node)
			if status.IsRejected() != tt.rejected {
				t.Errorf("%v cores of 64 used, and 1 asked for: %v", tt.cores, status)
			}
			if status := pl.Filter(t.Context(), framework.NewCycleState(), claimant("x").Req(resources{"cpu": "1"}).Obj(), node); !status.IsSuccess() {
				t.Errorf("a pod with a claim: %v", status)
			}
		})
	}
}

// An extended resource is that of the class behind it unless a device plugin
// offers it.
func TestExtendedResourcesOfClasses(t *testing.T) {
	c := newCluster()
	c.withDRA(t, newClass("gpu", string(gpu)), offer("n", 8))
	pl := pluginOf(t, c, `{}`)
	pod := st.MakePod().Req(resources{gpu: "2", fpga: "1"}).Req(resources{class: "1"}).Obj()
	want := []device.Request{{Name: class, Count: 3}, {Name: fpga, Count: 1}}
	if got := pl.demandOf(pod).Devices; !slices.Equal(got, want) {
		t.Errorf("devices %v, want %v", got, want)
	}
	pl.devices.SetNode(st.MakeNode().Name("old").Capacity(resources{gpu: "0"}).Obj())
	if got := pl.demandOf(pod).Devices; !slices.Equal(got, want) {
		t.Errorf("with a kubelet that still reports none: devices %v, want %v", got, want)
	}
	pl.devices.SetNode(st.MakeNode().Name("n").Capacity(resources{gpu: "8"}).Obj())
	want = []device.Request{{Name: class, Count: 1}, {Name: gpu, Count: 2}, {Name: fpga, Count: 1}}
	if got := pl.demandOf(pod).Devices; !slices.Equal(got, want) {
		t.Errorf("with a device plugin: devices %v, want %v", got, want)
	}
	only := pluginOf(t, c, `{"resources": ["nvidia.com/gpu"]}`)
	if got := only.demandOf(pod).Devices; !slices.Equal(got, []device.Request{{Name: gpu, Count: 2}}) {
		t.Errorf("the class is no device by the configuration: devices %v", got)
	}
}

// A kubelet that still reports none of what its device plugin offered once has no
// say in how the devices of the class that took its place are ranked.
func TestNodesThatReportNoneLeaveClassesRanked(t *testing.T) {
	for _, allocatable := range []string{"", "0"} {
		c := newCluster()
		c.withDRA(t, newClass("gpu", string(gpu)), offer("whole", 8), offer("half", 8), holding(newClaim("held", 4), "half", 4))
		old := resources{"cpu": "64", "memory": "256Gi"}
		if allocatable != "" {
			old[gpu] = allocatable
		}
		nodes := []fwk.NodeInfo{newNode(t, "whole", roomy), newNode(t, "half", roomy), newNode(t, "old", old)}
		pl := pluginOf(t, c, `{"strategy": "MostAllocated"}`)
		for _, node := range nodes {
			pl.devices.SetNode(node.Node())
		}
		got := pl.scores(t, st.MakePod().Req(resources{gpu: "4"}).Obj(), nodes)
		if got["half"] <= got["whole"] || got["whole"] <= got["old"] || got["old"] != 0 {
			t.Errorf("%q allocatable on the old node: scores %v, want the node whose devices are half in use first, and 0 for the old one", allocatable, got)
		}
	}
}

// Pods are placed on what the ones before them took, also where their claims do
// not show it yet.
func TestDevicesOfClassesAreReserved(t *testing.T) {
	c := newCluster()
	c.withDRA(t, newClass("gpu"), offer("n", 8), newClaim("a", 3), newClaim("b", 2))
	node := newNode(t, "n", roomy)
	pl := pluginOf(t, c, `{}`)
	expect := func(want int64) {
		t.Helper()
		if left := pl.left(pl.newCycle(st.MakePod().Obj()), node, nil); left.free != want {
			t.Errorf("%d devices are free, want %d", left.free, want)
		}
	}
	states := map[string]fwk.CycleState{}
	for name, want := range map[string]int64{"a": 5, "plain": 8, "b": 6} {
		pod := claimant(name).Obj()
		states[name] = framework.NewCycleState()
		if status := pl.Reserve(t.Context(), states[name], pod, "n"); !status.IsSuccess() {
			t.Fatal(status)
		}
		expect(want)
		pl.Unreserve(t.Context(), states[name], pod, "n")
		expect(8)
	}
	pl.Reserve(t.Context(), states["a"], claimant("a").Obj(), "n")
	expect(5)
	pl.PostBind(t.Context(), states["a"], claimant("a").Obj(), "n")
	expect(8)
}

// The claims of a pod are made after it; those of a pod that runs are allocated.
func TestMixIsLearnedFromClaims(t *testing.T) {
	c := newCluster()
	created := metav1.NewTime(c.clock.Now())
	client := c.withDRA(t, newClass("gpu"), claimant("runs").CreationTimestamp(created).Obj(), holding(newClaim("runs", 3), "n", 3),
		claimant("waits").CreationTimestamp(created).Obj())
	pl := pluginOf(t, c, `{}`)
	c.informers.Start(t.Context().Done()) // that of pods, too
	learned := func(count int64) bool {
		c.clock.Step(2 * time.Second)
		return slices.ContainsFunc(pl.learner.Mix().Shapes(class), func(s fragmentation.Shape) bool { return s.Count == count })
	}
	expect := func(count int64) {
		t.Helper()
		err := wait.PollUntilContextTimeout(t.Context(), time.Millisecond, 30*time.Second, true, func(context.Context) (bool, error) { return learned(count), nil })
		if err != nil {
			t.Fatalf("a pod that claims %d devices is not learned: %v", count, err)
		}
	}
	expect(3)
	if _, err := client.ResourceV1().ResourceClaims("default").Create(t.Context(), newClaim("waits", 5), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	err := wait.PollUntilContextTimeout(t.Context(), time.Millisecond, 30*time.Second, true, func(context.Context) (bool, error) {
		_, ok := pl.devices.InitialRequests(claimant("waits").Obj())
		return ok, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if learned(5) {
		t.Error("the pod is learned before an event of it")
	}
	if _, err := client.CoreV1().Pods("default").Update(t.Context(), claimant("waits").CreationTimestamp(created).Node("n").Obj(), metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	expect(5)
}

// A pod that would strand devices is retried when a claim takes some, or a slice
// no longer offers some.
func TestEventsOfClassesWakePods(t *testing.T) {
	resourcesOf := func(pl *DeviceFit) (kinds []fwk.EventResource) {
		events, err := pl.EventsToRegister(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			kinds = append(kinds, e.Event.Resource)
		}
		return kinds
	}
	c := newCluster()
	if got := resourcesOf(pluginOf(t, c, `{}`)); slices.Contains(got, fwk.ResourceClaim) {
		t.Errorf("events of %v although dynamic resource allocation is turned off", got)
	}
	c.withDRA(t)
	if got := resourcesOf(pluginOf(t, c, `{}`)); !slices.Contains(got, fwk.ResourceClaim) || !slices.Contains(got, fwk.ResourceSlice) {
		t.Errorf("events of %v, want claims and slices", got)
	}
}
