package dra

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	resourceapi "k8s.io/api/resource/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"
	"k8s.io/klog/v2/ktesting"
	"k8s.io/utils/ptr"

	"github.com/plimsoll-scheduler/plimsoll/pkg/compat"
	"github.com/plimsoll-scheduler/plimsoll/pkg/device"
)

const driver = "dra.example.com"

var everyFeature = Features{ConsumableCapacity: true, ListTypeAttributes: true, DeviceTaintRules: true, ExtendedResources: true}

func newInventory(t testing.TB, objects ...runtime.Object) *Inventory {
	logger, _ := ktesting.NewTestContext(t)
	i := NewInventory(logger, everyFeature)
	set(i, objects...)
	return i
}

// set sets objects as informers do.
func set(i *Inventory, objects ...runtime.Object) {
	for _, object := range objects {
		i.handlerOf(object).OnUpdate(object, object)
	}
}

// unset is for objects whose deletion was seen, and lost for those whose
// deletion was not.
func unset(i *Inventory, objects ...runtime.Object) {
	for _, object := range objects {
		i.handlerOf(object).OnDelete(object)
	}
}

func lost(t *testing.T, i *Inventory, objects ...runtime.Object) {
	t.Helper()
	for _, object := range objects {
		key, err := cache.MetaNamespaceKeyFunc(object)
		if err != nil {
			t.Fatal(err)
		}
		i.handlerOf(object).OnDelete(cache.DeletedFinalStateUnknown{Key: key, Obj: object})
	}
}

func (i *Inventory) handlerOf(object runtime.Object) cache.ResourceEventHandler {
	switch object.(type) {
	case *resourceapi.ResourceSlice:
		return handlerFor(i.setSlice)
	case *resourceapi.DeviceClass:
		return handlerFor(i.setClass)
	case *resourceapi.ResourceClaim:
		return handlerFor(i.setClaim)
	case *compat.DeviceTaintRule:
		return handlerFor(i.setTaintRule)
	}
	panic(fmt.Sprintf("no handler of %T", object))
}

// newClassOf returns a class of devices for which all expressions are true.
func newClassOf(name string, expressions ...string) *resourceapi.DeviceClass {
	class := &resourceapi.DeviceClass{ObjectMeta: metav1.ObjectMeta{Name: name}}
	for _, expression := range expressions {
		selector := resourceapi.DeviceSelector{CEL: &resourceapi.CELDeviceSelector{Expression: expression}}
		class.Spec.Selectors = append(class.Spec.Selectors, selector)
	}
	return class
}

func is(kind string) string { return fmt.Sprintf(`device.attributes[%q].kind == %q`, driver, kind) }

// newSliceOf returns the only slice of a pool that has the node's name.
func newSliceOf(node string, devices ...resourceapi.Device) *resourceapi.ResourceSlice {
	return &resourceapi.ResourceSlice{
		ObjectMeta: metav1.ObjectMeta{Name: "slice-" + node},
		Spec: resourceapi.ResourceSliceSpec{
			Driver: driver, NodeName: &node, Devices: devices,
			Pool: resourceapi.ResourcePool{Name: node, Generation: 1, ResourceSliceCount: 1},
		},
	}
}

func newDevices(kind string, names ...string) []resourceapi.Device {
	var devices []resourceapi.Device
	for _, name := range names {
		devices = append(devices, resourceapi.Device{
			Name: name, Attributes: map[resourceapi.QualifiedName]resourceapi.DeviceAttribute{"kind": {StringValue: &kind}},
		})
	}
	return devices
}

// newClaim returns a claim that holds devices, of the pools and names POOL/NAME.
func newClaim(name string, devices ...string) *resourceapi.ResourceClaim {
	claim := &resourceapi.ResourceClaim{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name}}
	if len(devices) == 0 {
		return claim
	}
	claim.Status.Allocation = &resourceapi.AllocationResult{}
	for _, device := range devices {
		pool, name, _ := strings.Cut(device, "/")
		claim.Status.Allocation.Devices.Results = append(claim.Status.Allocation.Devices.Results,
			resourceapi.DeviceRequestAllocationResult{Driver: driver, Pool: pool, Device: name})
	}
	return claim
}

