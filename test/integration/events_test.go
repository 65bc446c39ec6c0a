package integration

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/plimsoll-scheduler/plimsoll/test/cluster"
)

// What users read first: "kubectl describe" of a pod that waits, of one that was placed,
// and of a node that goes over its line and comes back. It is told once, although a
// second replica stands by. It takes some minutes: a node is over its line when it has
// been for one.
func TestEventsTellWhatUsersAsk(t *testing.T) {
	t.Parallel()
	p := newPool(t, node{name: "hot", uses: "9"}, node{name: "cool", uses: "1"}, node{name: "warm", uses: "5"}) // of one alone there is no score
	leader := p.startReplica()
	leader.waitToLead()
	standby := p.startReplica()

	placed, waits := p.pod("placed", "plimsoll"), p.on("hot", withCPU(p.pod("waits", "plimsoll"), "2"))
	p.create(placed, waits)
	p.nodeOf(placed)
	p.rejected(waits)
	p.waitDescribed("pod", p.podName("placed"), "ChosenByLoad", p.nodeName("cool")+", of 3 node(s): cpu at ", "of its load line with the pod; scores: NodeLoad ", "of the next best, "+p.nodeName("warm"))
	p.waitDescribed("pod", p.podName("waits"), "WaitsForLoad",
		"waits for the predicted use of one of 1 node(s) to fall below its line; closest is "+p.nodeName("hot")+", whose cpu has to fall by ", " cores (", " % of allocatable): with the pod it is predicted at ", " cores, and the line is at 7.50 cores")

	for i := range 3 { // each is a reason to try the pod again
		before, _, err := leader.metric(t.Context(), attempts)
		p.must(err)
		_, err = local.Kubectl(t.Context(), "annotate", "--overwrite", "pod", waits.Name, fmt.Sprintf(`plimsoll.io/estimate={"cpu": "%d"}`, i+3))
		p.must(err)
		leader.waitMetric(attempts, func(now float64) bool { return now > before })
	}
	p.waitDescribed("node", p.nodeName("hot"), "OverLoadLine", "over the load line of profile "+p.profile("plimsoll")+": cpu is predicted at ", "and the line is at 7.50 cores (75 % of allocatable)")
	p.setUse("hot", "1")
	p.waitDescribed("node", p.nodeName("hot"), "BelowLoadLine", "below the load line again of profile "+p.profile("plimsoll"))

	if leads, err := standby.leads(t.Context()); err != nil || leads {
		t.Errorf("the second replica leads: %v, %v", leads, err)
	}
	for object, reason := range map[string]string{waits.Name: "WaitsForLoad", placed.Name: "ChosenByLoad", p.nodeName("hot"): "OverLoadLine"} {
		events, err := local.Clientset.CoreV1().Events("default").List(t.Context(), metav1.ListOptions{
			FieldSelector: "involvedObject.name=" + object + ",reason=" + reason,
		})
		p.must(err)
		// The schedulers of other tests know this test's nodes, too.
		told := slices.DeleteFunc(events.Items, func(e v1.Event) bool { return e.ReportingController != p.profile("plimsoll") })
		if len(told) != 1 || told[0].Series != nil {
			t.Errorf("%s of %s is told %d times, want once: %+v", reason, object, len(told), told)
		}
	}
}

// startReplica starts a scheduler that shares a lease with the pool's others.
func (p *pool) startReplica() *scheduler {
	p.t.Helper()
	return p.runScheduler(cluster.SchedulerOptions{
		Config: filepath.Join(root, "config", "plimsoll.yaml"), Args: []string{"--placement-events"},
		Change: ofPool(p.t, func(config map[string]any) {
			promptly(config)
			config["leaderElection"] = map[string]any{"resourceName": p.name, "resourceNamespace": metav1.NamespaceDefault}
		}),
	})
}

// waitDescribed waits until "kubectl describe" has a line of events with all of it.
func (p *pool) waitDescribed(kind, name, reason string, parts ...string) {
	p.t.Helper()
	p.wait(fmt.Sprintf("%s %s to have an event %s with %q", kind, name, reason, parts), func(ctx context.Context) (bool, error) {
		described, err := local.Kubectl(ctx, "describe", kind, name)
		if err != nil {
			return false, err
		}
		_, events, _ := strings.Cut(described, "\nEvents:")
		for line := range strings.Lines(events) {
			found := strings.Contains(line, reason)
			for _, part := range parts {
				found = found && strings.Contains(line, part)
			}
			if found {
				return true, nil
			}
		}
		return false, fmt.Errorf("the events are %s", events)
	})
}
