package nodeload

import (
	"context"
	"slices"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/component-base/metrics"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework"
	st "k8s.io/kubernetes/pkg/scheduler/testing"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load"
)

// PollPods makes the cluster a source of what pods use.
func (c *cluster) PollPods(_ context.Context, pods []types.NamespacedName) ([]load.PodReading, error) {
	var readings []load.PodReading
	for _, pod := range pods {
		if cores, ok := c.podUse[pod.Name]; ok {
			readings = append(readings, load.PodReading{Pod: pod, Reading: load.Reading{
				Timestamp: c.clock.Now(), Window: 15 * time.Second, Usage: [amount.NumResources]float64{cores, gi},
			}})
		}
	}
	return readings, nil
}

// runningPod puts a pod on the node that has been running for an hour.
func (c *cluster) runningPod(name, node string, cores float64) *v1.Pod {
	p := st.MakePod().Name(name).UID(name).Namespace("default").Node(node).Phase(v1.PodRunning).
		Req(map[v1.ResourceName]string{"cpu": "100m"}).Obj()
	p.Status.ContainerStatuses = []v1.ContainerStatus{{Name: p.Spec.Containers[0].Name, State: v1.ContainerState{
		Running: &v1.ContainerStateRunning{StartedAt: metav1.NewTime(c.clock.Now().Add(-time.Hour))},
	}}}
	c.podUse[name] = cores
	c.pods = append(c.pods, p)
	c.model.SetPod(p)
	return p
}

// without asks whether the node would take the pod if the others were removed
// from it, and then added again one after the other; it returns the answers.
func (c *cluster) without(t *testing.T, p *v1.Pod, node string, removed ...*v1.Pod) (answers []bool) {
	t.Helper()
	state := framework.NewCycleState()
	if _, status := c.PreFilter(t.Context(), state, p, nil); !status.IsSuccess() {
		t.Fatal(status.AsError())
	}
	original := state
	tried := state.Clone()
	fits := func(state fwk.CycleState) bool {
		return c.Filter(t.Context(), state, p, c.info(node)).IsSuccess()
	}
	extensions := c.PreFilterExtensions()
	for _, victim := range removed {
		info, err := framework.NewPodInfo(victim)
		if err != nil {
			t.Fatal(err)
		}
		before := fits(original)
		if status := extensions.RemovePod(t.Context(), tried, p, info, c.info(node)); !status.IsSuccess() {
			t.Fatal(status.AsError())
		}
		if fits(original) != before {
			t.Error("trying a removal on a copy changed the cycle itself")
		}
	}
	answers = append(answers, fits(tried))
	for _, victim := range removed {
		info, err := framework.NewPodInfo(victim)
		if err != nil {
			t.Fatal(err)
		}
		if status := extensions.AddPod(t.Context(), tried, p, info, c.info(node)); !status.IsSuccess() {
			t.Fatal(status.AsError())
		}
		answers = append(answers, fits(tried))
	}
	return answers
}

func TestRemovalCountsByWhatAPodReallyUses(t *testing.T) {
	c := newCluster(t, args(nil), "n")
	heavy, light := c.runningPod("heavy", "n", 5), c.runningPod("light", "n", 0.1)
	c.podUse = map[string]float64{} // they cannot be read yet
	c.use("n", 9, 2*gi)
	c.poll(t)
	p := pod("p", "1", "1Gi")
	c.clock.Step(15 * time.Second)
	if got := c.without(t, p, "n", heavy, light); got[0] {
		t.Error("before the pods were measured their removal is taken to make room")
	}
	c.podUse = map[string]float64{"heavy": 5, "light": 0.1}
	c.poll(t) // measures what was asked for
	if got := c.without(t, p, "n", light); got[0] {
		t.Error("removing a pod that uses a tenth of a core is taken to make room for one core")
	}
	// 9 measured, 5 of them the heavy pod's: room for one core, until it is added again.
	if got := c.without(t, p, "n", heavy, light); !slices.Equal(got, []bool{true, false, false}) {
		t.Errorf("%v, want room without both, and none with the heavy pod back", got)
	}
	if got := c.without(t, p, "n", light, heavy); !slices.Equal(got, []bool{true, true, false}) {
		t.Errorf("%v, want room without both and with the light pod back", got)
	}
}

func TestPodInFlightCountsByItsEstimate(t *testing.T) {
	c := newCluster(t, args(nil), "n")
	c.use("n", 4, gi)
	c.poll(t)
	coming := pod("coming", "3", "1Gi")
	c.Reserve(t.Context(), framework.NewCycleState(), coming, "n")
	if got := c.without(t, pod("p", "1", "1Gi"), "n", coming); !slices.Equal(got, []bool{true, false}) {
		t.Errorf("%v, want room without it and none with it", got)
	}
}

