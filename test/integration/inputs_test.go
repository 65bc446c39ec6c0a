package integration

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Nodes are hot, and from some time on their readings miss that, or their clock is
// off. They do not take a pod for that.
func TestHotNodesThatAreReadWrongTakeNoPods(t *testing.T) {
	t.Parallel()
	const overMemoryLine = "node(s) over the memory load line"
	behind, ahead, full := uses("9"), uses("9"), reading{cpu: "1", memory: "95Gi"}
	behind.ahead, ahead.ahead = -3*time.Minute, time.Minute
	cases := map[string]struct {
		before, after reading
		want          string
	}{
		"zero":           {uses("9"), reading{cpu: "0", memory: "0"}, overCPULine},
		"zero-cpu":       {uses("9"), reading{cpu: "0", memory: "1Gi"}, overCPULine},
		"zero-memory":    {full, reading{cpu: "1", memory: "0"}, overMemoryLine},
		"no-cpu":         {uses("9"), reading{memory: "1Gi"}, overCPULine},
		"no-memory":      {full, reading{cpu: "1"}, overMemoryLine},
		"below-zero":     {uses("9"), reading{cpu: "-9", memory: "1Gi"}, overCPULine},
		"never-a-memory": {reading{cpu: "9"}, reading{cpu: "9"}, overCPULine},
		"behind":         {behind, behind, overCPULine},
		"ahead":          {ahead, ahead, overCPULine},
	}
	nodes := []node{{name: "cool", uses: "1"}}
	for name := range cases {
		nodes = append(nodes, node{name: name, uses: "9"})
	}
	p, m := newMeteredPool(t, nodes...)
	for name, test := range cases {
		m.set(name, test.before)
	}
	s := m.start(func(config map[string]any) {
		promptly(config)
		args(config)["expiration"] = expiration.String()
	})
	s.waitMetric(freshNodes, func(fresh float64) bool { return int(fresh) == len(nodes) })
	for name, test := range cases {
		m.set(name, test.after)
	}
	s.waitPolls()
	pods := p.createSmall("any", 6)
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			p := &pool{t: t, name: p.name, local: p.local}
			pod := p.on(name, p.pod("on-"+name, "plimsoll"))
			p.create(pod)
			if why := p.rejected(pod); !strings.Contains(why, "1 "+test.want) {
				t.Errorf("rejected with %q", why)
			}
		})
	}
	if got := p.placed(pods...); got["cool"] != len(pods) {
		t.Errorf("pods that may go to any node are on %v", got)
	}
}

// A node is made anew under its name. That the one before it was hot is nothing
// against it.
func samplesOlderThanTheirNode(t *testing.T) {
	p, m := newMeteredPool(t, node{name: "n", uses: "9"})
	s := m.start(promptly)
	pod := p.pod("pod", "plimsoll")
	p.create(pod)
	p.rejected(pod)

	m.set("n", reading{cpu: "9", memory: "1Gi", taken: time.Now().Add(-resolution)})
	ctx, now := t.Context(), metav1.DeleteOptions{GracePeriodSeconds: new(int64(0))}
	p.must(local.Clientset.CoreV1().Nodes().Delete(ctx, p.nodeName("n"), metav1.DeleteOptions{}))
	p.must(local.Clientset.CoreV1().Pods("default").Delete(ctx, p.podName(loadName("n")), now))
	p.must(local.CreateNodes(ctx, p.clusterNode(node{name: "n"})))
	s.waitPolls()
	p.boundWithin(retryLimit, pod)
	late := p.pod("late", "plimsoll")
	p.create(late)
	p.nodeOf(late)
}

// What nearly all nodes have a thousand of, and pods hardly ask for, is no device.
func TestCountersAreNoDevices(t *testing.T) {
	t.Parallel()
	const counter = "slots.example.com/slot"
	counters := v1.ResourceList{counter: resource.MustParse("1k"), "virt.example.com/kvm": resource.MustParse("1k")}
	p, m := newMeteredPool(t, node{name: "gpus", gpus: 8, uses: "1"}, node{name: "plain", uses: "1500m"})
	for _, node := range []string{"gpus", "plain"} {
		p.setStatus(node, counters, counters)
	}
	s := m.start(func(config map[string]any) {
		promptly(config)
		keepHeadroom(p, config)
	})
	for _, profile := range []string{"plimsoll", "headroom"} {
		pod := withCPU(p.pod(profile, profile), "100m")
		p.create(pod)
		if got := p.nodeOf(pod); got != "plain" {
			t.Errorf("the pod of profile %s is on %s", profile, got)
		}
	}
	// A pod that asks for the counter is one without devices.
	pod := withCPU(p.pod("asks", "headroom"), "100m")
	p.create(asking(pod, counter, "1"))
	if got := p.nodeOf(pod); got != "plain" {
		t.Errorf("the pod that asks for a counter is on %s", got)
	}
	s.waitMetric(fmt.Sprintf(`plimsoll_device_resources{profile=%q,resource=%q,verdict="counter"}`, p.profile("plimsoll"), counter),
		func(nodes float64) bool { return nodes == 2 })
}

