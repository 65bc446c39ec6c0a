package devicefit

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"testing"

	v1 "k8s.io/api/core/v1"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework"
	st "k8s.io/kubernetes/pkg/scheduler/testing"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/compat"
)

// assignment is of a pod of a group to a node.
type assignment struct {
	compat.ProposedAssignment
	pod  *v1.Pod
	node string
}

func (a assignment) GetPod() *v1.Pod     { return a.pod }
func (a assignment) GetNodeName() string { return a.node }

// placementOf has a pod with the requests on each of the named nodes.
func placementOf(nodes []fwk.NodeInfo, requests resources, names ...string) *compat.PodGroupAssignments {
	placement := &compat.PodGroupAssignments{Placement: &compat.Placement{Nodes: nodes}}
	for i, name := range names {
		pod := st.MakePod().Name(fmt.Sprint("p", i)).UID(fmt.Sprint("p", i)).Req(requests).Obj()
		placement.ProposedAssignments = append(placement.ProposedAssignments, assignment{pod: pod, node: name})
	}
	return placement
}

func (pl *DeviceFit) scorePlacement(t *testing.T, placement *compat.PodGroupAssignments) int64 {
	t.Helper()
	score, status := pl.ScorePlacement(t.Context(), nil, nil, placement)
	if !status.IsSuccess() {
		t.Fatal(status.AsError())
	}
	return score
}

// A placement scores what its pods would have scored, placed one by one.
func TestPlacementScoresAsItsPodsInTurn(t *testing.T) {
	for _, args := range []string{`{}`, `{"strategy": "MostAllocated"}`, `{"strategy": "LeastAllocated"}`} {
		for _, requests := range []resources{{gpu: "1", "cpu": "4"}, {gpu: "4", "cpu": "13"}, {"cpu": "9", "memory": "20Gi"}} {
			for _, names := range [][]string{{"a"}, {"a", "a"}, {"a", "b", "a"}, {"b", "c", "c", "a"}} {
				c := newCluster()
				nodes := []fwk.NodeInfo{c.addNode(t, "a", 5), c.addNode(t, "b", 20, resources{gpu: "3", "cpu": "6"}), c.addNode(t, "c", -1)}
				c.model.Poll(t.Context())
				pl := pluginOf(t, c, args)
				placement := placementOf(nodes, requests, names...)
				got := pl.scorePlacement(t, placement)
				if again := pl.scorePlacement(t, placement); again != got {
					t.Errorf("scored again: %d, was %d", again, got)
				}
				sum := 0.0
				for _, a := range placement.ProposedAssignments {
					node := nodes[slices.Index([]string{"a", "b", "c"}, a.GetNodeName())]
					score, status := pl.Score(t.Context(), framework.NewCycleState(), a.GetPod(), node)
					if !status.IsSuccess() {
						t.Fatal(status.AsError())
					}
					sum += float64(score)
					info, err := framework.NewPodInfo(a.GetPod())
					if err != nil {
						t.Fatal(err)
					}
					node.AddPodInfo(info)
					c.model.Reserve(a.GetPod(), a.GetNodeName())
				}
				if want := int64(math.Round(sum / float64(len(names)))); got != want {
					t.Errorf("%s, %v on %v: %d, want %d", args, requests, names, got, want)
				}
			}
		}
	}
}

func TestPlacementsRankByWhatStaysOfUse(t *testing.T) {
	c := newCluster()
	nodes := []fwk.NodeInfo{c.addNode(t, "a", 1), c.addNode(t, "b", 1), c.addNode(t, "hot", 63)}
	c.model.Poll(t.Context())
	pl := pluginOf(t, c, `{}`)
	requests := resources{gpu: "4", "cpu": "4", "memory": "4Gi"}
	together := pl.scorePlacement(t, placementOf(nodes, requests, "a", "a"))
	apart := pl.scorePlacement(t, placementOf(nodes, requests, "a", "b"))
	hot := pl.scorePlacement(t, placementOf(nodes, requests, "a", "hot"))
	if together <= apart || apart < hot {
		t.Errorf("on one node %d, on two %d, one of them hot %d: want the first to be best, and the last worst", together, apart, hot)
	}
}

