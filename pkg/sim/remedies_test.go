package sim_test

import (
	"testing"

	v1 "k8s.io/api/core/v1"

	"github.com/plimsoll-scheduler/plimsoll/pkg/sim"
	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/policy"
)

func TestWhatWouldHaveEndedStarvation(t *testing.T) {
	on := func(node string, requests, uses float64, devices int64) sim.Pod {
		return onNode(pod(node+"-"+string(rune('a'+int(uses))), requests, uses, devices), node)
	}
	two := []*v1.Node{node("a", 10, 4), node("b", 10, 4)}
	for name, test := range map[string]struct {
		nodes             []*v1.Node
		pods              []sim.Pod
		movable, outgrown float64 // percent
	}{
		"nothing starves":                     {nodes: two, pods: []sim.Pod{on("a", 2, 9, 4)}},
		"one of two pods has room beside":     {nodes: two, pods: []sim.Pod{on("a", 2, 9, 4), on("a", 2, 2, 0)}, movable: 100},
		"there is none by what is used":       {nodes: two, pods: []sim.Pod{on("a", 2, 5, 2), on("a", 2, 6, 2), on("b", 2, 8, 0)}},
		"there is none by what is requested":  {nodes: two, pods: []sim.Pod{on("a", 2, 5, 2), on("a", 2, 6, 2), on("b", 9, 0, 0)}},
		"there is none by devices":            {nodes: two, pods: []sim.Pod{on("a", 2, 5, 2), on("a", 2, 6, 2), on("b", 2, 0, 3)}},
		"moving one is not enough":            {nodes: two, pods: []sim.Pod{on("a", 2, 9, 2), on("a", 2, 3, 1), on("a", 2, 2, 1), on("b", 2, 3, 0)}},
		"a pod outgrows all nodes":            {nodes: two, pods: []sim.Pod{on("a", 2, 12, 4), on("a", 2, 1, 0)}, outgrown: 100},
		"a pod outgrows its node, not all":    {nodes: append(two, node("large", 20, 4)), pods: []sim.Pod{on("a", 2, 12, 4)}, movable: 100},
		"each node counts with its devices":   {nodes: two, pods: []sim.Pod{on("a", 2, 12, 1), on("b", 2, 6, 2), on("b", 2, 5, 1)}, outgrown: 25},
		"what has no devices does not starve": {nodes: two, pods: []sim.Pod{on("a", 2, 12, 1), on("b", 2, 13, 0)}, outgrown: 100},
	} {
		t.Run(name, func(t *testing.T) {
			got, _ := run(t, scenario(test.nodes, test.pods...), "stock")
			if got.StarvedMovablePercent != test.movable || got.StarvedOutgrownPercent != test.outgrown {
				t.Errorf("%v and %v %%, want %v and %v", got.StarvedMovablePercent, got.StarvedOutgrownPercent, test.movable, test.outgrown)
			}
		})
	}
}

// A pod that is new uses four times what it requests. The node where it leaves no
// fragments is too small for that, and who knows the pod takes the other.
func TestWhoKnowsPodsPlacesThemByIt(t *testing.T) {
	beside := onNode(pod("beside", 4, 4, 2), "small")
	for knowing, want := range map[bool]float64{false: 100, true: 0} {
		p := named(t, "plimsoll")[0]
		if knowing {
			p = policy.Knowing(p)
		}
		s := scenario([]*v1.Node{node("small", 10, 3), node("large", 40, 8)}, beside, pod("new", 2, 8, 1))
		result, err := sim.Run(t.Context(), s, []sim.Policy{p}, sim.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if got := result.Policies[0]; got.StarvedMovablePercent != want {
			t.Errorf("%s: devices starve for %v minutes, of which moving the pod would save %v %%, want %v", p.Name, got.StarvedDeviceMinutes, got.StarvedMovablePercent, want)
		}
	}
}
