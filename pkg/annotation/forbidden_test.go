package annotation_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/plimsoll-scheduler/plimsoll/pkg/annotation"
	"github.com/plimsoll-scheduler/plimsoll/pkg/apis/config"
)

// told are the events that are reported, by the name of the pod.
type told struct {
	mu     sync.Mutex
	events map[string][]string
}

func (r *told) report(object runtime.Object, reason, message string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	name := object.(metav1.Object).GetName()
	r.events[name] = append(r.events[name], reason+" "+message)
}

func (r *told) of(name string) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.events[name])
}

// podOf returns a pod of the scheduler that asks for 8 cores and 64Gi.
func podOf(scheduler, name string, annotations map[string]string) *v1.Pod {
	return &v1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "ns", UID: types.UID(name), Annotations: annotations},
		Spec: v1.PodSpec{SchedulerName: scheduler, Containers: []v1.Container{{Resources: v1.ResourceRequirements{
			Requests: v1.ResourceList{v1.ResourceCPU: resource.MustParse("8"), v1.ResourceMemory: resource.MustParse("64Gi")},
		}}}},
	}
}

func watchForbidden(t *testing.T, profiles config.Profiles, pods ...runtime.Object) (*fake.Clientset, *told) {
	t.Helper()
	client, r := fake.NewClientset(pods...), &told{events: map[string][]string{}}
	factory := informers.NewSharedInformerFactory(client, 0)
	if err := annotation.WatchForbidden(factory, profiles, r.report); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	factory.Start(ctx.Done())
	t.Cleanup(func() { cancel(); factory.Shutdown() })
	factory.WaitForCacheSync(ctx.Done())
	return client, r
}

// become waits until so much is told of the pod, and compares it.
func (r *told) become(t *testing.T, name string, parts ...string) {
	t.Helper()
	err := wait.PollUntilContextTimeout(t.Context(), time.Millisecond, 10*time.Second, true, func(context.Context) (bool, error) {
		return len(r.of(name)) >= len(parts), nil
	})
	if got := r.of(name); err != nil || !slices.EqualFunc(got, parts, strings.Contains) {
		t.Errorf("told of %s: %q, want %q", name, got, parts)
	}
}

const (
	hardAnyway = "ForbiddenAnnotation metadata.annotations[plimsoll.io/when-unsatisfiable]: Forbidden: " +
		"NodeLoad's arguments in the profile hard say overrides.whenUnsatisfiable: Tighten, by which only DoNotSchedule counts; the annotation is ignored"
	deafAnyway = "ForbiddenAnnotation metadata.annotations[plimsoll.io/when-unsatisfiable]: Forbidden: " +
		"NodeLoad's arguments in the profile deaf say overrides.whenUnsatisfiable: Ignore; the annotation is ignored"
	lowCPU = "ForbiddenAnnotation metadata.annotations[plimsoll.io/estimate][cpu]: Forbidden: 799m is below 10 % of the request, 8; " +
		"by overrides.estimate.minPercent in NodeLoad's arguments the pod counts as no less than 10 % of what it would count as without the annotation"
	lowMemory = "ForbiddenAnnotation metadata.annotations[plimsoll.io/estimate][memory]: Forbidden: 0 is below 25 % of the request, 64Gi; "
)

func TestWhatDoesNotCountIsReported(t *testing.T) {
	profiles := config.Profiles{
		"free": config.DefaultNodeLoadArgs(),
		"hard": arguments(func(a *config.NodeLoadArgs) { a.Overrides.WhenUnsatisfiable = config.TightenOverride }),
		"deaf": arguments(func(a *config.NodeLoadArgs) { a.Overrides.WhenUnsatisfiable = config.IgnoreOverride }),
	}
	anyway := map[string]string{config.WhenUnsatisfiableAnnotation: "ScheduleAnyway"}
	never := map[string]string{config.WhenUnsatisfiableAnnotation: "DoNotSchedule"}
	whenever := map[string]string{config.WhenUnsatisfiableAnnotation: "Whenever"}
	estimate := func(value string) map[string]string { return map[string]string{config.EstimateAnnotation: value} }
	bound := func(pod *v1.Pod) *v1.Pod { pod.Spec.NodeName = "n"; return pod }
	ended := func(pod *v1.Pod) *v1.Pod { pod.Status.Phase = v1.PodFailed; return bound(pod) }
	want := map[string][]string{
		"hard-anyway": {hardAnyway}, "deaf-anyway": {deafAnyway}, "deaf-never": {"overrides.whenUnsatisfiable: Ignore"},
		"low": {lowCPU, lowMemory}, "low-bound-by-another": {lowCPU}, "all": {hardAnyway, lowCPU},
	}
	pods := []*v1.Pod{
		podOf("free", "free-anyway", anyway), podOf("hard", "hard-anyway", anyway), podOf("hard", "hard-never", never),
		podOf("deaf", "deaf-anyway", anyway), podOf("deaf", "deaf-never", never), podOf("deaf", "invalid", whenever), // of which Watch tells
		podOf("elsewhere", "elsewhere", anyway), bound(podOf("hard", "has-a-node", anyway)), ended(podOf("hard", "ended", estimate(`{"cpu": "0"}`))),
		podOf("free", "enough", estimate(`{"cpu": "800m", "memory": "16Gi"}`)), podOf("free", "low", estimate(`{"cpu": "799m", "memory": "0"}`)),
		bound(podOf("elsewhere", "low-bound-by-another", estimate(`{"cpu": "799m"}`))), podOf("free", "bad-estimate", estimate(`{"cpu": "-1"}`)),
		podOf("hard", "all", map[string]string{config.WhenUnsatisfiableAnnotation: "ScheduleAnyway", config.EstimateAnnotation: `{"cpu": "799m"}`}),
		podOf("free", "plain", nil),
	}
	objects := make([]runtime.Object, 0, len(pods)+1)
	for _, pod := range pods {
		objects = append(objects, pod)
	}
	client, r := watchForbidden(t, profiles, objects...)
	for name, parts := range want {
		r.become(t, name, parts...)
	}
	// What is told of this one is told after all else.
	if _, err := client.CoreV1().Pods("ns").Create(t.Context(), podOf("hard", "last", anyway), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	r.become(t, "last", hardAnyway)
	for _, pod := range pods {
		if want[pod.Name] == nil && len(r.of(pod.Name)) > 0 {
			t.Errorf("told of %s: %q", pod.Name, r.of(pod.Name))
		}
	}
}

func TestWhatDoesNotCountIsReportedOnceForEachValue(t *testing.T) {
	closed := arguments(func(a *config.NodeLoadArgs) { a.Overrides.Estimate.Allow = false })
	client, r := watchForbidden(t, config.Profiles{"closed": closed}, podOf("closed", "p", nil))
	const forbidden = "ForbiddenAnnotation metadata.annotations[plimsoll.io/estimate]: Forbidden: NodeLoad's arguments say overrides.estimate.allow: false; the annotation is ignored"
	var want []string
	for i, value := range []string{"1", "1", "2"} {
		pod := podOf("closed", "p", map[string]string{config.EstimateAnnotation: fmt.Sprintf(`{"cpu": %q}`, value), "other": fmt.Sprint(i)})
		if _, err := client.CoreV1().Pods("ns").Update(t.Context(), pod, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
		if i != 1 {
			want = append(want, forbidden)
			r.become(t, "p", want...)
		}
	}
}
