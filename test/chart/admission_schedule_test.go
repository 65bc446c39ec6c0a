package chart

import (
	"context"
	"fmt"
	"maps"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/plimsoll-scheduler/plimsoll/test/cluster"
)

// Pods that request a device, and name no other scheduler, are sent to Plimsoll; no
// others are.
func TestPodsWithDevicesAreSent(t *testing.T) {
	c := admitted(t)
	const stock = corev1.DefaultSchedulerName
	withGPU := func(change func(*corev1.Pod)) *corev1.Pod {
		pod := withDevice(podOf("pod", optedIn), "nvidia.com/gpu", "1")
		change(pod)
		return pod
	}
	annotated := func(name, value string) func(*corev1.Pod) {
		return func(pod *corev1.Pod) { pod.Annotations = map[string]string{name: value} }
	}
	plain := func(change func(*corev1.Pod)) *corev1.Pod {
		pod := podOf("pod", optedIn)
		change(pod)
		return pod
	}
	one := "claim"
	for _, test := range []struct {
		name string
		pod  *corev1.Pod
		want string
	}{
		{"a device", withGPU(func(*corev1.Pod) {}), "plimsoll"},
		{"a device by its limit alone", withGPU(func(pod *corev1.Pod) { pod.Spec.Containers[0].Resources.Requests = nil }), "plimsoll"},
		{"a device of the second container", plain(func(pod *corev1.Pod) {
			pod.Spec.Containers = append(pod.Spec.Containers, corev1.Container{Name: "d", Image: "image", Resources: corev1.ResourceRequirements{Limits: amount("amd.com/gpu", "2")}})
		}), "plimsoll"},
		{"a device of an init container", plain(func(pod *corev1.Pod) {
			pod.Spec.InitContainers = []corev1.Container{{Name: "i", Image: "image", Resources: corev1.ResourceRequirements{Limits: amount("example.com/fpga", "1")}}}
		}), "plimsoll"},
		{"a device class", withDevice(podOf("pod", optedIn), "deviceclass.resource.kubernetes.io/gpu.example.com", "1"), "plimsoll"},
		{"a resource claim", plain(func(pod *corev1.Pod) {
			pod.Spec.ResourceClaims = []corev1.PodResourceClaim{{Name: "gpu", ResourceClaimName: &one}}
		}), "plimsoll"},
		{"a claim template", plain(func(pod *corev1.Pod) {
			pod.Spec.ResourceClaims = []corev1.PodResourceClaim{{Name: "gpu", ResourceClaimTemplateName: &one}}
			pod.Spec.Containers[0].Resources.Claims = []corev1.ResourceClaim{{Name: "gpu"}}
		}), "plimsoll"},
		{"the default scheduler by name", withGPU(func(pod *corev1.Pod) { pod.Spec.SchedulerName = stock }), "plimsoll"},
		{"annotations of others", withGPU(annotated("example.com/note", "disabled")), "plimsoll"},

		{"no device", podOf("pod", optedIn), stock},
		{"CPU and memory", plain(func(pod *corev1.Pod) {
			pod.Spec.Containers[0].Resources.Requests = corev1.ResourceList{"cpu": resource.MustParse("1"), "memory": resource.MustParse("1Gi")}
		}), stock},
		{"huge pages", plain(func(pod *corev1.Pod) {
			list := corev1.ResourceList{"cpu": resource.MustParse("1"), "hugepages-2Mi": resource.MustParse("4Mi")}
			pod.Spec.Containers[0].Resources = corev1.ResourceRequirements{Requests: list, Limits: list}
		}), stock},
		{"no unit of a device", withDevice(podOf("pod", optedIn), "nvidia.com/gpu", "0"), stock},
		{"another scheduler", withGPU(func(pod *corev1.Pod) { pod.Spec.SchedulerName = "other" }), "other"},
		{"opted out", withGPU(annotated("plimsoll.io/schedule", "disabled")), stock},
		{"on a node already", withGPU(func(pod *corev1.Pod) { pod.Spec.NodeName = oldNode }), stock},
		{"static", withGPU(func(pod *corev1.Pod) {
			pod.Annotations = map[string]string{corev1.MirrorPodAnnotationKey: "hash"}
			pod.Spec.NodeName, pod.Spec.AutomountServiceAccountToken = oldNode, new(bool)
		}), stock},
		{"a namespace that did not opt in", withDevice(podOf("pod", unasked), "nvidia.com/gpu", "1"), stock},
		{"a namespace that opted out", withDevice(podOf("pod", optedOut), "nvidia.com/gpu", "1"), stock},
	} {
		t.Run(test.name, func(t *testing.T) {
			made, err := c.CoreV1().Pods(test.pod.Namespace).Create(t.Context(), test.pod, dryRun)
			if err != nil {
				t.Fatal(err)
			}
			if made.Spec.SchedulerName != test.want {
				t.Errorf("the scheduler is %s, want %s", made.Spec.SchedulerName, test.want)
			}
			before, after := test.pod.Spec.Containers[0].Resources, made.Spec.Containers[0].Resources
			if !maps.EqualFunc(before.Limits, after.Limits, resource.Quantity.Equal) {
				t.Errorf("limits were %v and are %v", before, after)
			}
		})
	}
}

