package chart

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
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

// Wrong annotations are refused, with where they are and what is right.
func TestWrongAnnotationsAreRefused(t *testing.T) {
	c := admitted(t)
	const estimate, when, schedule = config.EstimateAnnotation, config.WhenUnsatisfiableAnnotation, "plimsoll.io/schedule"
	for _, test := range []struct{ name, value, want string }{
		{estimate, `{"cpu": "3", "memory": "4Gi"}`, ""},
		{estimate, `much`, `[plimsoll.io/estimate]: Invalid value: much: must be what the pod will use, as a JSON object with cpu, memory or both, each once and a quantity that is not negative, such as {"cpu": "3", "memory": "4Gi"}`},
		{estimate, "{\n}", `[plimsoll.io/estimate]: Invalid value: { }: must be`},
		{estimate, strings.Repeat("x", 5000), `[plimsoll.io/estimate]: Invalid value: ` + strings.Repeat("x", 100) + `...: must be`},
		{when, "ScheduleAnyway", ""},
		{when, "DoNotSchedule", ""},
		{when, "Never", "[plimsoll.io/when-unsatisfiable]: Unsupported value: must be DoNotSchedule, which"},
		{schedule, "disabled", ""},
		{schedule, "false", "[plimsoll.io/schedule]: Unsupported value: must be disabled, which leaves the pod to the scheduler that it names. Pods are sent to Plimsoll by a label of their namespace, plimsoll.io/schedule=enabled"},
		{"plimsoll.io/estimates", "{}", "[plimsoll.io/estimates]: Forbidden: there is no such annotation; those of pods are plimsoll.io/estimate, plimsoll.io/when-unsatisfiable, plimsoll.io/schedule"},
		{config.ThresholdsAnnotation, `{"cpu": 60}`, "[plimsoll.io/thresholds]: Forbidden: is for nodes; those of pods are"},
		{"example.com/estimate", "much", ""},
	} {
		t.Run(test.name+" "+brief(test.value), func(t *testing.T) {
			annotations := map[string]string{test.name: test.value}
			for where, create := range creators(t, c, annotations) {
				err := create()
				switch {
				case test.want == "" && err != nil:
					t.Errorf("%s: %v", where, err)
				case test.want != "" && (err == nil || !strings.Contains(err.Error(), "denied request: "+where+"metadata.annotations"+test.want)):
					t.Errorf("the message of %q is not %q: %v", where, test.want, err)
				}
			}
		})
	}
}

// An object with as many annotations as one can have is admitted: the expressions do not
// cost too much for it.
func TestManyAnnotationsAreAdmitted(t *testing.T) {
	c := admitted(t)
	const most = 256 << 10 // bytes of names and values
	annotations := map[string]string{config.EstimateAnnotation: `{"cpu": 1}`}
	for size := 100; size < most-20; size += 20 {
		annotations[fmt.Sprintf("plimsoll.x/%08d", size)] = "v"
	}
	pod := podOf("pod", unasked)
	pod.Annotations = annotations
	if _, err := c.CoreV1().Pods(unasked).Create(t.Context(), pod, dryRun); err != nil {
		t.Error(err)
	}
	annotations[config.EstimateAnnotation] = "x"
	if _, err := c.CoreV1().Pods(unasked).Create(t.Context(), pod, dryRun); err == nil || !strings.Contains(err.Error(), "[plimsoll.io/estimate]: Invalid value: x: must be") {
		t.Errorf("with a wrong one among them: %v", err)
	}
}

func brief(text string) string { return text[:min(len(text), 20)] }

