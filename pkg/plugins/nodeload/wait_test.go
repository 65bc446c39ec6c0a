package nodeload

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework"
	st "k8s.io/kubernetes/pkg/scheduler/testing"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/apis/config"
	"github.com/plimsoll-scheduler/plimsoll/pkg/line"
)

// reject schedules the pods, each of which must be rejected by all nodes.
func (c *cluster) reject(t *testing.T, pods ...*v1.Pod) {
	t.Helper()
	for _, p := range pods {
		c.add(t, p)
		for node, result := range c.schedule(t, p) {
			if result.reason == "" {
				t.Fatalf("%s is not rejected by %s", p.Name, node)
			}
		}
		c.clock.Step(time.Millisecond) // the order in which they wait
	}
}

// add has the informer know the pod.
func (c *cluster) add(t *testing.T, p *v1.Pod) {
	t.Helper()
	if err := c.informers.Core().V1().Pods().Informer().GetStore().Add(p); err != nil {
		t.Fatal(err)
	}
}

// afterPoll returns the pods that the next poll puts back into the queue.
func (c *cluster) afterPoll(t *testing.T) []string {
	t.Helper()
	c.clock.Step(15 * time.Second)
	c.activated = nil
	c.poll(t)
	slices.Sort(c.activated)
	return c.activated
}

func TestPodsWakeWhenANodeCouldTakeThem(t *testing.T) {
	c := newCluster(t, args(nil), "a", "b")
	c.use("a", 9, gi)
	c.use("b", 9, gi)
	c.poll(t)
	c.reject(t, pod("small", "1", "1Gi"), pod("large", "5", "1Gi"))

	if got := c.afterPoll(t); len(got) != 0 {
		t.Errorf("woken on a hot cluster: %v", got)
	}
	c.use("a", 5, gi)
	if got := c.afterPoll(t); !slices.Equal(got, []string{"small"}) {
		t.Errorf("room for 2.5 cores woke %v, want the small pod", got)
	}
	c.use("b", 1, gi)
	if got := c.afterPoll(t); !slices.Equal(got, []string{"large", "small"}) {
		t.Errorf("room on both nodes woke %v, want both pods", got)
	}
}

// A pod that is over the line alone waits for a large node. Only if all that
// it may run on are small it gets one of those that is nearly idle.
func TestTooLargeForALine(t *testing.T) {
	c := newCluster(t, args(nil), "small")
	large := st.MakeNode().Name("large").Capacity(map[v1.ResourceName]string{"cpu": "40", "memory": "100Gi", "pods": "110"}).Obj()
	c.nodes = append(c.nodes, large)
	c.model.SetNode("large", amount.FromList(large.Status.Allocatable), line.Own{})
	c.use("small", 0, gi)
	c.use("large", 11, gi)
	c.poll(t)

	// It counts for 20 of 28 cores, two thirds of the line of the large node.
	c.reject(t, pod("huge", "28", "1Gi"))
	if got := c.afterPoll(t); len(got) != 0 {
		t.Errorf("woken although the large node uses more than a third of its line: %v", got)
	}
	c.use("large", 9, gi)
	if got := c.afterPoll(t); !slices.Equal(got, []string{"huge"}) {
		t.Errorf("woken when the large node has room: %v", got)
	}
	results := c.schedule(t, pod("huge", "28", "1Gi"))
	if results["large"].reason != "" || results["small"].reason == "" {
		t.Errorf("the huge pod is judged %v, want it on the large node only", results)
	}
	c.Reserve(t.Context(), framework.NewCycleState(), pod("huge", "28", "1Gi"), "large")

	// The next one may only run on small: another plugin rejects the large node.
	pinned := pod("pinned", "28", "1Gi")
	if err := c.informers.Core().V1().Pods().Informer().GetStore().Add(pinned); err != nil {
		t.Fatal(err)
	}
	all := c.nodes
	c.nodes = all[:1]
	if results := c.schedule(t, pinned); results["small"].reason == "" {
		t.Error("small takes the pod before it is known that the pod may run nowhere else")
	}
	c.nodes = all
	c.use("large", 30, gi) // or the other pod is woken again
	if got := c.afterPoll(t); !slices.Equal(got, []string{"pinned"}) {
		t.Errorf("woken when the only node is idle: %v", got)
	}
	if results := c.schedule(t, pinned); results["small"].reason != "" {
		t.Errorf("the pod that may only run on small is rejected there: %v", results)
	}
}

