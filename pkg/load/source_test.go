package load

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/line"
)

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func TestReadingIsChecked(t *testing.T) {
	good := Reading{Node: "n", Timestamp: epoch, Window: 15 * time.Second, Usage: [amount.NumResources]float64{1.5, 1 << 30}}
	for _, test := range []struct {
		name   string
		change func(*Reading)
		reason dropReason
		doubt  doubts
		want   amount.Vector
	}{
		{"good", func(*Reading) {}, "", doubts{}, amount.Vector{1500, 1 << 30}},
		{"without a timestamp", func(r *Reading) { r.Timestamp = time.Time{} }, dropIncomplete, doubts{}, amount.Vector{}},
		{"a window below zero", func(r *Reading) { r.Window = -1 }, dropNegative, doubts{}, amount.Vector{}},
		{"one value is not a number", func(r *Reading) { r.Usage[amount.CPU] = math.NaN() }, "", doubts{dropIncomplete, ""}, amount.Vector{0, 1 << 30}},
		{"one is below zero", func(r *Reading) { r.Usage[amount.Memory] = -1 }, "", doubts{"", dropNegative}, amount.Vector{1500, 0}},
		{"one is absurd", func(r *Reading) { r.Usage[amount.Memory] = 1e30 }, "", doubts{"", dropAbsurd}, amount.Vector{1500, 0}},
		{"one is infinite", func(r *Reading) { r.Usage[amount.CPU] = math.Inf(1) }, "", doubts{dropAbsurd, ""}, amount.Vector{0, 1 << 30}},
		{"none is a number", func(r *Reading) { r.Usage = [amount.NumResources]float64{math.NaN(), math.NaN()} }, dropIncomplete, doubts{dropIncomplete, dropIncomplete}, amount.Vector{}},
		{"a little use is not none", func(r *Reading) { r.Usage = [amount.NumResources]float64{0.0001, 0.5} }, "", doubts{}, amount.Vector{1, 1}},
	} {
		t.Run(test.name, func(t *testing.T) {
			reading := good
			test.change(&reading)
			sample, doubt, reason := reading.check()
			if reason != test.reason || doubt != test.doubt || sample.Usage != test.want {
				t.Errorf("dropped for %q, doubts %q, use %v; want %q, %q, %v", reason, doubt, sample.Usage, test.reason, test.doubt, test.want)
			}
		})
	}
}

// read has a poll read the node once.
func (f *fixture) read(node string, cores, memory float64) {
	f.source.readings = []Reading{{Node: node, Timestamp: f.now.Now(), Window: window, Usage: [amount.NumResources]float64{cores, memory}}}
	f.Poll(f.t.Context())
}

// What is absent of a reading, or cannot be, is no good news.
func TestAPartOfAReadingThatCannotBeBelievedIsNoNews(t *testing.T) {
	for name, test := range map[string]struct {
		cores, memory float64
		want          amount.Vector
	}{
		"nothing at all, although a pod runs": {0, 0, amount.Vector{7000, 6 << 30}},
		"no memory, although a pod runs":      {3, 0, amount.Vector{3000, 6 << 30}},
		"no CPU":                              {math.NaN(), 5 << 30, amount.Vector{7000, 5 << 30}},
		"a negative value":                    {3, -1, amount.Vector{3000, 6 << 30}},
		"more than the node could use":        {1e6, 5 << 30, amount.Vector{7000, 5 << 30}},
		"all that can be believed":            {3, 5 << 30, amount.Vector{3000, 5 << 30}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.SetNode("n", amount.Vector{8000, 1 << 34}, line.Own{})
			f.SetPod(running(boundPod("p", "n"), epoch.Add(-time.Hour)))
			f.read("n", 7, 6<<30)
			f.now.Step(window)
			f.read("n", test.cores, test.memory)
			if n, _ := f.node("n"); n.Predicted[Latest] != test.want {
				t.Errorf("predicted %v, want %v", n.Predicted[Latest], test.want)
			}
		})
	}
}

// What was never known of a resource is waited for, and then taken to be what the
// pods request.
func TestAResourceThatIsNeverMeasured(t *testing.T) {
	f := newFixture(t)
	f.SetNode("n", amount.Vector{8000, 1 << 34}, line.Own{})
	f.SetPod(running(boundPod("p", "n"), epoch.Add(-time.Hour)))
	for range expiration / window {
		f.read("n", 3, math.NaN())
		if _, state := f.node("n"); state != Missing {
			t.Fatalf("state %v: the memory may yet come", state)
		}
		f.now.Step(window)
	}
	f.read("n", 3, math.NaN())
	if n, state := f.node("n"); state != Fresh || n.Predicted[Latest] != (amount.Vector{3000, 1 << 30}) {
		t.Errorf("state %v, predicted %v", state, n.Predicted[Latest])
	}
}

