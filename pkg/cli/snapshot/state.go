package snapshot

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metricsv1beta1 "k8s.io/metrics/pkg/apis/metrics/v1beta1"

	"github.com/plimsoll-scheduler/plimsoll/pkg/cli/cluster"
	"github.com/plimsoll-scheduler/plimsoll/pkg/recording"
)

// state is what a snapshot is of.
type state struct {
	nodes       []*v1.Node
	pods        []*v1.Pod
	nodeMetrics []*metricsv1beta1.NodeMetrics
	podMetrics  []*metricsv1beta1.PodMetrics
	recording   *recording.Recording // nil for none
}

// read reads what the API server has. Metrics may be missing if use is recorded.
func (t *taker) read(ctx context.Context) (*state, error) {
	s := &state{}
	core, metrics := t.client.CoreV1(), t.metrics.MetricsV1beta1()
	if err := cluster.Each(ctx, core.Nodes().List, func(node *v1.Node) { s.nodes = append(s.nodes, trimNode(node)) }); err != nil {
		return nil, lacking(fmt.Errorf("list nodes: %w", err))
	}
	if err := cluster.Each(ctx, core.Pods(metav1.NamespaceAll).List, func(pod *v1.Pod) { s.pods = append(s.pods, trimPod(pod)) }); err != nil {
		return nil, lacking(fmt.Errorf("list pods of all namespaces: %w", err))
	}
	if len(s.nodes) == 0 || len(s.pods) == 0 {
		return nil, fmt.Errorf("the cluster has %d nodes and %d pods: there is nothing to simulate", len(s.nodes), len(s.pods))
	}
	err := cluster.Each(ctx, metrics.NodeMetricses().List, func(m *metricsv1beta1.NodeMetrics) { s.nodeMetrics = append(s.nodeMetrics, m) })
	switch {
	case err != nil && t.prometheus.Address == "":
		return nil, lacking(fmt.Errorf("list what nodes use (nodes.metrics.k8s.io): %w; it needs metrics-server, or --prometheus", err))
	case err != nil:
		fmt.Fprintln(t.warn, "warning: what nodes use at present is left out:", lacking(err))
	}
	err = cluster.Each(ctx, metrics.PodMetricses(metav1.NamespaceAll).List, func(m *metricsv1beta1.PodMetrics) { s.podMetrics = append(s.podMetrics, m) })
	if err != nil {
		fmt.Fprintln(t.warn, "warning: what pods use at present (pods.metrics.k8s.io) is left out:", lacking(err))
	}
	return s, nil
}

// lacking returns the error, with the rules that a snapshot takes if the user lacks one.
func lacking(err error) error {
	return cluster.Lacking(err, metav1.NamespaceAll,
		cluster.Rule{Resources: "nodes, pods", Verbs: "list"}, cluster.Rule{Group: "metrics.k8s.io", Resources: "nodes, pods", Verbs: "list"})
}

// write writes the files into a directory.
func (s *state) write(dir string) error {
	if err := writeList(dir, nodesFile, "v1", "NodeList", s.nodes); err != nil {
		return err
	}
	if err := writeList(dir, podsFile, "v1", "PodList", s.pods); err != nil {
		return err
	}
	metrics := metricsv1beta1.SchemeGroupVersion.String()
	if err := writeList(dir, nodeMetricsFile, metrics, "NodeMetricsList", s.nodeMetrics); err != nil {
		return err
	}
	if err := writeList(dir, podMetricsFile, metrics, "PodMetricsList", s.podMetrics); err != nil || s.recording == nil {
		return err
	}
	file, err := os.Create(filepath.Join(dir, recording.File))
	if err != nil {
		return err
	}
	defer file.Close()
	if err := s.recording.Write(file); err != nil {
		return fmt.Errorf("write %s: %w", recording.File, err)
	}
	return file.Close()
}

// writeList writes a list of objects, one a line. Without any there is no file.
func writeList[T any](dir, name, version, kind string, items []T) error {
	if len(items) == 0 {
		return nil
	}
	file, err := os.Create(filepath.Join(dir, name))
	if err != nil {
		return err
	}
	defer file.Close()
	w := bufio.NewWriter(file)
	fmt.Fprintf(w, "{\"apiVersion\":%q,\"kind\":%q,\"items\":[\n", version, kind)
	for i, item := range items {
		text, err := json.Marshal(item)
		if err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
		if i > 0 {
			fmt.Fprint(w, ",\n")
		}
		fmt.Fprintf(w, "%s", text)
	}
	fmt.Fprint(w, "\n]}\n")
	if err := w.Flush(); err != nil {
		return err
	}
	return file.Close()
}

// trimNode removes what no simulation needs.
func trimNode(node *v1.Node) *v1.Node {
	node.ManagedFields = nil
	delete(node.Annotations, v1.LastAppliedConfigAnnotation)
	return node
}

// trimPod removes what no simulation needs, among it what may be secret.
func trimPod(pod *v1.Pod) *v1.Pod {
	pod.ManagedFields = nil
	delete(pod.Annotations, v1.LastAppliedConfigAnnotation)
	for _, containers := range [][]v1.Container{pod.Spec.InitContainers, pod.Spec.Containers} {
		for i := range containers {
			c := &containers[i]
			c.Env, c.EnvFrom, c.Command, c.Args, c.Lifecycle = nil, nil, nil, nil, nil
			c.LivenessProbe, c.ReadinessProbe, c.StartupProbe = nil, nil, nil
		}
	}
	pod.Spec.EphemeralContainers = nil
	return pod
}
