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
	"k8s.io/client-go/tools/events"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/backend/cache"
	"k8s.io/kubernetes/pkg/scheduler/framework"
	st "k8s.io/kubernetes/pkg/scheduler/testing"
	testingclock "k8s.io/utils/clock/testing"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/apis/config"
	"github.com/plimsoll-scheduler/plimsoll/pkg/compat/process"
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
	metrics   *Metrics
	counters  *waiting.Metrics
	clock     *testingclock.FakeClock
	nodes     []*v1.Node
	pods      []*v1.Pod // bound
	measured  map[string][amount.NumResources]float64
	podUse    map[string]float64 // cores, by pod
	activated []string
	events    *events.FakeRecorder
	led       int // how often it was told that this replica leads
	informers informers.SharedInformerFactory
}

// handle is what of the framework the plugin uses, over the cluster.
type handle struct {
	fwk.Handle
	c *cluster
}

func (h handle) ProfileName() string                  { return "plimsoll" }
func (h handle) EventRecorder() process.EventRecorder { return h.c.events }
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
	c := &cluster{events: events.NewFakeRecorder(100), metrics: NewMetrics(), counters: waiting.NewMetrics(), clock: testingclock.NewFakeClock(epoch), measured: map[string][amount.NumResources]float64{}, podUse: map[string]float64{}}
	c.informers = informers.NewSharedInformerFactory(fake.NewClientset(), 0)
	model := load.NewModel(load.Config{
		Interval: 15 * time.Second, Timeout: time.Second, Expiration: args.Expiration, Window: args.Window, WarmUp: time.Minute,
		Estimator: estimate.Estimator{Factors: [amount.NumResources]int64{100, 100}, Defaults: amount.Vector{250, 200 << 20}},
		Clock:     c.clock, Lead: func() { c.led++ },
	}, c)
	shared := Shared{Metrics: c.metrics, Waiting: c.counters, Decisions: explain.NewLog(c.clock), Dispatch: waiting.Inline()}
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

// args are the default arguments but for the line that tests reckon with, 75 % of CPU.
func args(change func(*config.NodeLoadArgs)) *config.NodeLoadArgs {
	a := config.DefaultNodeLoadArgs()
	a.Filter.Thresholds["cpu"] = 75
	if change != nil {
		change(a)
	}
	return a
}

func thresholds(cpu, memory int64) *config.NodeLoadArgs {
	return args(func(a *config.NodeLoadArgs) { a.Filter.Thresholds = map[string]int64{"cpu": cpu, "memory": memory} })
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

// A pod that has waited for long enough is not treated like one that has just come.
func TestPodsThatHaveWaitedSignForThemselves(t *testing.T) {
	c := newCluster(t, args(func(a *config.NodeLoadArgs) { a.Filter.MaxWait = time.Minute }), "n")
	c.use("n", 9, gi)
	c.poll(t)
	sign := func(name string) string {
		fragments, status := c.SignPod(t.Context(), pod(name, "1", "1Gi"))
		if !status.IsSuccess() {
			t.Fatal(status.AsError())
		}
		return fmt.Sprint(fragments)
	}
	attempt, view := c.waiting.Begin(pod("waits", "1", "1Gi"), false)
	attempt.Reject(view.Node("n"), view.Node("n").Allocatable, int(overCPU))
	c.waiting.Finish(attempt)
	if sign("waits") != sign("new") {
		t.Error("a pod that has just been rejected by the only node signs for itself")
	}
	c.clock.Step(time.Minute)
	if sign("waits") == sign("new") {
		t.Error("a pod that has waited for a minute signs like one that has just come")
	}
}

// resizing is a pod that runs on the node, and is to be resized there.
func resizing(node string) *v1.Pod {
	p := pod("resizing", "3", "1Gi")
	p.Spec.NodeName = node
	p.Status.Conditions = []v1.PodCondition{{Type: v1.PodResizePending, Status: v1.ConditionTrue, Reason: v1.PodReasonDeferred}}
	return p
}

// A cycle tells that this replica leads, and only the first does.
func TestTheFirstCycleLeads(t *testing.T) {
	c := newCluster(t, args(func(*config.NodeLoadArgs) {}), "n")
	for range 2 {
		if c.schedule(t, st.MakePod().Name("p").Obj()); c.led != 1 {
			t.Errorf("told %d times that it leads, want once", c.led)
		}
	}
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
	if explain.Of(state) != nil {
		t.Error("its cycle is explained")
	}
}
