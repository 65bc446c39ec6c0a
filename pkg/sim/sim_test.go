package sim_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/klog/v2"

	"github.com/plimsoll-scheduler/plimsoll/pkg/sim"
	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/input"
	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/policy"
)

const gpu = "nvidia.com/gpu"

// node returns a node with so many cores, four times as many GiB, and devices.
func node(name string, cores, devices int64) *v1.Node {
	list := v1.ResourceList{
		v1.ResourceCPU:    *resource.NewQuantity(cores, resource.DecimalSI),
		v1.ResourceMemory: *resource.NewQuantity(cores<<32, resource.BinarySI),
		v1.ResourcePods:   *resource.NewQuantity(110, resource.DecimalSI),
		gpu:               *resource.NewQuantity(devices, resource.DecimalSI),
	}
	return &v1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{v1.LabelHostname: name}},
		Status:     v1.NodeStatus{Capacity: list, Allocatable: list},
	}
}

// pod returns a pod that requests and uses so many cores.
func pod(name string, requests, uses float64, devices int64) sim.Pod {
	list := v1.ResourceList{
		v1.ResourceCPU:    *resource.NewMilliQuantity(int64(1000*requests), resource.DecimalSI),
		v1.ResourceMemory: resource.MustParse("1Gi"),
	}
	if devices > 0 {
		list[gpu] = *resource.NewQuantity(devices, resource.DecimalSI)
	}
	return sim.Pod{
		Object: &v1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name, UID: types.UID(name)},
			Spec: v1.PodSpec{Containers: []v1.Container{{
				Name: "main", Resources: v1.ResourceRequirements{Requests: list, Limits: v1.ResourceList{}},
			}}},
		},
		Use: sim.Use{Base: uses, Memory: 1 << 30},
	}
}

// onNode has the pod run on the node from the start.
func onNode(p sim.Pod, node string) sim.Pod {
	p.Object.Spec.NodeName = node
	p.Arrival = -time.Hour
	return p
}

// scenario returns an hour that is measured from its beginning.
func scenario(nodes []*v1.Node, pods ...sim.Pod) *sim.Scenario {
	metrics := sim.DefaultMetricsServer()
	metrics.Missing = 0
	return &sim.Scenario{Name: "test", Nodes: nodes, Pods: pods, Seed: 1, End: time.Hour, Metrics: metrics}
}

// named returns the policies of the names.
func named(t testing.TB, names ...string) []sim.Policy {
	t.Helper()
	all, err := policy.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	peers, err := policy.Peers()
	if err != nil {
		t.Fatal(err)
	}
	selected, err := policy.Select(append(all, peers...), names, "the policies")
	if err != nil {
		t.Fatal(err)
	}
	return selected
}

// run simulates one policy, and also returns where pods went.
func run(t *testing.T, s *sim.Scenario, name string) (sim.PolicyResult, map[string]string) {
	t.Helper()
	placed := map[string]string{}
	result, err := sim.Run(t.Context(), s, named(t, name), sim.Options{
		Bound: func(_ string, pod *v1.Pod, node string, _ time.Duration) { placed[pod.Name] = node },
	})
	if err != nil {
		t.Fatal(err)
	}
	return result.Policies[0], placed
}

func TestMain(m *testing.M) {
	klog.SetLogger(logr.Discard()) // Trimaran logs each node without a sample
	os.Exit(m.Run())
}

