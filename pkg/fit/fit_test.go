package fit

import (
	"fmt"
	"strings"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	schedconfig "k8s.io/kubernetes/pkg/scheduler/apis/config"

	examples "github.com/plimsoll-scheduler/plimsoll/config"
	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/configfile"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load"
)

var now = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func profile(t *testing.T) *schedconfig.KubeSchedulerProfile {
	t.Helper()
	cfg, err := configfile.Decode(examples.Plimsoll())
	if err != nil {
		t.Fatal(err)
	}
	own, err := Believing(&cfg.Profiles[0])
	if err != nil {
		t.Fatal(err)
	}
	return own
}

// cluster returns nodes of 10 cores and 8 GPUs that use so many cores, each with a pod on
// it, of one core and one GPU, that has run for long.
func cluster(cores ...float64) *Cluster {
	c := &Cluster{Now: now}
	for i, used := range cores {
		name := fmt.Sprint("n", i)
		resources := v1.ResourceList{
			v1.ResourceCPU: resource.MustParse("10"), v1.ResourceMemory: resource.MustParse("100Gi"), v1.ResourcePods: resource.MustParse("110"),
			"nvidia.com/gpu": resource.MustParse("8"),
		}
		c.Nodes = append(c.Nodes, &v1.Node{
			ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(name), Labels: map[string]string{"kubernetes.io/hostname": name}, CreationTimestamp: metav1.NewTime(now.Add(-time.Hour))},
			Status:     v1.NodeStatus{Capacity: resources, Allocatable: resources, Conditions: []v1.NodeCondition{{Type: v1.NodeReady, Status: v1.ConditionTrue}}},
		})
		since := metav1.NewTime(now.Add(-30 * time.Minute))
		running := pod("runs-" + name)
		running.Spec.NodeName, running.UID, running.CreationTimestamp = name, types.UID("runs-"+name), since
		running.Status = v1.PodStatus{Phase: v1.PodRunning, StartTime: &since, ContainerStatuses: []v1.ContainerStatus{
			{Name: "c", State: v1.ContainerState{Running: &v1.ContainerStateRunning{StartedAt: since}}},
		}}
		c.Pods = append(c.Pods, running)
		c.Readings = append(c.Readings, load.Reading{Node: name, Timestamp: now.Add(-5 * time.Second), Window: 15 * time.Second, Usage: [amount.NumResources]float64{used, 1e9}})
	}
	return c
}

func pod(name string) *v1.Pod {
	requests := v1.ResourceList{v1.ResourceCPU: resource.MustParse("1"), v1.ResourceMemory: resource.MustParse("1Gi"), "nvidia.com/gpu": resource.MustParse("1")}
	return &v1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name},
		Spec:       v1.PodSpec{Containers: []v1.Container{{Name: "c", Resources: v1.ResourceRequirements{Requests: requests, Limits: requests}}}},
	}
}

// The line is 85 %: 8.5 cores. With 4 in use four more fit, by CPU; 7 by GPUs.
func TestHowManyFit(t *testing.T) {
	from := cluster(4, 9)
	from.Pods = append(from.Pods, pod("waits"))
	before := from.Nodes[0].DeepCopy()
	a, err := Try(t.Context(), from, &Question{Profile: profile(t), Pod: pod("p"), Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	if a.Fit != 4 || len(a.Nodes) != 1 || a.Nodes[0].Name != "n0" || fmt.Sprint(a.Nodes[0].Order) != "[1 2 3 4]" || a.Limited {
		t.Errorf("%+v, want four on n0", a)
	}
	if a.ByRequests != 14 {
		t.Errorf("%d by requests, want seven on each node, whatever its load", a.ByRequests)
	}
	if !strings.Contains(a.Blocked, "2 node(s) over the cpu load line") || strings.Contains(a.Blocked, "preemption") || a.Reasons["node(s) over the cpu load line"] != 2 {
		t.Errorf("%q %v", a.Blocked, a.Reasons)
	}
	if a.Estimate.CPU != 1 || a.Estimate.Memory != 1<<30 || a.Waiting != 1 {
		t.Errorf("%+v", a)
	}
	if before.String() != from.Nodes[0].String() {
		t.Error("the copy shares a node with the original")
	}
}

func TestLimit(t *testing.T) {
	a, err := Try(t.Context(), cluster(0, 0), &Question{Profile: profile(t), Pod: pod("p"), Limit: 3})
	if err != nil || a.Fit != 3 || !a.Limited || a.Blocked != "" {
		t.Errorf("%+v %v", a, err)
	}
}

// What the pod says that it will use counts in full: the caller has made it say what counts.
func TestTheAnnotationIsBelieved(t *testing.T) {
	p := pod("p")
	p.Annotations = map[string]string{"plimsoll.io/estimate": `{"cpu": "10m"}`}
	a, err := Try(t.Context(), cluster(4), &Question{Profile: profile(t), Pod: p, Limit: 100})
	if err != nil || a.Fit != 7 || a.ByRequests != 7 || a.Estimate.CPU != 0.01 {
		t.Errorf("%+v %v, want all seven GPUs taken", a, err)
	}
}

// A node without a sample is judged by requests, as one is that has just joined.
func TestNodesWithoutSamples(t *testing.T) {
	from := cluster(9)
	from.Readings = nil
	a, err := Try(t.Context(), from, &Question{Profile: profile(t), Pod: pod("p"), Limit: 100})
	if err != nil || a.Fit != 7 {
		t.Errorf("%+v %v, want seven", a, err)
	}
}

func TestBelievingKeepsAllElse(t *testing.T) {
	for name, content := range map[string]string{
		"with arguments":   "pluginConfig: [{name: NodeLoad, args: {filter: {thresholds: {cpu: 50}}, overrides: {whenUnsatisfiable: Ignore}}}]",
		"without":          "",
		"without NodeLoad": "plugins: {multiPoint: {enabled: [{name: DeviceFit}]}}",
	} {
		if !strings.Contains(content, "plugins:") {
			content = "plugins: {multiPoint: {enabled: [{name: NodeLoad}]}}\n  " + content
		}
		cfg, err := configfile.Decode([]byte("apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\nprofiles:\n- schedulerName: p\n  " + content + "\n"))
		if err != nil {
			t.Fatal(err)
		}
		own, err := Believing(&cfg.Profiles[0])
		if err != nil {
			t.Fatal(err)
		}
		cfg.Profiles[0] = *own
		cfg.LeaderElection.LeaderElect = false
		profiles, faults := configfile.Check(cfg, nil)
		if len(faults) > 0 {
			t.Fatalf("%s: %v", name, faults)
		}
		args := profiles["p"]
		if (args == nil) != (name == "without NodeLoad") {
			t.Fatalf("%s: %+v", name, args)
		}
		if args != nil && (args.Overrides.WhenUnsatisfiable != "Allow" || args.Overrides.Estimate.MinPercent["cpu"] != 0 ||
			name == "with arguments" && args.Filter.Thresholds["cpu"] != 50) {
			t.Errorf("%s: %+v", name, args)
		}
	}
}