func newTaintRule(name string, selector *compat.DeviceTaintSelector, effect resourceapi.DeviceTaintEffect) *compat.DeviceTaintRule {
	taint := compat.DeviceTaint{Key: "broken", Effect: compat.DeviceTaintEffect(effect)} //nolint:unconvert // another type before 1.37
	return &compat.DeviceTaintRule{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       compat.DeviceTaintRuleSpec{DeviceSelector: selector, Taint: taint},
	}
}

// change returns a changed copy.
func change[T any, P interface {
	*T
	DeepCopy() P
}](object P, how func(P)) P {
	object = object.DeepCopy()
	how(object)
	return object
}

// show returns what the node offers, as CLASS REQUESTED/ALLOCATABLE for each
// class and the number of free devices.
func show(view device.ClassView, node string) string {
	var parts []string
	for _, stock := range view.Node(node).Classes {
		class := strings.TrimPrefix(string(stock.Name), resourceapi.ResourceDeviceClassPrefix)
		parts = append(parts, fmt.Sprintf("%s %d/%d", class, stock.Requested, stock.Allocatable))
	}
	return fmt.Sprintf("%s: %d free", strings.Join(parts, ", "), view.Node(node).All.Free())
}

func expect(t *testing.T, i *Inventory, node, want string) {
	t.Helper()
	if got := show(i.View(), node); got != want {
		t.Errorf("%s offers %q, want %q", node, got, want)
	}
}

func TestInventoryCountsDevicesInEachClass(t *testing.T) {
	i := newInventory(t,
		newSliceOf("n1", append(newDevices("gpu", "g0", "g1", "g2"), newDevices("nic", "x0")...)...),
		newSliceOf("n2", newDevices("other", "o0")...),
		newClassOf("gpu", is("gpu")),
		newClassOf("nic", is("nic")),
		newClassOf("second-gpu", is("gpu"), `device.driver == "`+driver+`"`),
		newClassOf("elsewhere", `device.driver == "other.example.com"`),
		newClaim("one", "n1/g1"),
	)
	expect(t, i, "n1", "gpu 1/3, nic 0/1, second-gpu 1/3: 3 free")
	expect(t, i, "n2", ": 0 free")
	expect(t, i, "n3", ": 0 free")
	if got := i.latest.Load().nodes; got != 1 {
		t.Errorf("%d nodes, want 1: n2 has no device of any class", got)
	}
}

func TestInventoryFollowsClasses(t *testing.T) {
	gpu := newClassOf("gpu", is("gpu"))
	i := newInventory(t, newSliceOf("n1", append(newDevices("gpu", "g0", "g1"), newDevices("nic", "x0")...)...))
	expect(t, i, "n1", ": 0 free")
	set(i, gpu, newClassOf("all"))
	expect(t, i, "n1", "all 0/3, gpu 0/2: 3 free")
	set(i, newClassOf("gpu", is("nic")))
	expect(t, i, "n1", "all 0/3, gpu 0/1: 3 free")
	unset(i, newClassOf("all"))
	expect(t, i, "n1", "gpu 0/1: 1 free")
	lost(t, i, gpu)
	expect(t, i, "n1", ": 0 free")
}

func TestInventoryFollowsClaims(t *testing.T) {
	shared := newClaim("shared", "n1/g0")
	i := newInventory(t, newSliceOf("n1", newDevices("gpu", "g0", "g1")...), newSliceOf("n2", newDevices("gpu", "g0")...),
		newClassOf("gpu", is("gpu")), newClaim("pending"))
	expect(t, i, "n1", "gpu 0/2: 2 free")
	set(i, newClaim("a", "n1/g0", "n1/g0", "n1/unknown", "unknown/g0"), shared)
	expect(t, i, "n1", "gpu 1/2: 1 free")
	expect(t, i, "n2", "gpu 0/1: 1 free")
	set(i, newClaim("a")) // deallocated
	expect(t, i, "n1", "gpu 1/2: 1 free")
	lost(t, i, shared)
	expect(t, i, "n1", "gpu 0/2: 2 free")
	set(i, change(newClaim("admin", "n1/g1"), func(c *resourceapi.ResourceClaim) {
		c.Status.Allocation.Devices.Results[0].AdminAccess = ptr.To(true)
	}))
	expect(t, i, "n1", "gpu 0/2: 2 free")
	// A claim of the same name that has taken the place of another one.
	set(i, newClaim("b", "n1/g0"))
	set(i, newClaim("b", "n1/g1", "n2/g0"))
	expect(t, i, "n1", "gpu 1/2: 1 free")
	expect(t, i, "n2", "gpu 1/1: 0 free")
}

