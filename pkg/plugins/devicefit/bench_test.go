package devicefit

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework"
	st "k8s.io/kubernetes/pkg/scheduler/testing"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/device"
	"github.com/plimsoll-scheduler/plimsoll/pkg/line"
)

const benchNodes = 5_000

// newBenchNodes returns a cluster in which every second node has devices.
func newBenchNodes(t testing.TB) []fwk.NodeInfo {
	nodes := make([]fwk.NodeInfo, benchNodes)
	for i := range nodes {
		capacity := resources{"cpu": "64", "memory": "256Gi", "hugepages-1Gi": "0", "hugepages-2Mi": "0"}
		requests := resources{"cpu": "1"}
		if i%2 == 0 {
			capacity[gpu], capacity[fpga] = "8", "2"
			requests[gpu] = strconv.Itoa(i % 9)
		}
		nodes[i] = newNode(t, fmt.Sprintf("node-%d", i), capacity, requests)
	}
	return nodes
}

type scoreCase struct {
	name, args string
	pod        *v1.Pod
	classes    bool // every second node has devices of two classes as well
}

func scoreCases() []scoreCase {
	device := st.MakePod().Req(resources{"cpu": "4", gpu: "1", fpga: "1"}).Obj()
	plain := st.MakePod().Req(resources{"cpu": "1"}).Obj()
	const patterns = `{"resources": ["nvidia.com/*", "amd.com/gpu", "xilinx.com/*"]}`
	return []scoreCase{
		{name: "device pod", args: `{}`, pod: device},
		{name: "device pod, MostAllocated", args: `{"strategy": "MostAllocated"}`, pod: device},
		{name: "plain pod", args: `{}`, pod: plain},
		{name: "plain pod, MostAllocated", args: `{"strategy": "MostAllocated"}`, pod: plain},
		{name: "plain pod, three patterns", args: patterns, pod: plain},
		{name: "plain pod, wildcards", args: `{"resources": ["nvidia.com/g*", "xilinx.com/f???"]}`, pod: plain},
		{name: "pod with devices of a class", args: `{}`, pod: st.MakePod().Req(resources{"cpu": "4", class: "1"}).Obj(), classes: true},
		{name: "plain pod beside classes", args: `{}`, pod: plain, classes: true},
	}
}

// scorer returns a function that scores all nodes once, through the interfaces
// and with the CycleState that the framework uses.
func (c scoreCase) scorer(t testing.TB, nodes []fwk.NodeInfo) func() {
	cluster := newCluster()
	if c.classes {
		objects := []runtime.Object{newClass("gpu"), newClass("any")}
		for i := 0; i < len(nodes); i += 2 {
			objects = append(objects, offer(nodes[i].Node().Name, 8))
		}
		cluster.withDRA(t, objects...)
	}
	for i, node := range nodes {
		name := node.Node().Name
		cluster.model.SetNode(name, amount.FromList(node.Node().Status.Allocatable), line.Own{})
		cluster.use[name] = [amount.NumResources]float64{float64(i % 64), float64(i%256) * (1 << 30)}
	}
	cluster.model.Poll(t.Context())
	plugin := pluginOf(t, cluster, c.args)
	for _, node := range nodes {
		plugin.devices.SetNode(node.Node())
	}
	for i := range 100 { // a full mix
		amounts := amount.Vector{amount.CPU: int64(1000 + 500*i), amount.Memory: int64(i+1) << 30}
		plugin.learner.Observe([]device.Request{{Name: gpu, Count: int64(i%8) + 1}}, amounts, amounts, cluster.clock.Now())
	}
	cluster.clock.Step(time.Minute)
	var state fwk.CycleState = framework.NewCycleState()
	for i := range 10 { // other plugins keep theirs there, too
		state.Write(fwk.StateKey(strconv.Itoa(i)), &cycle{})
	}
	ctx := t.Context()
	if status := plugin.PreScore(ctx, state, c.pod, nodes); !status.IsSuccess() {
		t.Fatal(status)
	}
	return func() {
		for _, node := range nodes {
			if _, status := plugin.Score(ctx, state, c.pod, node); !status.IsSuccess() {
				t.Fatal(status)
			}
		}
	}
}

