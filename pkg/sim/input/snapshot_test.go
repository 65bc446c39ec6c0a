package input_test

import (
	"fmt"
	"maps"
	"math"
	"strings"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"

	"github.com/plimsoll-scheduler/plimsoll/pkg/sim"
	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/input"
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
	return input.Snapshot(dir, m, 1)
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

func TestFaultySnapshots(t *testing.T) {
	for name, test := range map[string]struct{ file, content, want string }{
		"cut":                    {"nodes.json", "{\n\"items\": [\n{\"metadata\": {", "nodes.json:3: "},
		"not JSON":               {"pods.json", "NAME READY\n", "pods.json:1: "},
		"a wrong type":           {"pods.json", "{\"items\": [\n{\"metadata\": {\"name\": 5}}]}", "pods.json:2: "},
		"a broken quantity":      {"nodemetrics.json", `{"items": [{"metadata": {"name": "a"}, "usage": {"cpu": "many"}}]}`, "nodemetrics.json:"},
		"an empty cluster":       {"nodes.json", list(), "nodes.json: there are no nodes in it"},
		"a node without a name":  {"nodes.json", list(`{"metadata": {}}`), `nodes.json: items[0].metadata.name is ""`},
		"no pods":                {"pods.json", list(), "pods.json: there are no pods in it"},
		"a pod on no such node":  {"pods.json", list(snapshotPod("p", "", "z", "1", "Running", "")), "pods.json: items[0]: pod ns/p is on node z, which is not in nodes.json"},
		"a pod without anything": {"pods.json", list(`{"metadata": {"name": "p"}}`), "items[0]: must be a pod with a name and containers"},
		"only DaemonSets":        {"pods.json", list(snapshotPod("p", "DaemonSet/d", "a", "1", "Running", "")), "there is nothing to schedule"},
		"use below zero":         {"nodemetrics.json", list(snapshotMetrics("a", "-1")), "nodemetrics.json: items[0].usage.cpu is -1: must be at least 0"},
		"of another cluster":     {"nodemetrics.json", list(snapshotMetrics("z", "1")), "nodemetrics.json: there is no reading of any node of nodes.json in it"},
	} {
		t.Run(name, func(t *testing.T) {
			files := goodSnapshot()
			files[test.file] = test.content
			if _, err := readSnapshot(t, files); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("the error is %v, want %q in it", err, test.want)
			}
		})
	}
	for file, want := range map[string]string{
		"nodes.json":       "make it by kubectl get nodes -o json > ",
		"pods.json":        "make it by kubectl get pods --all-namespaces -o json > ",
		"nodemetrics.json": "make it by kubectl get nodes.metrics.k8s.io -o json > ",
	} {
		files := goodSnapshot()
		delete(files, file)
		if _, err := readSnapshot(t, files); err == nil || !strings.Contains(err.Error(), want) || !strings.HasSuffix(err.Error(), file) {
			t.Errorf("the error of missing %s is %v, want %q in it", file, err, want)
		}
	}
}
