//go:build !k8s136 && !k8s135

package integration

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	schedulingv1beta1 "k8s.io/api/scheduling/v1beta1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/plimsoll-scheduler/plimsoll/pkg/explain"
)

// Pod groups concern only the pods that are in one, so the API server that all tests
// share serves them.
var (
	groupGates = map[string]bool{"GenericWorkload": true, "TopologyAwareWorkloadScheduling": true}
	groupAPIs  = []string{"scheduling.k8s.io/v1beta1"}
	groupWakes = map[string]func(*testing.T){"LoadDropsForGang": gangWakesWhenLoadDrops}
)

const gangGates = "--feature-gates=GenericWorkload=true,TopologyAwareWorkloadScheduling=true"

// gang creates a pod group of which all pods run or none, in one domain of the
// topology if that is not empty. It returns the pods, which are not created.
func (p *pool) gang(name, topology string, pods ...*v1.Pod) []*v1.Pod {
	p.t.Helper()
	groups := p.local.Clientset.SchedulingV1beta1().PodGroups("default")
	group := &schedulingv1beta1.PodGroup{
		ObjectMeta: metav1.ObjectMeta{Name: p.podName(name)},
		Spec: schedulingv1beta1.PodGroupSpec{
			SchedulingPolicy: schedulingv1beta1.PodGroupSchedulingPolicy{Gang: &schedulingv1beta1.GangSchedulingPolicy{MinCount: int32(len(pods))}},
		},
	}
	if topology != "" {
		group.Spec.SchedulingConstraints = &schedulingv1beta1.PodGroupSchedulingConstraints{
			Topology: []schedulingv1beta1.TopologyConstraint{{Key: topology}},
		}
	}
	_, err := groups.Create(p.t.Context(), group, metav1.CreateOptions{})
	p.must(err)
	p.t.Cleanup(func() {
		if err := groups.Delete(context.WithoutCancel(p.t.Context()), group.Name, metav1.DeleteOptions{}); err != nil {
			p.t.Error(err)
		}
	})
	for _, pod := range pods {
		pod.Spec.SchedulingGroup = &v1.PodSchedulingGroup{PodGroupName: &group.Name}
	}
	return pods
}

// A gang of which one pod finds no node below the line waits as a whole, and
// what was tried with the others is not counted anywhere. When the load drops
// it is placed as a whole.
func TestGangWaitsAsAWhole(t *testing.T) {
	t.Parallel()
	p := newPool(t, node{name: "a", uses: "3"}, node{name: "b", uses: "7"})
	s := startScheduler(t, "plimsoll.yaml", nil, gangGates)
	var pods []*v1.Pod
	for i := range 3 { // 2 cores each: two fit on a, none on b
		pods = append(pods, withCPU(p.pod(fmt.Sprint("gang-", i), "plimsoll"), "2"))
	}
	p.create(p.gang("gang", "", pods...)...)
	for _, pod := range pods {
		p.rejected(pod)
	}

	// The next pod sees nothing of the gang on the nodes.
	single := p.pod("single", "plimsoll")
	p.create(single)
	p.nodeOf(single)
	reader := p.reader()
	for _, node := range p.decision(s, reader, single).Nodes {
		if node.Load.CPU.InFlight != 0 {
			t.Errorf("%v cores in flight to %s after the gang was taken back", node.Load.CPU.InFlight, node.Name)
		}
	}
	if got := p.decision(s, reader, pods[0]); got.Result == explain.Placed {
		t.Errorf("the decision on a pod of the gang that waits: %+v", got.Summary)
	}

	screen := p.whyOf(s, pods[0].Name, "It is scheduled with its group default/"+p.podName("gang"), "0 of 3 pods have a node", "all of them or none get one")
	if !strings.Contains(screen, "closest is "+p.nodeName("b")) && !strings.Contains(screen, "closest is "+p.nodeName("a")) {
		t.Errorf("why does not name a node and what has to fall:\n%s", screen)
	}

	p.setUse("b", "1")
	p.waitUsage(node{name: "b", uses: "1"})
	p.placed(pods...)
	if got := p.decision(s, reader, pods[0]); got.Result != explain.Placed || got.Node == "" {
		t.Errorf("the decision on a pod of the gang that runs: %+v", got.Summary)
	}
	p.whyOf(s, pods[0].Name, "It is on the node ", "3 of 3 pods have a node")
}

// Of two zones in which a gang fits, it gets the one that has headroom to feed
// it, and where it leaves the devices of more use.
func TestGangGetsTheBetterZone(t *testing.T) {
	t.Parallel()
	p := newPool(t,
		node{name: "x1", gpus: 8, uses: "5"}, node{name: "x2", gpus: 8, uses: "5"},
		node{name: "y1", gpus: 8, uses: "1"}, node{name: "y2", gpus: 8, uses: "1"},
	)
	for _, name := range []string{"x1", "x2", "y1", "y2"} {
		_, err := local.Kubectl(t.Context(), "label", "node", p.nodeName(name), "zone="+p.name+name[:1])
		p.must(err)
	}
	startScheduler(t, "plimsoll.yaml", nil, gangGates)
	pods := []*v1.Pod{withGPUs(p.pod("0", "plimsoll"), "8"), withGPUs(p.pod("1", "plimsoll"), "8")}
	p.create(p.gang("gang", "zone", pods...)...)
	if got := p.placed(pods...); got["y1"] != 1 || got["y2"] != 1 {
		t.Errorf("the gang is on %v, want the zone with less load", got)
	}
}

// A gang all pods of which are rejected for load is retried when that drops.
func gangWakesWhenLoadDrops(t *testing.T) {
	p := newPool(t, node{name: "a", uses: "9"}, node{name: "b", uses: "9"})
	startScheduler(t, "plimsoll.yaml", inTime, gangGates)
	var pods []*v1.Pod
	for i := range 3 {
		pods = append(pods, withCPU(p.pod(fmt.Sprint("gang-", i), "plimsoll"), "2"))
	}
	p.create(p.gang("gang", "", pods...)...)
	p.allRejected(pods...)
	p.setUse("a", "1")
	p.waitUsage(node{name: "a", uses: "1"})
	shown := time.Now()
	for _, pod := range pods {
		if got := p.boundWithin(pollInterval+retryLimit-time.Since(shown), pod); got != "a" {
			t.Errorf("pod %s is on %s", pod.Name, got)
		}
	}
}
