package input_test

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"path/filepath"
	"strings"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/plimsoll-scheduler/plimsoll/pkg/sim"
	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/input"
	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/input/warning"
	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/policy"
)

// snapshotPod prints a pod as kubectl does.
func snapshotPod(name, owner, node, cpu, phase, more string) string {
	controller := ""
	if owner != "" {
		kind, of, _ := strings.Cut(owner, "/")
		controller = fmt.Sprintf(`"ownerReferences": [{"apiVersion": "apps/v1", "kind": %q, "name": %q, "uid": %q, "controller": true}],`, kind, of, of)
	}
	return fmt.Sprintf(`{"apiVersion": "v1", "kind": "Pod", "metadata": {%s "namespace": "ns", "name": %q, "uid": %q, "labels": {"app": "x"}, "creationTimestamp": "2026-01-01T00:00:00Z"},
  "spec": {"nodeName": %q, "containers": [{"name": "c", "resources": {"requests": {"cpu": %q, "memory": "1Gi"}}}]%s}, "status": {"phase": %q}}`,
		controller, name, name, node, cpu, more, phase)
}

func list(items ...string) string {
	return `{"apiVersion": "v1", "kind": "List", "items": [` + strings.Join(items, ",\n") + "]}\n"
}

func snapshotNode(name string) string {
	return fmt.Sprintf(`{"metadata": {"name": %q}, "status": {"allocatable": {"cpu": "10", "memory": "32Gi", "pods": "110", "nvidia.com/gpu": "4"}, "capacity": {"cpu": "10", "memory": "32Gi"}}}`, name)
}

func snapshotMetrics(name, cpu string) string {
	return fmt.Sprintf(`{"metadata": {"name": %q}, "timestamp": "2026-01-01T00:00:00Z", "window": "15s", "usage": {"cpu": %q, "memory": "8Gi"}}`, name, cpu)
}

func goodSnapshot() map[string]string {
	return map[string]string{
		"nodes.json": list(snapshotNode("a"), snapshotNode("b"), snapshotNode("c")),
		"pods.json": list(
			snapshotPod("web-1", "ReplicaSet/web", "a", "1", "Running", ""),
			snapshotPod("web-2", "ReplicaSet/web", "b", "1", "Running", ""),
			snapshotPod("db-0", "StatefulSet/db", "a", "3", "Running", `, "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "db"}}]`),
			snapshotPod("agent-a", "DaemonSet/agent", "a", "1", "Running", ""),
			snapshotPod("wait", "", "", "2", "Pending", `, "schedulingGates": [{"name": "g"}]`),
			snapshotPod("done", "", "a", "9", "Succeeded", ""),
		),
		"nodemetrics.json": list(snapshotMetrics("a", "5"), snapshotMetrics("b", "3"), snapshotMetrics("c", "2"), snapshotMetrics("gone", "1")),
	}
}

func readSnapshot(t *testing.T, files map[string]string) (*sim.Scenario, error) {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		write(t, dir, name, content)
	}
	m := input.Calm()
	m.FillTime, m.ChurnTime, m.Life = time.Hour, 2*time.Hour, time.Hour
	return input.Snapshot(dir, m, 1, &warning.List{})
}

func TestSnapshotGivesPodsTheUseOfTheirNodes(t *testing.T) {
	s, err := readSnapshot(t, goodSnapshot())
	if err != nil {
		t.Fatal(err)
	}
	use := map[string]float64{}
	fixed := map[string]string{}
	for i := range s.Pods {
		p := &s.Pods[i]
		use[p.Object.Name] = p.Use.Base + p.Use.Scale
		if p.Object.Spec.NodeName != "" {
			fixed[p.Object.Name] = p.Object.Spec.NodeName
		}
		if len(p.Object.Spec.Volumes)+len(p.Object.Spec.SchedulingGates) > 0 {
			t.Errorf("pod %s has volumes %v and gates %v, which nothing here provides", p.Object.Name, p.Object.Spec.Volumes, p.Object.Spec.SchedulingGates)
		}
	}
	// Node a uses 5 cores and its pods request 5; b uses 3, and its pod requests 1.
	for name, want := range map[string]float64{"web-1": 2, "web-2": 2, "db-0": 3, "agent-a": 1, "wait": 2 * 0.55} {
		if math.Abs(use[name]-want) > 1e-9 {
			t.Errorf("%s uses %v cores, want %v", name, use[name], want)
		}
	}
	if _, ok := use["done"]; ok {
		t.Error("a pod that has ended comes again")
	}
	if !maps.Equal(fixed, map[string]string{"agent-a": "a"}) {
		t.Errorf("pods that stay on their nodes: %v, want the DaemonSet's", fixed)
	}
	if got := s.Background["c"].CPU; got != 2 {
		t.Errorf("node c, which has no pods, uses %v cores, want 2", got)
	}
	if len(s.ReplicaSets) != 1 || s.ReplicaSets[0].Name != "web" {
		t.Errorf("ReplicaSets: %v", s.ReplicaSets)
	}
}

