package integration

import (
	"fmt"
	"slices"
	"testing"

	v1 "k8s.io/api/core/v1"
)

// asShipped undoes what tests change of the recommended profile: its own line.
func asShipped(config map[string]any) { setLine(args(config), 85) }

// eights returns so many nodes of 8 devices and 64 cores, of which as many are in use.
func eights(names []string, uses string) (nodes []node) {
	for _, name := range names {
		nodes = append(nodes, node{name: name, gpus: 8, cores: 64, uses: uses})
	}
	return nodes
}

// hold has a pod on the node hold so many devices.
func (p *pool) hold(node, devices string) {
	p.t.Helper()
	pod := withGPUs(p.pod("holder-"+node, ""), devices)
	pod.Spec.NodeName = p.nodeName(node)
	p.create(pod)
}

// Pods with one device each, all at once, fill up three nodes of six and leave three
// whole, those that are hot among them.
func TestPodsWithOneDeviceLeaveWholeNodes(t *testing.T) {
	t.Parallel()
	for name, hot := range map[string][]string{"idle": nil, "two-hot": {"e", "f"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cool := []string{"a", "b", "c", "d", "e", "f"}[:6-len(hot)]
			p := newPool(t, slices.Concat(eights(cool, "1"), eights(hot, "48"))...)
			p.startScheduler("plimsoll.yaml", asShipped)
			var small []*v1.Pod
			for i := range 24 {
				small = append(small, withGPUs(p.pod(fmt.Sprint("small-", i), "plimsoll"), "1"))
			}
			p.create(small...)
			got := p.placed(small...)
			if len(got) != 3 {
				t.Errorf("24 devices for small pods are on %v, want three nodes full and three whole", got)
			}
			for _, node := range hot {
				if got[node] > 0 {
					t.Errorf("%d pods are on %s, where the CPU is three quarters in use", got[node], node)
				}
			}
			if len(hot) > 0 {
				return // a pod with all eight devices of a hot node would starve there
			}
			var large []*v1.Pod
			for i := range 3 {
				large = append(large, withGPUs(p.pod(fmt.Sprint("large-", i), "plimsoll"), "8"))
			}
			p.create(large...)
			if got := p.placed(large...); len(got) != 3 {
				t.Errorf("pods with 8 devices are on %v, want one on each whole node", got)
			}
		})
	}
}

// Pods without devices stay off free devices that they would strand, and off devices in
// use that they might starve, as long as other nodes are cool, which share them.
func TestPlainPodsStayOffDevices(t *testing.T) {
	t.Parallel()
	p := newPool(t,
		node{name: "in-use", gpus: 8, cores: 64, uses: "30"},
		node{name: "free", gpus: 8, cores: 64, uses: "1"},
		node{name: "plain-1", cores: 64, uses: "20"},
		node{name: "plain-2", cores: 64, uses: "20"},
	)
	p.startScheduler("plimsoll.yaml", asShipped)
	p.hold("in-use", "8")
	var pods []*v1.Pod
	for i := range 8 {
		pods = append(pods, withCPU(p.pod(fmt.Sprint("plain-", i), "plimsoll"), "3"))
	}
	p.create(pods...)
	if got := p.placed(pods...); got["in-use"]+got["free"] > 0 || got["plain-1"] < 2 || got["plain-2"] < 2 {
		t.Errorf("the pods are on %v, want them shared by the nodes without devices", got)
	}
}

// Of nodes that are used alike, a pod of which nobody knows how much it will use goes
// where few devices would starve with it.
func TestUncertainPodsGoWhereFewDevicesAre(t *testing.T) {
	t.Parallel()
	p := newPool(t,
		node{name: "many", gpus: 8, cores: 64, uses: "24"},
		node{name: "few", gpus: 1, cores: 64, uses: "24"},
	)
	p.startScheduler("plimsoll.yaml", asShipped)
	p.hold("many", "8")
	p.hold("few", "1")
	pod := withCPU(p.pod("uncertain", "plimsoll"), "24")
	p.create(pod)
	if got := p.nodeOf(pod); got != "few" {
		t.Errorf("the pod is on %s, where 8 devices would starve with it", got)
	}
}
