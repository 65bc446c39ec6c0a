package isolate

import (
	"context"
	"fmt"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/kubernetes"
	resourcehelper "k8s.io/component-helpers/resource"

	"github.com/plimsoll-scheduler/plimsoll/pkg/cli/cluster"
)

// daemonRules are what it takes to know what fits on a node.
var daemonRules = cluster.Rule{Resources: "nodes, pods", Verbs: "get, list"}

// checkDaemon returns why a pod of a DaemonSet cannot be isolated: another comes on the
// same node, and has to fit beside it. It says nothing of other pods.
func checkDaemon(ctx context.Context, client kubernetes.Interface, pod *v1.Pod) error {
	if owner := metav1.GetControllerOfNoCopy(pod); owner == nil || owner.Kind != "DaemonSet" {
		return nil
	}
	node, err := client.CoreV1().Nodes().Get(ctx, pod.Spec.NodeName, metav1.GetOptions{})
	if err != nil {
		return fmt.Errorf("pod %s is of a DaemonSet, and whether another fits beside it on its node cannot be told: %w", nameOf(pod), lacking(err, metav1.NamespaceAll, daemonRules))
	}
	others, err := client.CoreV1().Pods(metav1.NamespaceAll).List(ctx, metav1.ListOptions{
		FieldSelector: fields.OneTermEqualSelector("spec.nodeName", node.Name).String(),
	})
	if err != nil {
		return fmt.Errorf("pod %s is of a DaemonSet, and whether another fits beside it on node %s cannot be told: %w", nameOf(pod), node.Name, lacking(err, metav1.NamespaceAll, daemonRules))
	}
	if lacks := lacksBeside(pod, node, others.Items); lacks != "" {
		return fmt.Errorf("pod %s is of a DaemonSet, which would make another on node %s, and that has not %s: make room there, or delete the pod", nameOf(pod), node.Name, lacks)
	}
	return nil
}

// lacksBeside returns what the node lacks for a second pod like this one beside its
// pods; "" if that fits.
func lacksBeside(pod *v1.Pod, node *v1.Node, pods []v1.Pod) string {
	for i := range pod.Spec.Containers {
		for _, port := range pod.Spec.Containers[i].Ports {
			if port.HostPort != 0 {
				return fmt.Sprintf("port %d, which both would listen on", port.HostPort)
			}
		}
	}
	free := node.Status.Allocatable.DeepCopy()
	take := func(name v1.ResourceName, quantity resource.Quantity) {
		left := free[name]
		left.Sub(quantity)
		free[name] = left
	}
	for i := range pods {
		if phase := pods[i].Status.Phase; phase == v1.PodSucceeded || phase == v1.PodFailed {
			continue
		}
		take(v1.ResourcePods, *resource.NewQuantity(1, resource.DecimalSI))
		for name, quantity := range resourcehelper.PodRequests(&pods[i], resourcehelper.PodResourcesOptions{}) {
			take(name, quantity)
		}
	}
	wants := resourcehelper.PodRequests(pod, resourcehelper.PodResourcesOptions{})
	wants[v1.ResourcePods] = *resource.NewQuantity(1, resource.DecimalSI)
	for name, quantity := range wants {
		if left := free[name]; quantity.Cmp(left) > 0 {
			return fmt.Sprintf("enough %s: %s are free, and %s are requested", name, left.String(), quantity.String())
		}
	}
	return ""
}