// What stands in for a resource that is never measured is not itself a measurement: it
// falls with what the pods request.
func TestWhatStandsInForAResourceIsNoMeasurement(t *testing.T) {
	f := newNodeFixture(t)
	pods := f.crowd("p", 8, epoch.Add(-time.Hour), false)
	poll := func(times int) {
		for range times {
			f.now.Step(window)
			f.read("n", 3, math.NaN())
		}
	}
	poll(20)
	if n, _ := f.node("n"); n.Predicted[Latest][amount.Memory] != 8<<30 {
		t.Errorf("predicted %v, want the 8 GiB that are requested", n.Predicted[Latest])
	}
	for _, pod := range pods[1:] {
		f.RemovePod(pod)
	}
	poll(40)
	if n, _ := f.node("n"); n.Predicted[Latest][amount.Memory] != 1<<30 {
		t.Errorf("predicted %v, want the 1 GiB that is requested still", n.Predicted[Latest])
	}
}

func TestAnIdleNodeMayUseNothing(t *testing.T) {
	f := newFixture(t)
	f.SetNode("n", amount.Vector{8000, 1 << 34}, line.Own{})
	f.SetPod(boundPod("starts", "n"))
	f.read("n", 0, 0)
	if n, state := f.node("n"); state != Fresh || n.Measured[Latest] != (amount.Vector{}) {
		t.Errorf("state %v, measured %v", state, n.Measured[Latest])
	}
}

func TestASampleOlderThanItsNodeIsOfAnother(t *testing.T) {
	f := newFixture(t)
	f.SetNodeSince("n", epoch.Add(time.Second), amount.Vector{8000, 1 << 34}, line.Own{})
	f.sample("n", 7)
	if _, state := f.node("n"); state != Missing {
		t.Errorf("state %v: the sample is of the machine that had the name before", state)
	}
	f.now.Step(window)
	f.sample("n", 1)
	if n, state := f.node("n"); state != Fresh || n.Predicted[Latest][amount.CPU] != 1000 {
		t.Errorf("state %v, predicted %v", state, n.Predicted[Latest])
	}
}

// Readings that are dropped whole are said once, until one is believed, with the node.
func TestReadingsThatAreDroppedAreSaid(t *testing.T) {
	f := newFixture(t)
	var said []string
	f.config.Report = func(object runtime.Object, reason, message string) {
		said = append(said, fmt.Sprintf("%s: %s: %s", object.(*v1.Node).Name, reason, message))
	}
	f.SetNodeSince("n", epoch.Add(-time.Hour), amount.Vector{8000, 1 << 34}, line.Own{})
	f.SetPod(running(boundPod("p", "n"), epoch.Add(-time.Hour)))
	const because = "n: LoadReadingsDropped: the node's load readings are dropped, because "
	for _, step := range []struct {
		name          string
		cores, memory float64
		ago           time.Duration
		want          string
	}{
		{"believed", 3, 1 << 30, 0, ""},
		{"nothing is used", 0, 0, 0, "they say that nothing is used, although containers run"},
		{"still nothing", 0, 0, 0, ""},
		{"absurd", 1e6, 1e15, 0, "they have more than 100 times of what the node can allocate"},
		{"negative", -1, -1, 0, "they have a use or a window below zero"},
		{"neither", math.NaN(), math.NaN(), 0, "they have no time, or neither CPU nor memory"},
		{"believed again", 3, 1 << 30, 0, ""},
		{"neither again", math.NaN(), math.NaN(), 0, "they have no time, or neither CPU nor memory"},
		{"older than the node", 3, 1 << 30, 2 * time.Hour, "they are older than the node, or the node's clock is behind"},
	} {
		said = nil
		f.now.Step(window)
		f.source.readings = []Reading{{Node: "n", Timestamp: f.now.Now().Add(-step.ago), Window: window, Usage: [amount.NumResources]float64{step.cores, step.memory}}}
		f.Poll(t.Context())
		var want []string
		if step.want != "" {
			want = []string{because + step.want}
		}
		if !slices.Equal(said, want) {
			t.Errorf("%s: said %q, want %q", step.name, said, want)
		}
	}
}
