package devicefit

import (
	"context"
	"maps"
	"slices"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework"
	st "k8s.io/kubernetes/pkg/scheduler/testing"
)

// withoutDevices returns the node as it is while its device plugin is away.
func withoutDevices(t *testing.T, node fwk.NodeInfo) fwk.NodeInfo {
	t.Helper()
	now := framework.NewNodeInfo()
	object := node.Node().DeepCopy()
	object.Status.Allocatable[gpu] = resource.Quantity{}
	now.SetNode(object)
	for _, pod := range node.GetPods() {
		now.AddPodInfo(pod)
	}
	return now
}

// The 1,000 uses of a character device that all nodes offer keep no pod off, and
// need no headroom.
func TestCountersAreNoReasonToAvoidNodes(t *testing.T) {
	const kvm, slots v1.ResourceName = "virt.example.com/kvm", "acme.com/slots"
	c := newCluster()
	var nodes []fwk.NodeInfo
	for _, name := range []string{"a", "b", "c", "gpus"} {
		has := resources{"cpu": "64", "memory": "256Gi", kvm: "1000", slots: "20"}
		if name == "gpus" {
			has[gpu] = "8"
		}
		node := newNode(t, name, has)
		c.measure(node, 1)
		nodes = append(nodes, node)
	}
	c.model.Poll(t.Context())
	plain := map[string]*v1.Pod{
		"plain": st.MakePod().Req(resources{"cpu": "1"}).Obj(),
		"uses":  st.MakePod().Req(resources{"cpu": "1", kvm: "1", slots: "2"}).Obj(),
	}
	for _, strategy := range []string{"LeastFragmentation", "MostAllocated"} {
		pl := pluginOf(t, c, `{"strategy": "`+strategy+`", "headroomPerDevice": {"cpu": "8"}}`)
		for _, node := range nodes {
			pl.devices.SetNode(node.Node())
		}
		for name, pod := range plain {
			scores := pl.scores(t, pod, nodes)
			if scores["a"] != 100 || scores["c"] != 100 || scores["gpus"] > 50 {
				t.Errorf("%s, pod %s: scores %v, want 100 but for the node with devices", strategy, name, scores)
			}
			if got := c.attempt(t, pl, pod, nodes...); !slices.Equal(got, []string{"gpus"}) {
				t.Errorf("%s, pod %s: rejected by %v, want the node with devices", strategy, name, got)
			}
		}
	}
	named := pluginOf(t, c, `{"resources": ["*", "virt.example.com/*"], "headroomPerDevice": {"cpu": "8"}}`)
	for _, node := range nodes {
		named.devices.SetNode(node.Node())
	}
	if got := c.attempt(t, named, plain["plain"], nodes...); len(got) != 4 {
		t.Errorf("rejected by %v, want all: the configuration names it", got)
	}
	without := pluginOf(t, c, `{"resources": ["*", "!nvidia.com/gpu"], "headroomPerDevice": {"cpu": "8"}}`)
	for _, node := range nodes {
		without.devices.SetNode(node.Node())
	}
	if got := c.attempt(t, without, plain["plain"], nodes...); len(got) != 0 {
		t.Errorf("rejected by %v, want none: the configuration excludes the devices", got)
	}
}