func TestRoomForThreeWakesThreeByPriorityAndAge(t *testing.T) {
	c := newCluster(t, args(nil), "a")
	c.use("a", 9, gi)
	c.poll(t)
	var pods []*v1.Pod
	for i := range 10 {
		pods = append(pods, pod(fmt.Sprint("p", i), "1", "1Gi"))
	}
	urgent := st.MakePod().Name("urgent").UID("urgent").Namespace("default").Priority(10).Req(map[v1.ResourceName]string{"cpu": "1"}).Obj()
	c.reject(t, append(pods, urgent)...)
	c.use("a", 4.5, gi)
	if got := c.afterPoll(t); !slices.Equal(got, []string{"p0", "p1", "urgent"}) {
		t.Errorf("room for three woke %v, want the urgent pod and the two that wait longest", got)
	}
}

func TestPodsWakeOnlyForNodesThatRejectedThemForLoad(t *testing.T) {
	c := newCluster(t, args(nil), "a")
	c.use("a", 9, gi)
	c.poll(t)
	c.reject(t, pod("p", "1", "1Gi"))
	// The pod is tried again, and another plugin rejects it on every node.
	p := pod("p", "1", "1Gi")
	c.nodes = nil
	state := framework.NewCycleState()
	c.PreFilter(t.Context(), state, p, nil)
	c.PostFilter(t.Context(), state, p, framework.NewDefaultNodeToStatus())
	c.use("a", 1, gi)
	if got := c.afterPoll(t); len(got) != 0 {
		t.Errorf("woken: %v", got)
	}
}

// It does not matter which plugin ends a cycle: PostFilter runs for us only if no
// plugin before us has made the pod schedulable, and never for a member of a group.
func TestPodsWakeWhoeverEndsTheCycle(t *testing.T) {
	c := newCluster(t, args(nil), "a", "b")
	c.use("a", 9, gi)
	c.use("b", 9, gi)
	c.poll(t)
	p := pod("p", "1", "1Gi")
	c.add(t, p)
	state := framework.NewCycleState()
	c.PreFilter(t.Context(), state, p, nil)
	if c.Filter(t.Context(), state, p, c.info("b")).IsSuccess() {
		t.Fatal("b takes the pod")
	}
	c.use("a", 1, gi)
	if got := c.afterPoll(t); len(got) != 0 {
		t.Errorf("woken for a node that another plugin rejected: %v", got)
	}
	c.use("b", 1, gi)
	if got := c.afterPoll(t); !slices.Equal(got, []string{"p"}) {
		t.Errorf("woken when load dropped: %v", got)
	}
}

// A node that is added is not measured yet.
func TestPodsWakeWhenANewNodeIsMeasured(t *testing.T) {
	c := newCluster(t, args(func(a *config.NodeLoadArgs) { a.StalePolicy = config.Reject }), "a")
	c.use("a", 9, gi)
	c.poll(t)
	tried, before := pod("tried on it", "1", "1Gi"), pod("not tried on it", "1", "1Gi")
	c.reject(t, before)
	node := st.MakeNode().Name("new").Capacity(map[v1.ResourceName]string{"cpu": "10", "memory": "100Gi"}).Obj()
	c.nodes = append(c.nodes, node)
	c.reject(t, tried) // the scheduler knows the node before the load model does
	c.model.SetNode("new", amount.FromList(node.Status.Allocatable), line.Own{})
	if got := c.afterPoll(t); len(got) != 0 {
		t.Errorf("woken before it is measured: %v", got)
	}
	c.use("new", 1, gi)
	if got := c.afterPoll(t); !slices.Equal(got, []string{before.Name, tried.Name}) {
		t.Errorf("woken when it is measured: %v", got)
	}
}

