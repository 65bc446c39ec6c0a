package status

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework"
	testingclock "k8s.io/utils/clock/testing"
	"k8s.io/utils/ptr"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/device"
	"github.com/plimsoll-scheduler/plimsoll/pkg/line"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load"
)

const gpu = "nvidia.com/gpu"

// fixed is a source that says that each node of these names uses so many cores.
type fixed struct {
	now   *testingclock.FakeClock
	cores map[string]float64
}

func (f fixed) Poll(context.Context) (readings []load.Reading, err error) {
	for node, cores := range f.cores {
		readings = append(readings, load.Reading{Node: node, Timestamp: f.now.Now(), Window: 15 * time.Second, Usage: [amount.NumResources]float64{cores, 1e9}})
	}
	return readings, nil
}

// PollPods says that each pod uses 3 cores.
func (f fixed) PollPods(_ context.Context, pods []types.NamespacedName) (readings []load.PodReading, err error) {
	for _, name := range pods {
		readings = append(readings, load.PodReading{Pod: name, Reading: load.Reading{
			Timestamp: f.now.Now(), Window: 15 * time.Second, Usage: [amount.NumResources]float64{3, 1e9},
		}})
	}
	return readings, nil
}

// plugin is a Reporter that says that all is over the line on a node, and has devices.
type plugin struct{ over string }

func (p plugin) Report(*load.View) NodeReporter {
	return func(to *Node, node *load.Node, _ fwk.NodeInfo) {
		if node != nil && node.Name == p.over {
			to.Over = "cpu"
		}
		to.Devices = append(to.Devices, Devices{Resource: gpu, Allocatable: 8, Used: 3, Free: 5, Fragmented: 0.5, Stranded: 1, Starved: 2})
	}
}

func (plugin) Resources() []device.Resource {
	return []device.Resource{
		{Name: "a.example.com/kvm", Verdict: device.Counter, Reason: "many", Nodes: 2, Most: 1000},
		{Name: gpu, Verdict: device.Device, Reason: "its name", Nodes: 2, Most: 8},
	}
}

func (plugin) PodDevices(fwk.PodInfo) []device.Request {
	return []device.Request{{Name: gpu, Count: 2}}
}

// newServer returns a server of a cluster of two nodes, of which the second has no sample,
// with a pod on the first.
func newServer(t *testing.T) *Server {
	t.Helper()
	now := testingclock.NewFakeClock(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	config := load.Config{Clock: now, Interval: 15 * time.Second, Expiration: time.Minute, Learn: true}
	config.Estimator.Factors = amount.Vector{100, 100}
	model := load.NewModel(config, fixed{now, map[string]float64{"a": 5}})
	running := metav1.NewTime(now.Now().Add(-time.Hour))
	pod := &v1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "default", Name: "p", UID: "p", CreationTimestamp: running,
			OwnerReferences: []metav1.OwnerReference{{Kind: "StatefulSet", Name: "set", Controller: ptr.To(true)}},
		},
		Spec: v1.PodSpec{NodeName: "a", Containers: []v1.Container{{Name: "c", Resources: v1.ResourceRequirements{
			Requests: v1.ResourceList{v1.ResourceCPU: resource.MustParse("2"), v1.ResourceMemory: resource.MustParse("1Gi")},
		}}}},
		Status: v1.PodStatus{Phase: v1.PodRunning, StartTime: &running, ContainerStatuses: []v1.ContainerStatus{
			{Name: "c", State: v1.ContainerState{Running: &v1.ContainerStateRunning{StartedAt: running}}},
		}},
	}
	var infos []fwk.NodeInfo
	for _, name := range []string{"b", "a"} {
		allocatable := v1.ResourceList{v1.ResourceCPU: resource.MustParse("10"), v1.ResourceMemory: resource.MustParse("100Gi")}
		node := &v1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(name)}, Status: v1.NodeStatus{Allocatable: allocatable}}
		node.Spec.Unschedulable = name == "b"
		model.SetNode(name, amount.FromList(allocatable), line.Own{})
		info := framework.NewNodeInfo()
		if name == "a" {
			info = framework.NewNodeInfo(pod)
		}
		info.SetNode(node)
		infos = append(infos, info)
	}
	model.SetPod(pod)
	model.Poll(t.Context())
	now.Step(10 * time.Second)
	reporters := &Reporters{}
	reporters.Add("plimsoll", plugin{over: "a"})
	reporters.Add("batch", plugin{})
	return &Server{
		Version: "v1", Configuration: []byte("kind: X\n"), Reporters: reporters, Model: func() *load.Model { return model },
		Snapshot: func() ([]fwk.NodeInfo, error) { return infos, nil },
	}
}

func get(t *testing.T, s *Server, method, target string, into any) (code int, body string) {
	t.Helper()
	mux := http.NewServeMux()
	s.Install(mux)
	recorder := httptest.NewRecorder()
	mux.ServeHTTP(recorder, httptest.NewRequest(method, target, http.NoBody))
	body = recorder.Body.String()
	if into != nil {
		if err := json.Unmarshal([]byte(body), into); err != nil {
			t.Fatalf("%v: %s", err, body)
		}
	}
	return recorder.Code, body
}

