package nodeload

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework"

	"github.com/plimsoll-scheduler/plimsoll/pkg/explain"
)

// cycleFor runs PreFilter, Filter and Score over all nodes and returns the state.
func (c *cluster) cycleFor(t testing.TB, p *v1.Pod) fwk.CycleState {
	t.Helper()
	state := framework.NewCycleState()
	c.PreFilter(t.Context(), state, p, nil)
	for _, node := range c.nodes {
		if c.Filter(t.Context(), state, p, c.info(node.Name)).IsSuccess() {
			c.Score(t.Context(), state, p, c.info(node.Name))
		}
	}
	return state
}

// decision returns the last decision on the pod when it is written down.
func (c *cluster) decision(t testing.TB, p *v1.Pod) (d *explain.Decision) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go c.decisions.Run(ctx)
	err := wait.PollUntilContextTimeout(ctx, time.Millisecond, 20*time.Second, true, func(context.Context) (bool, error) {
		d = c.decisions.Get(p.Namespace + "/" + p.Name)
		return d != nil, nil
	})
	if err != nil {
		t.Fatalf("no decision on %s: %v", p.Name, err)
	}
	return d
}

func TestDecisionHasItsNumbers(t *testing.T) {
	c := newCluster(t, args(nil), "hot", "cool", "missing")
	c.use("hot", 9, 50*gi)
	c.use("cool", 3, 10*gi)
	c.poll(t)
	c.Reserve(t.Context(), framework.NewCycleState(), pod("before", "500m", "1Gi"), "cool")
	c.clock.Step(7 * time.Second)

	p := pod("p", "1", "1Gi")
	c.Reserve(t.Context(), c.cycleFor(t, p), p, "cool")
	d := c.decision(t, p)
	if d.Pod != "default/p" || d.Node != "cool" || d.Considered != 3 || d.Rejected[overCPU.reason()] != 1 || d.WaitsFor != "" {
		t.Errorf("%+v", d)
	}
	if len(d.Nodes) != 3 || d.Nodes[0].Name != "cool" || d.Nodes[1].Name != "missing" || d.Nodes[2].Name != "hot" {
		t.Fatalf("nodes %+v, want the chosen one first and the rejected one last", d.Nodes)
	}
	cool, missing, hot := d.Nodes[0], d.Nodes[1], d.Nodes[2]
	want := explain.Load{Measured: 3, InFlight: 0.5, Estimate: 1, Predicted: 4.5, ThresholdPercent: 75, Threshold: 7.5, PredictedForScore: 4.5}
	if cool.State != "Fresh" || cool.HistorySeconds != 15 || *cool.SampleAgeSeconds != 7 || cool.Load.CPU != want || *cool.NodeLoad.Score <= 0 {
		t.Errorf("%+v", cool)
	}
	if missing.State != "Missing" || missing.SampleAgeSeconds != nil || missing.Load != nil || missing.NodeLoad.Score == nil {
		t.Errorf("%+v", missing)
	}
	if hot.NodeLoad.Rejected != overCPU.reason() || hot.NodeLoad.Score != nil || hot.Load.CPU.Predicted != 10 {
		t.Errorf("%+v", hot)
	}
}

func TestDecisionSaysWhatAPodWaitsFor(t *testing.T) {
	const closest = "the predicted use of one of 2 node(s) to fall below its line; closest is warm, whose cpu has to fall by 0.50 cores (5.0 % of allocatable): with the pod it is predicted at 8.00 cores, and the line is at 7.50 cores"
	for _, test := range []struct {
		maxWait time.Duration
		want    string
	}{
		{0, closest},
		{time.Minute, closest + "; or until it has waited 1m0s (filter.maxWait)"},
	} {
		c := newCluster(t, args(nil), "hot", "warm")
		c.policy.maxWait = test.maxWait
		c.use("hot", 9, gi)
		c.use("warm", 7, gi)
		c.poll(t)
		p := pod("p", "1", "1Gi")
		c.PostFilter(t.Context(), c.cycleFor(t, p), p, framework.NewDefaultNodeToStatus())
		if d := c.decision(t, p); d.WaitsFor != test.want || d.Result != explain.Waits {
			t.Errorf("%s for %q, want %q", d.Result, d.WaitsFor, test.want)
		}
	}
}

// What is short is named with its numbers, in units that people read: memory alone, or
// both.
func TestDecisionNamesWhatIsShort(t *testing.T) {
	const (
		memory = "whose memory has to fall by 6.0Gi (6.0 % of allocatable): with the pod it is predicted at 91.0Gi, and the line is at 85.0Gi"
		cpu    = "whose cpu has to fall by 0.50 cores (5.0 % of allocatable): with the pod it is predicted at 8.00 cores, and the line is at 7.50 cores"
	)
	for cores, want := range map[float64]string{1: memory, 7: cpu + "; and " + memory} {
		c := newCluster(t, args(nil), "n")
		c.use("n", cores, 90*gi)
		c.poll(t)
		p := pod("p", "1", "1Gi")
		c.PostFilter(t.Context(), c.cycleFor(t, p), p, framework.NewDefaultNodeToStatus())
		if d := c.decision(t, p); d.WaitsFor != "the predicted use of one of 1 node(s) to fall below its line; closest is n, "+want {
			t.Errorf("%v cores: %q, want %q", cores, d.WaitsFor, want)
		}
	}
}

// PostFilter does not run for us if a plugin before us has made the pod
// schedulable, and never for a member of a group.
func TestDecisionOnAPodOfWhichNothingIsHeard(t *testing.T) {
	c := newCluster(t, args(nil), "hot")
	c.use("hot", 9, gi)
	c.poll(t)
	p := pod("p", "1", "1Gi")
	c.cycleFor(t, p)
	c.cycleFor(t, pod("next", "1", "1Gi"))
	if d := c.decision(t, p); d.Result != explain.Waits || !strings.Contains(d.WaitsFor, "closest is hot") {
		t.Errorf("%+v", d)
	}
}

// What an explanation adds to a scheduling cycle: noting what becomes of 5,000
// nodes, against the same cycle without, one after the other.
func BenchmarkExplain(b *testing.B) {
	c, state, infos, p := benchmarkCycle(b, nil)
	cycle := c.cycleOf(state, p)
	marks := cycle.marks
	for _, explained := range []bool{false, true} {
		b.Run(strings.ReplaceAll(fmt.Sprintf("explained %t", explained), " ", "="), func(b *testing.B) {
			for b.Loop() {
				if cycle.marks = nil; explained {
					cycle.marks = marks
				}
				for _, info := range infos {
					if c.Filter(b.Context(), state, p, info).IsSuccess() {
						c.Score(b.Context(), state, p, info)
					}
				}
			}
		})
	}
}