func TestPodsThatNoLongerWaitAreForgotten(t *testing.T) {
	c := newCluster(t, args(nil), "a")
	c.use("a", 9, gi)
	c.poll(t)
	deleted, bound, recreated, reserved := pod("deleted", "1", "1Gi"), pod("bound", "1", "1Gi"), pod("recreated", "1", "1Gi"), pod("reserved", "1", "1Gi")
	c.reject(t, deleted, bound, recreated, reserved)
	store := c.informers.Core().V1().Pods().Informer().GetStore()
	elsewhere := bound.DeepCopy()
	elsewhere.Spec.NodeName = "a"
	another := recreated.DeepCopy()
	another.UID = "another"
	if err := store.Replace([]any{elsewhere, another, reserved}, ""); err != nil {
		t.Fatal(err)
	}
	c.Reserve(t.Context(), framework.NewCycleState(), reserved, "a")
	c.use("a", 1, gi)
	if got := c.afterPoll(t); len(got) != 0 {
		t.Errorf("woken: %v", got)
	}
	if n := c.waiting.Len(); n != 1 {
		t.Errorf("%d pods are remembered, want the one that may yet be taken back", n)
	}
	reserved = reserved.DeepCopy()
	reserved.Spec.NodeName = "a"
	if err := store.Update(reserved); err != nil {
		t.Fatal(err)
	}
	c.afterPoll(t)
	if n := c.waiting.Len(); n != 0 {
		t.Errorf("%d pods are still remembered", n)
	}
}

// With maxWait a pod waits so long for load, and not longer.
func TestMaxWait(t *testing.T) {
	hot := func(t *testing.T, change func(*config.NodeLoadArgs)) *cluster {
		c := newCluster(t, args(func(a *config.NodeLoadArgs) {
			a.Filter.MaxWait = 40 * time.Second
			change(a)
		}), "a", "b")
		c.use("a", 9, gi)
		c.use("b", 8, gi)
		c.poll(t)
		return c
	}
	wantWoken := func(t *testing.T, c *cluster, want ...[]string) {
		t.Helper()
		for i, want := range want {
			if got := c.afterPoll(t); !slices.Equal(got, want) {
				t.Fatalf("%d s after the rejection: woken %v, want %v", 15*(i+1), got, want)
			}
		}
	}

	t.Run("then hot nodes rank last", func(t *testing.T) {
		c := hot(t, func(*config.NodeLoadArgs) {})
		p := pod("p", "1", "1Gi")
		c.reject(t, p)
		wantWoken(t, c, nil, nil, []string{"p"})
		got := c.schedule(t, p)
		if got["a"].reason != "" || got["b"].reason != "" || got["a"].score >= got["b"].score || got["b"].score >= softBand {
			t.Errorf("overdue: %+v, want both nodes, the less hot one first", got)
		}
		c.reject(t, pod("new", "1", "1Gi"))
		c.Reserve(t.Context(), framework.NewCycleState(), p, "b")
	})
	t.Run("is not waited anew because another plugin rejects the pod", func(t *testing.T) {
		c := hot(t, func(*config.NodeLoadArgs) {})
		p := pod("p", "1", "1Gi")
		c.reject(t, p)
		wantWoken(t, c, nil, nil, []string{"p"})
		nodes := c.nodes
		c.nodes = nil
		c.schedule(t, p)
		wantWoken(t, c, nil, nil, nil) // that is no use until the other plugin says so
		c.nodes = nodes
		if got := c.schedule(t, p); got["a"].reason != "" {
			t.Errorf("rejected again: %+v", got)
		}
	})
	t.Run("is not waited anew because another plugin rejects the pod before us", func(t *testing.T) {
		c := hot(t, func(*config.NodeLoadArgs) {})
		p := pod("p", "1", "1Gi")
		c.reject(t, p)
		wantWoken(t, c, nil)
		// Its PreFilter does, so that ours is not run.
		c.PostFilter(t.Context(), framework.NewCycleState(), p, framework.NewDefaultNodeToStatus())
		wantWoken(t, c, nil, []string{"p"})
		if got := c.schedule(t, p); got["a"].reason != "" {
			t.Errorf("rejected 45 s after the first rejection: %+v", got)
		}
	})
	t.Run("goes on when a place is taken back", func(t *testing.T) {
		c := hot(t, func(*config.NodeLoadArgs) {})
		p := pod("p", "1", "1Gi")
		c.reject(t, p)
		c.Reserve(t.Context(), framework.NewCycleState(), p, "b")
		wantWoken(t, c, nil, nil, nil)
		c.Unreserve(t.Context(), framework.NewCycleState(), p, "b")
		wantWoken(t, c, []string{"p"})
	})
	t.Run("is not for bands", func(t *testing.T) {
		c := hot(t, func(a *config.NodeLoadArgs) { a.Bands = []config.Band{{Thresholds: map[string]int64{"cpu": 50}}} })
		c.reject(t, pod("p", "1", "1Gi"))
		wantWoken(t, c, nil, nil, nil, nil)
		c.reject(t, pod("p", "1", "1Gi"))
	})
	t.Run("is not for pods that say DoNotSchedule", func(t *testing.T) {
		c := hot(t, func(*config.NodeLoadArgs) {})
		p := pod("p", "1", "1Gi")
		p.Annotations = map[string]string{config.WhenUnsatisfiableAnnotation: string(config.DoNotSchedule)}
		c.reject(t, p)
		wantWoken(t, c, nil, nil, nil, nil)
		c.reject(t, p)
	})
	t.Run("does not make metrics fresh", func(t *testing.T) {
		c := hot(t, func(a *config.NodeLoadArgs) { a.StalePolicy, a.Expiration = config.Reject, 20*time.Second })
		p := pod("p", "1", "1Gi")
		c.reject(t, p)
		clear(c.measured)
		wantWoken(t, c, nil, nil, nil, nil) // that would be in vain
		c.reject(t, p)
		c.use("a", 9, gi)
		wantWoken(t, c, []string{"p"})
		if got := c.schedule(t, p); got["a"].reason != "" {
			t.Errorf("overdue, and a is measured again: %+v", got)
		}
	})
}

