package load

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"
	testingclock "k8s.io/utils/clock/testing"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/line"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load/estimate"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load/ledger"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load/workload"
)

const (
	warmUp     = time.Minute
	expiration = 90 * time.Second
	window     = 15 * time.Second
)

// fakeSource answers with what a test puts there.
type fakeSource struct {
	readings []Reading
	err      error
}

func (s *fakeSource) Poll(context.Context) ([]Reading, error) { return s.readings, s.err }

type fixture struct {
	*Model
	t      *testing.T
	source *fakeSource
	now    *testingclock.FakeClock
}

func newFixture(t *testing.T) *fixture {
	f := &fixture{t: t, source: &fakeSource{}, now: testingclock.NewFakeClock(epoch)}
	f.Model = NewModel(Config{
		Interval: window, Timeout: time.Second, Expiration: expiration, WarmUp: warmUp,
		Estimator: estimate.Estimator{Factors: [amount.NumResources]int64{100, 100}},
		Clock:     f.now,
	}, f.source)
	return f
}

// newNodeFixture is newFixture with a node.
func newNodeFixture(t *testing.T) *fixture {
	f := newFixture(t)
	f.SetNode("n", amount.Vector{8000, 1 << 34}, line.Own{})
	return f
}

// wantCPU fails if another use of CPU than that is predicted for node n by the
// newest sample, in millicores.
func (f *fixture) wantCPU(want int64, when string) {
	f.t.Helper()
	if n, _ := f.node("n"); n.Predicted[Latest][amount.CPU] != want {
		f.t.Errorf("%s: predicted %v, want %dm", when, n.Predicted[Latest], want)
	}
}

// sample has a poll show the node's use over the window that ends now.
func (f *fixture) sample(node string, cores float64) { f.sampleBy(0, node, cores) }

// phase returns the pod's.
func (f *fixture) phase(name string) ledger.Phase {
	f.mu.Lock()
	defer f.mu.Unlock()
	p := f.pods[types.NamespacedName{Name: name}]
	if p == nil {
		return ledger.Absent
	}
	return p.Phase
}

func (f *fixture) node(name string) (*Node, State) {
	view := f.View()
	n := view.Node(name)
	return n, view.State(n)
}

func (f *fixture) inFlightCPU(name string) int64 {
	f.t.Helper()
	n, _ := f.node(name)
	if n == nil {
		f.t.Fatalf("node %s is not known", name)
	}
	return n.InFlight(Latest)[amount.CPU]
}

// boundPod returns a pod of one core that is bound to the node but does not run yet.
func boundPod(uid, node string) *v1.Pod {
	return &v1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: uid, UID: types.UID(uid)},
		Spec:       v1.PodSpec{NodeName: node, Containers: []v1.Container{container("1", "1Gi")}},
		Status:     v1.PodStatus{Phase: v1.PodPending},
	}
}

func requests(cpu, memory string) v1.ResourceList {
	return v1.ResourceList{v1.ResourceCPU: resource.MustParse(cpu), v1.ResourceMemory: resource.MustParse(memory)}
}

func container(cpu, memory string) v1.Container {
	return v1.Container{Resources: v1.ResourceRequirements{Requests: requests(cpu, memory)}}
}

func running(pod *v1.Pod, since time.Time) *v1.Pod {
	pod = pod.DeepCopy()
	pod.Status.Phase = v1.PodRunning
	pod.Status.ContainerStatuses = []v1.ContainerStatus{{
		State: v1.ContainerState{Running: &v1.ContainerStateRunning{StartedAt: metav1.NewTime(since)}},
	}}
	return pod
}

func TestNodeStates(t *testing.T) {
	f := newFixture(t)
	f.SetNode("n", amount.Vector{8000, 1 << 34}, line.Own{})
	if n, state := f.node("n"); n == nil || state != Missing {
		t.Fatalf("a node without a sample: %v, state %v, want Missing", n, state)
	}
	f.sample("n", 2)
	if n, state := f.node("n"); state != Fresh || n.Predicted[Latest] != (amount.Vector{2000, 1 << 30}) {
		t.Fatalf("state %v, predicted %v", state, n.Predicted[Latest])
	}
	f.now.Step(expiration)
	if _, state := f.node("n"); state != Fresh {
		t.Errorf("at the expiration: state %v, want Fresh", state)
	}
	f.now.Step(1)
	if _, state := f.node("n"); state != Stale {
		t.Errorf("past the expiration: state %v, want Stale", state)
	}
	view := f.View()
	if n := view.Node("unheard-of"); n != nil || view.State(n) != Missing {
		t.Errorf("an unknown node: %v", n)
	}
}

