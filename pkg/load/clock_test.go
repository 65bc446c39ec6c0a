package load

import (
	"fmt"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/line"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load/ledger"
)

// What a node's clock is thought to show, by the samples that arrive. Times are
// seconds by our clock, before and timestamps by the node's.
func TestNodeClock(t *testing.T) {
	type arrival struct {
		now, timestamp int
		skewed         bool // this is news
	}
	second := func(s int) time.Time { return epoch.Add(time.Duration(s) * time.Second) }
	for name, test := range map[string]struct {
		arrivals     []arrival
		skew, seenAt int
	}{
		"on time":                            {[]arrival{{100, 100, false}, {115, 115, false}}, 0, 115},
		"as late as samples are":             {[]arrival{{100, 80, false}, {115, 95, false}}, 0, 95},
		"a bit ahead":                        {[]arrival{{100, 130, false}}, 0, 130},
		"ahead":                              {[]arrival{{100, 131, true}}, 31, 100},
		"ahead, said once":                   {[]arrival{{100, 400, true}, {115, 415, false}}, 300, 115},
		"ahead, more and more":               {[]arrival{{100, 400, true}, {115, 500, false}}, 385, 115},
		"as far behind as samples are fresh": {[]arrival{{100, 10, false}, {115, 25, false}}, 0, 25},
		"behind":                             {[]arrival{{100, 0, false}, {115, 24, true}}, -91, 115},
		"the first sample may be just old":   {[]arrival{{100, -900, false}}, 0, -900},
		"the second of them is not":          {[]arrival{{100, -900, false}, {115, -885, true}}, -1000, 115},
		"set right":                          {[]arrival{{100, 400, true}, {415, 415, false}}, 0, 415},
		"and off again, which is news":       {[]arrival{{100, 400, true}, {415, 415, false}, {430, 730, true}}, 300, 430},
	} {
		t.Run(name, func(t *testing.T) {
			var c nodeClock
			var before time.Time
			for i, a := range test.arrivals {
				if got := c.arrive(second(a.timestamp), before, second(a.now), expiration); got != a.skewed {
					t.Errorf("arrival %d: news that it is off: %t, want %t", i, got, a.skewed)
				}
				before = second(a.timestamp)
			}
			if c.skew != time.Duration(test.skew)*time.Second || !c.seenAt.Equal(second(test.seenAt)) {
				t.Errorf("ahead by %v, the sample's age counts from %v, want %ds and %v", c.skew, c.seenAt, test.skew, second(test.seenAt))
			}
			if got := c.now(epoch); !got.Equal(second(test.skew)) {
				t.Errorf("it shows %v at %v", got, epoch)
			}
		})
	}
}

// Samples that go back by more than they may be late, and go on from there, are of
// a clock that was set back.
func TestClockThatIsSetBack(t *testing.T) {
	second := func(s int) time.Time { return epoch.Add(time.Duration(s) * time.Second) }
	for name, test := range map[string]struct {
		timestamps []int // after one of 1000
		want       bool  // of the last
	}{
		"late":                        {[]int{970}, false},
		"late twice":                  {[]int{970, 985}, false},
		"later than that":             {[]int{900}, false},
		"the same again":              {[]int{900, 900}, false},
		"going further back":          {[]int{900, 880}, false},
		"going on from there":         {[]int{900, 915}, true},
		"going on from where it went": {[]int{900, 880, 895}, true},
	} {
		var c nodeClock
		var got bool
		for _, timestamp := range test.timestamps {
			got = c.setBack(second(timestamp), second(1000))
		}
		if got != test.want {
			t.Errorf("%s: was set back: %t, want %t", name, got, test.want)
		}
	}
	var c nodeClock
	c.setBack(second(900), second(1000))
	c.arrive(second(1015), second(1000), second(1015), expiration)
	if c.setBack(second(930), second(1015)) {
		t.Error("two late samples with a newer one between them are taken for a clock that was set back")
	}
}

// sampleBy has a poll show the node's use over a window that ends now, by a clock
// that is so much ahead.
func (f *fixture) sampleBy(ahead time.Duration, node string, cores float64) {
	f.source.readings = []Reading{{Node: node, Timestamp: f.now.Now().Add(ahead), Window: window, Usage: [amount.NumResources]float64{cores, 1 << 30}}}
	f.source.err = nil
	f.Poll(f.t.Context())
}