// What the least demanding of the waiting pods would be granted is what decides
// whether nodes are looked at at all.
func TestSoftAndHardPodsWaitTogether(t *testing.T) {
	c := newCluster(t, args(func(a *config.NodeLoadArgs) { a.StalePolicy = config.Reject }), "a")
	c.poll(t)
	soft := pod("soft", "1", "1Gi")
	soft.Annotations = map[string]string{config.WhenUnsatisfiableAnnotation: string(config.ScheduleAnyway)}
	c.reject(t, pod("hard", "1", "1Gi"), soft)
	c.use("a", 9, gi)
	if got := c.afterPoll(t); !slices.Equal(got, []string{"soft"}) {
		t.Errorf("woken when a is measured, and hot: %v, want the soft pod", got)
	}
}

func TestQueueingHints(t *testing.T) {
	c := newCluster(t, args(nil), "hot", "cool")
	c.use("hot", 9, gi)
	c.use("cool", 1, gi)
	c.poll(t)
	events, err := c.EventsToRegister(t.Context())
	if err != nil || len(events) == 0 {
		t.Fatalf("%v, %v", events, err)
	}
	larger := c.nodes[0].DeepCopy()
	larger.Status.Allocatable[v1.ResourceCPU] = resource.MustParse("20")
	for _, test := range []struct {
		name     string
		old, new any
		want     fwk.QueueingHint
	}{
		{"a node that is not measured is added", nil, st.MakeNode().Name("new").Obj(), fwk.Queue},
		{"a hot node changes", c.nodes[0], c.nodes[0], fwk.QueueSkip},
		{"a hot node grows", c.nodes[0], larger, fwk.Queue},
		{"a cool node changes", c.nodes[1], c.nodes[1], fwk.Queue},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got, err := c.afterNodeChange(klog.Background(), pod("p", "1", "1Gi"), test.old, test.new); got != test.want || err != nil {
				t.Errorf("%v, %v, want %v", got, err, test.want)
			}
		})
	}
	if _, err := c.afterNodeChange(klog.Background(), pod("p", "1", "1Gi"), "no node", nil); err == nil {
		t.Error("an event without a node: no error")
	}

	annotated := func(key, value string) *v1.Pod {
		p := pod("p", "1", "1Gi")
		p.Annotations = map[string]string{key: value}
		return p
	}
	for name, test := range map[string]struct {
		after *v1.Pod
		want  fwk.QueueingHint
	}{
		"nothing that matters": {annotated("a", "b"), fwk.QueueSkip},
		"a bad estimate":       {annotated(config.EstimateAnnotation, "{"), fwk.QueueSkip},
		"its estimate":         {annotated(config.EstimateAnnotation, `{"cpu": "1m"}`), fwk.Queue},
		"whenUnsatisfiable":    {annotated(config.WhenUnsatisfiableAnnotation, "ScheduleAnyway"), fwk.Queue},
		"its requests":         {pod("p", "900m", "1Gi"), fwk.Queue},
	} {
		t.Run("the pod changes: "+name, func(t *testing.T) {
			if got, err := c.afterOwnChange(klog.Background(), pod("p", "1", "1Gi"), pod("p", "1", "1Gi"), test.after); got != test.want || err != nil {
				t.Errorf("%v, %v, want %v", got, err, test.want)
			}
		})
	}
	if _, err := c.afterOwnChange(klog.Background(), pod("p", "1", "1Gi"), "no pod", nil); err == nil {
		t.Error("an event without a pod: no error")
	}
}

