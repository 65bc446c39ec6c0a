package nodeload

import (
	"fmt"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/kubernetes/pkg/scheduler/framework"
	st "k8s.io/kubernetes/pkg/scheduler/testing"

	"github.com/plimsoll-scheduler/plimsoll/pkg/apis/config"
)

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
			c := newCluster(t, args(func(a *config.NodeLoadArgs) { a.StalePolicy, a.Score.Strategy = test.policy, config.MostHeadroom }), "fresh", "missing", "stale")
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

// With LeastExpectedLoss, Ignore ranks a node that is not measured by what its pods
// are expected to use, whatever was measured before.
func TestIgnoredMeasurementsCostNothing(t *testing.T) {
	for policy, hot := range map[config.StalePolicy]bool{config.UseRequests: true, config.Ignore: false} {
		c := newCluster(t, args(func(a *config.NodeLoadArgs) {
			a.StalePolicy, a.Filter.WhenUnsatisfiable = policy, config.ScheduleAnyway
		}), "missing", "stale")
		c.use("stale", 9.9, 99*gi)
		c.poll(t)
		delete(c.measured, "stale")
		c.clock.Step(91 * time.Second)
		c.poll(t)
		got := c.schedule(t, pod("p", "1", "1Gi"))
		if got["missing"].reason != "" || got["stale"].reason != "" || got["stale"].score < got["missing"].score != hot {
			t.Errorf("%s: %v", policy, got)
		}
	}
}

func abs(i int64) int64 { return max(i, -i) }

// With no metrics at all nodes rank as by their requests, and none is rejected.
func TestNoMetricsAtAll(t *testing.T) {
	c := newCluster(t, args(nil), "busy", "idle", "full")
	c.pods = []*v1.Pod{bound("busy", "5"), bound("full", "9")}
	for _, pod := range c.pods {
		c.model.SetPod(pod)
	}
	got := c.schedule(t, pod("p", "1", "1Gi"))
	if got["full"].reason != "" || got["idle"].score <= got["busy"].score || got["busy"].score <= got["full"].score {
		t.Errorf("%v, want idle above busy above full, and none rejected", got)
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
