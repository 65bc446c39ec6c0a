package nodeload

import (
	"context"
	"fmt"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/backend/cache"
	"k8s.io/kubernetes/pkg/scheduler/framework"
	st "k8s.io/kubernetes/pkg/scheduler/testing"
	testingclock "k8s.io/utils/clock/testing"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/apis/config"
	"github.com/plimsoll-scheduler/plimsoll/pkg/explain"
	"github.com/plimsoll-scheduler/plimsoll/pkg/line"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load/estimate"
	"github.com/plimsoll-scheduler/plimsoll/pkg/waiting"
)

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

const gi = 1 << 30

// cluster is nodes of 10 cores and 100 GiB, what was measured on them, and the
// plugin.
type cluster struct {
	*NodeLoad
	clock     *testingclock.FakeClock
	nodes     []*v1.Node
	pods      []*v1.Pod // bound
	measured  map[string][amount.NumResources]float64
	podUse    map[string]float64 // cores, by pod
	activated []string
	informers informers.SharedInformerFactory
}

// handle is what of the framework the plugin uses, over the cluster.
type handle struct {
	fwk.Handle
	c *cluster
}

func (h handle) ProfileName() string { return "plimsoll" }
func (h handle) SnapshotSharedLister() fwk.SharedLister {
	return cache.NewSnapshot(h.c.pods, h.c.nodes)
}
func (h handle) SharedInformerFactory() informers.SharedInformerFactory { return h.c.informers }
func (h handle) Activate(_ klog.Logger, pods map[string]*v1.Pod) {
	for _, pod := range pods {
		h.c.activated = append(h.c.activated, pod.Name)
	}
}

// Poll makes the cluster its own load source.
func (c *cluster) Poll(context.Context) ([]load.Reading, error) {
	var readings []load.Reading
	for name, usage := range c.measured {
		readings = append(readings, load.Reading{Node: name, Timestamp: c.clock.Now(), Window: 15 * time.Second, Usage: usage})
	}
	return readings, nil
}

func newCluster(t testing.TB, args *config.NodeLoadArgs, nodes ...string) *cluster {
	c := &cluster{clock: testingclock.NewFakeClock(epoch), measured: map[string][amount.NumResources]float64{}, podUse: map[string]float64{}}
	c.informers = informers.NewSharedInformerFactory(fake.NewClientset(), 0)
	model := load.NewModel(load.Config{
		Interval: 15 * time.Second, Timeout: time.Second, Expiration: args.Expiration, Window: args.Window, WarmUp: time.Minute,
		Estimator: estimate.Estimator{Factors: [amount.NumResources]int64{100, 100}, Defaults: amount.Vector{250, 200 << 20}},
		Clock:     c.clock,
	}, c)
	shared := Shared{Metrics: NewMetrics(), Decisions: explain.NewLog(c.clock), Dispatch: waiting.Inline()}
	c.NodeLoad = newPlugin(t.Context(), args, model, shared, handle{c: c})
	for _, name := range nodes {
		node := st.MakeNode().Name(name).Capacity(map[v1.ResourceName]string{"cpu": "10", "memory": "100Gi", "pods": "110"}).Obj()
		c.nodes = append(c.nodes, node)
		model.SetNode(name, amount.FromList(node.Status.Allocatable), line.Own{})
	}
	return c
}

// poll has the model measure the nodes.
func (c *cluster) poll(t testing.TB) {
	t.Helper()
	c.model.Poll(t.Context())
}

func (c *cluster) use(node string, cores float64, memory int64) {
	c.measured[node] = [amount.NumResources]float64{cores, float64(memory)}
}

func (c *cluster) info(node string) fwk.NodeInfo {
	info, err := handle{c: c}.SnapshotSharedLister().NodeInfos().Get(node)
	if err != nil {
		panic(err)
	}
	return info
}

// result is what a scheduling cycle says of a node: a reason, or a score.
type result struct {
	reason string
	score  int64
}