// In kube-system nothing is sent, even if the namespace is labelled.
func TestPodsOfKubeSystemAreNotSent(t *testing.T) {
	c := admitted(t)
	label := func(name, value string) {
		patch := fmt.Sprintf(`{"metadata": {"labels": {"plimsoll.io/schedule": %s}}}`, value)
		_, err := c.CoreV1().Namespaces().Patch(withoutCancel(t), name, types.MergePatchType, []byte(patch), metav1.PatchOptions{})
		must(t, err)
	}
	label(metav1.NamespaceSystem, `"enabled"`)
	t.Cleanup(func() { label(metav1.NamespaceSystem, "null") })
	// The API server sees changes of namespaces in their order. When it has seen the later
	// one, it has seen that of kube-system.
	label(later, `"enabled"`)
	must(t, cluster.WaitFor(t.Context(), "the label of the other namespace to be in force", func(ctx context.Context) (bool, error) {
		made, err := c.CoreV1().Pods(later).Create(ctx, withDevice(podOf("pod", later), "nvidia.com/gpu", "1"), dryRun)
		return err == nil && made.Spec.SchedulerName == "plimsoll", err
	}))
	made, err := c.CoreV1().Pods(metav1.NamespaceSystem).Create(t.Context(), withDevice(podOf("pod", metav1.NamespaceSystem), "nvidia.com/gpu", "1"), dryRun)
	must(t, err)
	if made.Spec.SchedulerName != corev1.DefaultSchedulerName {
		t.Errorf("the scheduler is %s", made.Spec.SchedulerName)
	}
}

// Deployments and Jobs stay as they are, and their pods are sent.
func TestPodsOfWorkloadsAreSent(t *testing.T) {
	c := admitted(t)
	template := func(app string) corev1.PodTemplateSpec {
		pod := withDevice(podOf("", ""), "nvidia.com/gpu", "1")
		pod.Spec.RestartPolicy = corev1.RestartPolicyAlways
		return corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": app}}, Spec: pod.Spec}
	}
	deployment := func(app string) *appsv1.Deployment {
		return &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: app}, Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": app}}, Template: template(app),
		}}
	}
	out := deployment("out")
	out.Spec.Template.Annotations = map[string]string{"plimsoll.io/schedule": "disabled"}
	job := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: "job"}, Spec: batchv1.JobSpec{Template: template("job")}}
	job.Spec.Template.Spec.RestartPolicy = corev1.RestartPolicyNever

	made, err := c.AppsV1().Deployments(optedIn).Create(t.Context(), deployment("in"), metav1.CreateOptions{})
	must(t, err)
	if got := made.Spec.Template.Spec.SchedulerName; got != corev1.DefaultSchedulerName {
		t.Errorf("the Deployment's template has the scheduler %s", got)
	}
	_, err = c.AppsV1().Deployments(optedIn).Create(t.Context(), out, metav1.CreateOptions{})
	must(t, err)
	madeJob, err := c.BatchV1().Jobs(optedIn).Create(t.Context(), job, metav1.CreateOptions{})
	must(t, err)
	if got := madeJob.Spec.Template.Spec.SchedulerName; got != corev1.DefaultSchedulerName {
		t.Errorf("the Job's template has the scheduler %s", got)
	}
	for app, want := range map[string]string{"in": "plimsoll", "job": "plimsoll", "out": corev1.DefaultSchedulerName} {
		must(t, cluster.WaitFor(t.Context(), "a pod of "+app, func(ctx context.Context) (bool, error) {
			pods, err := c.CoreV1().Pods(optedIn).List(ctx, metav1.ListOptions{LabelSelector: "app=" + app})
			if err != nil || len(pods.Items) == 0 {
				return false, err
			}
			if got := pods.Items[0].Spec.SchedulerName; got != want {
				t.Errorf("the pod of %s has the scheduler %s, want %s", app, got, want)
			}
			return true, nil
		}))
	}
}
