package devicefit

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
	toolscache "k8s.io/client-go/tools/cache"
	fwk "k8s.io/kube-scheduler/framework"
	st "k8s.io/kubernetes/pkg/scheduler/testing"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/apis/config"
	"github.com/plimsoll-scheduler/plimsoll/pkg/device"
	"github.com/plimsoll-scheduler/plimsoll/pkg/line"
)

// measure tells the model of the node, and how many cores are used there; no
// sample is of it if that is below 0.
func (c *cluster) measure(node fwk.NodeInfo, cores float64) fwk.NodeInfo {
	name := node.Node().Name
	c.model.SetNode(name, amount.FromList(node.Node().Status.Allocatable), line.Own{})
	if cores >= 0 {
		c.use[name] = [amount.NumResources]float64{cores, 1 << 30}
	}
	return node
}

// ranked returns the names of the nodes by falling score; "=" is between those
// that score the same, which are in the order of their names.
func ranked(scores map[string]int64) string {
	names := slices.SortedFunc(maps.Keys(scores), func(a, b string) int {
		return cmp.Or(cmp.Compare(scores[b], scores[a]), cmp.Compare(a, b))
	})
	var text strings.Builder
	for i, name := range names {
		if i > 0 && scores[name] == scores[names[i-1]] {
			text.WriteString(" = ")
		} else if i > 0 {
			text.WriteString(" > ")
		}
		text.WriteString(name)
	}
	return text.String()
}

// pods with devices of the shape, seen so often that nothing else counts.
func (pl *DeviceFit) learnOnly(c *cluster, pod *v1.Pod) {
	pod.CreationTimestamp = metav1.NewTime(c.clock.Now())
	for range 10_000 {
		pl.observe(pod)
	}
	c.clock.Step(time.Second)
}

func (pl *DeviceFit) scores(t *testing.T, pod *v1.Pod, nodes []fwk.NodeInfo) map[string]int64 {
	t.Helper()
	c, scores := pl.newCycle(pod), map[string]int64{}
	for _, node := range nodes {
		left := pl.left(c, node, nil)
		scores[node.Node().Name], _ = pl.score(c, &left)
	}
	return scores
}

// How nodes of 64 cores and 8 GPUs rank, where pods with 4 GPUs and 16 cores are
// typical.
func TestNodesRankByWhatStaysOfUse(t *testing.T) {
	typical := st.MakePod().Req(resources{gpu: "4", "cpu": "16"}).Obj()
	gpus := func(n string) resources { return resources{gpu: n} }
	type node struct {
		name     string
		cores    float64
		requests resources
	}
	tests := []struct {
		name, strategy string
		pod            resources
		nodes          []node
		want           string
	}{
		{
			name: "one device where that leaves four, not on the fuller node", pod: gpus("1"),
			nodes: []node{{"four free", 1, gpus("4")}, {"five free", 1, gpus("3")}}, want: "five free > four free",
		},
		{
			name: "MostAllocated breaks up the four", strategy: "MostAllocated", pod: gpus("1"),
			nodes: []node{{"four free", 1, gpus("4")}, {"five free", 1, gpus("3")}}, want: "four free > five free",
		},
		{
			name: "LeastAllocated breaks up a whole node", strategy: "LeastAllocated", pod: gpus("1"),
			nodes: []node{{"whole", 1, nil}, {"five free", 1, gpus("3")}}, want: "whole > five free",
		},
		{
			name: "devices of no use to others are used up first", pod: gpus("2"),
			nodes: []node{{"whole", 1, nil}, {"three free", 1, gpus("5")}, {"four free", 1, gpus("4")}}, want: "three free > whole > four free",
		},
		{
			name: "CPU requests that strand devices", pod: resources{gpu: "4", "cpu": "33"},
			nodes: []node{{"enough after it", 1, resources{"cpu": "15"}}, {"too little after it", 1, resources{"cpu": "16"}}},
			want:  "enough after it > too little after it",
		},
		{
			name: "live load that strands devices", pod: resources{gpu: "4", "cpu": "33"},
			nodes: []node{{"enough after it", 15, nil}, {"too little after it", 15.1, nil}}, want: "enough after it > too little after it",
		},
		{
			name: "a pod without devices strands them, too", pod: resources{"cpu": "8"},
			nodes: []node{{"enough after it", 39, nil}, {"too little after it", 41, nil}, {"none free", 55, gpus("8")}},
			want:  "none free > enough after it > too little after it",
		},
		{
			name: "a node too loaded for the pod itself is last", pod: resources{gpu: "4", "cpu": "20"},
			nodes: []node{{"hot", 44.1, nil}, {"cool", 28, nil}}, want: "cool > hot",
		},
		{
			name: "CPU that strands devices, and none of it known", pod: resources{gpu: "4", "cpu": "33"},
			nodes: []node{{"idle", -1, nil}, {"requested", -1, resources{"cpu": "16"}}}, want: "idle > requested",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := newCluster()
			pl := pluginOf(t, c, fmt.Sprintf(`{"strategy": %q}`, cmp.Or(tt.strategy, "LeastFragmentation")))
			pl.learnOnly(c, typical.DeepCopy())
			var nodes []fwk.NodeInfo
			for _, n := range tt.nodes {
				nodes = append(nodes, c.addNode(t, n.name, n.cores, n.requests))
			}
			c.model.Poll(t.Context())
			scores := pl.scores(t, st.MakePod().Req(tt.pod).Obj(), nodes)
			if got := ranked(scores); got != tt.want {
				t.Errorf("%s (%v), want %s", got, scores, tt.want)
			}
			if hot, ok := scores["hot"]; ok && hot != 0 {
				t.Errorf("the hot node scores %d, want 0", hot)
			}
		})
	}
}

