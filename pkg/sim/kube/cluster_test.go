package kube_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	schedconfig "k8s.io/kubernetes/pkg/scheduler/apis/config"
	st "k8s.io/kubernetes/pkg/scheduler/testing"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/explain"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load"
	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/kube"
	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/policy"
)

// usage is a source of what nodes use, in cores, as of now.
type usage struct {
	clock *clocktesting.FakeClock
	cores map[string]float64
	err   error
}

func (u *usage) Poll(context.Context) ([]load.Reading, error) {
	var readings []load.Reading
	for node, cores := range u.cores {
		readings = append(readings, load.Reading{
			Node: node, Timestamp: u.clock.Now(), Window: 15 * time.Second,
			Usage: [amount.NumResources]float64{amount.CPU: cores, amount.Memory: 1 << 30},
		})
	}
	return readings, u.err
}

// fixture is a cluster of the recommended profile.
type fixture struct {
	*kube.Cluster
	t      *testing.T
	clock  *clocktesting.FakeClock
	usage  *usage
	events []kube.Event
}

func newFixture(t *testing.T, edit func(*kube.Options)) *fixture {
	t.Helper()
	clock := clocktesting.NewFakeClock(time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC))
	f := &fixture{t: t, clock: clock, usage: &usage{clock: clock, cores: map[string]float64{}}}
	builtin, err := policy.Builtin()
	f.must(err)
	o := kube.Options{
		Clock: clock, Source: f.usage, Profiles: []schedconfig.KubeSchedulerProfile{*builtin[0].Profile},
		Event: func(e kube.Event) { f.events = append(f.events, e) },
	}
	if edit != nil {
		edit(&o)
	}
	f.Cluster, err = kube.New(t.Context(), o)
	f.must(err)
	return f
}

func (f *fixture) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

// addNode adds a node of so many cores that uses some of them.
func (f *fixture) addNode(name string, cores int, uses float64) {
	f.t.Helper()
	f.must(f.AddNode(node(name, cores)))
	f.usage.cores[name] = uses
}

func node(name string, cores int) *v1.Node {
	return st.MakeNode().Name(name).Label(v1.LabelHostname, name).Capacity(map[v1.ResourceName]string{
		v1.ResourceCPU: fmt.Sprint(cores), v1.ResourceMemory: "64Gi", v1.ResourcePods: "110",
	}).Obj()
}

func pod(name, cpu string) *v1.Pod {
	return st.MakePod().Namespace("default").Name(name).UID(name).Req(map[v1.ResourceName]string{
		v1.ResourceCPU: cpu, v1.ResourceMemory: "1Gi",
	}).Obj()
}

func nameOf(name string) types.NamespacedName {
	return types.NamespacedName{Namespace: "default", Name: name}
}

// schedule runs one cycle, and binds the pod if it gets a node.
func (f *fixture) schedule() kube.Decision {
	f.t.Helper()
	d, err := f.ScheduleOne(f.t.Context())
	f.must(err)
	if d.Node != "" {
		f.must(f.Bind(d.Pod, d.Node))
	}
	return d
}

// pass lets time pass, and runs the routines that are due in it.
func (f *fixture) pass(d time.Duration) {
	for range int(d / time.Second) {
		f.clock.Step(time.Second)
		for _, r := range f.Routines() {
			if f.clock.Now().Unix()%int64(r.Interval/time.Second) == 0 {
				r.Run(f.t.Context())
			}
		}
	}
}

func TestPodsGoWhereThereIsHeadroom(t *testing.T) {
	f := newFixture(t, nil)
	f.addNode("busy", 10, 6)
	f.addNode("idle", 10, 1)
	f.Poll(t.Context())
	if f.HasWork() {
		t.Error("there is work without a pod")
	}
	f.must(f.AddPod(pod("p", "1")))
	if !f.HasWork() {
		t.Fatal("there is no work with a pod that waits")
	}
	if d := f.schedule(); d.Node != "idle" || d.Pod != nameOf("p") || d.Status != nil || len(d.Rejections()) > 0 {
		t.Errorf("the decision is %+v, want p on idle", d)
	}
	bound, err := f.Pod(nameOf("p"))
	f.must(err)
	if bound.Spec.NodeName != "idle" {
		t.Errorf("p is on %q after it was bound to idle", bound.Spec.NodeName)
	}
	infos, err := f.NodeInfos()
	f.must(err)
	for _, info := range infos {
		if want := map[string]int{"idle": 1}[info.Node().Name]; len(info.GetPods()) != want {
			t.Errorf("the scheduler has %d pods on %s, want %d", len(info.GetPods()), info.Node().Name, want)
		}
	}
	if len(f.events) != 1 || f.events[0].Reason != "Scheduled" {
		t.Errorf("the events are %+v, want Scheduled", f.events)
	}
}