// schedule runs a scheduling cycle's extension points over all nodes.
func (c *cluster) schedule(t testing.TB, pod *v1.Pod) map[string]result {
	t.Helper()
	ctx := t.Context()
	state := framework.NewCycleState()
	_, status := c.PreFilter(ctx, state, pod, nil)
	if !status.IsSuccess() && !status.IsSkip() {
		t.Fatal(status.AsError())
	}
	skipped := status.IsSkip()
	results := map[string]result{}
	statuses := framework.NewDefaultNodeToStatus()
	for _, node := range c.nodes {
		if !skipped {
			if status := c.Filter(ctx, state, pod, c.info(node.Name)); !status.IsSuccess() {
				statuses.Set(node.Name, status.WithPlugin(Name))
				results[node.Name] = result{reason: status.Message()}
				continue
			}
		}
		if status := c.PreScore(ctx, state, pod, nil); !status.IsSuccess() {
			t.Fatal(status.AsError())
		}
		score, status := c.Score(ctx, state, pod, c.info(node.Name))
		if !status.IsSuccess() {
			t.Fatal(status.AsError())
		}
		results[node.Name] = result{score: score}
	}
	if statuses.Len() == len(c.nodes) {
		if _, status := c.PostFilter(ctx, state, pod, statuses); status.Code() != fwk.Unschedulable {
			t.Fatalf("PostFilter: %v", status)
		}
	}
	return results
}

func pod(name string, cpu, memory string) *v1.Pod {
	p := st.MakePod().Name(name).UID(name).Namespace("default")
	return p.Req(map[v1.ResourceName]string{"cpu": cpu, "memory": memory}).Obj()
}

func args(change func(*config.NodeLoadArgs)) *config.NodeLoadArgs {
	a := config.DefaultNodeLoadArgs()
	if change != nil {
		change(a)
	}
	return a
}

func thresholds(cpu, memory int64) *config.NodeLoadArgs {
	return args(func(a *config.NodeLoadArgs) { a.Filter.Thresholds = map[string]int64{"cpu": cpu, "memory": memory} })
}

func TestFilterAtTheThreshold(t *testing.T) {
	for _, test := range []struct {
		name        string
		args        *config.NodeLoadArgs
		cores       float64
		memory      int64
		cpu, memreq string
		want        string
	}{
		{"at the line is not over it", thresholds(75, 85), 6.5, 0, "1", "1Gi", ""},
		{"a millicore over", thresholds(75, 85), 6.501, 0, "1", "1Gi", "node(s) over the cpu load line"},
		{"memory at the line", thresholds(75, 85), 0, 84 * gi, "1", "1Gi", ""},
		{"memory over the line", thresholds(75, 85), 0, 84*gi + 1, "1", "1Gi", "node(s) over the memory load line"},
		{"cpu turned off", thresholds(0, 85), 10, 0, "1", "1Gi", ""},
		{"memory turned off", thresholds(75, 0), 0, 200 * gi, "1", "1Gi", ""},
		{"at 100 percent", thresholds(100, 100), 9, 99 * gi, "1", "1Gi", ""},
		{"the pod alone is over the line, and the node nearly idle", thresholds(75, 85), 2.5, 0, "8", "1Gi", ""},
		{"the pod alone is over the line, and the node is not idle", thresholds(75, 85), 2.51, 0, "8", "1Gi", "node(s) over the cpu load line"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newCluster(t, test.args, "n")
			c.use("n", test.cores, test.memory)
			c.poll(t)
			if got := c.schedule(t, pod("p", test.cpu, test.memreq))["n"].reason; got != test.want {
				t.Errorf("rejected for %q, want %q", got, test.want)
			}
		})
	}
}

