package dashboard

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
	ktesting "k8s.io/client-go/testing"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/plimsoll-scheduler/plimsoll/pkg/cli/leader"
	"github.com/plimsoll-scheduler/plimsoll/pkg/explain"
	"github.com/plimsoll-scheduler/plimsoll/pkg/status"
)

// replica is a scheduler that answers what it is told to.
type replica struct {
	name      string
	err       error
	stands    bool // by: it does not lead
	closed    bool
	asked     map[string]int // how often, by path
	decisions []explain.Summary
	now       time.Time
}

func (r *replica) Get(_ context.Context, path string, query url.Values, into any) error {
	r.asked[path]++
	if r.err != nil {
		return r.err
	}
	if profile := query.Get("profile"); profile != "" && profile != "plimsoll" {
		return fmt.Errorf("%w: profile %q", leader.ErrNotFound, profile)
	}
	header := status.Header{Version: "v1", Time: r.now, Profile: "plimsoll", Profiles: []string{"plimsoll"}}
	var body any
	switch path {
	case status.ProfilePath:
		body = header
	case status.NodesPath:
		body = status.Nodes{Header: header, Nodes: []status.Node{{Name: "a", State: "Fresh"}}}
	case status.PodsPath:
		body = status.Pods{Header: header, Pods: []status.Pod{{Namespace: "x", Name: "runs", Node: "a"}}}
	case explain.Path:
		body = r.explain(query.Get("pod"))
	}
	data, err := json.Marshal(body)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, into)
}

func (r *replica) explain(pod string) any {
	if pod == "" {
		return map[string]any{"decisions": r.decisions}
	}
	for _, d := range r.decisions {
		if d.Pod == pod {
			return explain.Decision{Summary: d, Nodes: []explain.Node{{Name: "other"}, {Name: d.Node, State: "Fresh"}}}
		}
	}
	return explain.Decision{}
}

func (r *replica) GetRaw(context.Context, string, url.Values) ([]byte, error) {
	return nil, leader.ErrNotFound
}
func (r *replica) Current(context.Context) (bool, error) { return !r.stands, nil }
func (r *replica) Close()                                { r.closed = true }
func (r *replica) Who() string                           { return r.name }

// testbed is what a feed asks.
type testbed struct {
	replicas []*replica // the last one is connected to
	refused  error      // connections
	kube     *fake.Clientset
	clock    *clocktesting.FakePassiveClock
	connects int
}

func (b *testbed) leader() *replica { return b.replicas[len(b.replicas)-1] }

func (b *testbed) add(name string) *replica {
	r := &replica{name: name, asked: map[string]int{}, now: b.clock.Now()}
	b.replicas = append(b.replicas, r)
	return r
}

const every = 5 * time.Second

func newTestFeed(t *testing.T, objects ...runtime.Object) (*feed, *testbed) {
	t.Helper()
	b := &testbed{kube: fake.NewClientset(objects...), clock: clocktesting.NewFakePassiveClock(time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC))}
	b.add("first")
	f := newFeed(t.Context(), &link{connect: func(context.Context) (scheduler, error) {
		b.connects++
		if b.refused != nil {
			return nil, b.refused
		}
		return b.leader(), nil
	}}, b.kube, every)
	f.clock = b.clock
	return f, b
}

func stateOf(t *testing.T, f *feed) *State {
	t.Helper()
	state, err := f.state("")
	if err != nil {
		t.Fatal(err)
	}
	return state
}

func (b *testbed) pass(d time.Duration) { b.clock.SetTime(b.clock.Now().Add(d)) }

func TestTheLeaderIsAskedOnceForAllTabs(t *testing.T) {
	f, b := newTestFeed(t)
	for range 3 {
		if state := stateOf(t, f); state.Leader != "first" || len(state.Nodes) != 1 || state.NextSeconds != every.Seconds() {
			t.Errorf("%+v", state)
		}
	}
	b.pass(every - time.Second)
	if state := stateOf(t, f); state.AgeSeconds != 4 || state.NextSeconds != 1 {
		t.Errorf("after 4 s its age is %v, and news come in %v", state.AgeSeconds, state.NextSeconds)
	}
	if asked := b.leader().asked[status.NodesPath]; asked != 1 {
		t.Errorf("the leader was asked %d times within %v", asked, every)
	}
	b.pass(time.Second)
	stateOf(t, f)
	if asked := b.leader().asked[status.NodesPath]; asked != 2 || b.connects != 1 {
		t.Errorf("after %v the leader was asked %d times over %d connections", every, asked, b.connects)
	}
}

func TestWhatWasKnownIsKeptWithItsAge(t *testing.T) {
	f, b := newTestFeed(t)
	stateOf(t, f)
	b.leader().err, b.refused = errors.New("connection refused"), errors.New("no lease")
	b.pass(time.Minute)
	state := stateOf(t, f)
	if state.Error != "no lease" || state.AgeSeconds != 60 || len(state.Nodes) != 1 {
		t.Errorf("%+v", state)
	}
	connects := b.connects
	if stateOf(t, f); b.connects != connects {
		t.Error("a leader that cannot be asked is asked for each tab")
	}
	b.refused, b.leader().err = nil, nil
	b.pass(every)
	if state := stateOf(t, f); state.Error != "" || state.AgeSeconds != 0 {
		t.Errorf("%+v", state)
	}
}

