package sim_test

import (
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"

	"github.com/plimsoll-scheduler/plimsoll/pkg/sim"
)

// Owners delete pods in whatever state they are.
func TestPodsAreDeletedByTheirOwners(t *testing.T) {
	nodes := []*v1.Node{node("a", 10, 0)}
	blocked := func() []sim.Pod { return []sim.Pod{onNode(pod("all", 8, 1, 0), "a")} }
	for name, test := range map[string]struct {
		pods       []sim.Pod
		edit       func(p *sim.Pod)
		unassigned int
		allocated  time.Duration // how long p uses a core
	}{
		"while it runs":        {nil, func(p *sim.Pod) { p.Until = 30 * time.Minute }, 0, 20 * time.Minute},
		"before its life ends": {nil, func(p *sim.Pod) { p.Until, p.Lifetime = 30*time.Minute, 45*time.Minute }, 0, 20 * time.Minute},
		"after its life ended": {nil, func(p *sim.Pod) { p.Until, p.Lifetime = 50*time.Minute, 10*time.Minute }, 0, 10 * time.Minute},
		"while it starts":      {nil, func(p *sim.Pod) { p.Until, p.StartDelay = 30*time.Minute, 40*time.Minute }, 0, 0},
		"while it waits":       {blocked(), func(p *sim.Pod) { p.Until = 30 * time.Minute }, 1, 0},
		// A scheduling cycle takes five milliseconds.
		"while it is placed": {nil, func(p *sim.Pod) { p.Until = p.Arrival + 3*time.Millisecond }, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			p := pod("p", 4, 9, 0)
			p.Arrival = 10 * time.Minute
			test.edit(&p)
			for _, policy := range []string{"stock", "plimsoll"} {
				got, _ := run(t, scenario(nodes, append(test.pods, p)...), policy)
				if got.PodsUnscheduled != test.unassigned || got.PodsScheduled != 1-test.unassigned {
					t.Errorf("%s: %d scheduled, %d not, want %d not", policy, got.PodsScheduled, got.PodsUnscheduled, test.unassigned)
				}
				if hot := got.HotNodeMinutes80; hot < test.allocated.Minutes()-0.01 || hot > test.allocated.Minutes()+0.01 {
					t.Errorf("%s: the node is hot for %v minutes, want %v", policy, hot, test.allocated)
				}
			}
		})
	}
}

// A pod that waited until it was deleted has waited: who leaves pods waiting is not
// quick.
func TestWaitingInVainCounts(t *testing.T) {
	p := pod("p", 4, 1, 0)
	p.Arrival, p.Until = 10*time.Minute, 40*time.Minute
	got, _ := run(t, scenario([]*v1.Node{node("a", 10, 0)}, onNode(pod("all", 8, 1, 0), "a"), p), "stock")
	if got.WaitSeconds.P50 != 1800 {
		t.Errorf("median of waiting is %v s, want 1800", got.WaitSeconds.P50)
	}
}

func TestRoomOfADeletedPodIsTaken(t *testing.T) {
	for name, until := range map[string]time.Duration{"running": 30 * time.Minute, "placed": 10*time.Minute + 3*time.Millisecond} {
		first, second := pod("first", 8, 1, 1), pod("second", 8, 1, 1)
		first.Arrival, first.Until = 10*time.Minute, until
		second.Arrival = 20 * time.Minute
		for _, policy := range []string{"stock", "plimsoll"} {
			got, placed := run(t, scenario([]*v1.Node{node("a", 10, 1)}, first, second), policy)
			if placed["second"] != "a" || got.PodsUnscheduled != 0 {
				t.Errorf("%s, %s: second is on %q", name, policy, placed["second"])
			}
		}
	}
}
