package load

import (
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/line"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load/history"
)

// viewOf returns a view of a node at a time after its last sample was seen, and the
// newest of all nodes.
func viewOf(node, newest time.Duration) (View, *Node) {
	now := epoch.Add(24 * time.Hour)
	view := View{Now: now, expiration: expiration, newest: now.Add(-newest)}
	return view, &Node{
		Sampled: true, seenAt: now.Add(-node).UnixNano(), Requested: amount.Vector{2000, 9 << 30},
		Predicted: history.Statistics{Latest: {6000, 1 << 30}, Average: {1000, 1 << 30}},
	}
}

func TestStateIsByWhenTheSampleWasSeen(t *testing.T) {
	for seen, want := range map[time.Duration]State{
		-time.Hour: Fresh, 0: Fresh, expiration: Fresh, expiration + 1: Stale, 24 * time.Hour: Stale,
	} {
		view, n := viewOf(seen, 0)
		if got := view.State(n); got != want || view.Age(n) != seen {
			t.Errorf("seen %v ago: %v of age %v, want %v", seen, got, view.Age(n), want)
		}
		if n.Sampled = false; view.State(n) != Missing {
			t.Errorf("without a sample: %v", view.State(n))
		}
	}
	if got := fmt.Sprint(Missing, Stale, Fresh); got != "Missing Stale Fresh" {
		t.Errorf("states are called %s", got)
	}
}

func TestUse(t *testing.T) {
	const stale = expiration + time.Second
	half := outageHold + outageFade/2
	for name, test := range map[string]struct {
		node, newest time.Duration // ago
		statistic    Statistic
		want         amount.Vector
		known        bool
	}{
		"fresh":                               {0, 0, Latest, amount.Vector{6000, 1 << 30}, true},
		"fresh, another statistic":            {0, 0, Average, amount.Vector{1000, 1 << 30}, true},
		"stale while others are measured":     {stale, 0, Latest, amount.Vector{6000, 9 << 30}, true}, // what is requested is the least
		"stale, another statistic":            {stale, 0, Average, amount.Vector{2000, 9 << 30}, true},
		"for a day":                           {24 * time.Hour, expiration, Latest, amount.Vector{6000, 9 << 30}, true},
		"others are stale as well":            {stale, stale, Latest, amount.Vector{6000, 9 << 30}, true},
		"for as long as what was known holds": {expiration + outageHold, expiration + outageHold, Latest, amount.Vector{6000, 9 << 30}, true},
		"halfway to requests":                 {expiration + half, expiration + half, Latest, amount.Vector{4000, 9 << 30}, true},
		"halfway, of less than is requested":  {expiration + half, expiration + half, Average, amount.Vector{2000, 9 << 30}, true},
		"a moment before": {
			24 * time.Hour, expiration + outageHold + outageFade - 1, Latest, amount.Vector{2000, 9 << 30}, true,
		},
		"from then on requests alone count": {24 * time.Hour, expiration + outageHold + outageFade, Latest, amount.Vector{}, false},
		"for a day, like all":               {24 * time.Hour, 24 * time.Hour, Latest, amount.Vector{}, false},
	} {
		view, n := viewOf(test.node, test.newest)
		if got, known := view.Use(n, test.statistic); got != test.want || known != test.known {
			t.Errorf("%s: %v, known %t, want %v, known %t", name, got, known, test.want, test.known)
		}
	}
	view, n := viewOf(0, 0)
	if _, known := view.Use(nil, Latest); known {
		t.Error("the use of a node that is not known is known")
	}
	n.Sampled = false
	if use, known := view.Use(n, Latest); known || use != (amount.Vector{}) {
		t.Errorf("without a sample: %v, known %t", use, known)
	}
}

// An outage never makes a node look emptier than its pods request, nor, from one
// moment to the next, much different from what it was.
func TestAnOutageIsNoJump(t *testing.T) {
	view, n := viewOf(0, 0)
	before, _ := view.Use(n, Latest)
	before = before.Max(n.Requested)
	for since := expiration + time.Second; since < expiration+outageHold+outageFade; since += time.Second {
		view, n := viewOf(since, since)
		use, known := view.Use(n, Latest)
		for r := range use {
			step := (n.Predicted[Latest][r] - n.Requested[r]) / int64(outageFade.Seconds())
			if !known || use[r] < n.Requested[r] || use[r] > before[r] || before[r]-use[r] > max(step, 0)+1 {
				t.Fatalf("%v after the last sample: %v, a second before %v", since, use, before)
			}
		}
		before = use
	}
}