func TestInventoryKnowsHeldDevicesThatComeLater(t *testing.T) {
	i := newInventory(t, newClaim("a", "n1/g1"), newClassOf("gpu", is("gpu")))
	n1 := newSliceOf("n1", newDevices("gpu", "g0", "g1")...)
	set(i, n1)
	expect(t, i, "n1", "gpu 1/2: 1 free")
	unset(i, n1)
	expect(t, i, "n1", ": 0 free")
	set(i, n1)
	expect(t, i, "n1", "gpu 1/2: 1 free")
}

func TestInventoryCountsWhatCanBeAllocated(t *testing.T) {
	two := newDevices("gpu", "g0", "g1")
	pool := func(s *resourceapi.ResourceSlice, name string, generation, count int64) *resourceapi.ResourceSlice {
		return change(s, func(s *resourceapi.ResourceSlice) {
			s.Name = fmt.Sprintf("%s-%s-%d", s.Name, name, generation)
			s.Spec.Pool = resourceapi.ResourcePool{Name: name, Generation: generation, ResourceSliceCount: count}
		})
	}
	tainted := func(effect resourceapi.DeviceTaintEffect) *resourceapi.ResourceSlice {
		return change(newSliceOf("n1", two...), func(s *resourceapi.ResourceSlice) {
			s.Spec.Devices[0].Taints = []resourceapi.DeviceTaint{{Key: "broken", Effect: effect}}
		})
	}
	tests := []struct {
		name    string
		objects []runtime.Object
		n1, n2  string
	}{
		{
			name:    "only the newest generation",
			objects: []runtime.Object{pool(newSliceOf("n1", two...), "p", 1, 1), pool(newSliceOf("n1", newDevices("gpu", "g5")...), "p", 2, 1)},
			n1:      "gpu 0/1: 1 free",
		},
		{
			name:    "only the newest generation, also if it is empty",
			objects: []runtime.Object{pool(newSliceOf("n1", two...), "p", 1, 1), pool(newSliceOf("n1"), "p", 2, 1)},
		},
		{
			name:    "no pool of which a slice is missing",
			objects: []runtime.Object{pool(newSliceOf("n1", two...), "p", 1, 2)},
		},
		{
			name:    "a pool of two nodes",
			objects: []runtime.Object{pool(newSliceOf("n1", two...), "p", 1, 2), pool(newSliceOf("n2", newDevices("gpu", "g2")...), "p", 1, 2)},
			n1:      "gpu 0/2: 2 free", n2: "gpu 0/1: 1 free",
		},
		{
			name:    "no pool of two nodes of which one is ahead",
			objects: []runtime.Object{pool(newSliceOf("n1", two...), "p", 1, 2), pool(newSliceOf("n2", newDevices("gpu", "g2")...), "p", 2, 2)},
		},
		{
			name:    "pools of one name on each node",
			objects: []runtime.Object{pool(newSliceOf("n1", two...), "p", 7, 1), pool(newSliceOf("n2", newDevices("gpu", "g2")...), "p", 1, 1)},
			n1:      "gpu 0/2: 2 free", n2: "gpu 0/1: 1 free",
		},
		{
			name:    "several pools of a node",
			objects: []runtime.Object{pool(newSliceOf("n1", two...), "p", 1, 1), pool(newSliceOf("n1", two...), "q", 3, 1), newClaim("a", "q/g0")},
			n1:      "gpu 1/4: 3 free",
		},
		{
			name:    "no pool with two devices of one name",
			objects: []runtime.Object{newSliceOf("n1", newDevices("gpu", "g0", "g1", "g0")...)},
		},
		{name: "no device with taint NoSchedule", objects: []runtime.Object{tainted(resourceapi.DeviceTaintEffectNoSchedule)}, n1: "gpu 0/1: 1 free"},
		{name: "no device with taint NoExecute", objects: []runtime.Object{tainted(resourceapi.DeviceTaintEffectNoExecute)}, n1: "gpu 0/1: 1 free"},
		{name: "devices with taint None", objects: []runtime.Object{tainted(resourceapi.DeviceTaintEffectNone)}, n1: "gpu 0/2: 2 free"},
		{
			name:    "a device that is tainted and held leaves the others free",
			objects: []runtime.Object{tainted(resourceapi.DeviceTaintEffectNoExecute), newClaim("a", "n1/g0")},
			n1:      "gpu 0/1: 1 free",
		},
		{
			name: "devices that are tied to a node each",
			objects: []runtime.Object{change(newSliceOf("n1", newDevices("gpu", "g0", "g1", "g2", "g3")...), func(s *resourceapi.ResourceSlice) {
				s.Spec.NodeName, s.Spec.PerDeviceNodeSelection = nil, ptr.To(true)
				s.Spec.Devices[0].NodeName = ptr.To("n1")
				s.Spec.Devices[1].NodeName = ptr.To("n2")
				s.Spec.Devices[2].NodeName = ptr.To("n1")
				s.Spec.Devices[3].AllNodes = ptr.To(true)
			}), newClaim("a", "n1/g2", "n1/g1")},
			n1: "gpu 1/2: 1 free", n2: "gpu 1/1: 0 free",
		},
		{
			name: "no devices that several nodes reach",
			objects: []runtime.Object{
				change(newSliceOf("a", two...), func(s *resourceapi.ResourceSlice) { s.Spec.NodeName, s.Spec.AllNodes = nil, ptr.To(true) }),
				change(newSliceOf("b", two...), func(s *resourceapi.ResourceSlice) {
					s.Spec.NodeName, s.Spec.NodeSelector = nil, &v1.NodeSelector{NodeSelectorTerms: []v1.NodeSelectorTerm{{}}}
				}),
			},
		},
		{
			name: "a device that may be allocated many times is one",
			objects: []runtime.Object{change(newSliceOf("n1", two...), func(s *resourceapi.ResourceSlice) {
				s.Spec.Devices[0].AllowMultipleAllocations = ptr.To(true)
			}), newClaim("a", "n1/g0"), newClaim("b", "n1/g0")},
			n1: "gpu 1/2: 1 free",
		},
		{
			name:    "no slice without a pool",
			objects: []runtime.Object{pool(newSliceOf("n1", two...), "", 1, 1)},
		},
		{
			name:    "no slice without a driver",
			objects: []runtime.Object{change(newSliceOf("n1", two...), func(s *resourceapi.ResourceSlice) { s.Spec.Driver = "" })},
		},
		{
			name:    "no slice that names no node at all",
			objects: []runtime.Object{change(newSliceOf("n1", two...), func(s *resourceapi.ResourceSlice) { s.Spec.NodeName = nil })},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			gpu := newClassOf("gpu", is("gpu"))
			objects := append([]runtime.Object{gpu}, tt.objects...)
			for range 2 {
				i := newInventory(t, objects...)
				for node, want := range map[string]string{"n1": tt.n1, "n2": tt.n2} {
					if want == "" {
						want = ": 0 free"
					}
					expect(t, i, node, want)
				}
				unset(i, objects...)
				expectNothing(t, i)
				slices.Reverse(objects)
			}
		})
	}
}

