package isolate

import (
	"context"
	"encoding/json"
	"fmt"

	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/plimsoll-scheduler/plimsoll/pkg/cli/cluster"
)

// attempts is how often a change is tried: each is lost only if the pod changed between
// its reading and its writing.
const attempts = 5

// operation is one of a JSON patch.
type operation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value"`
}

// verb is what the user must be allowed to do to pods for it.
func (p *Plan) verb() string {
	if p.Action == actionDelete {
		return "delete"
	}
	return "patch"
}

// apply does what the plan says to the pod that it was made of, and to no other version
// of it. With a dry run the API server says whether it would let it be done.
func (p *Plan) apply(ctx context.Context, client kubernetes.Interface, pod *v1.Pod, dryRun bool) error {
	pods := client.CoreV1().Pods(pod.Namespace)
	var mode []string
	if dryRun {
		mode = []string{metav1.DryRunAll}
	}
	if p.Action == actionDelete {
		return pods.Delete(ctx, pod.Name, metav1.DeleteOptions{DryRun: mode, Preconditions: &metav1.Preconditions{UID: &pod.UID, ResourceVersion: &pod.ResourceVersion}})
	}
	patch, err := json.Marshal([]operation{
		{Op: "test", Path: "/metadata/uid", Value: pod.UID},
		{Op: "test", Path: "/metadata/resourceVersion", Value: pod.ResourceVersion},
		{Op: "add", Path: "/metadata/labels", Value: p.labels},
		{Op: "add", Path: "/metadata/annotations", Value: p.annotations},
	})
	if err != nil {
		return err
	}
	_, err = pods.Patch(ctx, pod.Name, types.JSONPatchType, patch, metav1.PatchOptions{DryRun: mode, FieldManager: "kubectl-plimsoll"})
	return err
}

// change has a plan made of the pod, shown and done, and again if the pod has changed
// meanwhile.
func change(ctx context.Context, client kubernetes.Interface, namespace, name string, plan func(*v1.Pod) (*Plan, error), show func(*Plan) error, dryRun bool) (*Plan, error) {
	var before *v1.Pod
	var failed error
	for range attempts {
		pod, err := client.CoreV1().Pods(namespace).Get(ctx, name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return nil, fmt.Errorf("there is no pod %s in the namespace %s (for another one say -n)", name, namespace)
		}
		if err != nil {
			return nil, lacking(err, namespace, cluster.Rule{Resources: "pods", Verbs: "get"})
		}
		if before != nil && before.ResourceVersion == pod.ResourceVersion {
			return nil, failed // it was not because the pod had changed
		}
		p, err := plan(pod)
		if err != nil {
			return nil, err
		}
		if err := show(p); err != nil {
			return nil, err
		}
		if failed = p.apply(ctx, client, pod, dryRun); failed == nil {
			p.Done = !dryRun
			return p, nil
		}
		// A failed test of a patch is answered as an invalid object is.
		if !apierrors.IsConflict(failed) && !apierrors.IsInvalid(failed) {
			return nil, lacking(failed, namespace, cluster.Rule{Resources: "pods", Verbs: p.verb()})
		}
		before = pod
	}
	return nil, fmt.Errorf("pod %s/%s changed each of %d times between its reading and its writing: nothing was done; try again: %w", namespace, name, attempts, failed)
}