// What the resources of nodes are taken for is shown once all nodes are known.
func TestGaugesOfVerdicts(t *testing.T) {
	ctx := t.Context()
	c := newCluster()
	c.informers = informers.NewSharedInformerFactory(fake.NewClientset(
		st.MakeNode().Name("a").Capacity(resources{gpu: "8", "virt.example.com/kvm": "1000", "acme.com/license": "1"}).Obj(),
		st.MakeNode().Name("b").Capacity(resources{"virt.example.com/kvm": "1000"}).Obj(),
	), 0)
	registry := c.register()
	pl := pluginOf(t, c, `{"resources": ["*", "!acme.com/*"]}`)
	c.informers.Start(ctx.Done())
	var got map[string]float64
	want := map[string]float64{
		"plimsoll_device_resources{plimsoll,nvidia.com/gpu,device}":        1,
		"plimsoll_device_resources{plimsoll,virt.example.com/kvm,counter}": 2,
		"plimsoll_device_resources{plimsoll,acme.com/license,excluded}":    1,
	}
	if err := wait.PollUntilContextTimeout(ctx, time.Millisecond, 30*time.Second, true, func(context.Context) (bool, error) {
		pl.PreFilter(ctx, framework.NewCycleState(), st.MakePod().Obj(), nil)
		got = c.shown(t, registry)
		return maps.Equal(got, want), nil
	}); err != nil {
		t.Errorf("gauges %v, want %v", got, want)
	}
}

// While a device plugin restarts, pods without devices stay off its node as before,
// and the node does not look as if it had devices to give.
func TestNodesWhoseDevicesAreAwayForAMoment(t *testing.T) {
	for _, strategy := range []string{"LeastFragmentation", "MostAllocated"} {
		c := newCluster()
		before := c.addNode(t, "n", 1, resources{gpu: "3"})
		other := c.addNode(t, "other", 1)
		plain := newNode(t, "plain", resources{"cpu": "64", "memory": "256Gi"})
		c.measure(plain, 1)
		c.model.Poll(t.Context())
		pl := pluginOf(t, c, `{"strategy": "`+strategy+`", "headroomPerDevice": {"cpu": "13"}}`)
		for _, node := range []fwk.NodeInfo{before, other, plain} {
			pl.devices.SetNode(node.Node())
		}
		pod, device := st.MakePod().Req(resources{"cpu": "1"}).Obj(), st.MakePod().Req(resources{"cpu": "1", gpu: "1"}).Obj()
		was := pl.scores(t, pod, []fwk.NodeInfo{before, other, plain})

		c.clock.Step(time.Hour)
		c.model.Poll(t.Context())
		node := withoutDevices(t, before)
		pl.devices.SetNode(node.Node())
		nodes := []fwk.NodeInfo{node, other, plain}
		if got := pl.scores(t, pod, nodes); !maps.Equal(got, was) {
			t.Errorf("%s: scores %v for a pod without devices, were %v", strategy, got, was)
		}
		if got := c.attempt(t, pl, pod, nodes...); !slices.Equal(got, []string{"n", "other"}) {
			t.Errorf("%s: a pod without devices is rejected by %v", strategy, got)
		}
		if got := pl.scores(t, device, nodes); got["n"] != 0 || got["other"] == 0 {
			t.Errorf("%s: scores %v for a pod with devices, want 0 where they are away", strategy, got)
		}

		c.clock.Step(10 * time.Minute)
		c.model.Poll(t.Context())
		if got := pl.scores(t, pod, nodes); got["n"] != 100 || got["other"] > 50 {
			t.Errorf("%s: scores %v ten minutes later, want 100 where there are no devices", strategy, got)
		}
		if got := c.attempt(t, pl, pod, nodes...); !slices.Equal(got, []string{"other"}) {
			t.Errorf("%s: ten minutes later a pod without devices is rejected by %v", strategy, got)
		}
	}
}

// A pod that was kept off devices which then do not return is tried again, whether
// the node's use is known or not.
func TestPodsWakeWhenDevicesDoNotReturn(t *testing.T) {
	for _, cores := range []float64{60, -1} {
		c := newCluster()
		var requests resources
		if cores < 0 {
			requests = resources{"cpu": "60"}
		}
		node := c.addNode(t, "n", cores, requests)
		c.model.Poll(t.Context())
		pl := pluginOf(t, c, onePerDevice)
		pl.devices.SetNode(node.Node())
		away := withoutDevices(t, node)
		pl.devices.SetNode(away.Node())
		if got := c.attempt(t, pl, c.waitingPod(t, "p", "2", 0), away); len(got) != 1 {
			t.Fatalf("%v cores in use: rejected by %v, want the node", cores, got)
		}
		poll := func(step time.Duration) []string {
			c.clock.Step(step)
			c.activated = nil
			c.model.Poll(t.Context())
			return c.activated
		}
		if got := poll(10*time.Minute - time.Second); len(got) != 0 {
			t.Errorf("%v cores in use: woken as long as devices may return: %v", cores, got)
		}
		if got := poll(time.Second); !slices.Equal(got, []string{"p"}) {
			t.Errorf("%v cores in use: woken %v when they have not", cores, got)
		}
	}
}