// What is tried must leave no trace: the framework goes on with the same nodes.
func TestPlacementsAreOnlyLookedAt(t *testing.T) {
	c := newCluster()
	nodes := []fwk.NodeInfo{c.addNode(t, "a", 1, resources{gpu: "1", "cpu": "1"})}
	c.model.Poll(t.Context())
	pl := pluginOf(t, c, `{}`)
	view := c.model.View()
	node, requested, pods := *view.Node("a"), *nodes[0].GetRequested().(*framework.Resource).Clone(), len(nodes[0].GetPods())
	pl.scorePlacement(t, placementOf(nodes, resources{gpu: "2", "cpu": "8"}, "a", "a", "a"))
	if got := nodes[0].GetRequested(); !reflect.DeepEqual(*got.(*framework.Resource), requested) || len(nodes[0].GetPods()) != pods {
		t.Errorf("requested on the node: %+v, was %+v", got, requested)
	}
	view = c.model.View()
	if got := *view.Node("a"); !reflect.DeepEqual(got, node) {
		t.Errorf("the load model's node: %+v, was %+v", got, node)
	}
}

func TestPlacementsOfOtherPods(t *testing.T) {
	c := newCluster()
	plain := c.measure(newNode(t, "plain", resources{"cpu": "64", "memory": "256Gi"}), 1)
	nodes := []fwk.NodeInfo{c.addNode(t, "a", 1), plain}
	c.model.Poll(t.Context())
	pl := pluginOf(t, c, `{}`)
	for _, tt := range []struct {
		name      string
		placement *compat.PodGroupAssignments
		low, high int64
	}{
		{"no pods", placementOf(nodes, nil), 0, 0},
		{"a node that is not of the placement", placementOf(nodes[:1], resources{gpu: "1"}, "elsewhere"), 0, 0},
		{"pods without devices beside free devices", placementOf(nodes, resources{"cpu": "1"}, "a", "a"), 1, 50},
		{"pods without devices elsewhere", placementOf(nodes, resources{"cpu": "1"}, "plain", "plain"), 100, 100},
		{"pods with devices where there are none", placementOf(nodes, resources{gpu: "1"}, "plain"), 0, 0},
		{"pods with devices of a class where there are none", placementOf(nodes, resources{class: "1"}, "a", "plain"), 0, 0},
	} {
		if got := pl.scorePlacement(t, tt.placement); got < tt.low || got > tt.high {
			t.Errorf("%s: %d, want %d to %d", tt.name, got, tt.low, tt.high)
		}
	}
}

// The CPU of a launcher that has no preference itself is gone all the same for
// the workers that come after it.
func TestPodsWithoutPreferenceCountInTheirGroup(t *testing.T) {
	c := newCluster()
	nodes := []fwk.NodeInfo{c.addNode(t, "a", 1)}
	c.model.Poll(t.Context())
	pl := pluginOf(t, c, `{"avoidDeviceNodes": false}`)
	group := placementOf(nodes, resources{gpu: "8", "cpu": "40"}, "a")
	alone := pl.scorePlacement(t, group)
	launcher := assignment{pod: st.MakePod().Req(resources{"cpu": "32"}).Obj(), node: "a"}
	group.ProposedAssignments = append([]compat.ProposedAssignment{launcher}, group.ProposedAssignments...)
	if got := pl.scorePlacement(t, group); alone == 0 || got != 50 {
		t.Errorf("alone the worker scores %d; after the launcher the two score %d, want the mean of 100 and 0", alone, got)
	}
	if use := pl.model.Estimate(launcher.pod); use != (amount.Vector{32000, 0}) {
		t.Fatalf("the launcher uses %v", use)
	}
}