func TestAnotherLeaderIsFound(t *testing.T) {
	for name, happens := range map[string]func(*replica){
		"the leader ends":                 func(r *replica) { r.err = errors.New("lost connection to pod") },
		"the leader lives, and leads not": func(r *replica) { r.stands = true },
	} {
		f, b := newTestFeed(t)
		stateOf(t, f)
		before := b.leader()
		happens(before)
		b.add("second")
		b.pass(every)
		if state := stateOf(t, f); state.Leader != "second" || state.Error != "" {
			t.Errorf("%s: %+v", name, state)
		}
		if !before.closed {
			t.Errorf("%s: the connection to it is left open", name)
		}
	}
}

func TestUnknownProfile(t *testing.T) {
	f, b := newTestFeed(t)
	if _, err := f.state("nosuch"); codeOf(err) != 404 || b.leader().closed {
		t.Errorf("%v", err)
	}
	if len(f.states) != 0 {
		t.Errorf("it is kept: %v", f.states)
	}
}

func pending(name, uid string, age time.Duration, now time.Time) *v1.Pod {
	return &v1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "x", Name: name, UID: types.UID(uid), CreationTimestamp: metav1.NewTime(now.Add(-age))},
		Spec:       v1.PodSpec{SchedulerName: "plimsoll"},
		Status:     v1.PodStatus{Phase: v1.PodPending, Conditions: []v1.PodCondition{{Type: v1.PodScheduled, Status: v1.ConditionFalse, Message: "says " + name}}},
	}
}

func TestWaitingPodsHaveAReason(t *testing.T) {
	now := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	f, b := newTestFeed(t, pending("rejected", "1", time.Hour, now), pending("other-plugin", "2", time.Minute, now), pending("again", "new", time.Second, now))
	since := now.Add(-10 * time.Minute)
	b.leader().decisions = []explain.Summary{
		{Pod: "x/rejected", UID: "1", Profile: "plimsoll", Result: explain.Waits, WaitsSince: &since, WaitsFor: "load to fall", Rejected: map[string]int{"node(s) over the cpu load line": 3}},
		{Pod: "x/again", UID: "old", Profile: "plimsoll", Result: explain.Waits, Rejected: map[string]int{"of its namesake": 1}},
		{Pod: "x/gone", UID: "3", Profile: "plimsoll", Result: explain.Waits, Rejected: map[string]int{"of a pod that is gone": 1}},
	}
	want := []Waiting{
		{Pod: "x/rejected", Since: since, Reason: "3 node(s) over the cpu load line", For: "load to fall"},
		{Pod: "x/other-plugin", Since: now.Add(-time.Minute), Reason: "says other-plugin"},
		{Pod: "x/again", Since: now.Add(-time.Second), Reason: "says again"},
	}
	state := stateOf(t, f)
	if fmt.Sprint(state.Waiting) != fmt.Sprint(want) || state.WaitingTotal != 3 || state.WaitingNote != "" {
		t.Errorf("%+v\nwant %+v", state.Waiting, want)
	}
}

// Who may not list pods is told so, and sees those that were decided on.
func TestWhoMayNotListPodsSeesDecisions(t *testing.T) {
	f, b := newTestFeed(t)
	b.kube.PrependReactor("list", "pods", func(ktesting.Action) (bool, runtime.Object, error) {
		return true, nil, apierrors.NewForbidden(v1.Resource("pods"), "", nil)
	})
	b.leader().decisions = []explain.Summary{
		{Pod: "x/waits", Profile: "plimsoll", Time: b.clock.Now(), Result: explain.Waits},
		{Pod: "x/placed", Profile: "plimsoll", Result: explain.Placed, Node: "a"},
		{Pod: "x/of-another", Profile: "other", Result: explain.Waits},
	}
	state := stateOf(t, f)
	if len(state.Waiting) != 1 || state.Waiting[0].Pod != "x/waits" || !strings.Contains(state.WaitingNote, "You may not list pods of all namespaces") {
		t.Errorf("%+v, %q", state.Waiting, state.WaitingNote)
	}
}

func TestDecisionsHaveTheNumbersOfTheNode(t *testing.T) {
	f, b := newTestFeed(t)
	for i := range 30 {
		b.leader().decisions = append(b.leader().decisions, explain.Summary{
			Pod: fmt.Sprintf("x/%d", i), UID: types.UID(fmt.Sprint(i)), Profile: "plimsoll", Time: b.clock.Now(), Result: explain.Placed, Node: "a",
		})
	}
	state := stateOf(t, f)
	if len(state.Decisions) != maxDecisions {
		t.Errorf("%d decisions", len(state.Decisions))
	}
	for _, d := range state.Decisions {
		if d.Chosen == nil || d.Chosen.Name != "a" {
			t.Errorf("%+v", d)
		}
	}
	asked := b.leader().asked[explain.Path]
	b.pass(every)
	stateOf(t, f)
	if more := b.leader().asked[explain.Path] - asked; more != 1 {
		t.Errorf("decisions that are known were asked for again: %d requests", more)
	}
}

func TestFind(t *testing.T) {
	now := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	f, _ := newTestFeed(t, pending("waits", "1", time.Hour, now))
	stateOf(t, f)
	for text, want := range map[string]string{"runs": "[{x/runs a}]", "x/": "[{x/runs a} {x/waits }]", "nosuch": "[]"} {
		found, err := f.find(text)
		if err != nil || fmt.Sprint(found) != want {
			t.Errorf("%q: found %v, %v, want %s", text, found, err, want)
		}
	}
}
