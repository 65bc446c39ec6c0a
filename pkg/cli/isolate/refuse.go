package isolate

import (
	"fmt"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/plimsoll-scheduler/plimsoll/pkg/cli/cluster"
)

// mirrorAnnotation marks static pods.
const mirrorAnnotation = "kubernetes.io/config.mirror"

// lacking returns the error, with the rules to add and where all are listed, if it is
// that the user lacks a right.
func lacking(err error, namespace string, rules ...cluster.Rule) error {
	if !cluster.IsLacking(err) {
		return err
	}
	return fmt.Errorf("%w\n(docs/cli-isolate.md lists all rights that isolate takes.)", cluster.Lacking(err, namespace, rules...))
}

// refuse returns why the pod cannot be isolated, whatever selects it; nil if it can.
func refuse(pod *v1.Pod) error {
	why := func(format string, values ...any) error {
		return fmt.Errorf("pod %s "+format, append([]any{nameOf(pod)}, values...)...)
	}
	controller := metav1.GetControllerOf(pod)
	_, static := pod.Annotations[mirrorAnnotation]
	switch {
	case isolated(pod):
		return why("is isolated already: put it back with --undo, or remove it with --undo --delete")
	case static || controller != nil && controller.Kind == "Node":
		return why("is a static pod, which the kubelet of node %s runs from a file: labels do not change that; move the file away on the node", pod.Spec.NodeName)
	case pod.DeletionTimestamp != nil:
		return why("is being deleted: it cannot be kept")
	case pod.Status.Phase == v1.PodSucceeded || pod.Status.Phase == v1.PodFailed:
		return why("has ended (%s): it gets no traffic and is not running any more; look at it as it is", pod.Status.Phase)
	case pod.Spec.NodeName == "":
		return why("waits for a node: there is nothing to keep; see kubectl plimsoll why %s", pod.Name)
	case controller == nil:
		return nil
	}
	switch controller.Kind {
	case "ReplicaSet", "ReplicationController", "DaemonSet":
		return nil
	case "StatefulSet":
		return why("belongs to StatefulSet %s, which replaces it by a pod of the same name and volumes: that cannot be made while this one is there; take it out of its Services by their selectors, or delete it", controller.Name)
	case "Job":
		return why("belongs to Job %s, which would do its work once more, and not count how this pod ends; suspend the Job, or debug the pod where it is", controller.Name)
	default:
		return why("belongs to %s %s of %s: it is not known how that selects its pods, or whether it would replace this one", controller.Kind, controller.Name, controller.APIVersion)
	}
}
