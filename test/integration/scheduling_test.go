package integration

import (
	"context"
	"fmt"
	"strings"
	"testing"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestPlacement(t *testing.T) {
	t.Parallel()
	p := newPool(t,
		node{name: "gpu-hot", gpus: 8, uses: "9"},
		node{name: "gpu-cool", gpus: 8, uses: "1"},
		node{name: "plain-hot", uses: "9"},
		node{name: "plain-cool", uses: "1"},
	)
	startScheduler(t, "plimsoll.yaml", nil)
	var devicePods, plainPods []*v1.Pod
	for i := range 4 {
		devicePods = append(devicePods, withGPUs(p.pod(fmt.Sprint("device-", i), "plimsoll"), "1"))
		plainPods = append(plainPods, p.pod(fmt.Sprint("plain-", i), "plimsoll"))
	}
	p.create(devicePods...)
	p.create(plainPods...)
	if got := p.placed(devicePods...); got["gpu-cool"] != 4 {
		t.Errorf("device pods are on %v, want all on the cool node with devices", got)
	}
	if got := p.placed(plainPods...); got["plain-cool"] != 4 {
		t.Errorf("plain pods are on %v, want all on the cool node without devices", got)
	}
}

func TestFilterAtTheThreshold(t *testing.T) {
	t.Parallel()
	p := newPool(t, node{name: "n", uses: "6"})
	startScheduler(t, "plimsoll.yaml", nil)
	over := withCPU(p.pod("over", "plimsoll"), "2")
	p.create(over)
	if why := p.rejected(over); !strings.Contains(why, "1 node(s) over the cpu load line") {
		t.Errorf("6 cores measured and 2 asked for of 10, line at 7.5: rejected with %q", why)
	}
	under := p.pod("under", "plimsoll")
	p.create(under)
	if got := p.nodeOf(under); got != "n" {
		t.Errorf("6 cores measured and 1 asked for of 10, line at 7.5: on %q", got)
	}
	p.daemonSet("daemon", withCPU(p.pod("daemon", "plimsoll"), "3"))
	p.waitBound("daemon", 1) // exempt: 10 cores predicted
}

// A node without an entry in NodeMetrics counts as loaded as its requests say.
func TestNodeWithoutMetrics(t *testing.T) {
	t.Parallel()
	p := newPool(t,
		node{name: "measured", uses: "4"},
		node{name: "missing-full", requests: "6500m"},
	)
	startScheduler(t, "plimsoll.yaml", nil)
	pod := p.pod("first", "plimsoll")
	p.create(pod)
	if got := p.nodeOf(pod); got != "measured" {
		t.Errorf("the pod is on %s: a node without metrics looked idle", got)
	}
	// Cordoning leaves the node without metrics alone: it must take pods, also
	// past the line, as long as its requests allow.
	_, err := local.Kubectl(t.Context(), "cordon", p.nodeName("measured"))
	p.must(err)
	pods := []*v1.Pod{p.pod("second", "plimsoll"), p.pod("third", "plimsoll")}
	p.create(pods...)
	if got := p.placed(pods...); got["missing-full"] != 2 {
		t.Errorf("the pods are on %v", got)
	}
}

// Thirty pods created within one scrape interval see each other, though no
// sample shows any of them.
func TestBurstDoesNotHerd(t *testing.T) {
	t.Parallel()
	nodes := []node{{name: "idlest", uses: "500m"}}
	for i := range 5 {
		nodes = append(nodes, node{name: fmt.Sprint("n", i), uses: "1"})
	}
	p := newPool(t, nodes...)
	startScheduler(t, "plimsoll.yaml", nil)
	var pods []*v1.Pod
	for i := range 30 {
		pods = append(pods, p.pod(fmt.Sprint("p", i), "plimsoll"))
	}
	p.create(pods...)
	got := p.placed(pods...)
	for _, n := range nodes {
		// An even share is 5; the idlest may take one more.
		if got[n.name] < 4 || got[n.name] > 6 {
			t.Errorf("%d of 30 pods on node %s, want about 5 on each of 6: %v", got[n.name], n.name, got)
		}
	}
}

// All capable nodes are hot and pods wait; the load of one drops, and they run
// at the next poll after the sample that shows it.
func podWakesWhenLoadDrops(t *testing.T) {
	p := newPool(t, node{name: "a", gpus: 8, uses: "9"}, node{name: "b", gpus: 8, uses: "9"}, node{name: "plain", uses: "1"})
	startScheduler(t, "plimsoll.yaml", inTime)
	pod := withGPUs(p.pod("p", "plimsoll"), "1")
	p.create(pod)
	if why := p.rejected(pod); !strings.Contains(why, "2 node(s) over the cpu load line") {
		t.Errorf("rejected with %q", why)
	}
	p.setUse("b", "1")
	p.wait("a sample that shows the drop", func(ctx context.Context) (bool, error) {
		metrics, err := local.Metrics.MetricsV1beta1().NodeMetricses().Get(ctx, p.nodeName("b"), metav1.GetOptions{})
		return err == nil && metrics.Usage.Cpu().MilliValue() < 6500, err
	})
	if got := p.boundWithin(pollInterval+retryLimit, pod); got != "b" {
		t.Errorf("the pod is on %s", got)
	}
}

func TestProfilesInOneProcess(t *testing.T) {
	t.Parallel()
	p := newPool(t, node{name: "hot", uses: "9"}, node{name: "cool", uses: "1"})
	startScheduler(t, "compare.yaml", nil)
	var mine, others []*v1.Pod
	for i := range 2 {
		mine = append(mine, p.pod(fmt.Sprint("plimsoll-", i), "plimsoll"))
		others = append(others, p.pod(fmt.Sprint("stock-", i), "stock"))
	}
	others = append(others, p.pod("trimaran", "trimaran"))
	p.create(others...)
	stock := p.placed(others...)
	p.create(mine...)
	if got := p.placed(mine...); got["hot"] > 0 {
		t.Errorf("pods of profile plimsoll are on %v, want none on the hot node", got)
	}
	t.Logf("pods of profiles stock and trimaran are on %v", stock)
	// What the other profiles placed is in flight for plimsoll, too: half a core
	// more than what is left below the line is too much.
	if stock["cool"] == 0 {
		t.Fatalf("no other pod is on the cool node: %v", stock)
	}
	left := 7500 - 1000*(1+stock["cool"]+len(mine))
	large := withCPU(p.pod("large", "plimsoll"), fmt.Sprintf("%dm", left+500))
	p.create(large)
	if why := p.rejected(large); !strings.Contains(why, "2 node(s) over the cpu load line") {
		t.Errorf("rejected with %q", why)
	}
}

// Pods are scheduled on while metrics-server is stopped, by requests, but to no
// node that was hot when it stopped; once it is back, by measured load again. It
// is not parallel, so it runs before those that are, which need metrics-server.
func TestMetricsServerOutage(t *testing.T) {
	p := newPool(t,
		node{name: "hot", uses: "9", requests: "1"},
		node{name: "cool", uses: "1", requests: "4"},
		node{name: "free", uses: "6", requests: "2"},
	)
	s := startScheduler(t, "plimsoll.yaml", func(config map[string]any) {
		args(config)["source"] = map[string]any{"interval": "5s", "timeout": "4s"}
		args(config)["expiration"] = "20s"
	})
	first := withCPU(p.pod("before", "plimsoll"), "100m")
	p.create(first)
	if got := p.nodeOf(first); got != "cool" {
		t.Fatalf("before the outage the pod is on %s", got)
	}

	p.must(local.StopComponent("metrics-server"))
	pods := p.createSmall("stopped", 5) // while the last samples are still in use
	s.waitMetric(freshNodes, func(nodes float64) bool { return nodes == 0 })
	fallback := withCPU(p.pod("fallback", "plimsoll"), "100m")
	p.create(fallback)
	if got := p.nodeOf(fallback); got != "cool" {
		t.Errorf("in the outage the pod is on %s, want the node that was coolest when it began", got)
	}
	s.waitMetric("plimsoll_source_poll_errors_total", func(errors float64) bool { return errors >= 3 })
	pods = append(pods, p.createSmall("out", 5)...)
	p.must(local.StartComponent(t.Context(), "metrics-server"))
	pods = append(pods, p.createSmall("started", 5)...) // before samples are back
	s.waitFreshNodes()
	p.waitUsage(node{name: "hot", uses: "9"})
	s.waitMetric(freshNodes, func(nodes float64) bool { return nodes == 3 })
	p.placed(pods...) // each of them
	after := withCPU(p.pod("after", "plimsoll"), "100m")
	p.create(after)
	if got := p.nodeOf(after); got != "cool" {
		t.Errorf("after the outage the pod is on %s", got)
	}

	log, err := s.Log()
	p.must(err)
	// Each is said once, however many polls fail.
	for line, want := range map[string]int{
		"Polling node metrics fails":          1,
		"No node has a fresh load sample":     1,
		"Polling node metrics works again":    1,
		"Nodes have fresh load samples again": 1,
	} {
		if got := strings.Count(log, line); got != want {
			t.Errorf("%q is in the log %d times, want %d", line, got, want)
		}
	}
}

// createSmall creates pods that change nothing in how loaded a node is.
func (p *pool) createSmall(name string, count int) []*v1.Pod {
	p.t.Helper()
	var pods []*v1.Pod
	for i := range count {
		pod := withCPU(p.pod(fmt.Sprint(name, "-", i), "plimsoll"), "1m")
		pod.Spec.Containers[0].Resources.Requests[v1.ResourceMemory] = resource.MustParse("1Mi")
		pods = append(pods, pod)
	}
	p.create(pods...)
	return pods
}
