// Package examples has the tests that hold the files in examples to the API, and
// docs/workloads.md to the files. What becomes of them on a node is in
// test/node/scenarios.
package examples

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes/scheme"
)

const root = "../.."

// read reads a file of manifests. A field that the API does not have is an error.
func read(t *testing.T, file string) (objects []runtime.Object) {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, "examples", file))
	if err != nil {
		t.Fatal(err)
	}
	decoder := serializer.NewCodecFactory(scheme.Scheme, serializer.EnableStrict).UniversalDeserializer()
	documents := yaml.NewDocumentDecoder(io.NopCloser(bytes.NewReader(content)))
	for {
		document := make([]byte, len(content))
		n, err := documents.Read(document)
		if errors.Is(err, io.EOF) {
			return objects
		}
		if err != nil {
			t.Fatal(err)
		}
		object, _, err := decoder.Decode(document[:n], nil, nil)
		if err != nil {
			t.Fatalf("examples/%s: %v", file, err)
		}
		objects = append(objects, object)
	}
}

// only returns the one object of its type.
func only[T runtime.Object](t *testing.T, objects []runtime.Object) (found T) {
	t.Helper()
	count := 0
	for _, object := range objects {
		if typed, ok := object.(T); ok {
			found = typed
			count++
		}
	}
	if count != 1 {
		t.Fatalf("there are %d of %T, want one", count, found)
	}
	return found
}

func TestEachExampleIsHere(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(root, "examples", "*"))
	if err != nil {
		t.Fatal(err)
	}
	page := readPage(t)
	for _, file := range files {
		name := filepath.Base(file)
		if name != "inference.yaml" && name != "batch.yaml" {
			t.Errorf("examples/%s: no test knows it", name)
		}
		if !strings.Contains(page, "](../examples/"+name+")") {
			t.Errorf("docs/workloads.md has no link to examples/%s", name)
		}
	}
}

// What selects the pods selects them, and what they name is there.
func TestInferenceFitsTogether(t *testing.T) {
	objects := read(t, "inference.yaml")
	deployment := only[*appsv1.Deployment](t, objects)
	pod := labels.Set(deployment.Spec.Template.Labels)
	budget := only[*policyv1.PodDisruptionBudget](t, objects)
	service := only[*corev1.Service](t, objects)
	for name, selector := range map[string]*metav1.LabelSelector{
		"Deployment":          deployment.Spec.Selector,
		"PodDisruptionBudget": budget.Spec.Selector,
		"Service":             {MatchLabels: service.Spec.Selector},
		"topology spread":     deployment.Spec.Template.Spec.TopologySpreadConstraints[0].LabelSelector,
	} {
		if s, err := metav1.LabelSelectorAsSelector(selector); err != nil || s.Empty() || !s.Matches(pod) {
			t.Errorf("the %s's selector %v does not select the pods %v: %v", name, s, pod, err)
		}
	}
	checkPod(t, &deployment.Spec.Template.Spec, only[*schedulingv1.PriorityClass](t, objects))
	container := &deployment.Spec.Template.Spec.Containers[0]
	if port := service.Spec.Ports[0].TargetPort.StrVal; port != container.Ports[0].Name {
		t.Errorf("the Service sends to port %q, and the container has %q", port, container.Ports[0].Name)
	}
	// The time to hear of the end, and that to finish what was begun.
	if sleep, grace := container.Lifecycle.PreStop.Sleep.Seconds, *deployment.Spec.Template.Spec.TerminationGracePeriodSeconds; sleep >= grace {
		t.Errorf("preStop takes %d s of %d s of grace: none is left to finish", sleep, grace)
	}
}