// The headroom ends at NodeLoad's line, and at the node's own if it has one.
// Samples that are far too old count for nothing.
func TestTheLineThatHeadroomEndsAt(t *testing.T) {
	c := newCluster()
	c.nodeLoad = config.DefaultNodeLoadArgs()
	c.nodeLoad.Filter.Thresholds["cpu"] = 75 // of 64 cores: 48
	const own = `{"cpu": 50}`                // 32
	nodes := []fwk.NodeInfo{newNode(t, "own line", resources{gpu: "8", "cpu": "64", "memory": "256Gi"})}
	nodes[0].Node().Annotations = map[string]string{config.ThresholdsAnnotation: own}
	client := fake.NewClientset(nodes[0].Node())
	factory := informers.NewSharedInformerFactory(client, 0)
	synced, err := c.model.Watch(factory)
	if err != nil {
		t.Fatal(err)
	}
	factory.Start(t.Context().Done())
	if !toolscache.WaitForCacheSync(t.Context().Done(), synced...) {
		t.Fatal("the model has not taken in the node")
	}
	c.use["own line"] = [amount.NumResources]float64{30, 1 << 30}
	nodes = append(nodes, c.addNode(t, "general line", 30))
	c.model.Poll(t.Context())
	pl := pluginOf(t, c, `{}`)
	if pl.rule.Percent != (amount.Vector{75, 85}) {
		t.Fatalf("the line is at %v percent, want NodeLoad's", pl.rule.Percent)
	}
	feeds := func(cores string) map[string]bool {
		fed := map[string]bool{}
		for name, score := range pl.scores(t, st.MakePod().Req(resources{gpu: "8", "cpu": cores}).Obj(), nodes) {
			fed[name] = score > 0
		}
		return fed
	}
	for cores, want := range map[string]map[string]bool{
		"2":      {"own line": true, "general line": true},
		"2001m":  {"own line": false, "general line": true},
		"18":     {"own line": false, "general line": true},
		"18001m": {"own line": false, "general line": false},
	} {
		if got := feeds(cores); !maps.Equal(got, want) {
			t.Errorf("a pod of %s cores on nodes with 30 in use: fed %v, want %v", cores, got, want)
		}
	}
	c.clock.Step(90 * time.Second)
	if got := feeds("18001m"); got["general line"] {
		t.Error("a sample that is just recent does not count")
	}
	c.clock.Step(time.Minute)
	if got := feeds("18001m"); got["general line"] {
		t.Error("a node feeds more because it is not measured any more")
	}
	pl.ignoresStale = true
	if got := feeds("60"); !got["general line"] {
		t.Error("with stalePolicy Ignore, what was measured before limits what the node feeds")
	}
	pl.ignoresStale = false
	c.clock.Step(time.Hour)
	if got := feeds("60"); !got["own line"] || !got["general line"] {
		t.Errorf("stale samples still limit what the nodes feed: %v", got)
	}
}