// The whole of an outage, as the model sees it: of one node, and of the source.
func TestANodeThatIsNotMeasuredAnyMore(t *testing.T) {
	f := newFixture(t)
	for _, name := range []string{"a", "b"} {
		f.SetNode(name, amount.Vector{8000, 1 << 34}, line.Own{})
		f.sample(name, 6)
	}
	use := func() (int64, bool) {
		view := f.View()
		use, known := view.Use(view.Node("a"), Latest)
		return use[amount.CPU], known
	}
	for range 240 { // an hour
		f.now.Step(window)
		f.sample("b", 1)
	}
	if got, known := use(); !known || got != 6000 {
		t.Errorf("others are measured: %d, known %t, want what was last known", got, known)
	}
	f.Reserve(boundPod("p", "a"), "a")
	if got, known := use(); !known || got != 7000 {
		t.Errorf("with a pod that was placed since: %d, known %t", got, known)
	}
	f.now.Step(expiration + outageHold)
	if got, known := use(); !known || got != 7000 {
		t.Errorf("the source fails: %d, known %t", got, known)
	}
	f.now.Step(outageFade / 2)
	if got, known := use(); !known || got != 4000 {
		t.Errorf("it fails on: %d, known %t, want half way from 7000 to the request of 1000", got, known)
	}
	f.now.Step(outageFade / 2)
	if got, known := use(); known {
		t.Errorf("it has failed for long: %d is known", got)
	}
	f.sample("a", 2)
	if got, known := use(); !known || got != 3000 {
		t.Errorf("it works again: %d, known %t", got, known)
	}
}

// A node whose pods were there before us is awaited, until its first sample or for as
// long as one may be expected; not where no source is served.
func TestNodesOfPodsThatWereThereBeforeAreAwaited(t *testing.T) {
	for name, test := range map[string]struct {
		made   time.Duration // the pod, after the model began
		placed bool          // by us
		err    error         // of polls
		poll   bool          // shows the node
		after  time.Duration
		want   bool
	}{
		"of an older pod":                  {made: -time.Hour, err: errors.New("down"), want: true},
		"until the last moment":            {made: -time.Hour, err: errors.New("down"), after: firstSample - 1, want: true},
		"no longer":                        {made: -time.Hour, err: errors.New("down"), after: firstSample},
		"while others are measured":        {made: -time.Hour, want: true},
		"until its first sample":           {made: -time.Hour, poll: true},
		"of a younger pod":                 {made: time.Second, err: errors.New("down")},
		"of an older pod that we placed":   {made: -time.Hour, placed: true, err: errors.New("down")},
		"where nobody serves measurements": {made: -time.Hour, err: fmt.Errorf("list: %w", ErrNotServed)},
	} {
		t.Run(name, func(t *testing.T) {
			f := newNodeFixture(t)
			if f.source.err = test.err; test.poll {
				f.source.readings = []Reading{{Node: "n", Timestamp: f.now.Now(), Window: window, Usage: [amount.NumResources]float64{4, 1 << 30}}}
			}
			set := func() {
				pod := boundPod("p", "n")
				pod.CreationTimestamp = metav1.NewTime(epoch.Add(test.made))
				if test.placed {
					f.Reserve(pod, "n")
				}
				f.SetPod(pod)
			}
			if test.made < 0 && !test.placed {
				set() // listed before the first poll
			}
			f.Poll(t.Context())
			set()
			f.now.Step(test.after)
			if view := f.View(); view.Awaits(view.Node("n")) != test.want || view.Awaits(nil) {
				t.Errorf("awaited: %t, want %t", !test.want, test.want)
			}
		})
	}
}

// What a reading lacks of a node is never less than its pods request, and those that
// count by themselves, as no sample shows them, do not count twice.
func TestAPartThatIsMissingCountsNoPodTwice(t *testing.T) {
	f := newNodeFixture(t)
	f.SetPod(running(boundPod("old", "n"), f.now.Now().Add(-time.Hour)))
	f.sampleTimes(4, 0, 0.2)
	f.SetPod(boundPod("new", "n"))
	f.wantCPU(1200, "one core is to start")
	f.now.Step(window)
	f.sample("n", math.NaN())
	f.wantCPU(2000, "each of the two requests one core")
}
