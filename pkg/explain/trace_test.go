package explain

import (
	"context"
	"fmt"
	"iter"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework"
	st "k8s.io/kubernetes/pkg/scheduler/testing"
	testingclock "k8s.io/utils/clock/testing"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/line"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load"
)

// plugin is the account of a plugin that shows what it made of nodes at a place of
// its own, and waits for the nodes that it rejected.
type plugin struct {
	name string
	show func(e *Entry, made Outcome)
}

func (p plugin) Reason(why int) string { return fmt.Sprint(p.name, " reason ", why) }

func (p plugin) Describe(e *Entry, _ *load.Node, made Outcome) { p.show(e, made) }

func (p plugin) WaitsFor(rejected iter.Seq2[*load.Node, int]) string {
	var names []string
	for node, why := range rejected {
		names = append(names, fmt.Sprint(node.Name, "=", why))
	}
	if names == nil {
		return ""
	}
	return p.name + " waits for " + strings.Join(names, ",")
}

func nodeLoad() plugin {
	return plugin{"NodeLoad", func(e *Entry, made Outcome) {
		e.NodeLoad = made
		e.SetLoad(Loads{CPU: Load{Measured: 1}})
	}}
}

func deviceFit() plugin {
	return plugin{"DeviceFit", func(e *Entry, made Outcome) { e.DeviceFit = made }}
}

// noSource is for nodes of which nothing is measured but what the test says.
type noSource []load.Reading

func (s noSource) Poll(context.Context) ([]load.Reading, error) { return s, nil }

// cycles is a log, and the nodes n0, n1 and so on, of which n0 is measured.
type cycles struct {
	*Log
	clock *testingclock.FakeClock
	view  load.View
}

func newCycles(t testing.TB, nodes int) *cycles {
	c := &cycles{clock: testingclock.NewFakeClock(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))}
	c.Log = NewLog(c.clock)
	model := load.NewModel(load.Config{Clock: c.clock, Expiration: time.Minute, Timeout: time.Second}, noSource{
		{Node: "n0", Timestamp: c.clock.Now(), Window: 15 * time.Second, Usage: [amount.NumResources]float64{1, 1}},
	})
	for i := range nodes {
		model.SetNode("n"+strconv.Itoa(i), amount.Vector{1000, 1 << 30}, line.Own{})
	}
	model.Poll(t.Context())
	c.clock.Step(7 * time.Second)
	c.view = model.View()
	return c
}

// begin begins a cycle for the pod, in which the plugins take part.
func (c *cycles) begin(name string, plugins ...Account) (fwk.CycleState, []Marks) {
	state := framework.NewCycleState()
	var marks []Marks
	for _, plugin := range plugins {
		trace := c.Begin(state, "plimsoll", podOf(name), &c.view)
		marks = append(marks, trace.Join(plugin))
	}
	return state, marks
}

func podOf(name string) *v1.Pod { return st.MakePod().Name(name).Namespace("ns").UID(name).Obj() }

// written writes down what waits, and returns the last decision on the pod.
func (c *cycles) written(name string) *Decision {
	for {
		select {
		case decision := <-c.pending:
			c.put(decision())
		default:
			return c.Get("ns/" + name)
		}
	}
}

func TestDecisionIsComposedOfAccounts(t *testing.T) {
	c := newCycles(t, 7)
	state, marks := c.begin("p", nodeLoad(), deviceFit())
	ours, theirs := marks[0], marks[1]
	ours.Score(0, 40)
	theirs.Score(0, 50)
	ours.Score(1, 90)
	theirs.Score(1, 10)
	ours.Reject(2, 1)
	ours.Fit(3)
	theirs.Reject(3, 0)
	ours.Fit(4)
	theirs.Score(5, 0)
	Of(state).Conclude(Placed, "n0")
	d := c.written("p")
	want := Summary{
		Pod: "ns/p", UID: "p", Profile: "plimsoll", Time: c.view.Now, Result: Placed, Node: "n0", Considered: 6,
		Rejected: map[string]int{"NodeLoad reason 1": 1, "DeviceFit reason 0": 1},
	}
	if !reflect.DeepEqual(d.Summary, want) {
		t.Errorf("%+v, want %+v", d.Summary, want)
	}
	var names []string
	for _, node := range d.Nodes {
		names = append(names, node.Name)
	}
	// The chosen one, by the sum of scores, those that were not scored, and the rejected.
	if want := []string{"n0", "n1", "n4", "n5", "n2", "n3"}; !slices.Equal(names, want) {
		t.Errorf("nodes %v, want %v", names, want)
	}
	first, last := d.Nodes[0], d.Nodes[5]
	if *first.NodeLoad.Score != 40 || *first.DeviceFit.Score != 50 || first.State != "Fresh" || *first.SampleAgeSeconds != 7 ||
		first.HistorySeconds == 0 || first.Load.CPU.Measured != 1 || first.Fragmentation != nil {
		t.Errorf("%+v", first)
	}
	if last.NodeLoad != (Outcome{}) || last.DeviceFit.Rejected != "DeviceFit reason 0" || last.State != "Missing" || last.SampleAgeSeconds != nil {
		t.Errorf("%+v", last)
	}
}