func TestSeveralKindsOfDevices(t *testing.T) {
	capacity := resources{gpu: "8", nic: "4", "cpu": "64", "memory": "256Gi"}
	for _, tt := range []struct {
		name, args string
		pod        resources
		want       string
	}{
		{
			name: "the last NIC beside free GPUs is left to pods that need both", args: `{}`, pod: resources{nic: "1"},
			want: "GPUs all in use > one NIC left",
		},
		{
			name: "MostAllocated: the node with fewer NICs", args: `{"strategy": "MostAllocated"}`, pod: resources{gpu: "1", nic: "1"},
			want: "GPUs all in use > one NIC left", // 100 and 25 percent; 12.5 and 100
		},
		{
			name: "MostAllocated: NICs do not count", args: `{"strategy": "MostAllocated", "weights": {"rdma/hca": 0}}`, pod: resources{gpu: "1", nic: "1"},
			want: "GPUs all in use > one NIC left",
		},
		{
			name: "MostAllocated: NICs count most", args: `{"strategy": "MostAllocated", "weights": {"rdma/hca": 10}}`, pod: resources{gpu: "1", nic: "1"},
			want: "one NIC left > GPUs all in use",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newCluster()
			pl := pluginOf(t, c, tt.args)
			pl.learnOnly(c, st.MakePod().Req(resources{gpu: "1", nic: "1"}).Obj())
			nodes := []fwk.NodeInfo{
				c.measure(newNode(t, "one NIC left", capacity, resources{nic: "3"}), 1),
				c.measure(newNode(t, "GPUs all in use", capacity, resources{gpu: "8"}), 1),
			}
			c.model.Poll(t.Context())
			scores := pl.scores(t, st.MakePod().Req(tt.pod).Obj(), nodes)
			if got := ranked(scores); got != tt.want {
				t.Errorf("%s (%v), want %s", got, scores, tt.want)
			}
		})
	}
}

// What does not count in the strategy leaves the rating where it is.
func TestKindsThatDoNotCount(t *testing.T) {
	capacity := resources{gpu: "8", nic: "4", "cpu": "64", "memory": "256Gi"}
	for args, counts := range map[string]bool{`{}`: true, `{"weights": {"rdma/hca": 0}}`: false} {
		c := newCluster()
		pl := pluginOf(t, c, args)
		pl.learnOnly(c, st.MakePod().Req(resources{nic: "4"}).Obj()) // all of a node's, so that one breaks them up
		nodes := []fwk.NodeInfo{newNode(t, "whole", capacity), newNode(t, "in use", capacity, resources{nic: "1"})}
		scores := pl.scores(t, st.MakePod().Req(resources{nic: "1"}).Obj(), nodes)
		if differ := scores["in use"]-scores["whole"] > 2*headroomScore; differ != counts {
			t.Errorf("%s: %v", args, scores)
		}
	}
}

// A slice of a GPU is a device of its own kind: whole ones are no stand-in, and
// what is learned of either says nothing of the other.
func TestSlicesOfDevicesAreOfTheirOwnKind(t *testing.T) {
	c := newCluster()
	pl := pluginOf(t, c, `{}`)
	pl.learnOnly(c, st.MakePod().Req(resources{gpu: "8"}).Obj())
	capacity := resources{gpu: "4", mig: "7", "cpu": "64", "memory": "256Gi"}
	nodes := []fwk.NodeInfo{
		newNode(t, "whole GPUs only", resources{gpu: "8", "cpu": "64", "memory": "256Gi"}),
		newNode(t, "one slice free", capacity, resources{mig: "6"}),
		newNode(t, "all slices free", capacity),
	}
	scores := pl.scores(t, st.MakePod().Req(resources{mig: "1"}).Obj(), nodes)
	if got, want := ranked(scores), "one slice free > all slices free > whole GPUs only"; got != want || scores["whole GPUs only"] != 0 {
		t.Errorf("%s (%v), want %s", got, scores, want)
	}
}