// keepHeadroom adds a profile that is like the first one but for headroomPerDevice.
func keepHeadroom(p *pool, config map[string]any) {
	profiles := config["profiles"].([]any)
	content, err := json.Marshal(profiles[0])
	p.must(err)
	other := map[string]any{}
	p.must(json.Unmarshal(content, &other))
	other["schedulerName"] = p.profile("headroom")
	other["pluginConfig"].([]any)[1].(map[string]any)["args"].(map[string]any)["headroomPerDevice"] = map[string]any{"cpu": "2"}
	config["profiles"] = append(profiles, other)
}

// setStatus adds to what the node has, and to what of it is allocatable. Either may be
// nil.
func (p *pool) setStatus(node string, capacity, allocatable v1.ResourceList) {
	p.t.Helper()
	status := map[string]v1.ResourceList{"capacity": capacity, "allocatable": allocatable}
	maps.DeleteFunc(status, func(_ string, list v1.ResourceList) bool { return list == nil }) // null would take all away
	p.patchNode(node, map[string]any{"status": status}, "status")
}

// patchNode changes what the patch says of the node, or of a part of it.
func (p *pool) patchNode(node string, patch map[string]any, part ...string) {
	p.t.Helper()
	content, err := json.Marshal(patch)
	p.must(err)
	_, err = p.local.Clientset.CoreV1().Nodes().Patch(p.t.Context(), p.nodeName(node), types.StrategicMergePatchType, content, metav1.PatchOptions{}, part...)
	p.must(err)
}

// Devices that are away, because their plugin starts or restarts, keep plain pods off
// their node as those do that are there, whether the scheduler has seen them before or
// not.
func TestDevicesThatAreAwayKeepTheirNode(t *testing.T) {
	t.Parallel()
	p, m := newMeteredPool(t, node{name: "restarts", gpus: 8, uses: "1"}, node{name: "starts", uses: "1"}, node{name: "plain", uses: "1500m"})
	m.start(func(config map[string]any) {
		promptly(config)
		keepHeadroom(p, config)
	})
	p.setStatus("starts", v1.ResourceList{gpu: resource.MustParse("8")}, v1.ResourceList{gpu: resource.MustParse("0")})
	p.setDevices("restarts", 0)
	for _, profile := range []string{"plimsoll", "headroom"} {
		for i := range 2 {
			pod := withCPU(p.pod(fmt.Sprint(profile, "-", i), profile), "100m")
			p.create(pod)
			if got := p.nodeOf(pod); got != "plain" {
				t.Errorf("pod %s is on %s", pod.Name, got)
			}
		}
	}
	var pods []*v1.Pod
	p.setStatus("starts", nil, v1.ResourceList{gpu: resource.MustParse("8")})
	p.setDevices("restarts", 8)
	for i := range 2 {
		pods = append(pods, withGPUs(p.pod(fmt.Sprint("device-", i), "plimsoll"), "8"))
	}
	p.create(pods...)
	if got := p.placed(pods...); len(got) != 2 || got["plain"] > 0 {
		t.Errorf("the pods with devices are on %v", got)
	}
}

// A kubelet still reports the resource of an old device plugin, of which it has
// none, beside a device class that has taken its place.
func TestDRABesideNoneOfAnOldPlugin(t *testing.T) {
	t.Parallel()
	p, m := newMeteredPool(t,
		node{name: "a", cores: 64, uses: "4"},
		node{name: "b", cores: 64, uses: "5"},
		node{name: "c", cores: 64, uses: "6"},
		node{name: "old", cores: 64, uses: "3"},
	)
	name := v1.ResourceName(p.driver() + "/device")
	none := v1.ResourceList{name: resource.MustParse("0")}
	p.setStatus("old", none, none)
	p.setStatus("c", none, none)
	p.publishDevices(4, new(string(name)), "a", "b", "c")
	m.start(promptly)
	var pods []*v1.Pod
	for i, count := range []string{"1", "2", "1", "2", "1", "1"} {
		pods = append(pods, asking(p.pod(fmt.Sprint("p", i), "plimsoll"), name, count))
	}
	p.create(pods...)
	if got := p.placed(pods...); len(got) != 2 || got["old"] > 0 {
		t.Errorf("8 devices are on %v, want two nodes full and one whole", got)
	}
}