// checkPod checks what both examples are to have.
func checkPod(t *testing.T, pod *corev1.PodSpec, class *schedulingv1.PriorityClass) {
	t.Helper()
	if pod.SchedulerName != "plimsoll" || pod.PriorityClassName != class.Name {
		t.Errorf("it is for the scheduler %q with the priority class %q, want plimsoll and %q", pod.SchedulerName, pod.PriorityClassName, class.Name)
	}
	devices := 0
	for i := range pod.Containers {
		c := &pod.Containers[i]
		for name := range c.Resources.Limits {
			if strings.Contains(string(name), "/") {
				devices++
			}
		}
		if _, limited := c.Resources.Limits[corev1.ResourceCPU]; limited {
			t.Errorf("container %s has a CPU limit, beside a device", c.Name)
		}
		if _, limited := c.Resources.Limits[corev1.ResourceMemory]; !limited {
			t.Errorf("container %s has no memory limit", c.Name)
		}
	}
	if devices == 0 {
		t.Error("it asks for no device")
	}
	for _, c := range slices.Concat(pod.InitContainers, pod.Containers) {
		if !strings.HasPrefix(c.Image, "registry.example.com/") {
			t.Errorf("container %s has the image %s, which is no placeholder", c.Name, c.Image)
		}
	}
}

// The job is below the service, makes no room for itself, and is not blamed for what
// interrupts it.
func TestBatchGivesWay(t *testing.T) {
	objects := read(t, "batch.yaml")
	class, job := only[*schedulingv1.PriorityClass](t, objects), only[*batchv1.Job](t, objects)
	service := only[*schedulingv1.PriorityClass](t, read(t, "inference.yaml"))
	checkPod(t, &job.Spec.Template.Spec, class)
	if class.Value >= 0 || class.Value >= service.Value || class.PreemptionPolicy == nil || *class.PreemptionPolicy != corev1.PreemptNever {
		t.Errorf("the job's priority class is %+v, want one below 0 and the service's %d that never preempts", class, service.Value)
	}
	rule := job.Spec.PodFailurePolicy.Rules[0]
	if rule.Action != batchv1.PodFailurePolicyActionIgnore || rule.OnPodConditions[0].Type != corev1.DisruptionTarget {
		t.Errorf("the first rule is %+v, want one that ignores what is interrupted", rule)
	}
	if *job.Spec.PodReplacementPolicy != batchv1.Failed {
		t.Errorf("pods are replaced when they are %s: then two hold a device", *job.Spec.PodReplacementPolicy)
	}
	for _, c := range job.Spec.Template.Spec.InitContainers {
		if c.RestartPolicy == nil || *c.RestartPolicy != corev1.ContainerRestartPolicyAlways {
			t.Errorf("the init container %s is no sidecar", c.Name)
		}
	}
}

// Figures on the page are those of the files.
func TestPageSaysWhatTheFilesSay(t *testing.T) {
	page := readPage(t)
	inference := only[*appsv1.Deployment](t, read(t, "inference.yaml"))
	spec := &inference.Spec.Template.Spec
	c := &spec.Containers[0]
	rolling := inference.Spec.Strategy.RollingUpdate
	for _, want := range []string{
		fmt.Sprintf("| `startupProbe` | %#q, up to %d x %d s |", c.StartupProbe.HTTPGet.Path, c.StartupProbe.FailureThreshold, c.StartupProbe.PeriodSeconds),
		fmt.Sprintf("| `readinessProbe` | %#q, each %d s |", c.ReadinessProbe.HTTPGet.Path, c.ReadinessProbe.PeriodSeconds),
		fmt.Sprintf("| `livenessProbe` | %#q, each %d s, %d times |", c.LivenessProbe.HTTPGet.Path, c.LivenessProbe.PeriodSeconds, c.LivenessProbe.FailureThreshold),
		fmt.Sprintf("`preStop` sleeps for %d s", c.Lifecycle.PreStop.Sleep.Seconds),
		fmt.Sprintf("is killed. %d s is for requests that take up to ", *spec.TerminationGracePeriodSeconds),
		fmt.Sprintf("With `maxUnavailable: %s` a rolling update", rolling.MaxUnavailable),
	} {
		if !strings.Contains(page, want) {
			t.Errorf("docs/workloads.md does not say %q, as examples/inference.yaml does", want)
		}
	}
}

func readPage(t *testing.T) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, "docs", "workloads.md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