func TestSameSeedGivesTheSameResult(t *testing.T) {
	model := input.Hot()
	model.Nodes, model.FillTime, model.ChurnTime = 20, 30*time.Minute, time.Hour
	record := func(parallel int) string {
		s, err := input.Synthetic(model, 7)
		if err != nil {
			t.Fatal(err)
		}
		var mu sync.Mutex
		placements := map[string][]string{}
		result, err := sim.Run(t.Context(), s, named(t), sim.Options{Parallel: parallel, Bound: func(policy string, pod *v1.Pod, node string, at time.Duration) {
			mu.Lock()
			defer mu.Unlock()
			placements[policy] = append(placements[policy], fmt.Sprint(pod.Name, node, at))
		}})
		if err != nil {
			t.Fatal(err)
		}
		var timelines []sim.Timeline
		for i := range result.Policies {
			result.Policies[i].DecisionsPerSecond = 0
			timelines = append(timelines, result.Policies[i].Timeline)
		}
		text, err := json.Marshal([]any{result, timelines, placements})
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	first := record(1)
	for range 2 {
		if record(4) != first {
			t.Fatal("two runs with the same seed differ")
		}
	}
}

func TestStarvationIsMeasuredExactly(t *testing.T) {
	first := onNode(pod("device", 4, 9, 2), "a")
	second := onNode(pod("plain", 2, 3, 0), "a")
	second.Lifetime = 90 * time.Minute // of which an hour has passed
	got, _ := run(t, scenario([]*v1.Node{node("a", 10, 8), node("b", 10, 8)}, first, second), "stock")
	if got.StarvedDeviceMinutes != 60 || got.HotNodeMinutes100 != 30 || got.HotNodeMinutes80 != 60 {
		t.Errorf("starved %v, above 100 %% %v, above 80 %% %v; 12 of 10 cores for 30 minutes with 2 devices, then 9 for 30: want 60, 30, 60",
			got.StarvedDeviceMinutes, got.HotNodeMinutes100, got.HotNodeMinutes80)
	}
	if got.ShortPodMinutes != 60 || got.LostDeviceMinutes != 60 {
		t.Errorf("short %v, lost %v; two pods for 30 minutes, and no free device is in vain: want 60, 60", got.ShortPodMinutes, got.LostDeviceMinutes)
	}
	if got.DevicesAllocatedPercent != 100*2.0/16 {
		t.Errorf("%v %% of devices allocated, want 2 of 16", got.DevicesAllocatedPercent)
	}
}

func TestUseFollowsTheSeries(t *testing.T) {
	p := onNode(pod("p", 4, 0, 1), "a")
	p.Use.CPU, p.Use.Scale, p.Use.Step = []float64{0, 2}, 10, 5*time.Minute
	got, _ := run(t, scenario([]*v1.Node{node("a", 10, 1)}, p), "stock")
	if got.HotNodeMinutes100 != 30 || got.StarvedDeviceMinutes != 30 {
		t.Errorf("above 100 %% for %v minutes, starved %v; 20 of 10 cores every other five minutes of an hour: want 30",
			got.HotNodeMinutes100, got.StarvedDeviceMinutes)
	}
}

func TestNothingIsUsedBeforeTheStart(t *testing.T) {
	p := pod("p", 4, 20, 1)
	p.StartDelay = 40 * time.Minute
	got, placed := run(t, scenario([]*v1.Node{node("a", 10, 1)}, p), "stock")
	if placed["p"] != "a" || got.StarvedDeviceMinutes < 19.9 || got.StarvedDeviceMinutes > 20 {
		t.Errorf("on node %q, starved for %v minutes, want about 20: it runs for 20 of 60", placed["p"], got.StarvedDeviceMinutes)
	}
}

func TestMemoryOvercommitIsCounted(t *testing.T) {
	nodes := []*v1.Node{node("a", 10, 0)}
	var pods []sim.Pod
	for i := range 3 { // the third is too much; then one goes, and a fourth comes
		p := pod(fmt.Sprintf("p%d", i), 1, 1, 0)
		p.Use.Memory, p.Arrival = 15<<30, time.Duration(i+1)*time.Minute
		pods = append(pods, p)
	}
	pods[0].Lifetime = 10 * time.Minute
	fourth := pod("p3", 1, 1, 0)
	fourth.Use.Memory, fourth.Arrival = 15<<30, 30*time.Minute
	if got, _ := run(t, scenario(nodes, append(pods, fourth)...), "stock"); got.MemoryOvercommitEvents != 2 {
		t.Errorf("%d memory overcommit events, want 2", got.MemoryOvercommitEvents)
	}
}

func TestPodWaitsForRoomAndIsRetriedWhenAPodEnds(t *testing.T) {
	first := onNode(pod("first", 8, 1, 0), "a")
	first.Lifetime = 80 * time.Minute // it ends 20 minutes from the start
	second := pod("second", 8, 1, 0)
	second.Arrival = 17 * time.Minute
	got, placed := run(t, scenario([]*v1.Node{node("a", 10, 0)}, first, second), "stock")
	wait := got.Timeline.Waits
	if placed["second"] != "a" || len(wait) != 1 || wait[0] < 3*time.Minute || wait[0] > 3*time.Minute+time.Second {
		t.Errorf("second is on %q and has waited %v, want about 3 minutes", placed["second"], wait)
	}
	if got.Decisions != 2 {
		t.Errorf("%d scheduling cycles, want 2: one in vain, one when there was room", got.Decisions)
	}
}

// hotUntil returns a pod that makes a node of ten cores hot at first.
func hotUntil(end time.Duration) sim.Pod {
	p := onNode(pod("hot", 0.1, 1, 0), "a")
	values := make([]float64, 24)
	for i := range values {
		if time.Duration(i)*5*time.Minute < end {
			values[i] = 1
		}
	}
	p.Use.CPU, p.Use.Scale, p.Use.Step = values, 8, 5*time.Minute
	return p
}

func TestPodRejectedForLoadIsRetriedAPollAfterTheLoadDrops(t *testing.T) {
	const drop = 30 * time.Minute
	p := pod("p", 1, 1, 1)
	p.Arrival = 5 * time.Minute
	s := scenario([]*v1.Node{node("a", 10, 1)}, hotUntil(drop), p)
	got, placed := run(t, s, "plimsoll")
	if placed["p"] != "a" {
		t.Fatalf("p is on %q", placed["p"])
	}
	// A sample whose window began after the drop, its delay, and a poll.
	latest := 2*s.Metrics.Interval + s.Metrics.Delay + 15*time.Second + time.Second
	if after := p.Arrival + got.Timeline.Waits[0] - drop; after < 0 || after > latest {
		t.Errorf("p got its node %v after the load dropped, want within %v", after, latest)
	}
	if got, placed := run(t, s, "stock"); placed["p"] != "a" || got.Timeline.Waits[0] > time.Second {
		t.Errorf("stock: p is on %q after %v, want at once: it does not see load", placed["p"], got.Timeline.Waits)
	}
}

func TestMissingSamplesMakeNodesStale(t *testing.T) {
	p := pod("p", 1, 1, 1)
	p.Arrival = 5 * time.Minute
	s := scenario([]*v1.Node{node("a", 10, 1)}, hotUntil(time.Hour), p)
	if got, _ := run(t, s, "plimsoll"); got.PodsScheduled != 0 || got.PodsUnscheduled != 1 {
		t.Fatalf("%d pods scheduled on a hot node, want none", got.PodsScheduled)
	}
	s.Metrics.Missing = 0.99
	if got, _ := run(t, s, "plimsoll"); got.PodsScheduled != 1 {
		t.Errorf("%d pods scheduled where nearly no sample arrives, want 1: by requests", got.PodsScheduled)
	}
}

func TestPodsThatStartLateCountInFlight(t *testing.T) {
	var pods []sim.Pod
	for i := range 3 {
		p := pod(fmt.Sprintf("p%d", i), 0.1, 6, 0)
		p.Object.Annotations = map[string]string{"plimsoll.io/estimate": `{"cpu": "6"}`}
		p.Arrival, p.StartDelay = time.Duration(5+10*i)*time.Minute, time.Hour
		pods = append(pods, p)
	}
	got, placed := run(t, scenario([]*v1.Node{node("a", 10, 0), node("b", 10, 0)}, pods...), "plimsoll")
	if placed["p0"] == placed["p1"] || placed["p2"] != "" || got.PodsUnscheduled != 1 {
		t.Errorf("pods are on %v, want one on each node and one waiting: none has started", placed)
	}
}

func TestTargetLoadPackingSeesTheSamples(t *testing.T) {
	nodes := []*v1.Node{node("idle", 100, 0), node("busy", 100, 0)}
	p := pod("p", 1, 1, 0)
	p.Arrival = 10 * time.Minute
	load := onNode(pod("load", 0.1, 30, 0), "busy")
	if _, placed := run(t, scenario(nodes, load, p), "TargetLoadPacking"); placed["p"] != "busy" {
		t.Errorf("p is on %q, want busy: 30 %% is nearer to the target of 40 %%", placed["p"])
	}
	load.Use.Base = 90
	if _, placed := run(t, scenario(nodes, load, p), "TargetLoadPacking"); placed["p"] != "idle" {
		t.Errorf("p is on %q, want idle: the other is at 90 %%", placed["p"])
	}
}

func TestTargetLoadPackingCountsPodsThatWereJustAssigned(t *testing.T) {
	nodes := []*v1.Node{node("a", 100, 0), node("b", 100, 0)}
	var pods []sim.Pod
	for i := range 2 { // 60 cores are estimated at 90
		p := pod(fmt.Sprintf("p%d", i), 60, 1, 0)
		p.Object.Spec.Containers[0].Resources.Requests[v1.ResourceCPU] = resource.MustParse("30")
		p.Arrival, p.StartDelay = 10*time.Minute+time.Duration(i)*time.Second, time.Hour
		pods = append(pods, p)
	}
	pods[1].Object.Spec.Containers[0].Resources.Requests[v1.ResourceCPU] = resource.MustParse("40")
	_, placed := run(t, scenario(nodes, pods...), "TargetLoadPacking")
	if placed["p0"] == placed["p1"] {
		t.Errorf("both pods are on %s: the first, of which no sample tells yet, was not counted", placed["p0"])
	}
}

func TestKoordinatorsPolicyRejectsAndRetries(t *testing.T) {
	p := pod("p", 1, 1, 0)
	p.Arrival = 10 * time.Minute
	got, placed := run(t, scenario([]*v1.Node{node("a", 10, 1)}, hotUntil(30*time.Minute), p), "LoadAwareScheduling")
	if placed["p"] != "a" || len(got.Timeline.Waits) != 1 {
		t.Fatalf("p is on %q", placed["p"])
	}
	// The mean of five minutes falls below 65 % some minutes after the load drops.
	if at := p.Arrival + got.Timeline.Waits[0]; at < 31*time.Minute || at > 36*time.Minute {
		t.Errorf("p got its node at %v, want some minutes after 30m", at)
	}
}

func TestFaultyScenarios(t *testing.T) {
	one := []*v1.Node{node("a", 10, 1)}
	ok := func() *sim.Scenario { return scenario(one, pod("p", 1, 1, 0)) }
	for name, test := range map[string]struct {
		edit func(*sim.Scenario)
		want string
	}{
		"no nodes":               {func(s *sim.Scenario) { s.Nodes = nil }, "has no nodes"},
		"a node twice":           {func(s *sim.Scenario) { s.Nodes = append(s.Nodes, one[0]) }, "two nodes a"},
		"a node without CPU":     {func(s *sim.Scenario) { s.Nodes = []*v1.Node{node("z", 0, 0)} }, "node z has no allocatable CPU"},
		"nothing to measure":     {func(s *sim.Scenario) { s.MeasureFrom = s.End }, "nothing is between"},
		"a pod twice":            {func(s *sim.Scenario) { s.Pods = append(s.Pods, s.Pods[0]) }, "default/p has no UID of its own"},
		"a pod on no node":       {func(s *sim.Scenario) { s.Pods[0] = onNode(s.Pods[0], "b") }, "is on node b, which does not exist"},
		"a negative life":        {func(s *sim.Scenario) { s.Pods[0].Lifetime = -1 }, "neither may be negative"},
		"a series without steps": {func(s *sim.Scenario) { s.Pods[0].Use.CPU = []float64{1} }, "the step must be above 0"},
		"all samples missing":    {func(s *sim.Scenario) { s.Metrics.Missing = 1 }, "the missing part"},
		"no interval":            {func(s *sim.Scenario) { s.Metrics.Interval = 0 }, "the interval must be at least 1s"},
	} {
		t.Run(name, func(t *testing.T) {
			s := ok()
			test.edit(s)
			_, err := sim.Run(t.Context(), s, named(t, "stock"), sim.Options{})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("the error is %v, want %q in it", err, test.want)
			}
		})
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	s, err := input.Synthetic(input.Calm(), 1)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	_, err = sim.Run(ctx, s, named(t, "stock"), sim.Options{Progress: func(_ string, done, total time.Duration) {
		if done > total/100 {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v", err)
	}
}

// A day of 1,213 nodes. -benchtime 1x is enough.
func BenchmarkDay(b *testing.B) {
	for _, name := range []string{"stock", "plimsoll"} {
		b.Run(name, func(b *testing.B) {
			model := input.Calm()
			model.Nodes = 1213
			s, err := input.Synthetic(model, 1)
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				result, err := sim.Run(b.Context(), s, named(b, name), sim.Options{})
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(result.Policies[0].DecisionsPerSecond, "decisions/s")
				b.ReportMetric(float64(len(s.Pods)), "pods")
			}
		})
	}
}