func TestPodsRejectedForStaleMetricsWakeWhenTheyAreBack(t *testing.T) {
	c := newCluster(t, args(func(a *config.NodeLoadArgs) { a.StalePolicy = config.Reject }), "a")
	c.poll(t)
	c.reject(t, pod("p", "1", "1Gi"))
	c.use("a", 1, gi)
	if got := c.afterPoll(t); !slices.Equal(got, []string{"p"}) {
		t.Errorf("woken: %v", got)
	}
}

// The room that a pod waits for is what Filter would take, also of pods that count
// for less than they are expected to use.
func TestRoomIsWhatFilterTakes(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	taken := 0
	for i := range 2000 {
		stale := []config.StalePolicy{config.UseRequests, config.Ignore, config.Reject}[i%3]
		c := newCluster(t, args(func(a *config.NodeLoadArgs) {
			a.StalePolicy = stale
			a.Filter.Thresholds = map[string]int64{"cpu": random.Int64N(3) * 40, "memory": random.Int64N(3) * 40}
		}), "n")
		if random.IntN(5) > 0 {
			c.use("n", 11*random.Float64(), random.Int64N(110*gi))
		}
		c.poll(t)
		a := c.policy.askOf(pod("p", "1", "1Gi"), amount.Vector{random.Int64N(12_000), random.Int64N(120 * gi)})
		a.rule.Largest, a.soft = amount.Vector{random.Int64N(20_000), random.Int64N(200 * gi)}, random.IntN(4) == 0
		view := c.model.View()
		node := view.Node("n")
		want := c.policy.verdict(&view, node, node.Allocatable, &a, amount.Vector{}) == fits
		room, ok := rules{&c.policy, c.model}.Room(&view, node, class{rule: a.rule, soft: a.soft}, amount.Vector{})
		if got := ok && a.estimate == a.estimate.Min(room); got != want {
			t.Fatalf("%s, use %v, pod of %v, rule %+v: room %v, %t, and Filter takes it: %t", stale, c.measured["n"], a.estimate, a.rule, room, ok, want)
		}
		if want {
			taken++
		}
	}
	if taken < 200 || taken > 1800 {
		t.Errorf("Filter takes %d of 2000 pods: that says little", taken)
	}
}