func TestNodes(t *testing.T) {
	var nodes Nodes
	if code, body := get(t, newServer(t), http.MethodGet, NodesPath+"?profile=plimsoll", &nodes); code != http.StatusOK {
		t.Fatalf("%d: %s", code, body)
	}
	if nodes.Version != "v1" || nodes.Profile != "plimsoll" || !slices.Equal(nodes.Profiles, []string{"batch", "plimsoll"}) || len(nodes.Nodes) != 2 {
		t.Fatalf("%+v", nodes)
	}
	a, b := &nodes.Nodes[0], &nodes.Nodes[1]
	if a.Name != "a" || a.State != "Fresh" || a.SampleAgeSeconds == nil || *a.SampleAgeSeconds != 10 || a.Over != "cpu" || a.Pods != 1 || a.Unschedulable {
		t.Errorf("%+v", a)
	}
	if a.CPU.Allocatable != 10 || a.CPU.Requested != 2 || a.Memory.Requested != 1<<30 || len(a.Devices) != 1 {
		t.Errorf("%+v", a)
	}
	if b.Name != "b" || b.State != "Missing" || b.SampleAgeSeconds != nil || b.Over != "" || !b.Unschedulable || b.CPU.Use != nil {
		t.Errorf("%+v", b)
	}
}

func TestPods(t *testing.T) {
	for query, want := range map[string]int{"": 1, "?node=a": 1, "?node=b": 0, "?namespace=default": 1, "?namespace=other": 0} {
		var pods Pods
		get(t, newServer(t), http.MethodGet, PodsPath+query, &pods)
		if len(pods.Pods) != want {
			t.Errorf("%s: %+v, want %d", query, pods.Pods, want)
			continue
		}
		if want == 1 {
			p := &pods.Pods[0]
			if p.Namespace != "default" || p.Name != "p" || p.Node != "a" || p.Phase != "Measured" || p.CPU.Requested != 2 || p.Devices[gpu] != 2 {
				t.Errorf("%+v", p)
			}
		}
	}
}

func TestWorkloads(t *testing.T) {
	var all Workloads
	get(t, newServer(t), http.MethodGet, WorkloadsPath, &all)
	if len(all.Workloads) != 1 {
		t.Fatalf("%+v", all)
	}
	w := &all.Workloads[0]
	if w.Namespace != "default" || w.Kind != "StatefulSet" || w.Name != "set" || w.Containers != "c" || w.Pods != 1 {
		t.Errorf("%+v", w)
	}
	// Of 15 s of samples and 5 s of doubt, more use than requested counts three quarters.
	if cpu := w.CPU; cpu.Requested != 2 || cpu.Seconds != 15 || cpu.Mean != 3 || cpu.Deviation != 0 || cpu.Estimate != 2.75 || cpu.Error != 0.25 {
		t.Errorf("%+v", w)
	}
}

func TestDevices(t *testing.T) {
	var all DeviceKinds
	get(t, newServer(t), http.MethodGet, DevicesPath, &all)
	if len(all.Kinds) != 2 {
		t.Fatalf("%+v", all)
	}
	first, second := &all.Kinds[0], &all.Kinds[1]
	if first.Resource != gpu || first.Verdict != "device" || first.Reason != "its name" || first.Allocatable != 16 || first.Used != 6 || first.Free != 10 ||
		math.Abs(first.Fragmented-1) > 1e-9 || first.Stranded != 2 || first.Starved != 4 || first.Nodes != 2 || first.Most != 8 {
		t.Errorf("%+v", first)
	}
	if second.Verdict != "counter" || second.Allocatable != 0 || second.Most != 1000 {
		t.Errorf("%+v: devices come first, and counters have no numbers", second)
	}
}

func TestProfileAndConfiguration(t *testing.T) {
	var header Header
	get(t, newServer(t), http.MethodGet, ProfilePath, &header)
	if header.Profile != "batch" || len(header.Profiles) != 2 {
		t.Errorf("%+v, want the first in order", header)
	}
	if code, body := get(t, newServer(t), http.MethodGet, ConfigurationPath, nil); code != http.StatusOK || body != "kind: X\n" {
		t.Errorf("%d: %s", code, body)
	}
	without := newServer(t)
	without.Configuration = nil
	if code, body := get(t, without, http.MethodGet, ConfigurationPath, nil); code != http.StatusNotFound || !strings.Contains(body, "without a configuration file") {
		t.Errorf("%d: %s", code, body)
	}
}

func TestBadRequests(t *testing.T) {
	broken := newServer(t)
	broken.Snapshot = func() ([]fwk.NodeInfo, error) { return nil, errors.New("cannot") }
	starting := newServer(t)
	starting.Model = func() *load.Model { return nil }
	empty := newServer(t)
	empty.Reporters = &Reporters{}
	for name, test := range map[string]struct {
		server         *Server
		method, target string
		code           int
		want           string
	}{
		"a method that writes":    {newServer(t), http.MethodPost, NodesPath, http.StatusMethodNotAllowed, "use GET"},
		"an unknown parameter":    {newServer(t), http.MethodGet, NodesPath + "?node=a", http.StatusBadRequest, `unknown parameter \"node\": known here are profile`},
		"an unknown profile":      {newServer(t), http.MethodGet, PodsPath + "?profile=x", http.StatusNotFound, `profile \"x\": there is none`},
		"no profile":              {empty, http.MethodGet, DevicesPath, http.StatusNotFound, "no profile has one of Plimsoll's plugins"},
		"no model yet":            {starting, http.MethodGet, WorkloadsPath, http.StatusServiceUnavailable, "is starting"},
		"no snapshot":             {broken, http.MethodGet, DevicesPath, http.StatusInternalServerError, "cannot"},
		"writes to configuration": {newServer(t), http.MethodPost, ConfigurationPath, http.StatusMethodNotAllowed, ""},
	} {
		if code, body := get(t, test.server, test.method, test.target, nil); code != test.code || !strings.Contains(body, test.want) {
			t.Errorf("%s: %d %s, want %d and %s", name, code, body, test.code, test.want)
		}
	}
}

func TestNobodyAsks(*testing.T) {
	var none *Reporters
	none.Add("plimsoll", plugin{}) // as in the simulator
}