func TestRepeatedAndLateSamplesChangeNothing(t *testing.T) {
	f := newFixture(t)
	f.SetNode("n", amount.Vector{8000, 1 << 34}, line.Own{})
	f.sample("n", 2)
	for _, age := range []time.Duration{0, time.Second} {
		f.source.readings = []Reading{{Node: "n", Timestamp: f.now.Now().Add(-age), Window: window, Usage: [amount.NumResources]float64{7, 7}}}
		f.Poll(t.Context())
		if n, _ := f.node("n"); n.Measured[Latest][amount.CPU] != 2000 {
			t.Errorf("a sample of age %v replaced the newest one: %v", age, n.Measured[Latest])
		}
	}
}

func TestNodeThatComesBackHasNoSample(t *testing.T) {
	f := newFixture(t)
	f.SetNode("n", amount.Vector{8000, 1 << 34}, line.Own{})
	f.sample("n", 7)
	f.RemoveNode("n")
	if n, _ := f.node("n"); n != nil {
		t.Errorf("a removed node: %v", n)
	}
	f.SetNode("n", amount.Vector{8000, 1 << 34}, line.Own{})
	if _, state := f.node("n"); state != Missing {
		t.Errorf("state %v, want Missing: the sample is of the node that was removed", state)
	}
}

func TestPodIsInFlightUntilASampleShowsIt(t *testing.T) {
	f := newFixture(t)
	f.SetNode("n", amount.Vector{8000, 1 << 34}, line.Own{})
	pod := boundPod("p", "n")

	f.Reserve(pod, "n")
	f.Reserve(pod, "n")
	if got := f.inFlightCPU("n"); got != 1000 {
		t.Fatalf("reserved twice: %dm in flight, want 1000m", got)
	}
	f.SetPod(pod)
	if got := f.inFlightCPU("n"); got != 1000 {
		t.Fatalf("reserved and seen by the informer: %dm in flight, want 1000m", got)
	}

	f.now.Step(10 * time.Minute) // a slow image pull
	f.sample("n", 0)
	if got := f.inFlightCPU("n"); got != 1000 {
		t.Fatalf("not running yet: %dm in flight, want 1000m", got)
	}

	start := f.now.Now()
	f.SetPod(running(pod, start))
	f.now.Step(warmUp + window - 1)
	f.sample("n", 0.9)
	if got := f.inFlightCPU("n"); got != 1000 {
		t.Fatalf("a window that began before the warm-up was over: %dm in flight, want 1000m", got)
	}
	f.now.Step(1)
	f.sample("n", 1)
	if n, _ := f.node("n"); n.InFlight(Latest) != (amount.Vector{}) || n.Predicted[Latest][amount.CPU] != 1000 {
		t.Fatalf("shown by the sample: in flight %v, predicted %v", n.InFlight(Latest), n.Predicted[Latest])
	}

	f.SetPod(running(pod, start))
	if got := f.inFlightCPU("n"); got != 0 {
		t.Errorf("an update brought the pod back: %dm in flight", got)
	}
}

func TestPodLeavesAtOnce(t *testing.T) {
	for _, test := range []struct {
		name  string
		leave func(*fixture, *v1.Pod)
	}{
		{"deleted", func(f *fixture, p *v1.Pod) { f.podHandler().OnDelete(p) }},
		{"deleted, seen as a tombstone", func(f *fixture, p *v1.Pod) {
			f.podHandler().OnDelete(cache.DeletedFinalStateUnknown{Key: p.Name, Obj: p})
		}},
		{"recreated while the watch was interrupted", func(f *fixture, p *v1.Pod) {
			f.podHandler().OnUpdate(p, &v1.Pod{ObjectMeta: metav1.ObjectMeta{Name: p.Name, UID: "another"}})
		}},
		{"failed", func(f *fixture, p *v1.Pod) {
			failed := p.DeepCopy()
			failed.Status.Phase = v1.PodFailed
			f.podHandler().OnUpdate(p, failed)
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFixture(t)
			f.SetNode("n", amount.Vector{8000, 1 << 34}, line.Own{})
			pod := boundPod("p", "n")
			f.Reserve(pod, "n")
			f.podHandler().OnAdd(pod, false)
			test.leave(f, pod)
			if got := f.inFlightCPU("n"); got != 0 {
				t.Errorf("%dm in flight", got)
			}
			if len(f.pods) != 0 {
				t.Errorf("the model holds %v", f.pods)
			}
		})
	}
}