// A node whose clock is off is sampled like any other: it is fresh, its pods are
// measured by its own clock, and what is wrong is said once.
func TestNodeWhoseClockIsOff(t *testing.T) {
	for _, ahead := range []time.Duration{
		0, 10 * time.Second, maxClockSkew, time.Minute, 5 * time.Minute, 24 * time.Hour,
		-10 * time.Second, -time.Minute, -5 * time.Minute, -24 * time.Hour,
	} {
		t.Run(fmt.Sprint(ahead), func(t *testing.T) {
			f := newFixture(t)
			var reports []string
			f.config.Report = func(object runtime.Object, reason, message string) {
				reports = append(reports, fmt.Sprint(object.(*v1.Node).Name, " ", reason, " ", message))
			}
			f.SetNode("n", amount.Vector{8000, 1 << 34}, line.Own{})
			f.sampleBy(ahead, "n", 1)
			f.now.Step(window)
			f.sampleBy(ahead, "n", 1)
			f.SetPod(running(boundPod("p", "n"), f.now.Now().Add(ahead)))
			for passed := window; passed < 3*time.Minute; passed += window {
				f.now.Step(window)
				f.sampleBy(ahead, "n", 1)
				n, state := f.node("n")
				want := int64(2000)
				if passed >= warmUp+window {
					want = 1000
				}
				if state != Fresh || n.Predicted[Latest][amount.CPU] != want {
					t.Fatalf("%v after a pod has started: state %v, predicted %v, want %d", passed, state, n.Predicted[Latest], want)
				}
			}
			off := ahead > maxClockSkew || ahead < -expiration
			n, _ := f.node("n")
			if (n.ClockSkew != 0) != off || off && n.ClockSkew != ahead || (len(reports) == 1) != off || len(reports) > 1 {
				t.Errorf("ahead by %v; said: %q", n.ClockSkew, reports)
			}
			if _, skewed := f.states(); (skewed == 1) != off {
				t.Errorf("%d nodes are off", skewed)
			}
		})
	}
}

// A clock that is set right, or wrong, starts the history anew: times from before
// are not comparable with those from now on. Late samples do not.
func TestHistoryOfAClockThatIsSetBack(t *testing.T) {
	f := newFixture(t)
	f.nodes.window = 5 * time.Minute
	f.SetNode("n", amount.Vector{8000, 1 << 34}, line.Own{})
	for range 8 {
		f.now.Step(window)
		f.sampleBy(10*time.Minute, "n", 4)
	}
	n, _ := f.node("n")
	if n.ClockSkew == 0 || n.Covered != 8*window {
		t.Fatalf("ahead by %v, %v covered", n.ClockSkew, n.Covered)
	}
	f.now.Step(window)
	f.sampleBy(0, "n", 2)
	if n, state := f.node("n"); state != Fresh || n.Predicted[Latest][amount.CPU] != 4000 {
		t.Errorf("state %v, predicted %v: a single sample that is older may be late", state, n.Predicted[Latest])
	}
	f.now.Step(window)
	f.sampleBy(0, "n", 2)
	n, state := f.node("n")
	if state != Fresh || n.ClockSkew != 0 || n.Covered != window || n.Predicted[Average][amount.CPU] != 2000 {
		t.Errorf("state %v, ahead by %v, %v covered, average %v: want it to start anew", state, n.ClockSkew, n.Covered, n.Predicted[Average])
	}
	f.now.Step(window)
	f.sampleBy(0, "n", 2)
	if n, _ := f.node("n"); n.Covered != 2*window {
		t.Errorf("%v covered: it does not go on from there", n.Covered)
	}
}

// Times of pods stay by the node's clock, whatever ours shows.
func TestAPodLeavesByTheClockOfItsNode(t *testing.T) {
	f := newFixture(t)
	f.SetNode("n", amount.Vector{8000, 1 << 34}, line.Own{})
	ahead := time.Hour
	f.sampleBy(ahead, "n", 1)
	pod := running(boundPod("p", "n"), f.now.Now().Add(ahead-10*time.Minute))
	f.SetPod(pod)
	if phase := f.phase("p"); phase != ledger.Measured {
		t.Errorf("the pod is %v, and has run for ten minutes", phase)
	}
	f.mu.Lock()
	p := f.pods[nameOf(pod)]
	f.mu.Unlock()
	f.now.Step(window)
	f.RemovePod(pod)
	if want := f.now.Now().Add(ahead); !p.Left().Equal(want) {
		t.Errorf("it left at %v, want %v", p.Left(), want)
	}
}