// creators returns what tries to create objects with pods that have the annotations, by
// where those are in it.
func creators(t *testing.T, c kubernetes.Interface, annotations map[string]string) map[string]func() error {
	pod := podOf("pod", unasked)
	pod.Annotations = annotations
	labels := map[string]string{"app": "x"}
	selector := &metav1.LabelSelector{MatchLabels: labels}
	template := corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels, Annotations: annotations}, Spec: pod.Spec}
	ending := template
	ending.Spec.RestartPolicy = corev1.RestartPolicyNever
	meta := metav1.ObjectMeta{Name: "x"}
	kinds := []func() error{
		func() error {
			_, err := c.AppsV1().Deployments(unasked).Create(t.Context(), &appsv1.Deployment{ObjectMeta: meta, Spec: appsv1.DeploymentSpec{Selector: selector, Template: template}}, dryRun)
			return err
		},
		func() error {
			_, err := c.AppsV1().StatefulSets(unasked).Create(t.Context(), &appsv1.StatefulSet{ObjectMeta: meta, Spec: appsv1.StatefulSetSpec{Selector: selector, Template: template}}, dryRun)
			return err
		},
		func() error {
			_, err := c.AppsV1().DaemonSets(unasked).Create(t.Context(), &appsv1.DaemonSet{ObjectMeta: meta, Spec: appsv1.DaemonSetSpec{Selector: selector, Template: template}}, dryRun)
			return err
		},
		func() error {
			_, err := c.BatchV1().Jobs(unasked).Create(t.Context(), &batchv1.Job{ObjectMeta: meta, Spec: batchv1.JobSpec{Template: ending}}, dryRun)
			return err
		},
	}
	return map[string]func() error{
		"": func() error {
			_, err := c.CoreV1().Pods(unasked).Create(t.Context(), pod, dryRun)
			return err
		},
		"spec.template.": func() error {
			var all []error
			refused := 0
			for _, create := range kinds {
				if err := create(); err != nil {
					all = append(all, err)
					refused++
				}
			}
			if refused != 0 && refused != len(kinds) {
				t.Errorf("of kinds with a template, only some are refused: %v", errors.Join(all...))
			}
			return errors.Join(all...)
		},
		"spec.jobTemplate.spec.template.": func() error {
			job := batchv1.JobTemplateSpec{Spec: batchv1.JobSpec{Template: ending}}
			_, err := c.BatchV1().CronJobs(unasked).Create(t.Context(), &batchv1.CronJob{ObjectMeta: meta, Spec: batchv1.CronJobSpec{Schedule: "0 0 * * *", JobTemplate: job}}, dryRun)
			return err
		},
	}
}

