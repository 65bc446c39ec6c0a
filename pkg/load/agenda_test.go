package load

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/klog/v2"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/line"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load/ledger"
)

// crowd has so many pods run on the node, since then, each of a workload of its own
// if it is to be learned from.
func (f *fixture) crowd(prefix string, count int, since time.Time, learn bool) (crowd []*v1.Pod) {
	for i := range count {
		name := fmt.Sprint(prefix, i)
		pod := boundPod(name, "n")
		if learn {
			pod = replica(name, name, "1")
		}
		pod = running(pod, since)
		f.SetPod(pod)
		crowd = append(crowd, pod)
	}
	return crowd
}

// askedOf returns how many pods of the prefix were asked for in the last poll.
func (s *fakePodSource) askedOf(prefix string) (count int) {
	for _, pod := range s.asked {
		if strings.HasPrefix(pod.Name, prefix) {
			count++
		}
	}
	return count
}

// allRead has all pods have been read, so that they are on the agenda for nothing but
// what a test does.
func (f *fixture) allRead() {
	f.mu.Lock()
	var readings []PodReading
	for name := range f.pods {
		readings = append(readings, PodReading{Pod: name, Reading: Reading{
			Timestamp: f.now.Now(), Window: window, Usage: [amount.NumResources]float64{1, 1 << 30},
		}})
	}
	f.mu.Unlock()
	f.observePods(klog.Background(), readings)
}

func TestEachPurposeHasItsPartOfTheBudget(t *testing.T) {
	for name, test := range map[string]struct {
		starting, victims, leaving, learning int // how many there are
		want                                 [4]int
	}{
		"nothing":                            {0, 0, 0, 0, [4]int{0, 0, 0, 0}},
		"one purpose has the whole":          {300, 0, 0, 0, [4]int{100, 0, 0, 0}},
		"another":                            {0, 300, 0, 0, [4]int{0, 100, 0, 0}},
		"the third":                          {0, 0, 0, 300, [4]int{0, 0, 0, 100}},
		"pods that leave have it as well":    {0, 0, 300, 0, [4]int{0, 0, 100, 0}},
		"all of them are too many":           {300, 300, 0, 300, [4]int{40, 20, 0, 40}},
		"few are victims, more is learned":   {300, 5, 5, 300, [4]int{40, 5, 5, 50}},
		"many start, and little else is due": {300, 3, 0, 7, [4]int{90, 3, 0, 7}},
		"many are victims, few start":        {10, 300, 0, 300, [4]int{10, 20, 0, 70}},
		"all that is due fits":               {20, 20, 20, 20, [4]int{20, 20, 20, 20}},
	} {
		t.Run(name, func(t *testing.T) {
			f, pods := newPodFixture(t)
			old := f.now.Now().Add(-time.Hour)
			victims := f.crowd("victims", test.victims, old, false)
			leaving := f.crowd("leaving", test.leaving, old, false)
			f.crowd("learning", test.learning, old, true)
			f.sample("n", 1)
			f.allRead()
			for _, pod := range victims {
				f.Want(pod)
			}
			for _, pod := range leaving {
				pod.DeletionTimestamp = new(metav1.NewTime(f.now.Now()))
				f.SetPod(pod)
			}
			f.allRead()
			f.crowd("starting", test.starting, f.now.Now(), false)
			pods.asked = nil
			f.now.Step(1)
			f.sample("n", 1)
			got := [4]int{pods.askedOf("starting"), pods.askedOf("victims"), pods.askedOf("leaving"), pods.askedOf("learning")}
			if got != test.want {
				t.Errorf("asked for %v that start, are victims, leave, and are learned from; want %v", got, test.want)
			}
		})
	}
}