func TestNominatedPodsCount(t *testing.T) {
	c := newCluster(t, args(nil), "n")
	c.use("n", 4, gi)
	c.poll(t)
	p := pod("p", "2", "1Gi")
	nominated, err := framework.NewPodInfo(pod("nominated", "2", "1Gi"))
	if err != nil {
		t.Fatal(err)
	}
	state := framework.NewCycleState()
	c.PreFilter(t.Context(), state, p, nil)
	if status := c.Filter(t.Context(), state, p, c.info("n")); !status.IsSuccess() {
		t.Fatal(status.AsError())
	}
	c.AddPod(t.Context(), state, p, nominated, c.info("n"))
	if status := c.Filter(t.Context(), state, p, c.info("n")); status.Code() != fwk.Unschedulable {
		t.Errorf("4 measured, 2 nominated and 2 asked for of 10, line at 7.5: %v", status)
	}
}

// A preemptor is tried again once it is known what its victims use, and pods
// wake at once when a pod that is known to relieve the node is gone.
func TestPreemptorWakesWhenItsVictimsAreMeasuredAndGone(t *testing.T) {
	c := newCluster(t, args(nil), "n")
	victim := c.runningPod("victim", "n", 5)
	delete(c.podUse, "victim") // it cannot be read yet
	c.use("n", 9, gi)
	c.poll(t)
	p := pod("p", "1", "1Gi")
	c.reject(t, p)
	if got := c.afterPoll(t); len(got) != 0 {
		t.Fatalf("woken without a reason: %v", got)
	}
	c.without(t, p, "n", victim)
	c.podUse["victim"] = 5
	if got := c.afterPoll(t); !slices.Equal(got, []string{"p"}) {
		t.Fatalf("woken after its victim was measured: %v, want the preemptor", got)
	}
	c.reject(t, p)
	if got := c.afterPoll(t); len(got) != 0 {
		t.Fatalf("woken again without a reason: %v", got)
	}
	c.activated = nil
	c.model.RemovePod(victim)
	c.waiting.Wake(t.Context())
	if !slices.Equal(c.activated, []string{"p"}) {
		t.Errorf("woken after the victim was gone, with no new sample: %v", c.activated)
	}
}

// While preemption is tried a poll may come, and with it a notification, before the
// cycle ends.
func TestWishesOutliveANotificationBeforeTheCycleEnds(t *testing.T) {
	c := newCluster(t, args(nil), "n")
	victim := c.runningPod("victim", "n", 5)
	delete(c.podUse, "victim") // it cannot be read yet
	c.use("n", 9, gi)
	c.poll(t)
	p := pod("p", "1", "1Gi")
	c.add(t, p)
	c.without(t, p, "n", victim) // no PostFilter of ours has run
	c.waiting.Wake(t.Context())
	if len(c.activated) != 0 {
		t.Fatalf("woken without a reason: %v", c.activated)
	}
	c.podUse["victim"] = 5
	if got := c.afterPoll(t); !slices.Equal(got, []string{"p"}) {
		t.Errorf("woken after its victim was measured: %v, want the preemptor", got)
	}
}

// What preemption tries is not what the attempt failed for. What a node is rejected for
// because of pods that are nominated to it is, and is explained.
func TestTrialsAreNotCounted(t *testing.T) {
	for name, trial := range map[string]bool{"preemption": true, "nomination": false} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, args(nil), "n")
			registry := metrics.NewKubeRegistry()
			registry.MustRegister(c.counters.All()...)
			victim := c.runningPod("victim", "n", 1)
			c.use("n", 5, gi)
			c.poll(t)
			state, p := framework.NewCycleState(), pod("p", "1", "1Gi")
			c.PreFilter(t.Context(), state, p, nil)
			info, err := framework.NewPodInfo(victim)
			if err != nil {
				t.Fatal(err)
			}
			tried := state.Clone()
			if trial {
				c.RemovePod(t.Context(), tried, p, info, c.info("n"))
			}
			for range 20 { // as if it were there so many times
				c.AddPod(t.Context(), tried, p, info, c.info("n"))
			}
			if c.Filter(t.Context(), tried, p, c.info("n")).IsSuccess() {
				t.Fatal("the node takes the pod")
			}
			c.PostFilter(t.Context(), state, p, framework.NewDefaultNodeToStatus())
			families, err := registry.Gather()
			if err != nil {
				t.Fatal(err)
			}
			counted := 0.
			for _, family := range families {
				if family.GetName() == "plimsoll_rejections_total" {
					for _, metric := range family.GetMetric() {
						counted += metric.GetCounter().GetValue()
					}
				}
			}
			data, err := state.Read(stateKey)
			if err != nil {
				t.Fatal(err)
			}
			own := data.(*cycle)
			seen, rejected, _ := own.marks.At(own.view.Node("n").Slot)
			if want := !trial; (counted == 1) != want || rejected != want {
				t.Errorf("counted %v times, seen %t and rejected %t in the decision; want that: %t", counted, seen, rejected, want)
			}
			want := ""
			if !trial {
				want = "more room on one of 1 node(s) than pods that are nominated there will leave"
			}
			around := account{&c.policy, &own.view, own.ask}
			if got := around.WaitsFor(func(yield func(*load.Node, int) bool) {
				if rejected {
					yield(own.view.Node("n"), int(overCPU))
				}
			}); got != want {
				t.Errorf("it waits for %q, want %q", got, want)
			}
		})
	}
}