func TestUnreserve(t *testing.T) {
	f := newFixture(t)
	f.SetNode("n", amount.Vector{8000, 1 << 34}, line.Own{})
	pod := boundPod("p", "n")
	f.Unreserve(pod) // never reserved: nothing happens
	f.Reserve(pod, "n")
	f.Unreserve(pod)
	f.Unreserve(pod)
	if got := f.inFlightCPU("n"); got != 0 {
		t.Errorf("unreserved: %dm in flight", got)
	}
	// The binding was reported as failed, but the API server had carried it out.
	f.Reserve(pod, "n")
	f.SetPod(pod)
	f.Unreserve(pod)
	if got := f.inFlightCPU("n"); got != 1000 {
		t.Errorf("bound all the same: %dm in flight, want 1000m", got)
	}
}

// A pod is made again under its name, and is reserved before all that happened to the
// one before is known: whatever is told of that one later, it is not this one.
func TestALateEventOfAPredecessorTakesNothingFromThePodThatIsReserved(t *testing.T) {
	f := newNodeFixture(t)
	old := boundPod("p", "n")
	f.SetPod(old)
	next := old.DeepCopy()
	next.UID = "next"
	f.Reserve(next, "n")
	f.SetPod(old)
	if got := f.inFlightCPU("n"); got != 2000 {
		t.Errorf("%dm in flight, want that of both: the first may be there still", got)
	}
	f.RemovePod(old)
	if got := f.inFlightCPU("n"); got != 1000 {
		t.Errorf("%dm in flight, want 1000m of the pod that is reserved", got)
	}
	f.Unreserve(next)
	if got := f.inFlightCPU("n"); got != 0 || len(f.pods) != 0 {
		t.Errorf("%dm in flight, %d pods known, want nothing", got, len(f.pods))
	}
}

// Pods of one name are known apart, in whichever order they come and go.
func TestPodsOfOneName(t *testing.T) {
	var three [3]*pod
	objects := [3]*v1.Pod{}
	for i := range three {
		objects[i] = boundPod("p", "n")
		objects[i].UID = types.UID(fmt.Sprint("uid", i))
		three[i] = &pod{uid: objects[i].UID, name: nameOf(objects[i])}
	}
	for _, order := range [][3]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}} {
		ps := pods{}
		for _, p := range three {
			ps.add(p)
		}
		for gone, i := range order {
			if ps.drop(three[i]); ps.find(objects[i]) != nil {
				t.Errorf("%v: %d is found although it was dropped", order, i)
			}
			for _, other := range order[gone+1:] {
				if ps.find(objects[other]) != three[other] {
					t.Errorf("%v: %d is not found", order, other)
				}
			}
			if got := len(slices.Collect(ps.all)); got != 2-gone {
				t.Errorf("%v: %d are left, want %d", order, got, 2-gone)
			}
			if only := ps.only(three[0].name); (only != nil) != (gone == 1) {
				t.Errorf("%v: after %d were dropped, the only one is %v", order, gone+1, only)
			}
		}
	}
}

func TestRestartCountsOldPodsAsMeasured(t *testing.T) {
	f := newFixture(t)
	f.SetNode("n", amount.Vector{8000, 1 << 34}, line.Own{})
	f.SetPod(running(boundPod("old", "n"), epoch.Add(-time.Hour)))
	f.SetPod(running(boundPod("young", "n"), epoch.Add(-time.Second)))
	f.sample("n", 1)
	if got := f.inFlightCPU("n"); got != 1000 {
		t.Errorf("%dm in flight, want 1000m: the old pod is measured, the young one is not", got)
	}
	f.SetPod(running(boundPod("listed later", "n"), epoch.Add(-time.Hour)))
	if got := f.inFlightCPU("n"); got != 1000 {
		t.Errorf("%dm in flight, want 1000m: the sample shows the old pod already", got)
	}
}