// expectNothing checks that nothing is left in memory.
func expectNothing(t *testing.T, i *Inventory) {
	t.Helper()
	s := i.supply
	if n := len(s.classes) + len(s.slices) + len(s.pools) + len(s.taintRules) + len(s.devicesOfClaim) + len(s.claimsOnDevice) +
		len(s.poolsOfNode) + len(s.nodesToCount) + len(s.classOfResource); n != 0 {
		t.Errorf("%d entries are left: %+v", n, s)
	}
	if got := i.latest.Load().nodes; got != 0 {
		t.Errorf("%d nodes are left in the view", got)
	}
}

// A slice without devices, an allocation of none and a class that selects none
// are as if they were not there.
func TestInventoryOfNone(t *testing.T) {
	nothing := newClaim("nothing")
	nothing.Status.Allocation = &resourceapi.AllocationResult{}
	i := newInventory(t, newClassOf("gpu", is("gpu")), newClassOf("none", "false"), newSliceOf("n1", newDevices("gpu", "g0")...), newSliceOf("empty"), nothing)
	expect(t, i, "n1", "gpu 0/1: 1 free")
	if got := i.View().Node("empty"); got.Classes != nil || got.All != (device.Stock{}) || i.latest.Load().nodes != 1 {
		t.Errorf("a node without devices offers %v", got)
	}
	i.Reserve("p", "empty", []device.Request{{Name: device.ClassResource("gpu"), Count: 1}})
	expect(t, i, "empty", ": 0 free")
}

