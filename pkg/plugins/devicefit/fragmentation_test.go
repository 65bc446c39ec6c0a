package devicefit

import (
	"fmt"
	"testing"
	"time"

	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework"
	st "k8s.io/kubernetes/pkg/scheduler/testing"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/apis/config"
	"github.com/plimsoll-scheduler/plimsoll/pkg/line"
)

// addNode adds a node of 64 cores and 256 GiB with 8 GPUs, on which so many
// cores are used; none is measured if that is below 0.
func (c *cluster) addNode(t testing.TB, name string, cores float64, requests ...resources) fwk.NodeInfo {
	t.Helper()
	node := newNode(t, name, resources{gpu: "8", "cpu": "64", "memory": "256Gi", "pods": "110"}, requests...)
	c.model.SetNode(name, amount.FromList(node.Node().Status.Allocatable), line.Own{})
	if cores >= 0 {
		c.use[name] = [amount.NumResources]float64{cores, 1 << 30}
	}
	return node
}

func TestDevicePodsLeaveWholeNodesWhole(t *testing.T) {
	for strategy, want := range map[string]int{"LeastFragmentation": 2, "MostAllocated": 2, "LeastAllocated": 0} {
		t.Run(strategy, func(t *testing.T) {
			c := newCluster()
			var nodes []fwk.NodeInfo
			for i := range 4 {
				nodes = append(nodes, c.addNode(t, fmt.Sprint(i), 1))
			}
			c.model.Poll(t.Context())
			profile, err := c.newProfile(t.Context(), fmt.Sprintf(`{"strategy": %q}`, strategy))
			if err != nil {
				t.Fatal(err)
			}
			for i, gpus := range []string{"1", "2", "1", "4", "1", "1", "2", "4"} {
				pod := st.MakePod().Name(fmt.Sprint("p", i)).Req(resources{gpu: gpus, "cpu": "2", "memory": "4Gi"}).Obj()
				var fitting []fwk.NodeInfo
				for _, node := range nodes {
					free := node.GetAllocatable().GetScalarResources()[gpu] - node.GetRequested().GetScalarResources()[gpu]
					if fmt.Sprint(free) >= gpus {
						fitting = append(fitting, node)
					}
				}
				best, score := fitting[0], int64(-1)
				for name, s := range scores(t, profile, pod, fitting...) {
					for _, node := range fitting {
						if node.Node().Name == name && s > score {
							best, score = node, s
						}
					}
				}
				info, err := framework.NewPodInfo(pod)
				if err != nil {
					t.Fatal(err)
				}
				best.AddPodInfo(info)
			}
			whole := 0
			for _, node := range nodes {
				if node.GetRequested().GetScalarResources()[gpu] == 0 {
					whole++
				}
			}
			if whole != want {
				t.Errorf("%d nodes of 4 are whole with 16 of 32 devices in use, want %d", whole, want)
			}
		})
	}
}

func TestLiveHeadroomDecidesWhatDevicesAreOfUse(t *testing.T) {
	c := newCluster()
	c.nodeLoad = config.DefaultNodeLoadArgs()
	c.nodeLoad.Filter.Thresholds["cpu"] = 75 // the line is at 48 of 64 cores
	nodes := []fwk.NodeInfo{
		c.addNode(t, "idle", 0), c.addNode(t, "loaded", 44), c.addNode(t, "hot", 47.5), c.addNode(t, "unknown", -1),
		c.addNode(t, "requested", 0, resources{"cpu": "61"}),
	}
	c.model.Poll(t.Context())
	profile, err := c.newProfile(t.Context(), `{}`)
	if err != nil {
		t.Fatal(err)
	}
	pod := st.MakePod().Req(resources{gpu: "1", "cpu": "1", "memory": "1Gi"}).Obj()
	got := scores(t, profile, pod, nodes...)
	if got["hot"] != 0 {
		t.Errorf("half a core of headroom for a pod that uses one: score %d, want 0", got["hot"])
	}
	// By requests, 61 of 64 cores are taken: the pod uses up what is of no use to
	// larger pods, which is what the strategy is for. By load it is the same.
	if got["requested"] <= got["idle"] || got["loaded"] <= 0 {
		t.Errorf("scores %v", got)
	}
	if got["unknown"] <= 0 {
		t.Errorf("a node whose use is not known scores %d: requests must stand in", got["unknown"])
	}
	for name, score := range scores(t, profile, st.MakePod().Req(resources{"cpu": "1", "memory": "1Gi"}).Obj(), nodes...) {
		if score > 50 {
			t.Errorf("node %s has free devices and scores %d for a pod without, want at most 50", name, score)
		}
	}
}

