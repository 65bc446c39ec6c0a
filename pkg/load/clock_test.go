package load

import (
	"cmp"
	"fmt"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/klog/v2"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/line"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load/ledger"
)

// arriving is a sample that arrives, in seconds of our clock and of the node's.
type arriving struct{ now, timestamp int }

func second(s int) time.Time { return epoch.Add(time.Duration(s) * time.Second) }

// What is made of the samples that arrive of a node.
func TestNodeClock(t *testing.T) {
	for name, test := range map[string]struct {
		arrivals []arriving
		news     string // of each: - not newer, b set back, f set forward, s newly off
		skew     int
		now      [2]int // the least and the most that it may be at the last arrival
	}{
		"on time":                  {[]arriving{{100, 100}, {115, 115}}, "..", 0, [2]int{115, 115}},
		"as late as samples are":   {[]arriving{{100, 80}, {115, 95}}, "..", 0, [2]int{95, 115}},
		"now later, now earlier":   {[]arriving{{100, 95}, {115, 95 - 10}, {130, 120}, {145, 125}}, ".-..", 0, [2]int{125, 145}},
		"a bit ahead":              {[]arriving{{100, 130}}, ".", 0, [2]int{130, 130}},
		"ahead":                    {[]arriving{{100, 131}}, "s", 31, [2]int{131, 131}},
		"ahead, said once":         {[]arriving{{100, 400}, {115, 415}}, "s.", 300, [2]int{415, 415}},
		"ahead, more and more":     {[]arriving{{100, 400}, {115, 430}, {130, 460}}, "s..", 330, [2]int{460, 460}},
		"behind, more than late":   {[]arriving{{100, 60}, {115, 75}}, "..", 0, [2]int{75, 105}},
		"as far as nobody says":    {[]arriving{{100, 10}, {115, 25}}, "..", 0, [2]int{25, 55}},
		"behind":                   {[]arriving{{100, 0}, {115, 24}}, ".s", -91, [2]int{24, 54}},
		"the first may be old":     {[]arriving{{100, -900}}, ".", 0, [2]int{-900, -870}},
		"the second is not":        {[]arriving{{100, -900}, {115, -885}}, ".s", -1000, [2]int{-885, -855}},
		"repeated":                 {[]arriving{{100, 90}, {115, 90}}, ".-", 0, [2]int{105, 115}},
		"late, and catching up":    {[]arriving{{100, 100}, {160, 115}, {175, 175}}, "...", 0, [2]int{175, 175}},
		"late since it began":      {[]arriving{{100, 55}, {115, 115}}, ".f", 0, [2]int{70, 70}},
		"set forward":              {[]arriving{{100, 100}, {115, 415}, {130, 430}}, ".fs.", 300, [2]int{130, 130}},
		"set forward by a bit":     {[]arriving{{100, 100}, {115, 145}}, "..", 0, [2]int{145, 145}},
		"set back":                 {[]arriving{{100, 400}, {115, 115}, {130, 130}}, "s-b", 0, [2]int{430, 430}},
		"set back by a bit":        {[]arriving{{100, 100}, {115, 90}, {130, 105}}, ".-.", 0, [2]int{105, 130}},
		"set right":                {[]arriving{{100, -200}, {115, -185}, {130, 130}}, ".sf", 0, [2]int{-170, -170}},
		"and off again":            {[]arriving{{100, 400}, {115, 115}, {130, 130}, {145, 445}}, "s-bfs", 300, [2]int{445, 445}},
		"late twice":               {[]arriving{{1000, 1000}, {1015, 970}, {1030, 985}}, ".--", 0, [2]int{1030, 1030}},
		"later than that":          {[]arriving{{1000, 1000}, {1015, 900}}, ".-", 0, [2]int{1015, 1015}},
		"later, the same again":    {[]arriving{{1000, 1000}, {1015, 900}, {1030, 900}}, ".--", 0, [2]int{1030, 1030}},
		"going further back":       {[]arriving{{1000, 1000}, {1015, 900}, {1030, 880}}, ".--", 0, [2]int{1030, 1030}},
		"going on from there":      {[]arriving{{1000, 1000}, {1015, 900}, {1030, 880}, {1045, 895}}, ".--bs", -150, [2]int{1045, 1075}},
		"late with one in between": {[]arriving{{1000, 1000}, {1015, 900}, {1030, 1030}, {1045, 930}}, ".-.-", 0, [2]int{1045, 1045}},
	} {
		t.Run(name, func(t *testing.T) {
			var c nodeClock
			news, last := "", test.arrivals[len(test.arrivals)-1]
			for i, one := range test.arrivals {
				news += c.arrive(second(one.timestamp), second(one.now), i > 0, expiration).String()
			}
			if news != test.news || c.skew != time.Duration(test.skew)*time.Second {
				t.Errorf("%s, off by %v, want %s, %ds", news, c.skew, test.news, test.skew)
			}
			if now := [2]time.Time{c.now(second(last.now)), c.latest(second(last.now))}; now != [2]time.Time{second(test.now[0]), second(test.now[1])} {
				t.Errorf("it is %v to %v, want %v", now[0].Sub(epoch), now[1].Sub(epoch), test.now)
			}
		})
	}
}