func TestARejectionNamesNodesPluginsAndReasons(t *testing.T) {
	f := newFixture(t, nil)
	f.addNode("hot", 10, 9)
	f.addNode("small", 1, 0)
	f.Poll(t.Context())
	f.must(f.AddPod(pod("p", "2")))
	d := f.schedule()
	if d.Node != "" || d.Pod != nameOf("p") {
		t.Fatalf("the decision is %+v, want none", d)
	}
	for node, want := range map[string]string{
		"hot": "NodeLoad: node(s) over the cpu load line", "small": "NodeResourcesFit: Insufficient cpu",
	} {
		status := d.Rejections()[node]
		if got := status.Plugin() + ": " + status.Message(); got != want {
			t.Errorf("%s is rejected by %q, want %q", node, got, want)
		}
	}
	message := "0/2 nodes are available: 1 Insufficient cpu, 1 node(s) over the cpu load line"
	if !strings.HasPrefix(d.Status.Message(), message) {
		t.Errorf("the status is %q, want %q", d.Status.Message(), message)
	}
	if len(f.events) != 1 || f.events[0].Reason != "FailedScheduling" || !strings.HasPrefix(f.events[0].Note, message) {
		t.Errorf("the events are %+v, want FailedScheduling with the message", f.events)
	}
	if f.HasWork() {
		t.Error("the pod is retried at once")
	}
}

func TestAWaitingPodIsRetriedWhenItsReasonEnds(t *testing.T) {
	for name, test := range map[string]struct {
		uses float64
		end  func(*fixture) // of the reason
	}{
		"a poll sees the load drop": {9, func(f *fixture) {
			f.clock.Step(6 * time.Minute)
			f.usage.cores["n"] = 1
			f.Poll(t.Context())
		}},
		"a pod ends": {1, func(f *fixture) { f.must(f.DeletePod(nameOf("first"))) }},
		"the node grows": {1, func(f *fixture) {
			n, err := f.Node("n")
			f.must(err)
			n = n.DeepCopy()
			n.Status.Allocatable[v1.ResourceCPU] = resource.MustParse("20")
			f.must(f.UpdateNode(n))
		}},
		"a node comes": {1, func(f *fixture) { f.must(f.AddNode(node("other", 20))) }},
		"the pod asks for less": {1, func(f *fixture) {
			f.must(f.UpdatePod(pod("p", "1")))
		}},
		"the load line of the node rises": {9, func(f *fixture) {
			n, err := f.Node("n")
			f.must(err)
			n = n.DeepCopy()
			n.Annotations = map[string]string{"plimsoll.io/thresholds": `{"cpu": 0}`}
			f.must(f.UpdateNode(n))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, nil)
			f.t = t
			f.addNode("n", 10, test.uses)
			f.Poll(t.Context())
			requests := "1"
			if test.uses < 5 { // the node is full instead of hot
				requests = "8"
				f.must(f.AddPod(pod("first", "5")))
				if d := f.schedule(); d.Node != "n" {
					t.Fatalf("first is on %q: %v", d.Node, d.Status)
				}
			}
			f.must(f.AddPod(pod("p", requests)))
			if d := f.schedule(); d.Node != "" || f.HasWork() {
				t.Fatalf("p is on %q, and is to be retried: %v", d.Node, f.HasWork())
			}
			test.end(f)
			f.NotifyIfRelieved(t.Context())
			if !f.HasWork() {
				t.Fatal("p is not retried")
			}
			if d := f.schedule(); d.Node == "" {
				t.Errorf("p gets no node: %v", d.Status.Message())
			}
		})
	}
}

func TestAPodThatWaitsInVainIsRetriedAfterFiveMinutes(t *testing.T) {
	f := newFixture(t, nil)
	f.addNode("n", 1, 0)
	f.must(f.AddPod(pod("p", "2")))
	for range 2 {
		f.schedule()
		f.pass(5 * time.Minute)
		if f.HasWork() {
			t.Error("p is retried before more than five minutes have passed")
		}
		f.pass(30 * time.Second)
		if !f.HasWork() {
			t.Error("p is not retried after five minutes")
		}
	}
}

func TestPodsRejectedByAPluginAreRetried(t *testing.T) {
	f := newFixture(t, nil)
	f.addNode("n", 1, 0)
	f.must(f.AddPod(pod("p", "2")))
	f.schedule()
	if f.RetryRejectedBy("NodeLoad"); f.HasWork() {
		t.Error("p is retried though another plugin rejected it")
	}
	if f.RetryRejectedBy("NodeResourcesFit"); !f.HasWork() {
		t.Error("p is not retried")
	}
}

