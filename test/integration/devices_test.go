package integration

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/plimsoll-scheduler/plimsoll/pkg/explain"
)

// Pods with 1, 2 and 4 devices fill up nodes, and leave whole ones for those
// with 8.
func TestWholeNodesStayFree(t *testing.T) {
	t.Parallel()
	const cores = 64
	p := newPool(t,
		node{name: "a", gpus: 8, cores: cores, uses: "4"},
		node{name: "b", gpus: 8, cores: cores, uses: "5"},
		node{name: "c", gpus: 8, cores: cores, uses: "6"},
		node{name: "d", gpus: 8, cores: cores, uses: "7"},
	)
	startScheduler(t, "plimsoll.yaml", nil)
	var small []*v1.Pod
	for i, gpus := range []string{"1", "2", "1", "4", "1", "1", "2", "4"} {
		small = append(small, withGPUs(p.pod(fmt.Sprint("small-", i), "plimsoll"), gpus))
		p.create(small[i])
		p.nodeOf(small[i]) // one by one: each is placed on what the ones before it left
	}
	if got := p.placed(small...); len(got) != 2 {
		t.Errorf("16 devices for small pods are on %v, want two nodes full and two whole", got)
	}
	large := []*v1.Pod{withGPUs(p.pod("large-0", "plimsoll"), "8"), withGPUs(p.pod("large-1", "plimsoll"), "8")}
	p.create(large...)
	if got := p.placed(large...); len(got) != 2 {
		t.Errorf("pods with 8 devices are on %v, want one on each whole node", got)
	}
}

// setDevices sets how many devices the node's device plugin offers, and waits
// until the scheduler knows.
func (p *pool) setDevices(node string, allocatable int) {
	p.t.Helper()
	p.setStatus(node, nil, v1.ResourceList{gpu: *resource.NewQuantity(int64(allocatable), resource.DecimalSI)})

	// Events of nodes and pods come in no order, so a pod that is made now may
	// meet the node as it was. But those of one node do: where this label is
	// seen, so is what was before it.
	label := map[string]string{"devices": fmt.Sprint(allocatable)}
	p.patchNode(node, map[string]any{"metadata": map[string]any{"labels": label}})
	probe := withCPU(p.pod(fmt.Sprint("sees-", allocatable), "plimsoll"), "10m")
	maps.Copy(probe.Spec.NodeSelector, label)
	p.create(probe)
	p.nodeOf(probe)
}

// While a device plugin restarts, its node offers no devices. Pods that run
// keep theirs, and pods that come meanwhile are placed when it is back.
func TestDevicePluginRestart(t *testing.T) {
	t.Parallel()
	p := newPool(t, node{name: "n", gpus: 4, uses: "1"})
	startScheduler(t, "plimsoll.yaml", nil)
	before := withGPUs(p.pod("before", "plimsoll"), "2")
	p.create(before)
	p.nodeOf(before)

	p.setDevices("n", 0)
	meanwhile := []*v1.Pod{withGPUs(p.pod("meanwhile-0", "plimsoll"), "1"), withGPUs(p.pod("meanwhile-1", "plimsoll"), "1")}
	p.create(meanwhile...)
	for _, pod := range meanwhile {
		if why := p.rejected(pod); !strings.Contains(why, "Insufficient "+gpu) {
			t.Errorf("%s is rejected with %q", pod.Name, why)
		}
	}
	plain := p.pod("plain", "plimsoll")
	p.create(plain)
	if got := p.nodeOf(plain); got != "n" {
		t.Errorf("a pod without devices is on %q", got)
	}

	p.setDevices("n", 4)
	p.placed(meanwhile...)
	extra := withGPUs(p.pod("extra", "plimsoll"), "1")
	p.create(extra)
	if why := p.rejected(extra); !strings.Contains(why, "Insufficient "+gpu) {
		t.Errorf("a fifth device of four: %q", why)
	}
	pod, err := local.Clientset.CoreV1().Pods("default").Get(t.Context(), before.Name, metav1.GetOptions{})
	p.must(err)
	if pod.Spec.NodeName != p.nodeName("n") || pod.DeletionTimestamp != nil || pod.Status.Phase == v1.PodFailed {
		t.Errorf("the pod that had its devices before: %s on %q, deleted %v", pod.Status.Phase, pod.Spec.NodeName, pod.DeletionTimestamp)
	}
}