func TestInventoryFollowsSlices(t *testing.T) {
	n1, n2 := newSliceOf("n1", newDevices("gpu", "g0")...), newSliceOf("n2", newDevices("gpu", "g0")...)
	i := newInventory(t, newClassOf("gpu", is("gpu")), n1, n2)
	set(i, change(n1, func(s *resourceapi.ResourceSlice) { s.Spec.Devices = newDevices("gpu", "g0", "g1") }))
	expect(t, i, "n1", "gpu 0/2: 2 free")
	set(i, change(n1, func(s *resourceapi.ResourceSlice) { *s.Spec.NodeName = "n3" }))
	expect(t, i, "n1", ": 0 free")
	expect(t, i, "n3", "gpu 0/1: 1 free")
	set(i, change(n1, func(s *resourceapi.ResourceSlice) { s.Spec.Pool.Name = "" }))
	expect(t, i, "n3", ": 0 free")
	lost(t, i, n2)
	expect(t, i, "n2", ": 0 free")
}

func TestInventoryFollowsTaintRules(t *testing.T) {
	i := newInventory(t, newClassOf("gpu", is("gpu")),
		newSliceOf("n1", newDevices("gpu", "g0", "g1")...), newSliceOf("n2", newDevices("gpu", "g0")...))
	none := newTaintRule("r", nil, resourceapi.DeviceTaintEffectNoExecute)
	set(i, none)
	expect(t, i, "n1", "gpu 0/2: 2 free")
	set(i, newTaintRule("r", &compat.DeviceTaintSelector{Pool: ptr.To("n1"), Device: ptr.To("g0")}, resourceapi.DeviceTaintEffectNoExecute))
	expect(t, i, "n1", "gpu 0/1: 1 free")
	expect(t, i, "n2", "gpu 0/1: 1 free")
	set(i, newTaintRule("r", &compat.DeviceTaintSelector{Driver: ptr.To(driver)}, resourceapi.DeviceTaintEffectNoSchedule))
	expect(t, i, "n1", ": 0 free")
	expect(t, i, "n2", ": 0 free")
	set(i, newTaintRule("r", &compat.DeviceTaintSelector{}, resourceapi.DeviceTaintEffectNone))
	expect(t, i, "n1", "gpu 0/2: 2 free")
	set(i, newTaintRule("r", &compat.DeviceTaintSelector{}, resourceapi.DeviceTaintEffectNoSchedule))
	expect(t, i, "n1", ": 0 free")
	lost(t, i, none)
	expect(t, i, "n1", "gpu 0/2: 2 free")
	expect(t, i, "n2", "gpu 0/1: 1 free")
}

// newPartitions returns a device with units that it can be had in: as a whole,
// in halves and in single units.
func newPartitions(node string, units int) []runtime.Object {
	taking := func(n int) []resourceapi.DeviceCounterConsumption {
		return []resourceapi.DeviceCounterConsumption{{CounterSet: "gpu-0", Counters: map[string]resourceapi.Counter{"units": {Value: *resource.NewQuantity(int64(n), resource.DecimalSI)}}}}
	}
	devices := slices.Concat(newDevices("whole", "whole"), newDevices("half", "half-0", "half-1"))
	for _, name := range []string{"0", "1", "2", "3", "4", "5", "6", "7"}[:units] {
		devices = append(devices, newDevices("unit", "unit-"+name)...)
	}
	for i := range devices {
		devices[i].ConsumesCounters = taking(map[string]int{"whole": units, "half": units / 2, "unit": 1}[*devices[i].Attributes["kind"].StringValue])
	}
	of := func(s *resourceapi.ResourceSlice) { s.Spec.Pool.ResourceSliceCount = 2 }
	return []runtime.Object{
		change(newSliceOf(node, devices...), of),
		change(newSliceOf(node), func(s *resourceapi.ResourceSlice) {
			s.Name += "-counters"
			s.Spec.SharedCounters = []resourceapi.CounterSet{{Name: "gpu-0", Counters: taking(units)[0].Counters}}
			of(s)
		}),
	}
}

