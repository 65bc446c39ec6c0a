package device

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	v1 "k8s.io/api/core/v1"
	st "k8s.io/kubernetes/pkg/scheduler/testing"
)

func TestSurplus(t *testing.T) {
	units, nodes, both := surplus{ofUnits: true}, surplus{ofNodes: true}, surplus{true, true}
	for _, tt := range []struct {
		numbers      numbers
		before, want surplus
	}{
		{numbers: numbers{most: 16, nodes: 8, of: 10}},
		{numbers: numbers{most: 17, nodes: 1, of: 10}, want: units},
		{numbers: numbers{most: 9, nodes: 1, of: 10}, before: units, want: units},
		{numbers: numbers{most: 8, nodes: 1, of: 10}, before: units},
		{numbers: numbers{most: 1, nodes: 9, of: 10}, want: nodes},
		{numbers: numbers{most: 1, nodes: 8, of: 10}, before: nodes, want: nodes},
		{numbers: numbers{most: 1, nodes: 75, of: 100}, before: nodes, want: nodes},
		{numbers: numbers{most: 1, nodes: 74, of: 100}, before: nodes},
		// What one of both has made of it does not keep the other.
		{numbers: numbers{most: 12, nodes: 1, of: 10}, before: nodes},
		{numbers: numbers{most: 8, nodes: 8, of: 10}, before: units},
		{numbers: numbers{most: 1000, nodes: 10, of: 10}, want: both},
		// Few nodes, or none for ordinary pods.
		{numbers: numbers{most: 1, nodes: 1, of: 1}},
		{numbers: numbers{most: 1, nodes: 2, of: 2}},
		{numbers: numbers{most: 1, nodes: 3, of: 3}, want: nodes},
		{numbers: numbers{most: 1, nodes: 1, of: 1}, before: nodes, want: nodes},
		{numbers: numbers{most: 1}},
		{numbers: numbers{most: 1}, before: nodes},
		{numbers: numbers{most: 1<<63 - 1, nodes: 1, of: 10}, want: units},
	} {
		if got := tt.numbers.surplus(tt.before); got != tt.want {
			t.Errorf("%+v after %+v: %+v, want %+v", tt.numbers, tt.before, got, tt.want)
		}
	}
}

// verdicts returns what the resources are taken for, by name.
func verdicts(kinds *Kinds) map[v1.ResourceName]Verdict {
	byName := map[v1.ResourceName]Verdict{}
	for _, r := range kinds.Resources() {
		byName[r.Name] = r.Verdict
	}
	return byName
}