// The policies admit no annotation that the scheduler could not read, and refuse none
// that it can, but for a few odd forms.
func TestAnnotationsAreReadAsTheSchedulerDoes(t *testing.T) {
	c := admitted(t)
	estimates := []string{
		`{"cpu": "3"}`, `{"memory": "4Gi"}`, `{"memory": "4Gi", "cpu": "250m"}`, ` { "cpu" : 2 , "memory" : 1.5e9 } `, `{"cpu": 0}`, `{"cpu": "0"}`, `{"cpu": "+1"}`,
		`{"cpu": ".5"}`, `{"cpu": "5."}`, `{"cpu": "1e3"}`, `{"cpu": "1E3"}`, `{"cpu": "1E"}`, `{"cpu": "8E"}`, `{"cpu": "1e-3"}`, `{"cpu": 1e2}`, `{"memory": 1125899906842624}`,
		"{\n\t\"cpu\": \"1\"\r\n}",
		``, `{}`, `[]`, `null`, `"3"`, `3`, `{"cpu": "-1"}`, `{"cpu": -1}`, `{"cpu": "1 "}`, `{"cpu": ""}`, `{"cpu": "three"}`, `{"cpu": 01}`, `{"cpu": .5}`, `{"cpu": +1}`,
		`{"gpu": "1"}`, `{"cpu": "1", "gpu": "1"}`, `{"CPU": "1"}`, `{"cpu": "1", "cpu": "2"}`, `{"cpu": "1",}`, `{"cpu": "1"} {}`, `{"cpu": "1"`, `{"cpu": {"x": 1}}`,
		`{"cpu": "10E"}`, `{"cpu": "9223372036854775807"}`, `{"cpu": "1e99"}`, `{"cpu": "1e100"}`, `{"cpu": 1e400}`, `{"cpu": "1Zi"}`, `{"cpu": "1mi"}`, `{"cpu": true}`, `{cpu: 1}`, `{'cpu': '1'}`,
		"{\"cpu\":\f\"1\"}", `{"cpu": "1e-2000000000"}`,
	}
	thresholds := []string{
		`{"cpu": 60}`, `{"cpu": 0, "memory": 100}`, ` { "memory" : 7 } `,
		``, `{}`, `{"cpu": 101}`, `{"cpu": -1}`, `{"cpu": "60"}`, `{"cpu": 60.5}`, `{"cpu": 060}`, `{"cpu": 60, "cpu": 61}`, `{"gpu": 60}`, `60`, `{"cpu": 1000}`, `{"cpu": 60}}`,
	}
	for _, annotation := range []struct {
		name   string
		values []string
		parse  func(string) error
		create func(annotations map[string]string) error
	}{
		{
			config.EstimateAnnotation, append(annotationCorpus(t, "FuzzEstimate"), estimates...),
			func(value string) error { _, err := config.ParseEstimate(value); return err },
			func(annotations map[string]string) error {
				pod := podOf("pod", unasked)
				pod.Annotations = annotations
				_, err := c.CoreV1().Pods(unasked).Create(t.Context(), pod, dryRun)
				return err
			},
		},
		{
			config.ThresholdsAnnotation, append(annotationCorpus(t, "FuzzThresholds"), thresholds...),
			func(value string) error { _, err := config.ParseThresholds(value); return err },
			func(annotations map[string]string) error {
				node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "node", Annotations: annotations}}
				_, err := c.CoreV1().Nodes().Create(t.Context(), node, dryRun)
				return err
			},
		},
		{
			config.WhenUnsatisfiableAnnotation, append(annotationCorpus(t, "FuzzWhenUnsatisfiable"), "DoNotSchedule", "ScheduleAnyway", "", "scheduleAnyway", "ScheduleAnyway "),
			func(value string) error { _, err := config.ParseWhenUnsatisfiable(value); return err },
			func(annotations map[string]string) error {
				pod := podOf("pod", unasked)
				pod.Annotations = annotations
				_, err := c.CoreV1().Pods(unasked).Create(t.Context(), pod, dryRun)
				return err
			},
		},
	} {
		for _, value := range annotation.values {
			if !utf8.ValidString(value) {
				continue // no object can have it
			}
			parsed, created := annotation.parse(value), annotation.create(map[string]string{annotation.name: value})
			switch {
			case parsed != nil && created == nil:
				t.Errorf("%s: %q is admitted, and the scheduler says %v", annotation.name, value, parsed)
			case parsed == nil && created != nil && !slices.ContainsFunc(oddForms, func(form string) bool { return strings.Contains(value, form) }):
				t.Errorf("%s: %q is refused, and the scheduler reads it: %v", annotation.name, value, created)
			case created != nil && strings.Contains(created.Error(), "expression"):
				t.Errorf("%s: %q is refused by a fault of the policy: %v", annotation.name, value, created)
			}
		}
	}
}

