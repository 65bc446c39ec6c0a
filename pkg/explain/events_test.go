package explain

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/events"
	st "k8s.io/kubernetes/pkg/scheduler/testing"
	testingclock "k8s.io/utils/clock/testing"
)

// teller is a log whose events a test reads.
type teller struct {
	*Log
	clock  *testingclock.FakePassiveClock
	events *events.FakeRecorder
}

func newTeller() *teller {
	l, clock := newLog()
	t := &teller{l, clock, events.NewFakeRecorder(1000)}
	l.RecordTo("plimsoll", t.events)
	return t
}

// decide has the log take in a decision, and returns the events of it.
func (t *teller) decide(pod *v1.Pod, result Result, waitsFor string) (told []string) {
	d := &Decision{Summary: Summary{
		Pod: pod.Namespace + "/" + pod.Name, UID: pod.UID, Profile: "plimsoll", Time: t.clock.Now(), Result: result, WaitsFor: waitsFor,
	}}
	return t.take(pod, d)
}

func (t *teller) take(pod *v1.Pod, d *Decision) (told []string) {
	t.tell(pod, d)
	t.put(d)
	for {
		select {
		case event := <-t.events.Events:
			told = append(told, event)
		default:
			return told
		}
	}
}

func (t *teller) step(d time.Duration) { t.clock.SetTime(t.clock.Now().Add(d)) }

func testPod(name string) *v1.Pod {
	return st.MakePod().Namespace("a").Name(name).UID(name).SchedulerName("plimsoll").Obj()
}

// Of the pods of another scheduler, which are observed, nothing is told.
func TestPodsOfOtherSchedulersAreNotToldOf(t *testing.T) {
	l, foreign := newTeller(), testPod("p")
	l.TellPlacements()
	foreign.Spec.SchedulerName = "default-scheduler"
	if told := append(l.decide(foreign, Waits, "x"), l.decide(foreign, Placed, "")...); len(told) != 0 {
		t.Errorf("told %q", told)
	}
}

func TestAPodThatWaitsIsToldOfNowAndThen(t *testing.T) {
	l, pod := newTeller(), testPod("p")
	check := func(when string, got []string, want ...string) {
		t.Helper()
		if !slices.Equal(got, want) {
			t.Errorf("%s: told %q, want %q", when, got, want)
		}
	}
	check("for other reasons than load", l.decide(pod, Waits, ""))
	check("for load", l.decide(pod, Waits, "x"), "Normal WaitsForLoad waits for x")
	for range 14 {
		l.step(time.Minute)
		check("each minute", l.decide(pod, Waits, "y"))
		check("taken back", l.decide(pod, TakenBack, ""))
	}
	l.step(time.Minute)
	check("after a while", l.decide(pod, Waits, "z"), "Normal WaitsForLoad waits for z")
	check("a pod that has a node", l.decide(pod, Placed, ""))
	again := testPod("p")
	again.UID = "another"
	check("another pod of the name", l.decide(again, Waits, "x"), "Normal WaitsForLoad waits for x")
}

// What cannot be said now is said when the pod is tried again.
func TestEventsOfPodsThatWaitAreBounded(t *testing.T) {
	l := newTeller()
	told := func() (count int) {
		for i := range 2 * eventsBurst {
			count += len(l.decide(testPod(fmt.Sprint("p", i)), Waits, "x"))
		}
		return count
	}
	if got := told(); got != eventsBurst {
		t.Errorf("%d events at once, want %d", got, eventsBurst)
	}
	if got := told(); got != 0 {
		t.Errorf("%d events more", got)
	}
	l.step(2 * eventsBurst / eventsPerSecond * time.Second)
	if got := told(); got != eventsBurst {
		t.Errorf("%d events later, want the %d that were left out", got, eventsBurst)
	}
}

func TestEventsFitIntoWhatTheAPIServerTakes(t *testing.T) {
	l := newTeller()
	told := l.decide(testPod("p"), Waits, strings.Repeat("ä", 1000))
	if len(told) != 1 || len(told[0]) > 1024+len("Normal WaitsForLoad ") || !strings.HasSuffix(told[0], " ...") || strings.ContainsRune(told[0], '\uFFFD') {
		t.Errorf("told %q", told)
	}
}

func TestWhyAPodGotItsNodeIsToldIfThatIsWanted(t *testing.T) {
	score := func(s int64) Outcome { return Outcome{Score: &s} }
	load := &Loads{
		CPU:    Load{Predicted: 3, Threshold: 7.5, ThresholdPercent: 75},
		Memory: Load{Predicted: 10, Threshold: 80, ThresholdPercent: 80},
	}
	placed := func(nodes ...Node) *Decision {
		return &Decision{Nodes: nodes, Summary: Summary{Profile: "plimsoll", Result: Placed, Node: "n", Considered: 5}}
	}
	for name, test := range map[string]struct {
		decision *Decision
		want     string
	}{
		"by use": {
			placed(Node{Name: "n", Load: load, NodeLoad: score(90), DeviceFit: score(50)}, Node{Name: "m", NodeLoad: score(40), DeviceFit: score(60)}),
			"n, of 5 node(s): cpu at 40 % and memory at 12 % of its load line with the pod; scores: NodeLoad 90, DeviceFit 50, against NodeLoad 40, DeviceFit 60 of the next best, m",
		},
		"the only one": {placed(Node{Name: "n", Load: load}), "n, of 5 node(s): cpu at 40 % and memory at 12 % of its load line with the pod"},
		"by requests": {
			placed(Node{Name: "n", NodeLoad: score(1)}, Node{Name: "m", NodeLoad: Outcome{Rejected: "x"}}),
			"n, of 5 node(s): by requests, because its use is not known; scores: NodeLoad 1",
		},
		"without a line": {placed(Node{Name: "n", Load: &Loads{}}), "n, of 5 node(s): without a load line"},
		"by others":      {placed(), ""},
	} {
		t.Run(name, func(t *testing.T) {
			l := newTeller()
			if told := l.take(testPod("p"), test.decision); len(told) != 0 {
				t.Errorf("told %q, and that was not wanted", told)
			}
			l.TellPlacements()
			want := []string{"Normal ChosenByLoad " + test.want}
			if test.want == "" {
				want = nil
			}
			if told := l.take(testPod("p"), test.decision); !slices.Equal(told, want) {
				t.Errorf("told %q, want %q", told, want)
			}
		})
	}
}

func TestNobodyIsTold(t *testing.T) {
	var l *Log
	l.RecordTo("plimsoll", events.NewFakeRecorder(1))
	silent, clock := newLog()
	silent.tell(testPod("p"), &Decision{Summary: Summary{Profile: "other", Result: Waits, WaitsFor: "x", Time: clock.Now()}})
}