func TestTiesGoToMoreHeadroomForEachFreeDevice(t *testing.T) {
	for _, strategy := range []string{"LeastFragmentation", "MostAllocated", "LeastAllocated"} {
		c := newCluster()
		nodes := []fwk.NodeInfo{c.addNode(t, "idle", 1), c.addNode(t, "busy", 50)}
		c.model.Poll(t.Context())
		profile, err := c.newProfile(t.Context(), fmt.Sprintf(`{"strategy": %q}`, strategy))
		if err != nil {
			t.Fatal(err)
		}
		got := scores(t, profile, st.MakePod().Req(resources{gpu: "8", "cpu": "8"}).Obj(), nodes...)
		if got["idle"] <= got["busy"] {
			t.Errorf("%s: the idle node scores %d, the busy one %d", strategy, got["idle"], got["busy"])
		}
	}
}

func TestHeadroomPerDevice(t *testing.T) {
	const args = `{"headroomPerDevice": {"cpu": "1"}}` // of 64 cores, with 8 free devices: up to 56
	plain := resources{"cpu": "2", "memory": "1Gi"}
	for _, test := range []struct {
		name     string
		cores    float64
		requests []resources // of the node's pods
		pod      *st.PodWrapper
		rejected bool
	}{
		{name: "at the boundary", cores: 54, pod: st.MakePod().Req(plain)},
		{name: "above it", cores: 54.01, pod: st.MakePod().Req(plain), rejected: true},
		{name: "half of the devices are in use", cores: 58, requests: []resources{{gpu: "4"}}, pod: st.MakePod().Req(plain)},
		{name: "all are", cores: 63, requests: []resources{{gpu: "8"}}, pod: st.MakePod().Req(plain)},
		{name: "a pod with devices", cores: 63, pod: st.MakePod().Req(resources{gpu: "1", "cpu": "2"})},
		{name: "a pod with a claim", cores: 63, pod: st.MakePod().Req(resources{class: "1"})},
		{name: "a critical pod", cores: 63, pod: st.MakePod().Req(plain).Priority(2000001000)},
		{name: "by requests, if the use is not known", cores: -1, requests: []resources{{"cpu": "54"}}, pod: st.MakePod().Req(plain)},
		{name: "by requests, above", cores: -1, requests: []resources{{"cpu": "55"}}, pod: st.MakePod().Req(plain), rejected: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newCluster()
			node := c.addNode(t, "n", test.cores, test.requests...)
			c.model.Poll(t.Context())
			profile, err := c.newProfile(t.Context(), args)
			if err != nil {
				t.Fatal(err)
			}
			state := framework.NewCycleState()
			pod := test.pod.Obj()
			if _, status, _ := profile.RunPreFilterPlugins(t.Context(), state, pod); !status.IsSuccess() {
				t.Fatal(status)
			}
			status := profile.RunFilterPlugins(t.Context(), state, pod, node)
			if test.rejected != status.IsRejected() {
				t.Fatalf("status %v, want rejected: %t", status, test.rejected)
			}
			if test.rejected && (status.Message() != "node(s) would strand free devices" || status.Code() != fwk.UnschedulableAndUnresolvable) {
				t.Errorf("rejected with %v", status)
			}
		})
	}
}

// A pod that was rejected is retried when load drops, and only if that is enough.
func TestPodsThatWouldStrandDevicesWakeWhenLoadDrops(t *testing.T) {
	c := newCluster()
	node := c.addNode(t, "n", 60)
	c.model.Poll(t.Context())
	plugin := pluginOf(t, c, `{"headroomPerDevice": {"cpu": "1"}}`)
	for i := range 5 {
		c.attempt(t, plugin, c.waitingPod(t, fmt.Sprint("p", i), "2", 0), node)
		c.clock.Step(time.Millisecond)
	}
	for _, step := range []struct {
		cores float64
		want  int
	}{{59, 0}, {54.5, 0}, {52, 2}, {10, 5}} {
		c.clock.Step(15 * time.Second)
		c.use["n"], c.activated = [amount.NumResources]float64{step.cores, 1 << 30}, nil
		c.model.Poll(t.Context())
		if len(c.activated) != step.want {
			t.Errorf("%v cores used of 56: %v woken, want %d", step.cores, c.activated, step.want)
		}
	}
}