// oddForms are in texts that the scheduler reads and the policies do not: escapes, null,
// -0, 1e007, and a dot alone, which is a quantity to Kubernetes.
var oddForms = []string{`\`, "null", "-0", "e0", "E0", `"."`}

func annotationCorpus(t *testing.T, test string) []string {
	t.Helper()
	return corpusIn(t, "pkg/annotation/testdata/fuzz", test)
}

// What was there before the policies may be changed, but not into something else that is
// wrong.
func TestWhatWasThereStaysChangeable(t *testing.T) {
	c := admitted(t)
	for name, apply := range map[string]func(string) error{
		"pod": func(body string) error {
			_, err := c.CoreV1().Pods(unasked).Patch(t.Context(), oldPod, types.MergePatchType, []byte(body), metav1.PatchOptions{})
			return err
		},
		"node": func(body string) error {
			_, err := c.CoreV1().Nodes().Patch(t.Context(), oldNode, types.MergePatchType, []byte(body), metav1.PatchOptions{})
			return err
		},
	} {
		annotation := map[string]string{"pod": config.EstimateAnnotation, "node": config.ThresholdsAnnotation}[name]
		must(t, apply(`{"metadata": {"labels": {"changed": "yes"}}}`))
		if err := apply(fmt.Sprintf(`{"metadata": {"annotations": {%q: "other"}}}`, annotation)); err == nil {
			t.Errorf("the annotation of the %s may be changed into something else that is wrong", name)
		}
		must(t, apply(fmt.Sprintf(`{"metadata": {"annotations": {%q: "{\"cpu\": 50}"}}}`, annotation)))
		must(t, apply(fmt.Sprintf(`{"metadata": {"annotations": {%q: null}}}`, annotation)))
	}
	space := func(body string) error {
		_, err := c.CoreV1().Namespaces().Patch(t.Context(), oldNamespace, types.MergePatchType, []byte(body), metav1.PatchOptions{})
		return err
	}
	must(t, space(`{"metadata": {"labels": {"changed": "yes"}}}`))
	if err := space(`{"metadata": {"labels": {"plimsoll.io/schedule": "yes"}}}`); err == nil ||
		!strings.Contains(err.Error(), "metadata.labels[plimsoll.io/schedule]: Unsupported value: yes: must be enabled, which") {
		t.Errorf("a wrong label: %v", err)
	}
	must(t, space(`{"metadata": {"labels": {"plimsoll.io/schedule": "enabled"}}}`))
}

// The parameters say which annotations pods may use.
func TestParametersForbidAnnotations(t *testing.T) {
	c := admitted(t)
	t.Cleanup(func() {
		setParameters(withoutCancel(t), t, c, map[string]string{"estimate": "Deny"}) // so that the change is seen
		setParameters(withoutCancel(t), t, c, map[string]string{"estimate": "Allow", "when-unsatisfiable": "Allow", "schedule": "Allow"})
	})
	const estimate, when, schedule = config.EstimateAnnotation, config.WhenUnsatisfiableAnnotation, "plimsoll.io/schedule"
	for _, step := range []struct {
		parameters map[string]string
		tries      [][3]string // annotation, value, what the message has
	}{
		{
			map[string]string{"estimate": "Deny", "when-unsatisfiable": "Tighten", "schedule": "Deny"},
			[][3]string{
				{estimate, `{"cpu": 1}`, "[plimsoll.io/estimate]: Forbidden: by estimate in the ConfigMap plimsoll-system/plimsoll-admission pods must not use it; remove it"},
				{when, "DoNotSchedule", ""},
				{when, "ScheduleAnyway", "[plimsoll.io/when-unsatisfiable]: Forbidden: by when-unsatisfiable in the ConfigMap plimsoll-system/plimsoll-admission it must be DoNotSchedule, or not be there"},
				{schedule, "disabled", "[plimsoll.io/schedule]: Forbidden: by schedule in the ConfigMap plimsoll-system/plimsoll-admission pods must not use it; remove it"},
				{"example.com/estimate", "", ""},
			},
		},
		{
			map[string]string{"estimate": "Allow", "when-unsatisfiable": "Deny", "schedule": "Allow"},
			[][3]string{
				{estimate, `{"cpu": 1}`, ""},
				{when, "DoNotSchedule", "[plimsoll.io/when-unsatisfiable]: Forbidden: by when-unsatisfiable in the ConfigMap plimsoll-system/plimsoll-admission pods must not use it; remove it"},
				{schedule, "disabled", ""},
			},
		},
	} {
		setParameters(t.Context(), t, c, step.parameters)
		for _, try := range step.tries {
			for where, create := range creators(t, c, map[string]string{try[0]: try[1]}) {
				err := create()
				if try[2] == "" && err != nil || try[2] != "" && (err == nil || !strings.Contains(err.Error(), where+"metadata.annotations"+try[2])) {
					t.Errorf("%v, %s%s=%s: %v, want %q", step.parameters, where, try[0], try[1], err, try[2])
				}
			}
		}
	}
}
