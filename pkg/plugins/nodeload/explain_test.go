package nodeload

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"k8s.io/kubernetes/pkg/scheduler/framework"

	"github.com/plimsoll-scheduler/plimsoll/pkg/explain"
)

// cycleFor runs Filter and Score over all nodes and returns the cycle.
func (c *cluster) cycleFor(t testing.TB, name, cpu string) *cycle {
	t.Helper()
	state, p := framework.NewCycleState(), pod(name, cpu, "1Gi")
	c.PreFilter(t.Context(), state, p, nil)
	for _, node := range c.nodes {
		if c.Filter(t.Context(), state, p, c.info(node.Name)).IsSuccess() {
			c.Score(t.Context(), state, p, c.info(node.Name))
		}
	}
	got := c.cycleOf(state, p)
	if trace := explain.Of(state); trace != nil { // as DeviceFit does
		if slot, known := trace.Slot("cool"); known {
			trace.DeviceFit.Score(slot, 70)
		}
	}
	return got
}

func TestDecisionHasItsNumbers(t *testing.T) {
	c := newCluster(t, args(nil), "hot", "cool", "missing")
	c.use("hot", 9, 50*gi)
	c.use("cool", 3, 10*gi)
	c.poll(t)
	c.Reserve(t.Context(), framework.NewCycleState(), pod("before", "500m", "1Gi"), "cool")
	c.clock.Step(7 * time.Second)

	p := pod("p", "1", "1Gi")
	d := c.decision(c.cycleFor(t, "p", "1"), p, explain.Placed, "cool")
	if d.Pod != "default/p" || d.Node != "cool" || d.Considered != 3 || d.Rejected[overCPU.reason()] != 1 || d.WaitsFor != "" {
		t.Errorf("%+v", d)
	}
	if len(d.Nodes) != 3 || d.Nodes[0].Name != "cool" || d.Nodes[1].Name != "missing" || d.Nodes[2].Name != "hot" {
		t.Fatalf("nodes %+v, want the chosen one first and the rejected one last", d.Nodes)
	}
	cool, missing, hot := d.Nodes[0], d.Nodes[1], d.Nodes[2]
	want := explain.Load{Measured: 3, InFlight: 0.5, Estimate: 1, Predicted: 4.5, ThresholdPercent: 75, Threshold: 7.5, PredictedForScore: 4.5}
	if cool.State != "Fresh" || cool.HistorySeconds != 15 || *cool.SampleAgeSeconds != 7 || cool.Load.CPU != want || *cool.DeviceFit.Score != 70 || *cool.NodeLoad.Score <= 0 {
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
	c := newCluster(t, args(nil), "hot", "warm")
	c.use("hot", 9, gi)
	c.use("warm", 7, gi)
	c.poll(t)
	d := c.decision(c.cycleFor(t, "p", "1"), pod("p", "1", "1Gi"), explain.Waits, "")
	if want := "the predicted use of one of 2 node(s) to fall below its line; closest is warm, whose cpu has to fall by 500m (5.0 % of allocatable)"; d.WaitsFor != want {
		t.Errorf("waits for %q, want %q", d.WaitsFor, want)
	}
	c.policy.maxWait = time.Minute
	d = c.decision(c.cycleFor(t, "p", "1"), pod("p", "1", "1Gi"), explain.Waits, "")
	if want := "(5.0 % of allocatable); or until it has waited 1m0s (filter.maxWait)"; !strings.HasSuffix(d.WaitsFor, want) {
		t.Errorf("with maxWait: waits for %q, want %q at the end", d.WaitsFor, want)
	}
}

func TestDecisionIsBounded(t *testing.T) {
	var names []string
	for i := range 3 * explain.MaxNodes {
		names = append(names, fmt.Sprint("n", i))
	}
	c := newCluster(t, args(nil), names...)
	d := c.decision(c.cycleFor(t, "p", "1"), pod("p", "1", "1Gi"), explain.Placed, "n7")
	if d.Considered != len(names) || len(d.Nodes) != explain.MaxNodes || d.Nodes[0].Name != "n7" {
		t.Errorf("%d nodes of %d considered, the first is %s", len(d.Nodes), d.Considered, d.Nodes[0].Name)
	}
}

// What an explanation adds to a scheduling cycle: noting what becomes of 5,000
// nodes, against the same cycle without, one after the other.
func BenchmarkExplain(b *testing.B) {
	c, state, infos, p := benchmarkCycle(b)
	cycle := c.cycleOf(state, p)
	trace := cycle.trace
	for _, explained := range []bool{false, true} {
		b.Run(strings.ReplaceAll(fmt.Sprintf("explained %t", explained), " ", "="), func(b *testing.B) {
			for b.Loop() {
				if cycle.trace = nil; explained {
					cycle.trace = trace
				}
				for _, info := range infos {
					if c.Filter(b.Context(), state, p, info).IsSuccess() {
						c.Score(b.Context(), state, p, info)
					}
				}
			}
		})
	}
	cycle.trace = trace
	b.Run("written down", func(b *testing.B) { // by another goroutine
		for b.Loop() {
			c.decision(cycle, p, explain.Placed, "node-1")
		}
	})
}
