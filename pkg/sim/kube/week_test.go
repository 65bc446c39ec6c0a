package kube_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	schedconfig "k8s.io/kubernetes/pkg/scheduler/apis/config"

	"github.com/plimsoll-scheduler/plimsoll/pkg/explain"
	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/kube"
	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/policy"
)

// strictConfig has both plugins make pods wait.
const strictConfig = `apiVersion: kubescheduler.config.k8s.io/v1
kind: KubeSchedulerConfiguration
profiles:
- schedulerName: strict
  plugins: {multiPoint: {enabled: [{name: NodeLoad}, {name: DeviceFit}]}}
  pluginConfig:
  - {name: NodeLoad, args: {source: {interval: 1m, timeout: 10s}, expiration: 5m, window: 5m, filter: {thresholds: {cpu: 75}}}}
  - {name: DeviceFit, args: {headroomPerDevice: {cpu: "2"}}}
`

// jobs is a cluster with a node for each way to wait, to which Jobs come.
type jobs struct {
	*fixture
	decisions *explain.Log
	made      int
	present   []types.NamespacedName // oldest first
	waited    map[string]bool        // plugins that have made pods wait
}

func newJobs(t *testing.T) *jobs {
	file := filepath.Join(t.TempDir(), "strict.yaml")
	if err := os.WriteFile(file, []byte(strictConfig), 0o600); err != nil {
		t.Fatal(err)
	}
	policies, err := policy.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	j := &jobs{waited: map[string]bool{}}
	j.fixture = newFixture(t, func(o *kube.Options) {
		j.decisions = explain.NewLog(o.Clock)
		o.Profiles, o.Decisions = []schedconfig.KubeSchedulerProfile{*policies[0].Profile}, j.decisions
		o.Event = nil // decisions are told by another goroutine
	})
	go j.decisions.Run(t.Context())
	j.addNode("cool", 10, 1)
	j.addNode("hot", 10, 9)
	devices := node("devices", 10)
	for _, list := range []v1.ResourceList{devices.Status.Capacity, devices.Status.Allocatable} {
		list["nvidia.com/gpu"] = resource.MustParse("8") // more than there is headroom for
	}
	j.must(j.AddNode(devices))
	j.usage.cores["devices"] = 1
	return j
}

// create has a Job come, of one pod. There is room for some of them.
func (j *jobs) create() {
	j.made++
	p := pod(fmt.Sprintf("job-%d-x", j.made), []string{"1", "2", "4"}[j.made%3])
	p.OwnerReferences = []metav1.OwnerReference{{Kind: "Job", Name: fmt.Sprintf("job-%d", j.made), UID: types.UID(fmt.Sprint(j.made)), Controller: new(true)}}
	j.must(j.AddPod(p))
	j.present = append(j.present, nameOf(p.Name))
}

// tryAll has all pods tried that are to be tried.
func (j *jobs) tryAll() {
	for j.HasWork() {
		decision := j.schedule()
		for _, status := range decision.Rejections() {
			j.waited[status.Plugin()] = true
		}
		if decision.Node == "" {
			continue
		}
		bound, err := j.Pod(decision.Pod)
		j.must(err)
		started := bound.DeepCopy()
		started.Status.Phase = v1.PodRunning
		started.Status.ContainerStatuses = []v1.ContainerStatus{{
			Name: started.Spec.Containers[0].Name, State: v1.ContainerState{Running: &v1.ContainerStateRunning{StartedAt: metav1.NewTime(j.clock.Now())}},
		}}
		j.must(j.UpdatePod(started))
	}
}

// remembered returns how many pods each plugin remembers.
func (j *jobs) remembered() map[string]int {
	all := map[string]int{}
	for _, name := range []string{"NodeLoad", "DeviceFit"} {
		plugin, ok := j.Plugin("strict", name)
		if !ok {
			j.t.Fatalf("there is no plugin %s", name)
		}
		all[name] = plugin.(interface{ Remembered() int }).Remembered()
	}
	return all
}

// Plugins remember pods that wait. Jobs that come, wait in vain or run, and go, for a
// week, leave none behind, and of the decisions the newest.
func TestAWeekOfWaitingJobsLeavesNothingBehind(t *testing.T) {
	const (
		total   = 1000
		present = 16
		step    = 7 * 24 * time.Hour / total
	)
	j := newJobs(t)
	for j.made < total {
		j.create()
		for len(j.present) > present {
			gone := j.present[0]
			j.present = j.present[1:]
			j.must(j.DeletePod(gone))
		}
		j.clock.Step(step)
		j.Poll(t.Context())
		j.Flush()
		j.tryAll()
		for name, remembered := range j.remembered() {
			if remembered > present+1 {
				t.Fatalf("after %d Jobs %s remembers %d pods, and there are %d", j.made, name, remembered, len(j.present))
			}
		}
	}
	if !j.waited["NodeLoad"] || !j.waited["DeviceFit"] {
		t.Errorf("only %v have made pods wait", j.waited)
	}
	// One of each pod that was there within the last hour.
	j.must(wait.PollUntilContextTimeout(t.Context(), time.Millisecond, time.Minute, true, func(context.Context) (bool, error) {
		kept, _ := j.decisions.All() // they are taken in by a goroutine
		return len(kept) > 0, nil
	}))
	if kept, _ := j.decisions.All(); len(kept) > present+int(time.Hour/step)+1 {
		t.Errorf("%d decisions are kept", len(kept))
	}

	for _, gone := range j.present {
		j.must(j.DeletePod(gone))
	}
	j.clock.Step(2 * time.Hour) // decisions are kept for one
	j.Poll(t.Context())
	for name, remembered := range j.remembered() {
		if remembered > 0 {
			t.Errorf("%s remembers %d pods, and there are none", name, remembered)
		}
	}
	if kept, _ := j.decisions.All(); len(kept) > 0 {
		t.Errorf("%d decisions are kept of two hours ago", len(kept))
	}
	for _, name := range []string{"cool", "hot", "devices"} {
		if pods := j.Model().PodsOn(name); len(pods) > 0 {
			t.Errorf("the model has pods on %s: %+v", name, pods)
		}
	}
}