func TestInFlightPodsCount(t *testing.T) {
	c := newCluster(t, args(nil), "n")
	c.use("n", 1, gi)
	c.poll(t)
	for i := range 6 {
		p := pod(fmt.Sprint("p", i), "1", "1Gi")
		if got := c.schedule(t, p)["n"].reason; got != "" {
			t.Fatalf("pod %d: %s", i, got)
		}
		c.Reserve(t.Context(), framework.NewCycleState(), p, "n")
	}
	if got := c.schedule(t, pod("last", "1", "1Gi"))["n"].reason; got != overCPU.reason() {
		t.Errorf("1 core measured, 6 in flight and 1 asked for of 10, line at 7.5: %q", got)
	}
	c.Unreserve(t.Context(), framework.NewCycleState(), pod("p0", "1", "1Gi"), "n")
	if got := c.schedule(t, pod("last", "1", "1Gi"))["n"].reason; got != "" {
		t.Errorf("after one was taken back: %q", got)
	}
}

func TestExemptPods(t *testing.T) {
	c := newCluster(t, args(nil), "n")
	c.use("n", 9.9, 99*gi)
	c.poll(t)
	daemon := pod("daemon", "1", "1Gi")
	daemon.OwnerReferences = []metav1.OwnerReference{{Kind: "DaemonSet", Controller: new(true)}}
	critical := st.MakePod().Name("critical").UID("critical").Priority(2_000_000_000).Obj()
	high := st.MakePod().Name("high").UID("high").Priority(1_999_999_999).Obj()
	for _, test := range []struct {
		pod  *v1.Pod
		want string
	}{{daemon, ""}, {critical, ""}, {high, overCPU.reason()}} {
		if got := c.schedule(t, test.pod)["n"].reason; got != test.want {
			t.Errorf("%s: rejected for %q, want %q", test.pod.Name, got, test.want)
		}
	}
}

// bound is a pod on a node that requests this much.
func bound(node, cpu string) *v1.Pod {
	p := pod("on-"+node, cpu, "1Gi")
	p.Spec.NodeName = node
	return p
}

func TestNodesWithoutFreshMetrics(t *testing.T) {
	for _, test := range []struct {
		policy         config.StalePolicy
		missing, stale string // reason
	}{
		{policy: config.UseRequests, stale: overCPU.reason()}, // it was hot when it was measured last
		{policy: config.Ignore},
		{policy: config.Reject, missing: staleMetrics.reason(), stale: staleMetrics.reason()},
	} {
		t.Run(string(test.policy), func(t *testing.T) {
			c := newCluster(t, args(func(a *config.NodeLoadArgs) { a.StalePolicy = test.policy }), "fresh", "missing", "stale")
			c.use("stale", 9.9, 99*gi)
			c.poll(t)
			delete(c.measured, "stale")
			c.clock.Step(91 * time.Second)
			c.use("fresh", 3, 3*gi)
			c.pods = []*v1.Pod{bound("fresh", "9"), bound("missing", "3"), bound("stale", "3")}
			c.poll(t)
			got := c.schedule(t, pod("p", "1", "1Gi"))
			if got["fresh"].reason != "" || got["missing"].reason != test.missing || got["stale"].reason != test.stale {
				t.Fatalf("rejected: %v", got)
			}
			switch test.policy {
			case config.UseRequests:
				// 3 cores requested weigh as much as 3 cores measured.
				if abs(got["missing"].score-got["fresh"].score) > 1 {
					t.Errorf("scores %v: the requests of a node should stand in for its use", got)
				}
			case config.Ignore:
				if got["missing"].score != neutralScore || got["stale"].score != neutralScore {
					t.Errorf("scores %v, want the neutral one", got)
				}
			}
		})
	}
}

func abs(i int64) int64 { return max(i, -i) }

// With no metrics at all nodes rank as by their requests, and none is rejected.
func TestNoMetricsAtAll(t *testing.T) {
	c := newCluster(t, args(nil), "busy", "idle", "full")
	c.pods = []*v1.Pod{bound("busy", "5"), bound("full", "9")}
	got := c.schedule(t, pod("p", "1", "1Gi"))
	if got["full"].reason != "" || got["idle"].score <= got["busy"].score || got["busy"].score <= got["full"].score {
		t.Errorf("%v, want idle above busy above full, and none rejected", got)
	}
}