// A scheduler that has just started waits for the first poll, but not for ever.
func TestAwaitFirstPoll(t *testing.T) {
	for name, end := range map[string]func(*fixture, context.CancelFunc){
		"a poll":         func(f *fixture, _ context.CancelFunc) { f.sample("n", 1) },
		"a failed poll":  func(f *fixture, _ context.CancelFunc) { f.source.err = errors.New("down"); f.Poll(t.Context()) },
		"the time limit": func(f *fixture, _ context.CancelFunc) { f.now.Step(time.Second + firstPollSlack) },
		"the end":        func(_ *fixture, cancel context.CancelFunc) { cancel() },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			ended := make(chan struct{})
			go func() { defer close(ended); f.AwaitFirstPoll(ctx) }()
			for !f.now.HasWaiters() {
				runtime.Gosched()
			}
			select {
			case <-ended:
				t.Fatal("it does not wait")
			default:
			}
			end(f, cancel)
			<-ended
			if name == "a poll" {
				f.AwaitFirstPoll(ctx) // waits no more
			}
		})
	}
}

// The first scheduling cycle tells that this replica leads.
func TestTheFirstCycleLeads(t *testing.T) {
	f := newFixture(t)
	led := 0
	f.config.Lead = func() { led++ }
	for range 3 {
		if f.BeginCycle(); led != 1 {
			t.Errorf("told %d times that it leads, want once", led)
		}
	}
}

// An outage is said once when it begins and once when it is over, and does
// not look like an idle node at any time.
func TestOutageOfTheSource(t *testing.T) {
	f := newFixture(t)
	f.SetNode("n", amount.Vector{8000, 1 << 34}, line.Own{})
	var lines []string
	ctx := klog.NewContext(t.Context(), funcr.New(func(_, args string) { lines = append(lines, args) }, funcr.Options{}))
	f.sample("n", 6)
	f.source.err = errors.New("metrics-server is down")
	for range 10 {
		f.now.Step(15 * time.Second)
		f.Poll(ctx)
		n, state := f.node("n")
		if age := f.now.Since(epoch); (state == Fresh) != (age <= expiration) {
			t.Fatalf("after %v: state %v", age, state)
		}
		if n.Measured[Latest][amount.CPU] != 6000 {
			t.Fatalf("the outage changed the sample to %v", n.Measured[Latest])
		}
	}
	if len(lines) != 2 {
		t.Errorf("%d lines logged in the outage, want 2 (polling fails, no node is fresh): %q", len(lines), lines)
	}
	lines = nil
	f.source.err = nil
	f.source.readings[0].Timestamp = f.now.Now()
	f.Poll(ctx)
	if _, state := f.node("n"); state != Fresh {
		t.Errorf("after the outage: state %v", state)
	}
	if len(lines) != 2 {
		t.Errorf("%d lines logged after the outage, want 2: %q", len(lines), lines)
	}
}

func TestRunPollsOnTheIntervalAndEndsWithItsContext(t *testing.T) {
	f := newFixture(t)
	polled := make(chan struct{})
	f.Subscribe(func(context.Context) { polled <- struct{}{} })
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); f.Run(ctx) }()
	<-polled // at once
	for range 3 {
		f.now.Step(window)
		<-polled
	}
	cancel()
	<-ended
}

// While a node awaits its first sample, the source is polled more often, and then no more.
func TestRunPollsMoreOftenForFirstSamples(t *testing.T) {
	f := newNodeFixture(t)
	<-f.relieved // the node's own
	pod := boundPod("p", "n")
	pod.CreationTimestamp = metav1.NewTime(epoch.Add(-time.Hour))
	f.SetPod(pod)
	polled := make(chan struct{})
	polls := 0
	f.Subscribe(func(context.Context) {
		if polls++; polls == awaitedPolls-1 { // the next one, the last before the end of the interval, shows the node
			f.source.readings = []Reading{{Node: "n", Timestamp: f.now.Now(), Window: window, Usage: [amount.NumResources]float64{1, 1 << 30}}}
		}
		polled <- struct{}{}
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); f.Run(ctx) }()
	<-polled // at once
	timers := func(count int) {
		for f.now.Waiters() != count {
			time.Sleep(time.Millisecond)
		}
	}
	for range awaitedPolls - 1 {
		timers(2) // the interval's, and one for the node
		f.now.Step(window / awaitedPolls)
		<-polled
	}
	timers(1)
	f.now.Step(window / awaitedPolls) // the end of the interval
	<-polled
	timers(1)
	cancel()
	<-ended
}