// String writes down what is news of the arrival.
func (a arrival) String() (s string) {
	switch {
	case !a.newer:
		return "-"
	case a.forward:
		s = "f"
	case a.back:
		s = "b"
	}
	if a.skewed {
		s += "s"
	}
	return cmp.Or(s, ".")
}

// The delay of samples may be as little as it has been in the last minutes, not as it
// ever was: clocks drift.
func TestTheLeastDelayIsForgotten(t *testing.T) {
	var c nodeClock
	ahead := 0
	for now := 0; now < 3600; now += 15 {
		if now%60 == 0 {
			ahead-- // the clock is slow
		}
		if news := c.arrive(second(now+ahead), second(now), true, time.Hour); news.forward || news.back {
			t.Fatalf("after %d s it is thought to be set", now)
		}
	}
	if got := int(c.earliest().Seconds()); got < ahead || got > ahead+10 {
		t.Errorf("ahead by %d s, want about %d s", got, ahead)
	}
	if news := c.arrive(second(3600), second(3600), true, time.Hour); !news.forward {
		t.Error("it is not seen to be set right")
	}
}

// Of a machine that has stopped, the next sample is of another time, if its clock was
// set meanwhile: it need not be confirmed.
func TestTheClockOfAMachineThatHasStopped(t *testing.T) {
	for by, want := range map[int]string{-300: "b", -20: ".", 0: ".", 20: ".", 300: "fs"} {
		var c nodeClock
		c.arrive(second(100), second(100), false, expiration)
		if got := c.arrive(second(160+by), second(160), false, expiration).String(); got != want || !c.now(second(160)).Equal(second(160+c.shift(by))) {
			t.Errorf("set by %d s: %s, it is %v, want %s", by, got, c.now(second(160)).Sub(epoch), want)
		}
	}
}

// shift is by how much the scale moves if the clock is set by so many seconds: by
// nothing if that is seen.
func (c *nodeClock) shift(by int) int {
	if c.set != 0 {
		return 0
	}
	return by
}

// sampleBy has a poll show the node's use over a window that ends now, by a clock
// that is so much ahead.
func (f *fixture) sampleBy(ahead time.Duration, node string, cores float64) {
	f.source.readings = []Reading{{Node: node, Timestamp: f.now.Now().Add(ahead), Window: window, Usage: [amount.NumResources]float64{cores, 1 << 30}}}
	f.source.err = nil
	f.Poll(f.t.Context())
}

// sampleTimes has so many polls pass of node n, whose clock is ahead.
func (f *fixture) sampleTimes(polls int, ahead time.Duration, cores float64) {
	for range polls {
		f.now.Step(window)
		f.sampleBy(ahead, "n", cores)
	}
}

