package peers

import (
	"math"
	"testing"
	"time"

	"github.com/go-logr/logr"
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/klog/v2"
	st "k8s.io/kubernetes/pkg/scheduler/testing"
	"sigs.k8s.io/scheduler-plugins/pkg/trimaran"

	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/peers/koordinator"
	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/world"
)

// unobserved is told in vain.
type unobserved struct{}

func (unobserved) Passed(*world.Machine, time.Duration, time.Duration) {}
func (unobserved) MemoryChanged(*world.Machine, int64)                 {}

// retries notes which plugin's pods are retried.
type retries []string

func (r *retries) RetryRejectedBy(plugin string) { *r = append(*r, plugin) }

func machine(clock *world.Clock) *world.Machine {
	node := st.MakeNode().Name("m").Capacity(map[v1.ResourceName]string{v1.ResourceCPU: "10", v1.ResourceMemory: "100"}).Obj()
	return world.NewMachine(clock, node, world.Background{CPU: 1}, unobserved{})
}

func TestAgentsReportTheMeanOfFiveMinutesOnceAMinute(t *testing.T) {
	clock := world.NewClock(time.Unix(0, 0))
	m := machine(clock)
	a := newAgents(clock, []*world.Machine{m}, 1)
	var queue retries
	clock.Every(0, time.Second, func() error {
		a.report(&queue)
		return nil
	})
	until := func(at time.Duration) {
		if err := clock.RunUntil(at); err != nil {
			t.Fatal(err)
		}
	}
	second := time.Duration(a.byNode[0].second) * time.Second
	until(second + 10*time.Minute)
	if len(queue) != 11 || queue[0] != koordinator.Name {
		t.Errorf("pods are retried %d times in ten minutes, want at each of 11 reports", len(queue))
	}
	task := &world.Task{UID: "p", Use: &world.Use{Base: 5, Memory: 20}}
	task.Start(m, clock.Elapsed())
	until(second + 12*time.Minute)
	report := a.reports["m"]
	// Two of five minutes with 5 cores more than the one of the background.
	if math.Abs(report.Node.CPU-3000) > 1e-6 || report.Node.Memory != 20 || !report.Time.Equal(clock.Now()) {
		t.Errorf("the report is %+v, want 3 cores and 20 bytes now", report)
	}
	if got := report.Pods[types.UID("p")]; math.Abs(got.CPU-2000) > 1e-6 || got.Memory != 20 {
		t.Errorf("p is reported as %+v, want 2 cores: 5 for two of five minutes", got)
	}
}

func TestAnotherVersionOfTrimaranIsNoticed(t *testing.T) {
	type plugin struct {
		*koordinator.LoadAware // for its methods
		collector              int
		eventHandler           *trimaran.PodAssignEventHandler
	}
	if _, ok := fieldOf[*trimaran.Collector](&plugin{collector: 1}, "collector"); ok {
		t.Error("a field of another type is taken for the collector")
	}
	if _, ok := fieldOf[*trimaran.Collector](&plugin{}, "other"); ok {
		t.Error("there is a field that is not there")
	}
	if _, ok := fieldOf[*trimaran.PodAssignEventHandler](&plugin{}, "eventHandler"); ok {
		t.Error("a field that is nil is there")
	}
	handler := &trimaran.PodAssignEventHandler{}
	if got, ok := fieldOf[*trimaran.PodAssignEventHandler](&plugin{eventHandler: handler}, "eventHandler"); !ok || got != handler {
		t.Errorf("the field is %v, %v", got, ok)
	}
}

func TestNotesGoByTheClock(t *testing.T) {
	klog.SetLogger(logr.Discard())
	start := time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)
	n := assignmentNotes{trimaran.New()}
	for _, name := range []string{"old", "new"} {
		n.OnAdd(st.MakePod().Name(name).UID(name).Node("m").Obj(), false)
		at := start
		if name == "new" {
			at = start.Add(time.Hour)
		}
		n.setLast("m", at)
	}
	n.setLast("another", start) // of which nothing is noted
	names := func() (names []string) {
		for _, note := range n.ScheduledPodsCache["m"] {
			names = append(names, note.Pod.Name)
		}
		return names
	}
	if n.drop(start); len(names()) != 2 {
		t.Errorf("what is left is %v, want both: none is older", names())
	}
	if n.drop(start.Add(time.Second)); len(names()) != 1 || names()[0] != "new" {
		t.Errorf("what is left is %v, want new", names())
	}
}