// Pods that were kept off what turns out to be no device are tried again.
func TestPodsWakeWhenAResourceIsNoDevice(t *testing.T) {
	c := newCluster()
	node := newNode(t, "n", resources{"cpu": "64", "memory": "256Gi", "acme.com/slots": "16"})
	c.measure(node, 60)
	c.model.Poll(t.Context())
	pl := pluginOf(t, c, onePerDevice)
	pl.devices.SetNode(node.Node())
	if got := c.attempt(t, pl, c.waitingPod(t, "p", "2", 0), node); len(got) != 1 {
		t.Fatalf("rejected by %v, want the node", got)
	}
	if got := c.wokenBy(t, "n", 60); len(got) != 0 {
		t.Errorf("woken: %v", got)
	}
	pl.devices.SetNode(st.MakeNode().Name("m").Capacity(resources{"acme.com/slots": "64"}).Obj())
	if got := c.wokenBy(t, "n", 60); !slices.Equal(got, []string{"p"}) {
		t.Errorf("woken %v when another node has 64", got)
	}
}

// The gauges count devices that are there, whatever pod is being placed.
func TestGaugesLeaveOutWhatIsAway(t *testing.T) {
	c := newCluster()
	registry := c.register()
	pl := pluginOf(t, c, `{}`)
	node := c.addNode(t, "n", 1)
	pl.devices.SetNode(node.Node())
	away := withoutDevices(t, node)
	pl.devices.SetNode(away.Node())
	c.setNodes(away)
	for _, pod := range []*v1.Pod{st.MakePod().Obj(), st.MakePod().Req(resources{gpu: "1"}).Obj()} {
		c.clock.Step(looksEvery)
		pl.PreFilter(t.Context(), framework.NewCycleState(), pod, nil)
		if got := c.shown(t, registry); len(got) != 0 {
			t.Errorf("%v, want no gauge of what is away", got)
		}
	}
}

// In a group that has both, pods with devices go by what is there, and those
// without by what will be, each after what the ones before it have taken.
func TestPlacementsWithDevicesThatAreAway(t *testing.T) {
	c := newCluster()
	node := c.addNode(t, "n", 1)
	c.model.Poll(t.Context())
	pl := pluginOf(t, c, `{"strategy": "MostAllocated"}`)
	pl.devices.SetNode(node.Node())
	away := withoutDevices(t, node)
	pl.devices.SetNode(away.Node())
	score := func(requests resources) int64 {
		return pl.scorePlacement(t, placementOf([]fwk.NodeInfo{away}, requests, "n"))
	}
	if got := score(resources{"cpu": "1"}); got > 50 {
		t.Errorf("a pod without devices scores %d, want at most 50", got)
	}
	if got := score(resources{"cpu": "1", gpu: "1"}); got != 0 {
		t.Errorf("a pod with devices scores %d, want 0", got)
	}
	group := placementOf([]fwk.NodeInfo{away}, resources{"cpu": "1", gpu: "8"}, "n")
	group.ProposedAssignments = append(group.ProposedAssignments, placementOf(nil, resources{"cpu": "1"}, "n").ProposedAssignments...)
	if got := pl.scorePlacement(t, group); got != 50 {
		t.Errorf("a pod with all devices and one without score %d, want the mean of 0 and 100", got)
	}
}