// A pod without devices may not take the headroom that free devices need: 10
// cores, a line at 7.5, and 1 core for each of 4 free devices leave 3.5.
func headroomForFreeDevices(t *testing.T) {
	p := newPool(t, node{name: "n", gpus: 4, uses: "3"})
	s := startScheduler(t, "plimsoll.yaml", func(config map[string]any) {
		profile := config["profiles"].([]any)[0].(map[string]any)
		profile["pluginConfig"].([]any)[1].(map[string]any)["args"].(map[string]any)["headroomPerDevice"] = map[string]any{"cpu": "1"}
	})
	first := p.pod("first", "plimsoll")
	p.create(first)
	if why := p.rejected(first); !strings.Contains(why, "1 node(s) would strand free devices") {
		t.Errorf("3 cores used and 1 asked for: rejected with %q", why)
	}
	// A pod with devices is what the headroom is for. It takes two of them, and
	// what the others need is less then: the event wakes the pod that waits.
	device := withCPU(withGPUs(p.pod("device", "plimsoll"), "2"), "250m")
	p.create(device)
	p.placed(device, first)

	second := withCPU(p.pod("second", "plimsoll"), "1500m")
	p.create(second)
	if why := p.rejected(second); !strings.Contains(why, "1 node(s) would strand free devices") {
		t.Errorf("rejected with %q", why)
	}
	woken := func() float64 {
		woken, _, err := s.metric(t.Context(), fmt.Sprintf(`plimsoll_pods_woken_total{plugin="DeviceFit",profile=%q}`, p.profile("plimsoll")))
		p.must(err)
		return woken
	}
	before := woken()
	p.setUse("n", "1")
	p.waitUsage(node{name: "n", uses: "1"})
	p.boundWithin(15*time.Second+retryLimit, second) // the default interval
	if by := woken() - before; by < 1 {
		t.Errorf("%v pods woken by the drop", by)
	}
}

// The gauges and the explanation have what the strategy goes by.
func TestFragmentationIsShown(t *testing.T) {
	t.Parallel()
	p := newPool(t,
		node{name: "a", gpus: 8, cores: 64, uses: "4"},
		node{name: "b", gpus: 8, cores: 64, uses: "60"},
		node{name: "c", gpus: 8, cores: 64, uses: "40"}, // or there is nothing to choose, and no score
	)
	s := startScheduler(t, "plimsoll.yaml", nil)
	pod := withGPUs(p.pod("pod", "plimsoll"), "1")
	p.create(pod)
	p.nodeOf(pod)
	gauge := func(name string) string {
		return fmt.Sprintf(`plimsoll_devices_%s{profile=%q,resource=%q}`, name, p.profile("plimsoll"), gpu)
	}
	// Other tests' nodes are counted, too.
	s.waitMetric(gauge("free"), func(free float64) bool { return free >= 24 })
	s.waitMetric(gauge("stranded"), func(stranded float64) bool { return stranded > 7.9 }) // a sum of fractions
	s.waitMetric(gauge("fragmented"), func(fragmented float64) bool { return fragmented >= 0 })
	reader := p.reader()
	got := p.decision(s, reader, pod)
	// Which of the two is better depends on what pods of other tests ask for.
	if got.Node == p.nodeName("b") || got.Node != got.Nodes[0].Name || got.Result != explain.Placed || got.Nodes[0].Fragmentation == nil {
		t.Errorf("%+v, want the fragmentation of the node that was chosen", got)
	}
}
