package cluster

import (
	"context"
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Usage is what a simulated pod really uses, whatever it requests. An empty
// quantity stands for kwok's default: next to nothing.
type Usage struct {
	CPU, Memory string // quantities, such as "20" and "100Gi"
}

const (
	usageCPU    = "kwok.x-k8s.io/usage-cpu"
	usageMemory = "kwok.x-k8s.io/usage-memory"
)

// Annotations tell kwok, on a pod, what the pod uses.
func (u Usage) Annotations() map[string]string {
	annotations := map[string]string{}
	if u.CPU != "" {
		annotations[usageCPU] = u.CPU
	}
	if u.Memory != "" {
		annotations[usageMemory] = u.Memory
	}
	return annotations
}

// UsageOf returns what the pod uses by its annotations.
func UsageOf(pod *corev1.Pod) Usage {
	return Usage{CPU: pod.Annotations[usageCPU], Memory: pod.Annotations[usageMemory]}
}

// SetUsage changes what a running pod uses. An empty quantity leaves that
// resource as it is. metrics-server shows the change after one to two
// resolutions, in one step: kwok counts it for the time since it was last read as
// well. See CountUsage.
func (c *Cluster) SetUsage(ctx context.Context, namespace, pod string, usage Usage) error {
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": usage.Annotations()}})
	if err != nil {
		return err
	}
	_, err = c.Clientset.CoreV1().Pods(namespace).Patch(ctx, pod, types.MergePatchType, patch, metav1.PatchOptions{})
	if err != nil {
		return fmt.Errorf("set usage of pod %s/%s: %w", namespace, pod, err)
	}
	return nil
}

// CountUsage has kwok count what the pods on the node used until now, so that a
// change counts from now on, as it does with a kubelet.
func (c *Cluster) CountUsage(ctx context.Context, node string) error {
	kwok, err := c.component(Kwok)
	if err != nil {
		return err
	}
	_, err = get(ctx, kwok.url(pathOf(node)))
	return err
}

// LoadPod describes a pod that makes a node hot: it is bound to the node
// without a scheduler, requests almost nothing, tolerates everything and uses
// what Usage says.
type LoadPod struct {
	Namespace string // empty means default
	Name      string
	Node      string
	Usage     Usage
}

// CreateLoadPod creates the pod. It runs as soon as kwok has seen it.
func (c *Cluster) CreateLoadPod(ctx context.Context, pod LoadPod) error {
	if pod.Namespace == "" {
		pod.Namespace = metav1.NamespaceDefault
	}
	_, err := c.Clientset.CoreV1().Pods(pod.Namespace).Create(ctx, pod.object(), metav1.CreateOptions{})
	if err != nil {
		return fmt.Errorf("create load pod %s/%s: %w", pod.Namespace, pod.Name, err)
	}
	return nil
}

func (p LoadPod) object() *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name:        p.Name,
			Namespace:   p.Namespace,
			Annotations: p.Usage.Annotations(),
		},
		Spec: corev1.PodSpec{
			NodeName: p.Node,
			Containers: []corev1.Container{{
				Name:  "load",
				Image: "simulated", // never pulled
				Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{
					corev1.ResourceCPU:    resource.MustParse("1m"),
					corev1.ResourceMemory: resource.MustParse("1Mi"),
				}},
			}},
			Tolerations: []corev1.Toleration{{Operator: corev1.TolerationOpExists}},
		},
	}
}