func TestSnapshotRuns(t *testing.T) {
	s, err := readSnapshot(t, goodSnapshot())
	if err != nil {
		t.Fatal(err)
	}
	policies, err := policy.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	nodes := map[string]bool{}
	result, err := sim.Run(t.Context(), s, policies, sim.Options{Parallel: 1, Bound: func(_ string, pod *v1.Pod, node string, _ time.Duration) {
		nodes[node] = true
	}})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range result.Policies {
		if p.PodsScheduled < 4 || p.PodsUnscheduled > 0 {
			t.Errorf("%s: %d pods scheduled, %d not", p.Name, p.PodsScheduled, p.PodsUnscheduled)
		}
	}
	if len(nodes) != 3 {
		t.Errorf("pods went to %v, want all three nodes", nodes)
	}
}

func TestPodsWithoutUIDsAreTheirOwnWorkloads(t *testing.T) {
	var warnings warning.List
	s, err := input.Snapshot("testdata/clusters/no-uids.json", input.Calm(), 1, &warnings)
	if err != nil {
		t.Fatal(err)
	}
	uids := map[types.UID]string{}
	for i := range s.Pods {
		pod := s.Pods[i].Object
		if other, shared := uids[pod.UID]; shared || pod.UID == "" {
			t.Fatalf("pods %s and %s have the UID %q", pod.Name, other, pod.UID)
		}
		uids[pod.UID] = pod.Name
		if owner := metav1.GetControllerOf(pod); owner != nil && owner.Kind == "ReplicaSet" && (owner.UID == "" || owner.UID != s.ReplicaSets[0].UID) {
			t.Fatalf("pod %s is of the owner %q, and the ReplicaSet is %q", pod.Name, owner.UID, s.ReplicaSets[0].UID)
		}
	}
	if lines := warnings.Lines(); len(lines) > 0 {
		t.Errorf("there are warnings: %q", lines)
	}
}

func TestReplicasDoNotTakeTheNamesOfPods(t *testing.T) {
	files := goodSnapshot()
	files["pods.json"] = list(snapshotPod("a", "", "a", "1", "Running", ""), snapshotPod("a-again-0", "", "a", "1", "Running", ""), snapshotPod("a-again-1", "", "a", "1", "Running", ""))
	s, err := readSnapshot(t, files)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sim.Run(t.Context(), s, nil, sim.Options{}); err != nil {
		t.Error(err)
	}
}

func TestSnapshotOfNothingToSchedule(t *testing.T) {
	files := goodSnapshot()
	files["pods.json"] = list(snapshotPod("p", "DaemonSet/d", "a", "1", "Running", ""))
	if _, err := readSnapshot(t, files); err == nil || !strings.Contains(err.Error(), "there is nothing to schedule") {
		t.Errorf("the error is %v", err)
	}
}

func TestMissingFilesOfASnapshotAreSaidHowToMake(t *testing.T) {
	for file, want := range map[string]string{
		"nodes.json":       "make nodes by kubectl get nodes -o json > ",
		"pods.json":        "make pods by kubectl get pods --all-namespaces -o json > ",
		"nodemetrics.json": "make readings by kubectl get nodes.metrics.k8s.io -o json > ",
	} {
		files := goodSnapshot()
		delete(files, file)
		if _, err := readSnapshot(t, files); err == nil || !strings.Contains(err.Error(), want) || !strings.HasSuffix(err.Error(), file) {
			t.Errorf("the error of missing %s is %v, want %q in it", file, err, want)
		}
		files[file] = " \n"
		if _, err := readSnapshot(t, files); err == nil || !strings.Contains(err.Error(), file+": the file is empty: make it anew, by kubectl get ") {
			t.Errorf("the error of an empty %s is %v", file, err)
		}
	}
	if _, err := input.Snapshot(filepath.Join(t.TempDir(), "none"), input.Calm(), 1, &warning.List{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the error of a directory that is not there is %v", err)
	}
}