func TestRunTellsSoonOfAPodThatIsGone(t *testing.T) {
	f := newFixture(t)
	f.SetNode("n", amount.Vector{8000, 1 << 34}, line.Own{})
	<-f.relieved // the node's own
	told := make(chan struct{})
	f.Subscribe(func(context.Context) { told <- struct{}{} })
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); f.Run(ctx) }()
	<-told // the first poll
	f.Reserve(boundPod("p", "n"), "n")
	f.RemovePod(boundPod("p", "n"))
	// Run starts the delay when it hears of the pod.
	for len(f.relieved) > 0 {
		runtime.Gosched()
	}
	for waiting := true; waiting; {
		f.now.Step(reliefDelay / 10)
		select {
		case <-told:
			waiting = false
		case <-time.After(10 * time.Millisecond):
		}
	}
	if since := f.now.Since(epoch); since >= window {
		t.Errorf("told after %v: that was the next poll", since)
	}
	cancel()
	<-ended
}

// What counts for less than before gives room, whether it is measured yet or not.
func TestAPodThatIsResizedDownwardsGivesRoom(t *testing.T) {
	for name, pod := range map[string]*v1.Pod{
		"is to start":      boundPod("p", "n"),
		"has just started": running(boundPod("p", "n"), epoch),
		"is seen in part":  running(boundPod("p", "n"), epoch.Add(-5*time.Second)),
	} {
		t.Run(name, func(t *testing.T) {
			f := newNodeFixture(t)
			pod.Spec.Containers[0].Resources.Requests = requests("4", "1Gi")
			f.Reserve(pod, "n")
			f.SetPod(pod)
			f.sample("n", 1)
			told := 0
			f.Subscribe(func(context.Context) { told++ })
			f.NotifyIfRelieved(t.Context())
			told = 0 // of the node
			f.SetPod(pod)
			if f.NotifyIfRelieved(t.Context()); told != 0 {
				t.Error("told of room although nothing has changed")
			}
			pod.Spec.Containers[0].Resources.Requests = requests("1", "1Gi")
			f.SetPod(pod)
			if f.NotifyIfRelieved(t.Context()); told != 1 {
				t.Errorf("told %d times that there is room, want once", told)
			}
		})
	}
}

// reference is the model written for clarity alone: it keeps everything and
// computes each answer from scratch.
type reference struct {
	nodes map[string]bool
	pods  map[types.UID]*v1.Pod
}

func (r *reference) inFlight(node string, estimator *estimate.Estimator) amount.Vector {
	var sum amount.Vector
	for _, pod := range r.pods {
		if pod.Spec.NodeName == node {
			sum = sum.Add(estimator.Pod(pod))
		}
	}
	return sum
}

func TestViewsAgreeWithTheReferenceAndNeverChange(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	f := newFixture(t)
	ref := &reference{nodes: map[string]bool{}, pods: map[types.UID]*v1.Pod{}}
	type kept struct {
		view View
		want map[string]amount.Vector
	}
	var views []kept
	name := func() string { return fmt.Sprintf("n%d", random.IntN(3*chunkSize)) }
	for step := range 20000 {
		switch random.IntN(6) {
		case 0, 1:
			n := name()
			f.SetNode(n, amount.Vector{int64(step), 1}, line.Own{})
			ref.nodes[n] = true
		case 2:
			n := name()
			f.RemoveNode(n)
			delete(ref.nodes, n)
		case 3, 4:
			pod := boundPod(fmt.Sprintf("p%d", random.IntN(200)), name())
			if before, ok := ref.pods[pod.UID]; ok {
				pod = before
			}
			f.SetPod(pod)
			ref.pods[pod.UID] = pod
		case 5:
			uid := types.UID(fmt.Sprintf("p%d", random.IntN(200)))
			f.RemovePod(boundPod(string(uid), ""))
			delete(ref.pods, uid)
		}
		if step%97 != 0 {
			continue
		}
		want := map[string]amount.Vector{}
		for n := range ref.nodes {
			want[n] = ref.inFlight(n, &f.config.Estimator)
		}
		views = append(views, kept{f.View(), want})
		views = views[max(0, len(views)-20):]
		for _, k := range views {
			checkView(t, &k.view, k.want)
		}
	}
	for n := range ref.nodes {
		f.RemoveNode(n)
	}
	for uid := range ref.pods {
		f.RemovePod(boundPod(string(uid), ""))
	}
	if len(f.nodes.byName)+len(f.pods) != 0 {
		t.Errorf("%d nodes and %d pods are left in an empty cluster", len(f.nodes.byName), len(f.pods))
	}
}