func TestInventoryCountsPartitionsThatFit(t *testing.T) {
	i := newInventory(t, newPartitions("n1", 8)...)
	set(i, newClassOf("whole", is("whole")), newClassOf("half", is("half")), newClassOf("unit", is("unit")), newClassOf("any"))
	expect(t, i, "n1", "any 0/1, half 0/2, unit 0/8, whole 0/1: 1 free")
	set(i, newClaim("a", "n1/unit-3"))
	expect(t, i, "n1", "any 1/5, half 0/1, unit 1/8: 4 free") // half of it, and 3 units of the other half
	set(i, newClaim("b", "n1/half-1"))
	expect(t, i, "n1", "any 2/5, half 1/1, unit 1/4: 3 free")
	set(i, newClaim("a"), newClaim("b", "n1/whole"))
	expect(t, i, "n1", "any 1/1, whole 1/1: 0 free")
	set(i, newClaim("b"))
	expect(t, i, "n1", "any 0/1, half 0/2, unit 0/8, whole 0/1: 1 free")

	counters := newPartitions("n1", 8)[1].(*resourceapi.ResourceSlice)
	set(i, change(counters, func(s *resourceapi.ResourceSlice) { s.Spec.SharedCounters[0].Name = "gpu-1" }))
	expect(t, i, "n1", ": 0 free") // the devices' counters are unknown
	unset(i, counters)
	expect(t, i, "n1", ": 0 free") // the pool is incomplete
	set(i, newClaim("a", "n1/unit-3"), counters)
	expect(t, i, "n1", "any 1/5, half 0/1, unit 1/8: 4 free")
}

func TestInventorySurvivesBrokenSelectors(t *testing.T) {
	capture := ktesting.NewLogger(t, ktesting.NewConfig(ktesting.BufferLogs(true), ktesting.Verbosity(3)))
	i := NewInventory(capture, everyFeature)
	set(i, newSliceOf("n1", append(newDevices("gpu", "g0", "g1"), resourceapi.Device{Name: "plain"}, resourceapi.Device{Name: "plainer"})...),
		newClassOf("gpu", is("gpu")), // fails on the devices without a kind
		newClassOf("syntax", "device."),
		newClassOf("type", "device.driver"),
		change(newClassOf("future"), func(c *resourceapi.DeviceClass) { c.Spec.Selectors = make([]resourceapi.DeviceSelector, 1) }),
		newClassOf("half-broken", is("gpu"), "no.such.thing"),
	)
	expect(t, i, "n1", "gpu 0/2: 2 free")
	lines := capture.GetSink().(ktesting.Underlier).GetBuffer().String()
	for _, class := range []string{"syntax", "type", "future", "half-broken"} {
		if n := strings.Count(lines, `deviceClass="`+class+`"`); n != 1 {
			t.Errorf("class %s is reported %d times, want once:\n%s", class, n, lines)
		}
	}
	if n := strings.Count(lines, `deviceClass="gpu"`); n != 1 {
		t.Errorf("the selector that fails on two devices is reported %d times, want once:\n%s", n, lines)
	}
	set(i, newClassOf("syntax", "true"), newClassOf("gpu", "device."))
	expect(t, i, "n1", "syntax 0/4: 4 free")
}

func TestInventoryFindsClassesOfExtendedResources(t *testing.T) {
	class := func(name string, extended *string, created int64) *resourceapi.DeviceClass {
		return change(newClassOf(name), func(c *resourceapi.DeviceClass) {
			c.Spec.ExtendedResourceName, c.CreationTimestamp = extended, metav1.Unix(created, 0)
		})
	}
	gpu := ptr.To("example.com/gpu")
	i := newInventory(t)
	expectClass := func(name, want string) {
		t.Helper()
		got, ok := i.View().ClassOf(v1.ResourceName(name))
		if ok != (want != "") || ok && got != device.ClassResource(want) {
			t.Errorf("the class behind %s is %q (%v), want %q", name, got, ok, want)
		}
	}
	expectClass("example.com/gpu", "")
	set(i, class("b", gpu, 1), class("other", nil, 1))
	expectClass("example.com/gpu", "b")
	expectClass("", "")
	set(i, class("a", gpu, 2), class("c", gpu, 2))
	expectClass("example.com/gpu", "a")
	set(i, class("a", ptr.To("example.com/fpga"), 2))
	expectClass("example.com/gpu", "c")
	expectClass("example.com/fpga", "a")
	unset(i, class("c", gpu, 2))
	expectClass("example.com/gpu", "b")
	set(i, class("b", nil, 1))
	expectClass("example.com/gpu", "")
}