// The resources that nodes of real clusters have beside their devices.
func TestVerdictsOnACluster(t *testing.T) {
	everywhere := resources{
		"cpu": "64", "hugepages-2Mi": "1Gi", "attachable-volumes-csi-x": "25",
		"virt.example.com/kvm": "1000", "devices.kubevirt.io/tun": "1k", "smarter-devices/fuse": "20", "vpc.amazonaws.com/pod-eni": "107",
		"acme.com/license": "2",
	}
	kinds := NewKinds(newMatcher(t, "*", "!squat.ai/*"), newClock())
	for i := range 20 {
		has := resources{}
		for name, quantity := range everywhere {
			has[name] = quantity
		}
		switch {
		case i < 3: // the control plane has next to nothing
			has = resources{"cpu": "4"}
		case i < 5:
			has["nvidia.com/gpu.shared"], has["nvidia.com/mig-1g.5gb"], has["rdma/hca"] = "80", "56", "63"
		case i < 7:
			has["acme.com/accelerator"], has["squat.ai/serial"] = "16", "1"
		case i < 9:
			has["cpu-manager.example.com/shared-cpu"] = "31500"
		}
		node := nodeWith(fmt.Sprint(i), has)
		if i < 3 {
			node.Spec.Taints = []v1.Taint{{Key: "node-role.kubernetes.io/control-plane", Effect: v1.TaintEffectNoSchedule}}
		}
		kinds.Set(node)
	}
	want := map[v1.ResourceName]struct {
		verdict Verdict
		reason  string
	}{
		"nvidia.com/gpu.shared":              {Device, "its name is known to be that of devices"},
		"nvidia.com/mig-1g.5gb":              {Device, "its name is known to be that of devices"},
		"acme.com/accelerator":               {Device, "few nodes have it, and few units each: 2 of 17 nodes, at most 16 units"},
		"virt.example.com/kvm":               {Counter, "its name is known not to be that of devices"},
		"devices.kubevirt.io/tun":            {Counter, "its name is known not to be that of devices"},
		"smarter-devices/fuse":               {Counter, "its name is known not to be that of devices"},
		"vpc.amazonaws.com/pod-eni":          {Counter, "its name is known not to be that of devices"},
		"rdma/hca":                           {Counter, "a node has 63 units, more than 16"},
		"cpu-manager.example.com/shared-cpu": {Counter, "a node has 31500 units, more than 16"},
		"acme.com/license":                   {Counter, "17 of 17 nodes have it, at least 90 %"},
		"squat.ai/serial":                    {Excluded, "the configuration excludes it"},
	}
	got := kinds.Resources()
	for _, r := range got {
		if w := want[r.Name]; r.Verdict != w.verdict || r.Reason != w.reason {
			t.Errorf("%s: %s because %s, want %s because %s", r.Name, r.Verdict, r.Reason, w.verdict, w.reason)
		}
	}
	if len(got) != len(want) || !slices.IsSortedFunc(got, func(a, b Resource) int { return strings.Compare(string(a.Name), string(b.Name)) }) {
		t.Errorf("%d resources %v, want %d, by name", len(got), got, len(want))
	}
}