func TestScore(t *testing.T) {
	both := func(cpu, memory, worst int64) *config.NodeLoadArgs {
		return args(func(a *config.NodeLoadArgs) {
			a.Score.Weights = map[string]int64{"cpu": cpu, "memory": memory}
			a.Score.WorstResourceWeight = worst
		})
	}
	for _, test := range []struct {
		name   string
		args   *config.NodeLoadArgs
		cores  float64 // of 10; the line is at 7.5
		memory int64   // of 100 GiB; the line is at 85
		want   int64
	}{
		{"idle", both(1, 1, 1), 0, 0, 100},
		{"at the line in both", both(1, 1, 1), 7.5, 85 * gi, 0},
		{"half way in both", both(1, 1, 1), 3.75, 85 * gi / 2, 50},
		{"cpu only", both(1, 0, 0), 3.75, 85 * gi, 50},
		{"the mean", both(1, 1, 0), 3.75, 0, 75},
		{"the worst counts once more", both(1, 1, 1), 3.75, 0, 67},
		{"weights", both(3, 1, 0), 3.75, 0, 63},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newCluster(t, test.args, "n")
			c.use("n", test.cores, test.memory)
			c.poll(t)
			if got := c.schedule(t, pod("p", "0", "0"))["n"]; got.reason != "" || got.score != test.want {
				t.Errorf("%+v, want score %d", got, test.want)
			}
		})
	}
}

func TestBandsByPriority(t *testing.T) {
	c := newCluster(t, args(func(a *config.NodeLoadArgs) {
		a.Bands = []config.Band{
			{MinPriority: new(int64(1000)), Thresholds: map[string]int64{"cpu": 95}},
			{MinPriority: new(int64(500)), MaxPriority: new(int64(2000)), Thresholds: map[string]int64{"cpu": 85}},
			{MaxPriority: new(int64(-1)), Thresholds: map[string]int64{"cpu": 50, "memory": 10}},
		}
	}), "n")
	c.use("n", 6, 5*gi)
	c.poll(t)
	for _, test := range []struct {
		priority int32
		cpu      string
		want     string
	}{
		{1000, "3500m", ""}, {1000, "3501m", overCPU.reason()}, // the first band that matches counts
		{999, "2500m", ""}, {999, "2501m", overCPU.reason()},
		{499, "1500m", ""}, {499, "1501m", overCPU.reason()}, // in no band
		{-1, "1m", overCPU.reason()},
	} {
		p := st.MakePod().Name("p").UID("p").Namespace("default").Priority(test.priority).Req(map[v1.ResourceName]string{"cpu": test.cpu, "memory": "1Gi"}).Obj()
		if got := c.schedule(t, p)["n"].reason; got != test.want {
			t.Errorf("priority %d, %s: rejected for %q, want %q", test.priority, test.cpu, got, test.want)
		}
	}
	c.clock.Step(15 * time.Second)
	c.use("n", 1, 80*gi)
	c.poll(t)
	high := st.MakePod().Name("p").UID("p").Priority(1000).Req(map[v1.ResourceName]string{"memory": "6Gi"}).Obj()
	if got := c.schedule(t, high)["n"].reason; got != overMemory.reason() {
		t.Errorf("a band without a memory threshold has that of filter: %q", got)
	}
}