func TestTrialSaysWhatPluginsThinkOfEachNode(t *testing.T) {
	f := newFixture(t, nil)
	f.addNode("hot", 1, 0.9)
	f.addNode("busy", 10, 6)
	f.addNode("idle", 10, 0)
	f.Poll(t.Context())
	waiting := pod("p", "2")
	f.must(f.AddPod(pod("p", "2")))
	verdicts, err := f.Trial(t.Context(), waiting)
	f.must(err)
	totals := map[string]int64{}
	for _, v := range verdicts {
		totals[v.Node] = v.Total
		var plugins []string
		for _, r := range v.Rejections {
			plugins = append(plugins, r.Plugin())
		}
		if want := map[string]string{"hot": "NodeResourcesFit NodeLoad"}[v.Node]; strings.Join(plugins, " ") != want {
			t.Errorf("%s is rejected by %v, want %q", v.Node, plugins, want)
		}
		i := slices.IndexFunc(v.Scores, func(s kube.Score) bool { return s.Plugin == "NodeLoad" })
		if v.Node == "hot" {
			if len(v.Scores) > 0 {
				t.Errorf("hot is rejected and has the scores %v", v.Scores)
			}
			continue
		}
		if i < 0 || v.Scores[i].Weight != 10 || v.Scores[i].Score < 0 || v.Scores[i].Score > 100 {
			t.Errorf("the scores of %s are %v, want one of NodeLoad from 0 to 100 with the weight 10", v.Node, v.Scores)
		}
	}
	if totals["idle"] <= totals["busy"] || len(totals) != 3 {
		t.Errorf("the totals are %v, want idle to be the best of three", totals)
	}
	if waiting.UID != "p" || !f.HasWork() {
		t.Error("the trial changed the pod, or took it out of the queue")
	}
	if d := f.schedule(); d.Node != "idle" {
		t.Errorf("p is on %q after the trial, want idle", d.Node)
	}
}

func TestTrialForgetsNothingOfAWaitingPod(t *testing.T) {
	f := newFixture(t, nil)
	f.addNode("n", 10, 9)
	f.Poll(t.Context())
	f.must(f.AddPod(pod("p", "1")))
	f.schedule()
	_, err := f.Trial(t.Context(), pod("p", "1"))
	f.must(err)
	f.clock.Step(6 * time.Minute)
	f.usage.cores["n"] = 1
	if f.Poll(t.Context()); !f.HasWork() {
		t.Error("p is not retried when the load drops: the trial had NodeLoad forget it")
	}
}

func TestTrialOfAPodThatMayGoToOneNodeOnly(t *testing.T) {
	f := newFixture(t, nil)
	for _, name := range []string{"a", "b"} {
		f.addNode(name, 10, 1)
	}
	p := pod("p", "1")
	p.Spec.Affinity = st.MakePod().NodeAffinityIn("metadata.name", []string{"a"}, st.NodeSelectorTypeMatchFields).Obj().Spec.Affinity
	verdicts, err := f.Trial(t.Context(), p)
	f.must(err)
	for _, v := range verdicts {
		if rejected := len(v.Rejections) > 0; rejected != (v.Node == "b") {
			t.Errorf("%s is rejected: %v", v.Node, rejected)
		}
	}
	p.Spec.SchedulerName = "another"
	if _, err := f.Trial(t.Context(), p); err == nil || !strings.Contains(err.Error(), `the scheduler "another"`) {
		t.Errorf("the error is %v", err)
	}
}

func TestAPodThatIsBeingDeletedIsNotTried(t *testing.T) {
	f := newFixture(t, nil)
	f.addNode("n", 10, 1)
	f.must(f.AddPod(pod("p", "1")))
	going := pod("p", "1")
	going.DeletionTimestamp = &metav1.Time{Time: f.clock.Now()}
	f.must(f.UpdatePod(going))
	for f.HasWork() {
		if d := f.schedule(); d.Node != "" || d.Status != nil || d.Pod != nameOf("p") {
			t.Errorf("the decision is %+v, want none on p", d)
		}
	}
	if _, err := f.ScheduleOne(t.Context()); err == nil {
		t.Error("no error where there is no pod to schedule")
	}
}