// Devices come and go: a device plugin that restarts reports none for a while,
// and one that finds a fault reports fewer than there are.
func TestDevicesThatAreNotThere(t *testing.T) {
	pl := pluginOf(t, newCluster(), `{}`)
	capacity := resources{gpu: "8", "cpu": "64", "memory": "256Gi"}
	allocatable := func(name, gpus string, requests ...resources) fwk.NodeInfo {
		node := newNode(t, name, resources{gpu: gpus, "cpu": "64", "memory": "256Gi"}, requests...)
		node.Node().Status.Capacity = st.MakeNode().Capacity(capacity).Obj().Status.Capacity
		return node
	}
	nodes := []fwk.NodeInfo{
		allocatable("restarting", "0", resources{gpu: "2"}),
		allocatable("six of eight work, all in use", "6", resources{gpu: "6"}),
		allocatable("fewer work than are in use", "6", resources{gpu: "8"}),
		allocatable("six of eight work", "6", resources{gpu: "4"}),
	}
	plain := pl.scores(t, st.MakePod().Req(resources{"cpu": "1"}).Obj(), nodes)
	for name, score := range plain {
		if free := name == "six of eight work"; free != (score <= 50) || !free && score != 100 {
			t.Errorf("node %q scores %d for a pod without devices", name, score)
		}
	}
	with := pl.scores(t, st.MakePod().Req(resources{gpu: "2"}).Obj(), nodes)
	if with["restarting"] != 0 || with["six of eight work"] == 0 {
		t.Errorf("scores for a pod with two: %v", with)
	}
}

// Absurd counts in the statuses of nodes must not stop scheduling, as a score
// out of range does.
func TestAbsurdCounts(t *testing.T) {
	const most = "9223372036854775807"
	for _, strategy := range []string{"LeastFragmentation", "MostAllocated", "LeastAllocated"} {
		profile := mustProfile(t, fmt.Sprintf(`{"strategy": %q}`, strategy))
		nodes := []fwk.NodeInfo{
			newNode(t, "a", resources{gpu: most, nic: most, "cpu": most, "memory": most}),
			newNode(t, "b", resources{gpu: most, nic: most}, resources{gpu: most, nic: "5"}),
			newNode(t, "c", resources{gpu: "8", "cpu": "0"}, resources{gpu: "3", "cpu": most}),
		}
		for _, pod := range []resources{{"cpu": "1"}, {gpu: "1"}, {gpu: most, "cpu": most}, {gpu: "1", nic: most}} {
			scores(t, profile, st.MakePod().Req(pod).Obj(), nodes...) // fails if the framework does not take them
		}
	}
	c := newCluster()
	node := c.measure(newNode(t, "a", resources{gpu: most, nic: most, "cpu": "64"}), 1)
	c.model.Poll(t.Context())
	if got := c.attempt(t, pluginOf(t, c, onePerDevice), st.MakePod().Req(resources{"cpu": "1"}).Obj(), node); len(got) != 1 {
		t.Error("a pod without devices is let onto a node with more free devices than can be counted")
	}
}

// More kinds of devices on a node than are expected cost memory, and nothing else.
func TestManyKindsOfDevices(t *testing.T) {
	capacity, request := resources{"cpu": "64", "memory": "256Gi"}, resources{}
	for i := range 3 * device.UsualKinds {
		capacity[v1.ResourceName(fmt.Sprintf("example.org/kind-%02d", i))] = "2"
		request[v1.ResourceName(fmt.Sprintf("example.org/kind-%02d", i))] = "1"
	}
	node := newNode(t, "node", capacity)
	pl := pluginOf(t, newCluster(), `{}`)
	var buffer [device.UsualKinds]device.Stock
	left := pl.left(pl.newCycle(st.MakePod().Req(request).Obj()), node, buffer[:0])
	if len(left.Devices) != 3*device.UsualKinds || left.free != 6*device.UsualKinds {
		t.Errorf("%d kinds, %d free: %v", len(left.Devices), left.free, left.Devices)
	}
}