func checkView(t *testing.T, view *View, want map[string]amount.Vector) {
	t.Helper()
	count := 0
	var slots []int
	for n := range view.All {
		count++
		slots = append(slots, n.Slot)
	}
	if count != len(want) || len(slices.Compact(slots)) != count {
		t.Fatalf("%d nodes in slots %v, want %d", count, slots, len(want))
	}
	for name, inFlight := range want {
		n := view.Node(name)
		if n == nil || n.InFlight(Latest) != inFlight || n.Slot >= view.Slots() {
			t.Fatalf("node %s: %+v, want %v in flight", name, n, inFlight)
		}
	}
}

func benchmarkModel(nodes int) (*Model, *testingclock.FakeClock) {
	now := testingclock.NewFakeClock(epoch)
	m := NewModel(Config{
		Interval: window, Window: 15 * time.Minute, Expiration: time.Hour, Clock: now,
		Estimator: estimate.Estimator{Factors: [amount.NumResources]int64{100, 100}},
	}, &fakeSource{})
	for i := range nodes {
		m.SetNode(fmt.Sprintf("node-%d", i), amount.Vector{64000, 1 << 38}, line.Own{})
	}
	m.View()
	return m, now
}

// One scheduling cycle: a pod is reserved, and the next cycle takes a view.
func BenchmarkReserveAndView(b *testing.B) {
	for _, nodes := range []int{5000, 15000} {
		b.Run(fmt.Sprint(nodes), func(b *testing.B) {
			m, _ := benchmarkModel(nodes)
			pod := boundPod("p", "node-17")
			b.ReportAllocs()
			for b.Loop() {
				m.Reserve(pod, "node-17")
				_ = m.View()
				m.Unreserve(pod)
			}
		})
	}
}

// A poll of all nodes, each with a history of five minutes.
func BenchmarkPoll(b *testing.B) {
	for _, nodes := range []int{5000, 15000} {
		b.Run(fmt.Sprint(nodes), func(b *testing.B) {
			m, now := benchmarkModel(nodes)
			random := rand.New(rand.NewPCG(1, 2))
			readings := make([]Reading, nodes)
			for i := range readings {
				readings[i] = Reading{Node: fmt.Sprintf("node-%d", i), Window: window, Usage: [amount.NumResources]float64{float64(i % 7), 1}}
			}
			poll := func() {
				now.Step(window)
				for i := range readings {
					readings[i].Timestamp = now.Now()
					readings[i].Usage = [amount.NumResources]float64{random.Float64() * 64, random.Float64() * 1e11}
				}
				m.observe(klog.Background(), readings)
				_ = m.View()
			}
			for range 60 {
				poll()
			}
			b.ReportAllocs()
			for b.Loop() {
				poll()
			}
		})
	}
}

