package chart

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/util/retry"

	"github.com/plimsoll-scheduler/plimsoll/pkg/apis/config"
	"github.com/plimsoll-scheduler/plimsoll/test/cluster"
)

const (
	optedIn  = "opted-in"
	optedOut = "opted-out"
	unasked  = "unasked" // has no label
	later    = "later"   // gets it later
)

// What was there before the policies, and is not right by them.
const oldPod, oldNode, oldNamespace = "old-pod", "old-node", "old-namespace"

var dryRun = metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}

// admitted sets the policies up once, and returns a client.
func admitted(t *testing.T) kubernetes.Interface {
	t.Helper()
	c := controlPlane(t).Clientset
	setUp.Do(func() {
		for name, label := range map[string]string{optedIn: "enabled", optedOut: "disabled", unasked: "", later: "", oldNamespace: "true"} {
			createNamespace(t, c, name, label)
		}
		old := podOf(oldPod, unasked)
		old.Annotations = map[string]string{config.EstimateAnnotation: "much"}
		_, err := c.CoreV1().Pods(unasked).Create(t.Context(), old, metav1.CreateOptions{})
		must(t, err)
		node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: oldNode, Annotations: map[string]string{config.ThresholdsAnnotation: "low"}}}
		_, err = c.CoreV1().Nodes().Create(t.Context(), node, metav1.CreateOptions{})
		must(t, err)

		made := build(t, "{resources: [../base], components: [../components/admission]}")
		create := newClient(t)
		for _, object := range made {
			if object.GetLabels()["app.kubernetes.io/component"] != "admission" {
				continue
			}
			resource, err := create.of(object)
			must(t, err)
			_, err = resource.Create(t.Context(), object, metav1.CreateOptions{FieldValidation: metav1.FieldValidationStrict})
			must(t, err)
		}
		awaitPolicies(t, c)
		isSetUp = true
	})
	if !isSetUp {
		t.Fatal("the policies could not be set up, see above")
	}
	return c
}

var (
	setUp   sync.Once
	isSetUp bool
)

// awaitPolicies waits until each policy is seen to be in force.
func awaitPolicies(t *testing.T, c kubernetes.Interface) {
	t.Helper()
	sent := withDevice(podOf("sent", optedIn), "nvidia.com/gpu", "1")
	wrong, node := podOf("wrong", unasked), &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "wrong"}}
	wrong.Annotations = map[string]string{"plimsoll.io/wrong": ""}
	node.Annotations = wrong.Annotations
	space := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "wrong", Labels: map[string]string{"plimsoll.io/schedule": "wrong"}}}
	must(t, cluster.WaitFor(t.Context(), "the policies to be in force", func(ctx context.Context) (bool, error) {
		made, err := c.CoreV1().Pods(optedIn).Create(ctx, sent, dryRun)
		if err != nil || made.Spec.SchedulerName != "plimsoll" {
			return false, fmt.Errorf("a pod with a device has the scheduler %v: %w", made.Spec.SchedulerName, err)
		}
		_, podErr := c.CoreV1().Pods(unasked).Create(ctx, wrong, dryRun)
		_, nodeErr := c.CoreV1().Nodes().Create(ctx, node, dryRun)
		_, spaceErr := c.CoreV1().Namespaces().Create(ctx, space, dryRun)
		return podErr != nil && nodeErr != nil && spaceErr != nil, fmt.Errorf("wrong objects: %w, %w, %w", podErr, nodeErr, spaceErr)
	}))
	setParameters(t.Context(), t, c, map[string]string{"estimate": "Deny"})
	setParameters(t.Context(), t, c, map[string]string{"estimate": "Allow"})
}

// setParameters changes what pods may use, and waits until that is in force, which is
// seen by the annotation estimate.
func setParameters(ctx context.Context, t *testing.T, c kubernetes.Interface, parameters map[string]string) {
	t.Helper()
	pod := podOf("parameters", unasked)
	pod.Annotations = map[string]string{config.EstimateAnnotation: `{"cpu": 1}`}
	must(t, retry.RetryOnConflict(retry.DefaultRetry, func() error {
		configMap, err := c.CoreV1().ConfigMaps(namespace).Get(ctx, "plimsoll-admission", metav1.GetOptions{})
		if err != nil {
			return err
		}
		maps.Copy(configMap.Data, parameters)
		_, err = c.CoreV1().ConfigMaps(namespace).Update(ctx, configMap, metav1.UpdateOptions{})
		return err
	}))
	must(t, cluster.WaitFor(ctx, fmt.Sprint("the parameters to be ", parameters), func(ctx context.Context) (bool, error) {
		_, err := c.CoreV1().Pods(unasked).Create(ctx, pod, dryRun)
		return (err == nil) == (parameters["estimate"] == "Allow"), fmt.Errorf("a pod with an estimate: %w", err)
	}))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func createNamespace(t *testing.T, c kubernetes.Interface, name, label string) {
	t.Helper()
	space := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
	if label != "" {
		space.Labels = map[string]string{"plimsoll.io/schedule": label}
	}
	_, err := c.CoreV1().Namespaces().Create(t.Context(), space, metav1.CreateOptions{})
	must(t, err)
	must(t, cluster.WaitFor(t.Context(), "the service account of "+name, func(ctx context.Context) (bool, error) {
		_, err := c.CoreV1().ServiceAccounts(name).Get(ctx, "default", metav1.GetOptions{})
		return err == nil, err
	}))
}

func podOf(name, namespace string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "image"}}},
	}
}

func amount(name, quantity string) corev1.ResourceList {
	return corev1.ResourceList{corev1.ResourceName(name): resource.MustParse(quantity)}
}

// withDevice has the pod's container request so much of a resource.
func withDevice(pod *corev1.Pod, name, quantity string) *corev1.Pod {
	list := amount(name, quantity)
	pod.Spec.Containers[0].Resources = corev1.ResourceRequirements{Requests: list, Limits: list}
	return pod
}