func TestDecisionOfOnePlugin(t *testing.T) {
	c := newCycles(t, 2)
	state, marks := c.begin("p", deviceFit())
	marks[0].Reject(1, 0)
	Of(state).Conclude(Waits, "")
	if d := c.written("p"); d == nil || d.Considered != 1 || d.Nodes[0].Load != nil || d.WaitsFor != "DeviceFit waits for n1=0" {
		t.Errorf("%+v", d)
	}
}

// A pod that has one node to go to is not ranked there.
func TestTheChosenNodeIsExplainedWhateverWasNoted(t *testing.T) {
	c := newCycles(t, 3)
	state, _ := c.begin("p", deviceFit())
	Of(state).Conclude(Placed, "n2")
	if d := c.written("p"); d.Considered != 1 || len(d.Nodes) != 1 || d.Nodes[0].Name != "n2" || d.Rejected != nil {
		t.Errorf("%+v", d)
	}
	state, _ = c.begin("q", deviceFit())
	Of(state).Conclude(Placed, "a node that the view does not have")
	if d := c.written("q"); d.Considered != 0 || len(d.Nodes) != 0 || d.Node == "" {
		t.Errorf("%+v", d)
	}
}

func TestDecisionSaysWhatOneOfThePluginsWaitsFor(t *testing.T) {
	c := newCycles(t, 4)
	state, marks := c.begin("p", nodeLoad(), deviceFit())
	marks[0].Reject(0, 2)
	marks[1].Reject(3, 0)
	marks[1].Fit(1)
	Of(state).Conclude(Waits, "")
	if got, want := c.written("p").WaitsFor, "NodeLoad waits for n0=2; or DeviceFit waits for n3=0"; got != want {
		t.Errorf("waits for %q, want %q", got, want)
	}
}

// Where no PostFilter of ours runs, the next cycle tells that one has failed.
func TestTheNextCycleEndsOneOfWhichNothingIsHeard(t *testing.T) {
	c := newCycles(t, 2)
	want := func(pod string, want Result) {
		t.Helper()
		got := Result("")
		if d := c.written(pod); d != nil {
			got = d.Result
		}
		if got != want {
			t.Errorf("pod %s: %q, want %q", pod, got, want)
		}
	}
	_, marks := c.begin("silent", nodeLoad(), deviceFit())
	marks[0].Reject(0, 0)
	want("silent", "")
	state, _ := c.begin("placed", nodeLoad())
	want("silent", Waits)
	for range 2 {
		Of(state).Conclude(Placed, "n0")
		if len(c.pending) != 1 {
			t.Errorf("%d decisions are to be written, want one, however many plugins tell", len(c.pending))
		}
	}
	ranked, _ := c.begin("ranked", nodeLoad())
	Of(ranked).Ranks()
	want("placed", Placed)
	Of(state).Conclude(TakenBack, "n0")
	c.Begin(framework.NewCycleState(), "another profile", podOf("other"), &c.view)
	c.begin("next", nodeLoad())
	want("placed", TakenBack)
	want("ranked", "")
	want("other", "")
}

func TestDecisionIsBounded(t *testing.T) {
	c := newCycles(t, 3*MaxNodes)
	state, marks := c.begin("p", nodeLoad())
	for slot := range 3 * MaxNodes {
		marks[0].Fit(slot)
	}
	Of(state).Conclude(Placed, "n77")
	if d := c.written("p"); d.Considered != 3*MaxNodes || len(d.Nodes) != MaxNodes || d.Nodes[0].Name != "n77" {
		t.Errorf("%d nodes of %d considered, the first is %s", len(d.Nodes), d.Considered, d.Nodes[0].Name)
	}
}

// Marks are looked at many at once: none is missed, wherever it is.
func TestFewOfManyNodesAreConsidered(t *testing.T) {
	const nodes = 3 * marksAtOnce
	c := newCycles(t, nodes)
	for slot := range nodes {
		name := fmt.Sprint("p", slot)
		state, marks := c.begin(name, nodeLoad(), deviceFit())
		marks[slot%2].Reject(slot, 0)
		Of(state).Conclude(Waits, "")
		if d := c.written(name); d.Considered != 1 || d.Nodes[0].Name != fmt.Sprint("n", slot) {
			t.Errorf("slot %d is marked: %+v", slot, d)
		}
	}
}

