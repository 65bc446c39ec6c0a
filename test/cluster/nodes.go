package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// metricsPath is the annotation of a node that tells metrics-server where to
// find the node's metrics.
const metricsPath = "metrics.k8s.io/resource-metrics-path"

// simulated is the annotation of a node that kwok plays.
const simulated = "kwok.x-k8s.io/node"

// pathOf is where metrics-server finds a node at kwok, which plays all kubelets.
func pathOf(node string) string { return fmt.Sprintf("/metrics/nodes/%s/metrics/resource", node) }

// podsPerNode is the kubelet's default.
const podsPerNode = "110"

// Node describes a simulated node, all of whose capacity is allocatable.
type Node struct {
	Name        string
	CPU, Memory string            // quantities, such as "32" and "256Gi"
	Devices     map[string]string // extended resources, such as nvidia.com/gpu: "8"
	Labels      map[string]string // besides kubernetes.io/hostname, os and arch
	Taints      []corev1.Taint
}

// CreateNodes creates simulated nodes and waits until pods can be placed on
// all of them. That says nothing about metrics-server: it reports a node once
// it has scraped it twice, and only if its pods use CPU.
func (c *Cluster) CreateNodes(ctx context.Context, nodes ...Node) error {
	for _, node := range nodes {
		object, err := node.object()
		if err != nil {
			return fmt.Errorf("create node %s: %w", node.Name, err)
		}
		if _, err := c.Clientset.CoreV1().Nodes().Create(ctx, object, metav1.CreateOptions{}); err != nil {
			return fmt.Errorf("create node %s: %w", node.Name, err)
		}
	}
	for _, node := range nodes {
		if err := c.waitNodeReady(ctx, node.Name); err != nil {
			return err
		}
	}
	return nil
}

// object is the node as the API server gets it. kwok, which plays the
// kubelet, leaves the capacity as it is and makes the node ready.
func (n Node) object() (*corev1.Node, error) {
	quantities := map[string]string{
		string(corev1.ResourceCPU):    n.CPU,
		string(corev1.ResourceMemory): n.Memory,
		string(corev1.ResourcePods):   podsPerNode,
	}
	maps.Copy(quantities, n.Devices)
	resources := make(corev1.ResourceList, len(quantities))
	for name, value := range quantities {
		quantity, err := resource.ParseQuantity(value)
		if err != nil {
			return nil, fmt.Errorf("%s %q: %w", name, value, err)
		}
		resources[corev1.ResourceName(name)] = quantity
	}
	labels := map[string]string{
		corev1.LabelHostname:   n.Name,
		corev1.LabelOSStable:   "linux",
		corev1.LabelArchStable: "amd64",
	}
	maps.Copy(labels, n.Labels)
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{
			Name:   n.Name,
			Labels: labels,
			Annotations: map[string]string{
				simulated:   "fake",
				metricsPath: pathOf(n.Name),
			},
		},
		Spec:   corev1.NodeSpec{Taints: n.Taints},
		Status: corev1.NodeStatus{Capacity: resources, Allocatable: resources},
	}, nil
}

// StopMeasuring has metrics-server fail to read one node, as if its kubelet did
// not answer, while all else goes on. With the next scrape it has no entry of the
// node any more.
func (c *Cluster) StopMeasuring(ctx context.Context, node string) error {
	return c.setMetricsPath(ctx, node, "/metrics/no-such-path")
}

// StartMeasuring undoes StopMeasuring. metrics-server reports the node again
// when it has scraped it twice.
func (c *Cluster) StartMeasuring(ctx context.Context, node string) error {
	return c.setMetricsPath(ctx, node, pathOf(node))
}

func (c *Cluster) setMetricsPath(ctx context.Context, node, path string) error {
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": map[string]string{metricsPath: path}}})
	if err != nil {
		return err
	}
	if _, err := c.Clientset.CoreV1().Nodes().Patch(ctx, node, types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
		return fmt.Errorf("set where node %s is measured: %w", node, err)
	}
	return nil
}

// waitNodeReady waits until the node is ready and the taint of nodes that are
// not, which the API server puts on every new node, is gone.
func (c *Cluster) waitNodeReady(ctx context.Context, name string) error {
	return WaitFor(ctx, "node "+name+" to be ready", func(ctx context.Context) (bool, error) {
		node, err := c.Clientset.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return false, err
		}
		for _, taint := range node.Spec.Taints {
			if taint.Key == corev1.TaintNodeNotReady {
				return false, fmt.Errorf("it has the taint %s", taint.ToString())
			}
		}
		for _, condition := range node.Status.Conditions {
			if condition.Type == corev1.NodeReady {
				return condition.Status == corev1.ConditionTrue, fmt.Errorf("it is not ready: %s", condition.Message)
			}
		}
		return false, fmt.Errorf("it has no %s condition", corev1.NodeReady)
	})
}