// A resource that the configuration names is a device however many there are of it,
// and one that no pattern matches is none.
func TestTheConfigurationDecides(t *testing.T) {
	kinds := NewKinds(newMatcher(t, "virt.example.com/kvm", "acme.com/*"), newClock())
	for i := range 10 {
		kinds.Set(nodeWith(fmt.Sprint(i), resources{"virt.example.com/kvm": "1000", "acme.com/tokens": "9000", gpu: "8"}))
	}
	got := kinds.Resources()
	want := []Resource{
		{"acme.com/tokens", Device, "the configuration names it", 10, 9000},
		{gpu, Excluded, "no pattern of the configuration matches it", 10, 8},
		{"virt.example.com/kvm", Device, "the configuration names it", 10, 1000},
	}
	if !slices.Equal(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// A node that comes and goes at the edge does not have the verdict change.
func TestVerdictsHaveMargins(t *testing.T) {
	kinds := NewKinds(newMatcher(t, "*"), newClock())
	const common, large v1.ResourceName = "acme.com/common", "acme.com/large"
	expect := func(when string, ofCommon, ofLarge Verdict) {
		t.Helper()
		if got := verdicts(kinds); got[common] != ofCommon || got[large] != ofLarge {
			t.Errorf("%s: %v, want %s and %s", when, got, ofCommon, ofLarge)
		}
	}
	for i := range 8 {
		kinds.Set(nodeWith(fmt.Sprint("has", i), resources{common: "1", large: "12"}))
	}
	kinds.Set(nodeWith("lacks0", nil))
	kinds.Set(nodeWith("lacks1", nil))
	expect("8 of 10 nodes, 12 units", Counter, Counter) // all nodes had them while there were few
	for i := range 10 {
		kinds.Remove(fmt.Sprint("has", i))
	}
	for i := range 8 {
		kinds.Set(nodeWith(fmt.Sprint("has", i), resources{common: "1", large: "12"}))
	}
	expect("8 of 10 nodes, from none", Device, Device)
	for range 5 {
		kinds.Remove("lacks0")
		kinds.Remove("lacks1")
		expect("8 of 8 nodes", Counter, Counter)
		kinds.Set(nodeWith("lacks0", nil))
		kinds.Set(nodeWith("lacks1", nil))
		expect("8 of 10 nodes again", Counter, Counter)
	}
	kinds.Set(nodeWith("lacks2", nil))
	expect("8 of 11 nodes", Device, Device)
	for range 5 {
		kinds.Set(nodeWith("giant", resources{large: "24"}))
		expect("a node with 24", Device, Counter)
		kinds.Remove("giant")
		expect("without it", Device, Counter)
	}
	if got := kinds.Resources()[1].Reason; got != "a node had more than 16 units, and one still has more than 8: 12" {
		t.Error(got)
	}
	for i := range 8 {
		kinds.Remove(fmt.Sprint("has", i))
		kinds.Set(nodeWith(fmt.Sprint("new", i), resources{large: "8"}))
	}
	if got := verdicts(kinds); got[large] != Device {
		t.Errorf("no node has more than 8: %v", got)
	}
}

// What resources are taken for at the start does not depend on the order in which
// nodes get known.
func TestTheOrderOfFirstNodesDoesNotMatter(t *testing.T) {
	nodes := []*v1.Node{}
	for i := range 10 {
		has := resources{}
		if i < 8 {
			has["acme.com/accel"] = "8"
		}
		nodes = append(nodes, nodeWith(fmt.Sprint(i), has))
	}
	for _, reverse := range []bool{false, true} {
		kinds := NewKinds(newMatcher(t, "*"), newClock())
		synced := false
		kinds.synced = func() bool { return synced }
		if reverse {
			slices.Reverse(nodes)
		}
		for _, node := range nodes {
			kinds.Set(node)
		}
		synced = true
		if got := kinds.Resources(); len(got) != 1 || got[0].Verdict != Device {
			t.Errorf("reversed %v: %+v, want a device that 8 of 10 nodes have", reverse, got)
		}
	}
}

// A resource that is no device is none for pods and nodes alike.
func TestCountersAreNoDevices(t *testing.T) {
	c := newCatalogue(t, "*", "!acme.com/license")
	has := resources{gpu: "8", "virt.example.com/kvm": "1000", "acme.com/slots": "100", "acme.com/license": "1", "acme.com/accel": "4"}
	pod := st.MakePod().Req(resources{gpu: "1", "virt.example.com/kvm": "1", "acme.com/slots": "5", "acme.com/license": "1", "acme.com/accel": "1"}).Obj()
	node := newNode(has, resources{gpu: "3", "acme.com/slots": "7"})
	c.SetNode(node.Node())
	if got, want := c.Requests(pod), []Request{{"acme.com/accel", 1}, {gpu, 1}}; !slices.Equal(got, want) {
		t.Errorf("requests %v, want %v", got, want)
	}
	for _, view := range []View{c.View(), c.View().WithAway()} {
		if got, _ := stocksOf(view, node); !slices.Equal(got, []Stock{{"acme.com/accel", 4, 0}, {gpu, 8, 3}}) {
			t.Errorf("stocks %v", got)
		}
	}
	// Also on a node of which no resource is a device.
	plain := newNode(resources{"virt.example.com/kvm": "1000", "acme.com/slots": "100"})
	if got, _ := stocksOf(c.View(), plain); len(got) != 0 {
		t.Errorf("stocks of a node without devices: %v", got)
	}
	c.RemoveNode("node")
	c.SetNode(plain.Node())
	if got, _ := stocksOf(c.View(), plain); len(got) != 0 {
		t.Errorf("stocks in a cluster without devices: %v", got)
	}
}

// A request for what a class provides is the class's if all that nodes offer of it
// by device plugins is no device.
func TestClassesOfCounters(t *testing.T) {
	class := ClassResource("slots")
	c := NewCatalogue(newMatcher(t, "*"), &fixedClasses{classOf: map[v1.ResourceName]v1.ResourceName{"acme.com/slots": class}}, newClock())
	c.SetNode(nodeWith("n", resources{"acme.com/slots": "100"}))
	if got := c.Requests(st.MakePod().Req(resources{"acme.com/slots": "2"}).Obj()); !slices.Equal(got, []Request{{class, 2}}) {
		t.Errorf("requests %v", got)
	}
}