// Memory that the model holds for each node with a history of 15 minutes, for each
// running pod that estimates are learned from, and for each workload, of as many as are
// remembered; that of pods and workloads also together, with all readings.
func BenchmarkMemory(b *testing.B) {
	held := func(fill func() *Model) float64 {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		m := fill()
		runtime.GC()
		runtime.ReadMemStats(&after)
		runtime.KeepAlive(m)
		return float64(after.HeapAlloc) - float64(before.HeapAlloc)
	}
	for _, nodes := range []int{5000, 15000} {
		b.Run(fmt.Sprint(nodes), func(b *testing.B) {
			for b.Loop() {
				perNode := held(func() *Model {
					m, now := benchmarkModel(nodes)
					for range 61 {
						now.Step(window)
						readings := make([]Reading, nodes)
						for i := range readings {
							readings[i] = Reading{Node: fmt.Sprintf("node-%d", i), Timestamp: now.Now(), Window: window}
						}
						m.observe(klog.Background(), readings)
					}
					m.View()
					return m
				})
				b.ReportMetric(perNode/float64(nodes), "B/node")
			}
		})
	}
	b.Run("pods", func(b *testing.B) {
		const pods = 150_000
		pod := running(replica("p", "w", "1"), epoch.Add(-time.Hour))
		for b.Loop() {
			perPod := held(func() *Model {
				m := NewModel(Config{Learn: true, Clock: testingclock.NewFakeClock(epoch)}, &fakePodSource{})
				for i := range pods {
					pod.Name, pod.UID, pod.Spec.NodeName = fmt.Sprint("p", i), types.UID(fmt.Sprint(i)), fmt.Sprint("node-", i/100)
					pod.OwnerReferences[0].Name = fmt.Sprint("w", i/30, "-1")
					m.SetPod(pod)
				}
				return m
			})
			b.ReportMetric(perPod/pods, "B/pod")
		}
	})
	b.Run("workloads", func(b *testing.B) {
		const workloads, pods = workload.Limit, 150_000
		for b.Loop() {
			perWorkload := held(func() *Model { return modelOfReplicas(workloads, workloads, false) }) / workloads
			total := held(func() *Model { return modelOfReplicas(workloads, pods, true) })
			b.ReportMetric(perWorkload, "B/workload")
			b.ReportMetric((total-perWorkload*workloads)/pods, "B/pod")
			b.ReportMetric(total/1e6, "MB")
		}
	})
}

// modelOfReplicas returns a model that has learned of so many workloads from so many
// pods, each of which was read as often as readings are kept. The pods stay, or have
// left. They are on nodes that nobody has told of, and have no samples.
func modelOfReplicas(workloads, pods int, stay bool) *Model {
	const perNode, readings = 100, 6
	now := testingclock.NewFakeClock(epoch)
	m := NewModel(Config{Learn: true, WarmUp: warmUp, Clock: now}, &fakePodSource{})
	for node := range pods / perNode {
		var onNode []*v1.Pod
		for i := node * perNode; i < (node+1)*perNode; i++ {
			pod := replica(fmt.Sprint("p", i), fmt.Sprint("w", i%workloads), "1")
			pod.Spec.NodeName = fmt.Sprint("node-", node)
			onNode = append(onNode, running(pod, epoch.Add(-time.Hour)))
			m.SetPod(onNode[len(onNode)-1])
		}
		for i := range readings {
			var read []PodReading
			for _, pod := range onNode {
				read = append(read, PodReading{Pod: nameOf(pod), Reading: Reading{
					Timestamp: epoch.Add(time.Duration(i-readings) * window), Window: window, Usage: [amount.NumResources]float64{0.5, 1 << 30},
				}})
			}
			m.observePods(klog.Background(), read)
		}
		for _, pod := range onNode {
			if !stay {
				m.RemovePod(pod)
			}
		}
	}
	return m
}

// Statistics lag behind; what was placed must not.
func TestAverageCountsPodsThatStartedInFull(t *testing.T) {
	f := newFixture(t)
	f.nodes.window, f.nodes.interval = 5*time.Minute, window
	f.SetNode("n", amount.Vector{8000, 1 << 34}, line.Own{})
	for range 20 {
		f.now.Step(window)
		f.sample("n", 1)
	}
	if n, _ := f.node("n"); n.CoveredSeconds != 300 || n.Predicted[Average][amount.CPU] != 1000 {
		t.Fatalf("covered %v, predicted %v", n.CoveredSeconds, n.Predicted[Average])
	}
	pod := boundPod("p", "n")
	f.Reserve(pod, "n")
	f.SetPod(running(pod, f.now.Now()))
	for i := range 30 {
		f.now.Step(window)
		used := 1.0
		if time.Duration(i)*window >= warmUp {
			used = 2 // it uses what it asks for, once it is warm
		}
		f.sample("n", used)
		if n, _ := f.node("n"); n.Predicted[Average][amount.CPU] != 2000 {
			t.Fatalf("%v after the start: predicted %v, measured %v, want 2000 predicted", time.Duration(i+1)*window, n.Predicted[Average], n.Measured[Average])
		}
	}
	if phase := f.phase("p"); phase != ledger.Measured {
		t.Errorf("the pod is %v", phase)
	}
}