func TestStatistics(t *testing.T) {
	history := []float64{9, 9, 9, 1} // a window of 15 s each; the newest last
	for _, test := range []struct {
		filter, score config.Statistic
		risk          float64
		reason        string
		score100      int64 // with the line at 100 % of 10 cores
	}{
		{config.Latest, config.Latest, 0, "", 90},
		{config.Latest, config.Average, 0, "", 30},
		{config.Latest, config.Peak, 0, "", 10},
		{config.Latest, config.P50, 0, "", 10},
		{config.Latest, config.Average, 0.5, "", 13}, // the deviation is 3.46 cores
		{config.Average, config.Latest, 0, overCPU.reason(), 0},
		{config.P90, config.Latest, 0, overCPU.reason(), 0},
	} {
		t.Run(fmt.Sprintf("%s %s %v", test.filter, test.score, test.risk), func(t *testing.T) {
			c := newCluster(t, args(func(a *config.NodeLoadArgs) {
				a.Window = time.Minute
				a.Filter.Statistic, a.Score.Statistic, a.Score.RiskAversion = test.filter, test.score, test.risk
				a.Score.Weights = map[string]int64{"cpu": 1}
				a.Filter.Thresholds = map[string]int64{"cpu": 100}
				if test.reason != "" {
					a.Filter.Thresholds["cpu"] = 65
				}
			}), "n")
			for _, cores := range history {
				c.clock.Step(15 * time.Second)
				c.use("n", cores, 0)
				c.poll(t)
			}
			if got := c.schedule(t, pod("p", "0", "0"))["n"]; got.reason != test.reason || got.score != test.score100 {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestScheduleAnywayRanksHotNodesLast(t *testing.T) {
	c := newCluster(t, args(func(a *config.NodeLoadArgs) { a.Filter.WhenUnsatisfiable = config.ScheduleAnyway }), "cool", "at-line", "warm", "hot", "off-scale")
	c.use("cool", 1, 0)
	c.use("at-line", 7.5, 85*gi)
	c.use("warm", 8, 0)
	c.use("hot", 10, 0)
	c.use("off-scale", 1000, 0)
	c.poll(t)
	got := c.schedule(t, pod("p", "0", "0"))
	order := []string{"cool", "at-line", "warm", "hot", "off-scale"}
	for i, name := range order {
		if got[name].reason != "" {
			t.Errorf("%s: rejected for %q", name, got[name].reason)
		}
		if i > 0 && got[name].score >= got[order[i-1]].score {
			t.Errorf("%s scores %d, %s %d: want falling scores", order[i-1], got[order[i-1]].score, name, got[name].score)
		}
	}
}

func TestScoresStayInRange(t *testing.T) {
	for _, soft := range []bool{false, true} {
		p := newPolicy(config.DefaultNodeLoadArgs())
		p.soft = soft
		for _, predicted := range []amount.Vector{{}, {1, 1}, {7500, 85 * gi}, {1 << 50, 1 << 50}, {1 << 62, 1 << 62}} {
			for _, allocatable := range []amount.Vector{{}, {1, 1}, {10000, 100 * gi}} {
				if s := p.score(predicted, allocatable, &line.Own{}, ask{rule: p.general, soft: soft}); s < fwk.MinScore || s > fwk.MaxScore {
					t.Errorf("soft %t, predicted %v of %v: score %d", soft, predicted, allocatable, s)
				}
			}
		}
	}
}

func TestPodsThatAreTreatedAlikeSignAlike(t *testing.T) {
	c := newCluster(t, args(nil), "n")
	sign := func(p *v1.Pod) string {
		fragments, status := c.SignPod(t.Context(), p)
		if !status.IsSuccess() {
			t.Fatal(status.AsError())
		}
		return fmt.Sprint(fragments)
	}
	base := sign(pod("a", "1", "1Gi"))
	if sign(pod("b", "1000m", "1024Mi")) != base {
		t.Error("the same requests under another name sign differently")
	}
	daemon := pod("a", "1", "1Gi")
	daemon.OwnerReferences = []metav1.OwnerReference{{Kind: "DaemonSet", Controller: new(true)}}
	two := pod("a", "1", "1Gi")
	two.Spec.Containers = append(two.Spec.Containers, v1.Container{})
	for name, p := range map[string]*v1.Pod{"other requests": pod("a", "2", "1Gi"), "exempt": daemon, "another container": two} {
		if sign(p) == base {
			t.Errorf("%s: signs alike", name)
		}
	}
}

// resizing is a pod that runs on the node, and is to be resized there.
func resizing(node string) *v1.Pod {
	p := pod("resizing", "3", "1Gi")
	p.Spec.NodeName = node
	p.Status.Conditions = []v1.PodCondition{{Type: v1.PodResizePending, Status: v1.ConditionTrue, Reason: v1.PodReasonDeferred}}
	return p
}

// A cycle of a pod that has a node, which is to be resized, is none of ours.
func TestPodsThatHaveANode(t *testing.T) {
	c := newCluster(t, args(func(a *config.NodeLoadArgs) { a.StalePolicy = config.Reject }), "n", "missing")
	c.use("n", 9, gi)
	c.poll(t)
	p := resizing("n")
	c.add(t, p)
	before := c.model.View()
	state := framework.NewCycleState()
	if _, status := c.PreFilter(t.Context(), state, p, nil); !status.IsSkip() {
		t.Errorf("PreFilter: %v, want that Filter is skipped", status)
	}
	for _, node := range []string{"n", "missing"} { // a profile may enable Filter alone
		if status := c.Filter(t.Context(), state, p, c.info(node)); !status.IsSuccess() {
			t.Errorf("Filter on %s: %v", node, status)
		}
	}
	if status := c.PreScore(t.Context(), state, p, nil); !status.IsSkip() {
		t.Errorf("PreScore: %v, want that Score is skipped", status)
	}
	if _, status := c.Score(t.Context(), state, p, c.info("n")); !status.IsSuccess() {
		t.Errorf("Score: %v", status)
	}
	c.Reserve(t.Context(), state, p, "n")
	if view := c.model.View(); view.Node("n").Predicted != before.Node("n").Predicted {
		t.Error("what it runs with is counted once more")
	}
	c.Unreserve(t.Context(), state, p, "n")
	c.PostFilter(t.Context(), state, p, framework.NewDefaultNodeToStatus())
	if c.waiting.Len() != 0 {
		t.Error("it is remembered as a pod that waits for load")
	}
	if all, dropped := c.decisions.All(); len(all) > 0 || dropped > 0 {
		t.Errorf("explained: %v", all)
	}
}

// 5,000 nodes with a load that lets some pass and rejects others.
func benchmarkCycle(b *testing.B) (*cluster, fwk.CycleState, []fwk.NodeInfo, *v1.Pod) {
	names := make([]string, 5000)
	for i := range names {
		names[i] = fmt.Sprintf("node-%d", i)
	}
	c := newCluster(b, config.DefaultNodeLoadArgs(), names...)
	for i, name := range names {
		c.use(name, float64(i%100)/10, int64(i%100)*gi)
	}
	c.poll(b)
	p := pod("p", "1", "1Gi")
	infos, err := handle{c: c}.SnapshotSharedLister().NodeInfos().List()
	if err != nil {
		b.Fatal(err)
	}
	state := framework.NewCycleState()
	if _, status := c.PreFilter(b.Context(), state, p, nil); !status.IsSuccess() {
		b.Fatal(status.AsError())
	}
	b.ReportAllocs()
	return c, state, infos, p
}

// An operation is Filter on all 5,000 nodes, of which a third is rejected.
func BenchmarkFilter(b *testing.B) {
	c, state, infos, p := benchmarkCycle(b)
	for b.Loop() {
		for _, info := range infos {
			c.Filter(b.Context(), state, p, info)
		}
	}
}

// An operation is Score on all 5,000 nodes.
func BenchmarkScore(b *testing.B) {
	c, state, infos, p := benchmarkCycle(b)
	for b.Loop() {
		for _, info := range infos {
			c.Score(b.Context(), state, p, info)
		}
	}
}