// readTimes has so many polls pass in which a pod on node n is read by itself.
func (f *fixture) readTimes(polls int, ahead time.Duration, cores float64, pod *v1.Pod, uses float64) {
	for range polls {
		f.sampleTimes(1, ahead, cores)
		f.observePods(klog.Background(), []PodReading{{Pod: nameOf(pod), Reading: Reading{
			Timestamp: f.now.Now().Add(ahead), Window: window, Usage: [amount.NumResources]float64{uses, 0},
		}}})
	}
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

// The history goes on when a clock is set right, or wrong. A late sample is none of that.
func TestHistoryOfAClockThatIsSetBack(t *testing.T) {
	f := newFixture(t)
	f.nodes.window = 5 * time.Minute
	f.SetNode("n", amount.Vector{8000, 1 << 34}, line.Own{})
	f.sampleTimes(8, 10*time.Minute, 4)
	n, _ := f.node("n")
	if n.ClockSkew == 0 || n.CoveredSeconds != 8*15 {
		t.Fatalf("ahead by %v, %v covered", n.ClockSkew, n.CoveredSeconds)
	}
	f.now.Step(window)
	f.sampleBy(0, "n", 2)
	if n, state := f.node("n"); state != Fresh || n.Predicted[Latest][amount.CPU] != 4000 {
		t.Errorf("state %v, predicted %v: a single sample that is older may be late", state, n.Predicted[Latest])
	}
	f.now.Step(window)
	f.sampleBy(0, "n", 2)
	n, state := f.node("n")
	if state != Fresh || n.ClockSkew != 0 || n.CoveredSeconds != 9*15 || n.Predicted[Latest][amount.CPU] != 2000 {
		t.Errorf("state %v, ahead by %v, %v covered, predicted %v", state, n.ClockSkew, n.CoveredSeconds, n.Predicted[Latest])
	}
	if want := int64(8*4000+2000) / 9; n.Predicted[Average][amount.CPU] != want+1 {
		t.Errorf("average %v, want %d of all that was measured", n.Predicted[Average], want)
	}
	f.now.Step(window)
	f.sampleBy(0, "n", 2)
	if n, _ := f.node("n"); n.CoveredSeconds != 10*15 {
		t.Errorf("%v covered: it does not go on from there", n.CoveredSeconds)
	}
}

// What is not known of a clock decides for the safe side: a pod that has left is taken
// off no sample from after that, also if the clock is a bit behind.
func TestAPodLeavesANodeWhoseClockIsABitBehind(t *testing.T) {
	f, _ := newPodFixture(t)
	behind := -time.Minute
	pod := running(boundPod("gone", "n"), f.now.Now().Add(-time.Hour))
	f.SetPod(pod)
	f.readTimes(5, behind, 4, pod, 3)
	f.RemovePod(pod)
	f.wantCPU(1000, "it has just left")
	for range 5 {
		f.now.Step(window)
		f.sampleBy(behind, "n", 1)
		f.wantCPU(1000, "it has left")
	}
}

// The moment in which a pod was told to end is by the API server's clock.
func TestAPodThatWasToldToEndLeavesANodeWhoseClockIsBehind(t *testing.T) {
	f, _ := newPodFixture(t)
	behind := -5 * time.Minute
	pod := running(boundPod("gone", "n"), f.now.Now().Add(behind-time.Hour))
	f.SetPod(pod)
	f.readTimes(5, behind, 4, pod, 3)
	pod.DeletionTimestamp, pod.DeletionGracePeriodSeconds = new(metav1.NewTime(f.now.Now().Add(30*time.Second))), new(int64(30))
	f.SetPod(pod)
	f.sampleTimes(3, behind, 1)
	f.RemovePod(pod)
	f.wantCPU(1000, "it had ended before the newest sample")
}

func TestPodsCountOnceWhenAClockIsSetBack(t *testing.T) {
	f := newNodeFixture(t)
	f.SetPod(running(boundPod("p", "n"), f.now.Now().Add(time.Hour)))
	f.sampleTimes(10, time.Hour, 1)
	f.wantCPU(1000, "it has run for two and a half minutes")
	for range 12 {
		f.now.Step(window)
		f.sampleBy(0, "n", 1)
		f.wantCPU(1000, "the clock was set right")
	}
}

// What began by a clock that was set back since did not begin in the future, also for a
// scheduler that has just started.
func TestAStartInTheFutureIsOfAClockThatWasSetBack(t *testing.T) {
	f := newNodeFixture(t)
	pod := running(boundPod("p", "n"), f.now.Now().Add(time.Hour))
	f.SetPod(pod)
	f.sampleTimes(12, 0, 1)
	f.wantCPU(1000, "after three minutes")
	f.SetPod(pod)
	f.wantCPU(1000, "told again")
	f.SetPod(running(boundPod("q", "n"), f.now.Now().Add(time.Hour)))
	f.wantCPU(2000, "another, heard of only now")
	f.sampleTimes(12, 0, 2)
	f.wantCPU(2000, "three minutes after that")
}

func TestAClockThatIsSetForwardWarmsUpNobody(t *testing.T) {
	f := newNodeFixture(t)
	f.sampleBy(0, "n", 0.1)
	f.SetPod(running(boundPod("p", "n"), f.now.Now()))
	f.now.Step(window)
	f.sampleBy(5*time.Minute, "n", 0.1)
	f.now.Step(window)
	f.sampleBy(5*time.Minute, "n", 0.1)
	f.wantCPU(1100, "30 s after it has started")
	f.sampleTimes(4, 5*time.Minute, 1)
	f.wantCPU(1000, "90 s after it has started")
}

// A pod that starts by the new time of a clock, before a sample shows that it was set,
// did not start in the future, nor has it run for long.
func TestAPodThatStartsWhileItsClockIsSet(t *testing.T) {
	for _, by := range []time.Duration{5 * time.Minute, -5 * time.Minute} {
		t.Run(fmt.Sprint(by), func(t *testing.T) {
			f := newNodeFixture(t)
			f.sampleTimes(8, 0, 0.1)
			pod := running(boundPod("p", "n"), f.now.Now().Add(by))
			f.SetPod(pod)
			f.sampleTimes(3, by, 0.1)
			f.wantCPU(1100, "45 s after it has started")
			for range 6 {
				f.now.Step(window)
				f.sampleBy(by, "n", 1)
				f.SetPod(pod)
			}
			f.wantCPU(1000, "more than two minutes after it has started")
		})
	}
}

// Samples come as often as the source is polled: none is taken to be late because the
// node's clock is behind.
func TestANodeThatIsSampledAtEachPollIsFreshWhateverItsClock(t *testing.T) {
	for behind := time.Duration(0); behind < 5*time.Minute; behind += 5 * time.Second {
		f := newNodeFixture(t)
		for i := range 20 {
			f.now.Step(window - 1)
			if _, state := f.node("n"); i > 2 && state != Fresh {
				t.Errorf("behind by %v: %v a moment before the next poll", behind, state)
				break
			}
			f.now.Step(1)
			f.sampleBy(-behind, "n", 1)
		}
	}
}

// A node is as old as the API server's clock says, its samples as its own: those that go
// on to come are its own, whatever their time.
func TestANewNodeWhoseClockIsBehindIsMeasured(t *testing.T) {
	f := newFixture(t)
	f.SetNodeSince("n", f.now.Now(), amount.Vector{8000, 1 << 34}, line.Own{})
	f.sampleTimes(8, -5*time.Minute, 1)
	if _, state := f.node("n"); state != Fresh {
		t.Errorf("%v after two minutes", state)
	}
}

// The last sample of a machine is not that of the one that has its name now, for as
// long as it is the last one.
func TestTheLastSampleOfAnotherMachineStaysDropped(t *testing.T) {
	f := newFixture(t)
	f.SetNodeSince("n", f.now.Now(), amount.Vector{8000, 1 << 34}, line.Own{})
	last := []Reading{{Node: "n", Timestamp: f.now.Now().Add(-time.Second), Window: window, Usage: [amount.NumResources]float64{7, 1 << 30}}}
	for range 20 {
		f.now.Step(window)
		f.source.readings = last
		f.Poll(t.Context())
	}
	if _, state := f.node("n"); state != Missing {
		t.Errorf("%v: want none of its samples to be believed", state)
	}
}

// A source that is late and catches up is no clock that was set forward.
func TestASourceThatCatchesUp(t *testing.T) {
	f := newNodeFixture(t)
	f.sampleBy(0, "n", 7)
	f.now.Step(4 * window)
	f.sampleBy(-3*window, "n", 7)
	f.now.Step(window)
	f.sampleBy(0, "n", 1)
	f.wantCPU(1000, "its newest sample can be believed")
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