// Pods start at such a rate that those that are not measured yet would take the
// whole of the budget. What preemption and learning ask for is read all the same,
// and so is each pod that has started, once it is measured.
func TestAFloodOfStartsStarvesNobody(t *testing.T) {
	f, pods := newPodFixture(t)
	f.crowd("learning", (podBudget - startingBudget - preemptionBudget), f.now.Now().Add(-time.Hour), true)
	last := map[string]int{} // poll in which it was asked for
	started, polls := 0, 60
	for poll := range polls {
		for range 18 { // 1.2 a second
			name := fmt.Sprint("starting", started)
			f.SetPod(running(boundPod(name, "n"), f.now.Now().Add(-time.Duration(started%15)*time.Second)))
			pods.cores[name] = 1
			last[name] = poll
			started++
		}
		if poll%10 == 0 {
			for _, pod := range f.crowd(fmt.Sprint("victims", poll, "-"), preemptionBudget, f.now.Now().Add(-time.Hour), false) {
				f.Want(pod)
				pods.cores[pod.Name] = 1
			}
		}
		f.now.Step(window)
		f.sample("n", 1)
		for _, pod := range pods.asked {
			last[pod.Name] = poll
		}
		if len(pods.asked) > podBudget {
			t.Fatalf("asked for %d pods", len(pods.asked))
		}
		for i := range podBudget - startingBudget - preemptionBudget {
			if poll-last[fmt.Sprint("learning", i)] > 1 {
				t.Fatalf("poll %d: a workload was last measured in poll %d", poll, last[fmt.Sprint("learning", i)])
			}
		}
		if poll%10 == 0 && pods.askedOf(fmt.Sprint("victims", poll, "-")) != preemptionBudget {
			t.Fatalf("poll %d: %d pods were asked for that preemption has asked about", poll, pods.askedOf("victims"))
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for name, p := range f.pods {
		if !strings.HasPrefix(name.Name, "starting") {
			continue
		}
		_, seen := p.Expected(f.now.Now(), warmUp)
		if since := f.now.Since(p.RunningSince(f.now.Now())); !seen && since > warmUp+20*window {
			t.Errorf("%s has run for %v, and what it uses was never read", name.Name, since)
		}
		if f.agenda.unread[p] && polls-last[name.Name] > 20 {
			t.Errorf("%s was last asked for in poll %d", name.Name, last[name.Name])
		}
	}
}

func TestAPodIsReadUntilItWasSeenWithAllOfItRunning(t *testing.T) {
	f, pods := newPodFixture(t)
	f.config.Learn = false
	f.sample("n", 1)
	f.SetPod(running(boundPod("p", "n"), f.now.Now()))
	pods.cores["p"] = 1
	for passed := window; passed <= 3*time.Minute; passed += window {
		pods.asked = nil
		f.now.Step(window)
		f.sample("n", 1)
		if want := passed <= warmUp+window; pods.hasAsked("p") != want {
			t.Errorf("%v after its start: asked for: %t, want %t", passed, pods.hasAsked("p"), want)
		}
	}
	if phase := f.phase("p"); phase != ledger.Measured {
		t.Errorf("it is %v", phase)
	}
}

func TestAPodThatCannotBeReadIsAskedForOnAndOn(t *testing.T) {
	f, pods := newPodFixture(t)
	f.config.Learn = false
	f.SetPod(running(boundPod("p", "n"), f.now.Now().Add(-time.Hour)))
	for range 10 {
		pods.asked = nil
		f.now.Step(window)
		if f.sample("n", 1); !pods.hasAsked("p") {
			t.Fatal("it is not asked for any more")
		}
	}
}

func TestAPodThatLeavesIsReadUntilItIsGone(t *testing.T) {
	f, pods := newPodFixture(t)
	f.config.Learn = false
	pod := f.warmPod(pods, "p", 3)
	f.runFor(3 * window)
	if pods.hasAsked("p") {
		pods.asked = nil
	}
	pod.DeletionTimestamp = new(metav1.NewTime(f.now.Now()))
	f.SetPod(pod)
	for range 4 {
		pods.asked = nil
		f.now.Step(window)
		if f.sample("n", 4); !pods.hasAsked("p") {
			t.Fatal("it is not asked for while it leaves")
		}
	}
	pod.Status.ContainerStatuses = []v1.ContainerStatus{ended("", 0, f.now.Now())}
	f.RemovePod(pod)
	if n, _ := f.node("n"); n.Predicted[Latest][amount.CPU] != 1000 {
		t.Errorf("predicted %v, want 1000 without its 3 cores", n.Predicted[Latest])
	}
	pods.asked = nil
	f.now.Step(window)
	if f.sample("n", 1); pods.hasAsked("p") {
		t.Error("it is asked for although it is gone")
	}
}

func TestWhatPreemptionAsksAbout(t *testing.T) {
	f, pods := newPodFixture(t)
	f.config.Learn = false
	pod := f.warmPod(pods, "p", 3)
	f.sample("n", 4)
	f.allRead()
	another := pod.DeepCopy()
	another.UID = "another"
	f.Want(another)
	f.Want(boundPod("stranger", "n"))
	if len(f.agenda.victims) != 0 {
		t.Errorf("%v are victims that are not there", f.agenda.victims)
	}
	f.Want(pod)
	for passed := time.Duration(0); passed <= ledger.ReadingExpiration+2*window; passed += window {
		pods.asked = nil
		f.now.Step(window)
		f.sample("n", 4)
		if want := passed < ledger.ReadingExpiration; pods.hasAsked("p") != want {
			t.Fatalf("%v after preemption asked about it: asked for: %t, want %t", passed+window, pods.hasAsked("p"), want)
		}
	}
	if len(f.agenda.victims) != 0 {
		t.Errorf("%v are victims for ever", f.agenda.victims)
	}
	for _, pod := range f.crowd("p", maxVictims+10, f.now.Now(), false) {
		f.Want(pod)
	}
	if len(f.agenda.victims) != maxVictims {
		t.Errorf("%d are victims, want no more than %d", len(f.agenda.victims), maxVictims)
	}
}

// Those that preemption asks about and those that are about to go have one part of the
// budget: none of the two takes it from the other.
func TestPodsThatTerminateAreNotStarvedByThoseThatPreemptionAsksAbout(t *testing.T) {
	f, pods := newPodFixture(t)
	f.config.Learn = false
	victims := f.crowd("victim", 2*podBudget, f.now.Now().Add(-time.Hour), false)
	leaves := f.crowd("leaves", 1, f.now.Now().Add(-time.Hour), false)[0]
	f.sample("n", 1)
	f.allRead()
	for _, pod := range victims {
		f.Want(pod)
	}
	leaves.DeletionTimestamp = new(metav1.NewTime(f.now.Now()))
	f.SetPod(leaves)
	for range 10 {
		f.now.Step(window)
		if f.sample("n", 1); pods.hasAsked("leaves0") {
			return
		}
	}
	t.Error("not asked for in ten polls, although it has not been for the longest")
}

// Preemption asks again about a pod for as long as it has a use for the answer, also if
// it asks about as many as are kept.
func TestPreemptionAsksAgainAboutAsManyAsAreKept(t *testing.T) {
	f, _ := newPodFixture(t)
	victims := f.crowd("victim", maxVictims, f.now.Now().Add(-time.Hour), false)
	for range 2 {
		for _, pod := range victims {
			f.Want(pod)
		}
		f.now.Step(ledger.ReadingExpiration - 1)
	}
	f.sample("n", 1)
	if len(f.agenda.victims) != maxVictims {
		t.Errorf("%d are victims, want all %d: preemption has just asked about them", len(f.agenda.victims), maxVictims)
	}
}

func TestPodsThatAreGoneAreOffTheAgenda(t *testing.T) {
	f, _ := newPodFixture(t)
	pods := f.crowd("p", 20, f.now.Now().Add(-time.Hour), true)
	f.sample("n", 1)
	for _, pod := range pods {
		pod.DeletionTimestamp = new(metav1.NewTime(f.now.Now()))
		f.SetPod(pod)
		f.Want(pod)
	}
	if a := &f.agenda; len(a.unread) != 20 || len(a.victims) != 20 || len(a.terminating) != 20 {
		t.Fatalf("%d are unread, %d victims, %d leave, want 20 each", len(a.unread), len(a.victims), len(a.terminating))
	}
	for _, pod := range pods {
		f.RemovePod(pod)
	}
	if a := &f.agenda; len(a.unread)+len(a.victims)+len(a.terminating) != 0 {
		t.Errorf("%d are unread, %d victims, %d leave, want none", len(a.unread), len(a.victims), len(a.terminating))
	}
}

// listingSource also lists all pods.
type listingSource struct {
	*fakePodSource
	listed int
	err    error
}

func (s *listingSource) ListPods(ctx context.Context) ([]PodReading, error) {
	s.listed++
	if s.err != nil {
		return nil, s.err
	}
	var all []types.NamespacedName
	for name := range s.cores {
		all = append(all, types.NamespacedName{Name: name})
	}
	asked := s.asked
	defer func() { s.asked = asked }()
	return s.PollPods(ctx, all)
}

func newListingFixture(t *testing.T) (*fixture, *listingSource) {
	f, pods := newPodFixture(t)
	s := &listingSource{fakePodSource: pods}
	f.Model = NewModel(f.config, s)
	f.SetNode("n", amount.Vector{64000, 1 << 40}, line.Own{})
	return f, s
}

// When the process starts, it reads all pods at once, however many there are; from
// then on single ones.
func TestPodsAreListedOnce(t *testing.T) {
	f, source := newListingFixture(t)
	f.config.Learn = false
	const count = 10 * podBudget
	f.crowd("p", count, f.now.Now().Add(-time.Hour), false)
	for i := range count {
		source.cores[fmt.Sprint("p", i)] = 1
	}
	f.sample("n", 1)
	for name, p := range f.pods {
		if _, seen := p.Expected(f.now.Now(), warmUp); !seen {
			t.Fatalf("%s was not read", name)
		}
	}
	f.SetPod(running(boundPod("next", "n"), f.now.Now()))
	for range 5 {
		f.now.Step(window)
		if f.sample("n", 1); len(source.asked) != 1 || !source.hasAsked("next") {
			t.Errorf("asked for %d pods, want the one that has started", len(source.asked))
		}
	}
	if source.listed != 1 {
		t.Errorf("listed %d times", source.listed)
	}
}

func TestAListThatFailsIsTriedAgain(t *testing.T) {
	f, source := newListingFixture(t)
	f.warmPod(source.fakePodSource, "p", 1)
	source.err = errors.New("too large")
	for i := range 3 {
		source.asked = nil
		f.now.Step(window)
		f.sample("n", 1)
		if source.listed != i+1 || !source.hasAsked("p") {
			t.Errorf("listed %d times, asked for %v: want single pods to be read meanwhile", source.listed, source.asked)
		}
	}
	source.err = nil
	for range 3 {
		f.now.Step(window)
		f.sample("n", 1)
	}
	if source.listed != 4 {
		t.Errorf("listed %d times, want once more and no more", source.listed)
	}
}

// slowLister lists for as long as it may.
type slowLister struct{ *listingSource }

func (s slowLister) ListPods(ctx context.Context) ([]PodReading, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func (s slowLister) PollPods(ctx context.Context, pods []types.NamespacedName) ([]PodReading, error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return s.listingSource.PollPods(ctx, pods)
}

// A list that takes as long as a poll may leaves time to read single pods.
func TestAListThatTakesTooLongLeavesTimeForSinglePods(t *testing.T) {
	f, source := newListingFixture(t)
	f.config.Timeout = 100 * time.Millisecond
	f.Model = NewModel(f.config, slowLister{source})
	f.SetNode("n", amount.Vector{64000, 1 << 40}, line.Own{})
	f.warmPod(source.fakePodSource, "p", 1)
	for range 3 {
		source.asked = nil
		f.now.Step(window)
		if f.sample("n", 1); !source.hasAsked("p") {
			t.Error("single pods are not asked for")
		}
	}
}

func TestAListOfNothingIsAList(t *testing.T) {
	f, source := newListingFixture(t)
	for range 3 {
		f.now.Step(window)
		f.sample("n", 1)
	}
	if source.listed != 1 {
		t.Errorf("listed %d times", source.listed)
	}
}