// pluginOf returns the plugin itself, as a profile makes it.
func pluginOf(t testing.TB, c *cluster, args string) *DeviceFit {
	t.Helper()
	var plugin fwk.Plugin
	profile, err := c.newProfile(t.Context(), args)
	if err == nil {
		plugin, err = Factory(c.shared())(t.Context(), rawArgs(args), profile)
	}
	if err != nil {
		t.Fatal(err)
	}
	return plugin.(*DeviceFit)
}

func TestScoreDoesNotAllocate(t *testing.T) {
	nodes := newBenchNodes(t)
	for _, c := range scoreCases() {
		t.Run(c.name, func(t *testing.T) {
			// Goroutines of the framework allocate now and then, and are counted.
			// An allocation of Score shows on each node, or on each with devices.
			if allocs := testing.AllocsPerRun(3, c.scorer(t, nodes)); allocs > benchNodes/100 {
				t.Errorf("%v allocations to score %d nodes, want none", allocs, len(nodes))
			}
		})
	}
}

// filter returns a function that filters all nodes once for a pod without
// devices: half of the nodes have some, and reject it or not by their load.
func filter(t testing.TB, nodes []fwk.NodeInfo) func() (rejected int) {
	c := newCluster()
	for i, node := range nodes {
		c.measure(node, float64(i%64))
	}
	c.model.Poll(t.Context())
	plugin := pluginOf(t, c, onePerDevice)
	for _, node := range nodes {
		plugin.devices.SetNode(node.Node())
	}
	pod := st.MakePod().Req(resources{"cpu": "1"}).Obj()
	ctx := t.Context()
	var state fwk.CycleState = framework.NewCycleState()
	if _, status := plugin.PreFilter(ctx, state, pod, nodes); !status.IsSuccess() {
		t.Fatal(status)
	}
	return func() (rejected int) {
		for _, node := range nodes {
			if status := plugin.Filter(ctx, state, pod, node); !status.IsSuccess() {
				rejected++
			}
		}
		return rejected
	}
}

func TestFilterDoesNotAllocate(t *testing.T) {
	filter := filter(t, newBenchNodes(t))
	rejected := 0
	if allocs := testing.AllocsPerRun(3, func() { rejected = filter() }); allocs > benchNodes/100 {
		t.Errorf("%v allocations to filter %d nodes, want none", allocs, benchNodes)
	}
	if rejected == 0 || rejected == benchNodes {
		t.Errorf("%d of %d nodes reject the pod: the test says nothing of the others", rejected, benchNodes)
	}
}

// One operation filters 5,000 nodes for one pod.
func BenchmarkFilter(b *testing.B) {
	filter := filter(b, newBenchNodes(b))
	b.ReportAllocs()
	for b.Loop() {
		filter()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchNodes, "ns/node")
}

// One operation counts the devices of 5,000 nodes for the gauges, which happens
// in one scheduling cycle each 15 seconds. The memory of the first time is used again.
func BenchmarkGauges(b *testing.B) {
	nodes := newBenchNodes(b)
	c := newCluster()
	plugin := pluginOf(b, c, `{}`)
	for _, node := range nodes {
		c.measure(node, 1)
		plugin.devices.SetNode(node.Node())
	}
	c.model.Poll(b.Context())
	c.setNodes(nodes...)
	plugin.countDevices(plugin.newCycle(st.MakePod().Obj()))
	b.ReportAllocs()
	for b.Loop() {
		c.clock.Step(looksEvery)
		plugin.countDevices(plugin.newCycle(st.MakePod().Obj()))
	}
}

// One operation scores one pod on 5,000 nodes.
func BenchmarkScore(b *testing.B) {
	nodes := newBenchNodes(b)
	for _, c := range scoreCases() {
		b.Run(c.name, func(b *testing.B) {
			score := c.scorer(b, nodes)
			b.ReportAllocs()
			for b.Loop() {
				score()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchNodes, "ns/node")
		})
	}
}

func BenchmarkSignPod(b *testing.B) {
	plugin := pluginOf(b, newCluster(), `{}`)
	for _, c := range scoreCases()[:2] {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, status := plugin.SignPod(b.Context(), c.pod); !status.IsSuccess() {
					b.Fatal(status)
				}
			}
		})
	}
}
