package input

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"

	v1 "k8s.io/api/core/v1"
	"k8s.io/metrics/pkg/apis/metrics/v1beta1"

	"github.com/plimsoll-scheduler/plimsoll/pkg/sim"
)

// The files of a snapshot.
const (
	nodesFile       = "nodes.json"
	podsFile        = "pods.json"
	nodeMetricsFile = "nodemetrics.json"
)

// snapshot is what a cluster was at a moment.
type snapshot struct {
	nodes   []*v1.Node
	pods    []*v1.Pod
	metrics map[string]v1.ResourceList // by node
}

// Snapshot makes a scenario of a cluster: a directory with
//
//	kubectl get nodes -o json > nodes.json
//	kubectl get pods --all-namespaces -o json > pods.json
//	kubectl get nodes.metrics.k8s.io -o json > nodemetrics.json
//
// The pods of the cluster come anew to its nodes, in the order in which they
// were created, over the model's FillTime. Then, for ChurnTime, pods end and
// replicas of the cluster's pods come in their place. Pods of DaemonSets and
// static pods run where they are.
//
// What a pod uses is not in a snapshot. A node's measured use is taken to be its
// pods', in proportion to what they request; that of a workload is the mean over
// its pods. How it changes over time is the model's (burstiness, generated
// series). Where nothing was measured, a pod uses UseMedian of its request.
// Persistent volumes, resource claims and scheduling gates of pods are left out.
func Snapshot(dir string, m Model, seed uint64) (*sim.Scenario, error) {
	if err := m.validate(); err != nil {
		return nil, err
	}
	s, err := readSnapshot(dir)
	if err != nil {
		return nil, err
	}
	return s.populate(filepath.Base(filepath.Clean(dir)), &m, seed)
}

func readSnapshot(dir string) (*snapshot, error) {
	var nodes struct{ Items []v1.Node }
	var pods struct{ Items []v1.Pod }
	var metrics struct{ Items []v1beta1.NodeMetrics }
	for _, f := range []struct {
		name string
		from string // what kubectl gets
		list any
	}{
		{nodesFile, "nodes", &nodes},
		{podsFile, "pods --all-namespaces", &pods},
		{nodeMetricsFile, "nodes.metrics.k8s.io", &metrics},
	} {
		path := filepath.Join(dir, f.name)
		err := readJSON(path, f.list)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%w: make it by kubectl get %s -o json > %s", err, f.from, path)
		}
		if err != nil {
			return nil, err
		}
	}
	s := &snapshot{metrics: map[string]v1.ResourceList{}}
	known := map[string]bool{}
	for i := range nodes.Items {
		node := &nodes.Items[i]
		if node.Name == "" || known[node.Name] {
			return nil, fmt.Errorf("%s: items[%d].metadata.name is %q: each node must have a name of its own", filepath.Join(dir, nodesFile), i, node.Name)
		}
		known[node.Name] = true
		s.nodes = append(s.nodes, node)
	}
	if len(s.nodes) == 0 {
		return nil, fmt.Errorf("%s: there are no nodes in it", filepath.Join(dir, nodesFile))
	}
	for i := range pods.Items {
		pod := &pods.Items[i]
		at := fmt.Sprintf("%s: items[%d]", filepath.Join(dir, podsFile), i)
		switch {
		case pod.Name == "" || len(pod.Spec.Containers) == 0:
			return nil, fmt.Errorf("%s: must be a pod with a name and containers", at)
		case pod.Spec.NodeName != "" && !known[pod.Spec.NodeName]:
			return nil, fmt.Errorf("%s: pod %s/%s is on node %s, which is not in %s", at, pod.Namespace, pod.Name, pod.Spec.NodeName, nodesFile)
		case pod.Status.Phase == v1.PodSucceeded || pod.Status.Phase == v1.PodFailed:
			continue
		}
		s.pods = append(s.pods, pod)
	}
	if len(s.pods) == 0 {
		return nil, fmt.Errorf("%s: there are no pods in it that run or wait", filepath.Join(dir, podsFile))
	}
	for i := range metrics.Items {
		usage := metrics.Items[i].Usage
		for _, name := range []v1.ResourceName{v1.ResourceCPU, v1.ResourceMemory} {
			if quantity, ok := usage[name]; ok && (quantity.Sign() < 0 || math.IsInf(quantity.AsApproximateFloat64(), 0)) {
				return nil, fmt.Errorf("%s: items[%d].usage.%s is %s: must be at least 0", filepath.Join(dir, nodeMetricsFile), i, name, quantity.String())
			}
		}
		if known[metrics.Items[i].Name] {
			s.metrics[metrics.Items[i].Name] = usage
		}
	}
	if len(s.metrics) == 0 {
		return nil, fmt.Errorf("%s: there is no reading of any node of %s in it", filepath.Join(dir, nodeMetricsFile), nodesFile)
	}
	return s, nil
}

// readJSON decodes a list that kubectl has printed.
func readJSON(file string, list any) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, list); err != nil {
		line := 1 + bytes.Count(data[:offsetOf(err, len(data))], []byte("\n"))
		return fmt.Errorf("%s:%d: %w", file, line, err)
	}
	return nil
}

// offsetOf returns the place of a fault in JSON; quantities and times do not
// tell theirs, and then it is the start.
func offsetOf(err error, length int) int {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return min(int(syntax.Offset), length)
	case errors.As(err, &kind):
		return min(int(kind.Offset), length)
	}
	return 0
}