func TestProfilesAndPluginsAreAtHand(t *testing.T) {
	f := newFixture(t, nil)
	if f.Model() == nil {
		t.Error("there is no load model")
	}
	if _, ok := f.Framework("plimsoll"); !ok {
		t.Error("there is no framework of the profile")
	}
	for _, name := range []string{"NodeLoad", "DeviceFit"} {
		if plugin, ok := f.Plugin("plimsoll", name); !ok || plugin.Name() != name {
			t.Errorf("plugin %s is %v, %v", name, plugin, ok)
		}
	}
	if _, ok := f.Plugin("plimsoll", "TargetLoadPacking"); ok {
		t.Error("there is a plugin that the profile does not use")
	}
	builtin, err := policy.Builtin()
	f.must(err)
	stock := newFixture(t, func(o *kube.Options) { o.Profiles[0] = *builtin[1].Profile })
	if stock.Model() != nil || len(stock.Routines()) != 1 {
		t.Error("kube-scheduler's defaults have a load model")
	}
	stock.Poll(t.Context())
	stock.NotifyIfRelieved(t.Context())
}

func TestDecisionsAreExplained(t *testing.T) {
	var decisions *explain.Log
	f := newFixture(t, func(o *kube.Options) {
		decisions = explain.NewLog(o.Clock)
		o.Decisions = decisions
	})
	go decisions.Run(t.Context())
	f.addNode("n", 10, 1)
	f.Poll(t.Context())
	f.must(f.AddPod(pod("p", "1")))
	f.schedule()
	for deadline := time.Now().Add(10 * time.Second); decisions.Get("default/p") == nil; {
		if time.Now().After(deadline) {
			t.Fatal("the decision is not explained")
		}
	}
}

func TestAnnotationsThatAreNotValidAreEvents(t *testing.T) {
	f := newFixture(t, nil)
	f.addNode("n", 10, 1)
	p := pod("p", "1")
	p.Annotations = map[string]string{"plimsoll.io/estimate": "much"}
	f.must(f.AddPod(p))
	f.schedule()
	f.pass(time.Minute)
	if !slices.ContainsFunc(f.events, func(e kube.Event) bool { return e.Reason == "InvalidAnnotation" && e.Type == v1.EventTypeWarning }) {
		t.Errorf("the events are %+v, want InvalidAnnotation", f.events)
	}
}

func TestFaultyCalls(t *testing.T) {
	f := newFixture(t, nil)
	f.addNode("n", 10, 1)
	f.must(f.AddPod(pod("p", "1")))
	f.schedule()
	anonymous := pod("q", "1")
	anonymous.UID = ""
	for name, test := range map[string]struct {
		err  error
		want string
	}{
		"a node twice":            {f.AddNode(node("n", 1)), "n: there is one already"},
		"an update of no node":    {f.UpdateNode(node("m", 1)), "m: there is none"},
		"a deletion of no node":   {f.DeleteNode("m"), "m: there is none"},
		"a pod twice":             {f.AddPod(pod("p", "1")), "default/p: there is one already"},
		"a pod without a UID":     {f.AddPod(anonymous), "default/q: it has no UID"},
		"an update of no pod":     {f.UpdatePod(pod("q", "1")), "default/q: there is none"},
		"a deletion of no pod":    {f.DeletePod(nameOf("q")), "no pod default/q"},
		"a binding of no pod":     {f.Bind(nameOf("q"), "n"), "no pod default/q"},
		"a binding of a pod on n": {f.Bind(nameOf("p"), "n"), "it is on node n"},
	} {
		if test.err == nil || !strings.Contains(test.err.Error(), test.want) {
			t.Errorf("%s: the error is %v, want %q in it", name, test.err, test.want)
		}
	}
	if _, err := f.Node("m"); err == nil {
		t.Error("there is a node that was not added")
	}
	if _, err := kube.New(t.Context(), kube.Options{Clock: f.clock}); err == nil {
		t.Error("no error without a profile")
	}
}

func TestASourceThatFailsLeavesRequests(t *testing.T) {
	f := newFixture(t, nil)
	f.addNode("n", 10, 9.5)
	f.usage.err = errors.New("down")
	f.Poll(t.Context())
	f.must(f.AddPod(pod("p", "1")))
	if d := f.schedule(); d.Node != "n" {
		t.Errorf("p is on %q, want n: nothing is measured, and little is requested", d.Node)
	}
	f.must(f.DeleteNode("n"))
	f.must(f.AddPod(pod("q", "1")))
	if d := f.schedule(); d.Node != "" || len(d.Rejections()) != 0 {
		t.Errorf("q is on %q, which is deleted", d.Node)
	}
	none := newFixture(t, func(o *kube.Options) { o.Source = nil })
	none.addNode("n", 10, 0)
	none.Poll(t.Context())
	none.must(none.AddPod(pod("p", "1")))
	if d := none.schedule(); d.Node != "n" {
		t.Errorf("p is on %q without a source, want n", d.Node)
	}
}