// A plugin's view may be younger than the trace's.
func TestNodesThatTheTraceDoesNotKnow(t *testing.T) {
	c := newCycles(t, 2)
	state, marks := c.begin("p", nodeLoad())
	marks[0].Fit(len(marks[0]) - 1) // a free slot
	marks[0].Fit(1 << 20)
	Of(state).Conclude(Waits, "")
	if d := c.written("p"); d.Considered != 0 {
		t.Errorf("%+v", d)
	}
}

func TestNothingIsExplainedWithoutALog(t *testing.T) {
	state := framework.NewCycleState()
	var log *Log
	trace := log.Begin(state, "plimsoll", podOf("p"), &load.View{})
	trace.Join(nodeLoad()).Fit(0)
	trace.Ranks()
	trace.Conclude(Placed, "n")
	if Of(state) != nil {
		t.Error("a trace in the state")
	}
}

// What is tried out on a copy of the cycle's state is not part of the decision.
func TestCopiesOfATraceNoteNothing(t *testing.T) {
	c := newCycles(t, 1)
	state, _ := c.begin("p", nodeLoad())
	trial := state.Clone()
	if marks := c.Begin(trial, "plimsoll", podOf("p"), &c.view).Join(deviceFit()); marks != nil {
		t.Error("a plugin joins a copy")
	}
	Of(trial).Ranks()
	Of(trial).Conclude(Placed, "n0")
	c.begin("q", nodeLoad())
	if d := c.written("p"); d == nil || d.Result != Waits || len(d.Nodes) > 0 {
		t.Errorf("%+v, want that the pod waits", d)
	}
}

// An operation composes a decision of what two plugins noted of 5,000 nodes, which
// another goroutine than the scheduling cycle's does.
func BenchmarkDecision(b *testing.B) {
	c := newCycles(b, 5000)
	state, marks := c.begin("p", nodeLoad(), deviceFit())
	for slot := range 5000 {
		if slot%3 == 0 {
			marks[0].Reject(slot, 1)
			continue
		}
		marks[0].Score(slot, int64(slot%101))
		marks[1].Score(slot, int64(slot%97))
	}
	trace := Of(state)
	b.ReportAllocs()
	for b.Loop() {
		trace.decision(Placed, "n1")
	}
}

// Of a pod of another scheduler it is told where it would have gone, and where it went.
func TestObservedPods(t *testing.T) {
	c := newCycles(t, 3)
	state, marks := c.begin("p", nodeLoad())
	marks[0].Score(0, 40)
	marks[0].Reject(1, 1)
	trace := Of(state)
	if trace.Rejects("n0") || !trace.Rejects("n1") || trace.Rejects("n2") || trace.Rejects("no-such") {
		t.Error("n1 is the only node that was rejected")
	}
	trace.Observe("n0", "n1", "itself")
	if d := c.written("p"); d.Result != Observed || d.Node != "n0" || d.Bound != "n1" || d.UID != "itself" || d.WaitsSince != nil {
		t.Errorf("%+v", d.Summary)
	}
	var none *Trace
	none.Observe("n0", "n1", "p")
	if none.Rejects("n1") {
		t.Error("where nothing is noted nothing is known to be rejected")
	}
}

func TestSinceWhenAPodWaits(t *testing.T) {
	c := newCycles(t, 2)
	state, marks := c.begin("first", nodeLoad())
	marks[0].Reject(0, 0)
	Of(state).Conclude(Waits, "")
	if d := c.written("first"); d.WaitsSince == nil || !d.WaitsSince.Equal(c.view.Now) {
		t.Errorf("%+v, want that it waits since now", d.Summary)
	}
	earlier := c.view.Now.Add(-time.Minute)
	state, _ = c.begin("again", nodeLoad())
	Of(state).Since(c.view.Now)
	Of(state).Since(earlier)
	Of(state).Since(time.Time{})
	Of(state).Conclude(Waits, "")
	if d := c.written("again"); d.WaitsSince == nil || !d.WaitsSince.Equal(earlier) {
		t.Errorf("%+v, want that it waits since %v", d.Summary, earlier)
	}
	state, _ = c.begin("other", nodeLoad())
	Of(state).Conclude(Waits, "")
	if d := c.written("other"); d.WaitsSince != nil {
		t.Errorf("%+v: none of ours rejected it", d.Summary)
	}
}