func TestInventoryViewsStayAsTheyAre(t *testing.T) {
	i := newInventory(t)
	if got := i.latest.Load().nodes; got != 0 {
		t.Errorf("an empty inventory has %d nodes", got)
	}
	set(i, newClassOf("gpu", is("gpu")), newSliceOf("n1", newDevices("gpu", "g0", "g1")...))
	before := i.View()
	set(i, newClaim("a", "n1/g0"))
	after := i.View()
	if got := show(before, "n1"); got != "gpu 0/2: 2 free" {
		t.Errorf("the earlier view has changed to %q", got)
	}
	if got := show(after, "n1"); got != "gpu 1/2: 1 free" {
		t.Errorf("the later view has %q", got)
	}
	// What makes no difference makes no further view.
	set(i, newClaim("b", "n1/g0"), newClaim("pending"), newSliceOf("n2", newDevices("other", "o")...), newClassOf("gpu", is("gpu")))
	if i.View() != after {
		t.Error("another view although nothing has changed")
	}
}

func TestInventoryIsReadWhileItChanges(t *testing.T) {
	i := newInventory(t, newClassOf("gpu", is("gpu")), newSliceOf("n1", newDevices("gpu", "g0", "g1")...))
	done := make(chan struct{})
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			for {
				if got := show(i.View(), "n1"); got != "gpu 0/2: 2 free" && got != "gpu 1/2: 1 free" {
					t.Errorf("n1 offers %q", got)
				}
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	var writers sync.WaitGroup
	for _, name := range []string{"a", "b"} {
		writers.Go(func() {
			for range 200 {
				set(i, newClaim(name, "n1/g0"))
				set(i, newSliceOf("of-"+name, newDevices("gpu", "g0")...))
				unset(i, newClaim(name))
				unset(i, newSliceOf("of-"+name))
			}
		})
	}
	writers.Wait()
	close(done)
	readers.Wait()
	expect(t, i, "n1", "gpu 0/2: 2 free")
}

func TestInventoryWatches(t *testing.T) {
	logger, ctx := ktesting.NewTestContext(t)
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	client := fake.NewClientset(newSliceOf("n1", newDevices("gpu", "g0", "g1", "g2")...), newClassOf("gpu", is("gpu")), newClaim("a", "n1/g0"),
		newTaintRule("r", &compat.DeviceTaintSelector{Device: ptr.To("g1")}, resourceapi.DeviceTaintEffectNoSchedule))
	for _, rules := range []bool{false, true} {
		i := NewInventory(logger, Features{DeviceTaintRules: rules})
		factory := informers.NewSharedInformerFactory(client, 0)
		if err := i.Watch(factory); err != nil {
			t.Fatal(err)
		}
		if i.HasSynced() {
			t.Error("the inventory is complete before the informers run")
		}
		factory.Start(ctx.Done())
		if !cache.WaitForCacheSync(ctx.Done(), i.HasSynced) {
			t.Fatal("the inventory does not get complete")
		}
		want := "gpu 1/3: 2 free"
		if rules {
			want = "gpu 1/2: 1 free"
		}
		expect(t, i, "n1", want)
	}
	cancel()
}

func TestInventoryIgnoresForeignObjects(t *testing.T) {
	i := NewInventory(klog.Background(), everyFeature)
	for _, h := range []cache.ResourceEventHandler{handlerFor(i.setSlice), handlerFor(i.setClaim)} {
		for _, object := range []any{nil, &v1.Node{}, "text", cache.DeletedFinalStateUnknown{Key: "x/y/z", Obj: nil}} {
			h.OnAdd(object, false)
			h.OnUpdate(object, object)
			h.OnDelete(object)
		}
	}
	expectNothing(t, i)
}
