package estimate

import (
	"math"
	"math/rand/v2"
	"testing"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	resourcehelper "k8s.io/component-helpers/resource"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
)

func requests(cpu, memory string) v1.ResourceList {
	list := v1.ResourceList{}
	if cpu != "" {
		list[v1.ResourceCPU] = resource.MustParse(cpu)
	}
	if memory != "" {
		list[v1.ResourceMemory] = resource.MustParse(memory)
	}
	return list
}

func container(cpu, memory string) v1.Container {
	return v1.Container{Resources: v1.ResourceRequirements{Requests: requests(cpu, memory)}}
}

func TestEstimate(t *testing.T) {
	estimator := Estimator{
		Factors:  [amount.NumResources]int64{amount.CPU: 80, amount.Memory: 100},
		Defaults: amount.Vector{amount.CPU: 250, amount.Memory: 200 << 20},
	}
	always := v1.ContainerRestartPolicyAlways
	sidecar := container("1", "1Gi")
	sidecar.RestartPolicy = &always
	for _, test := range []struct {
		name string
		spec v1.PodSpec
		want amount.Vector
	}{
		{"factors scale requests", v1.PodSpec{Containers: []v1.Container{container("2", "1Gi")}}, amount.Vector{1600, 1 << 30}},
		{"defaults are not scaled", v1.PodSpec{Containers: []v1.Container{container("", "")}}, amount.Vector{250, 200 << 20}},
		{"each container has its own default", v1.PodSpec{Containers: []v1.Container{container("1", ""), container("", "1Gi")}}, amount.Vector{800 + 250, 200<<20 + 1<<30}},
		{"an explicit zero is no missing request", v1.PodSpec{Containers: []v1.Container{container("0", "0")}}, amount.Vector{}},
		{"a larger init container counts", v1.PodSpec{
			InitContainers: []v1.Container{container("10", "1Gi")}, Containers: []v1.Container{container("1", "2Gi")},
		}, amount.Vector{8000, 2 << 30}},
		{"a sidecar runs beside the containers", v1.PodSpec{
			InitContainers: []v1.Container{sidecar}, Containers: []v1.Container{container("1", "1Gi")},
		}, amount.Vector{1600, 2 << 30}},
		{"a request of the pod replaces those of its containers", v1.PodSpec{
			Resources:  &v1.ResourceRequirements{Requests: requests("5", "")},
			Containers: []v1.Container{container("1", "1Gi")},
		}, amount.Vector{4000, 1 << 30}},
		{"overhead is added as it is", v1.PodSpec{
			Overhead: requests("1", "1Gi"), Containers: []v1.Container{container("1", "1Gi")},
		}, amount.Vector{1800, 2 << 30}},
		{"an absurd request does not overflow", v1.PodSpec{
			Containers: []v1.Container{container("9E", "9E"), container("9E", "9E")},
		}, amount.Vector{amount.Limit, amount.Limit}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := estimator.Pod(&v1.Pod{Spec: test.spec}); got != test.want {
				t.Errorf("estimate %v, want %v", got, test.want)
			}
		})
	}
}

// An init container counts until it has done its work: from then on it does not run
// again unless the pod does.
func TestInitContainersThatHaveDoneTheirWork(t *testing.T) {
	estimator := Estimator{Factors: [amount.NumResources]int64{100, 100}}
	first, second := container("10", "1Gi"), container("5", "1Gi")
	first.Name, second.Name = "first", "second"
	ended := func(name string, exitCode int32) v1.ContainerStatus {
		return v1.ContainerStatus{Name: name, State: v1.ContainerState{Terminated: &v1.ContainerStateTerminated{ExitCode: exitCode}}}
	}
	runs := v1.ContainerStatus{Name: "second", State: v1.ContainerState{Running: &v1.ContainerStateRunning{}}}
	for name, test := range map[string]struct {
		phase    v1.PodPhase
		statuses []v1.ContainerStatus
		want     int64
	}{
		"nothing is known":                             {v1.PodPending, nil, 10_000},
		"the first has":                                {v1.PodPending, []v1.ContainerStatus{ended("first", 0), runs}, 5000},
		"the first has failed":                         {v1.PodPending, []v1.ContainerStatus{ended("first", 1)}, 10_000},
		"both have":                                    {v1.PodPending, []v1.ContainerStatus{ended("first", 0), ended("second", 0)}, 1000},
		"the statuses are in disorder":                 {v1.PodPending, []v1.ContainerStatus{runs, ended("first", 0)}, 5000},
		"none is reported of a pod that runs":          {v1.PodRunning, nil, 1000},
		"one is not reported of a pod that runs":       {v1.PodRunning, []v1.ContainerStatus{ended("first", 0)}, 1000},
		"one runs again, in a pod that has run before": {v1.PodRunning, []v1.ContainerStatus{ended("first", 0), runs}, 5000},
	} {
		pod := &v1.Pod{
			Spec:   v1.PodSpec{InitContainers: []v1.Container{first, second}, Containers: []v1.Container{container("1", "1Gi")}},
			Status: v1.PodStatus{Phase: test.phase, InitContainerStatuses: test.statuses},
		}
		if got := estimator.Pod(pod); got[amount.CPU] != test.want {
			t.Errorf("%s: estimate %v, want %dm", name, got, test.want)
		}
		if got := estimator.Template(pod); got[amount.CPU] != 10_000 {
			t.Errorf("%s: by its template, estimate %v, want 10000m whatever its status says", name, got)
		}
	}
}

func TestRequested(t *testing.T) {
	estimator := Estimator{Factors: [amount.NumResources]int64{50, 200}}
	if got, want := estimator.Requested(amount.Vector{1000, 1000}), (amount.Vector{500, 2000}); got != want {
		t.Errorf("%v, want %v", got, want)
	}
	if got, want := estimator.Requested(amount.Vector{math.MaxInt64, 0}), (amount.Vector{amount.Limit / 2, 0}); got != want {
		t.Errorf("an absurd request: %v, want %v", got, want)
	}
}

// With a factor of 100 and no defaults an estimate is the pod's request, which
// Kubernetes' own helper computes in another way.
func TestEstimateIsTheRequestAsKubernetesCountsIt(t *testing.T) {
	estimator := Estimator{Factors: [amount.NumResources]int64{100, 100}}
	random := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		pod := &v1.Pod{Spec: randomSpec(random)}
		want := amount.FromList(resourcehelper.PodRequests(pod, resourcehelper.PodResourcesOptions{}))
		if got := estimator.Pod(pod); got != want {
			t.Fatalf("estimate %v, want %v for %+v", got, want, pod.Spec)
		}
	}
}

func randomSpec(random *rand.Rand) v1.PodSpec {
	list := func() v1.ResourceList {
		l := v1.ResourceList{}
		if random.IntN(4) > 0 {
			l[v1.ResourceCPU] = *resource.NewMilliQuantity(random.Int64N(5000), resource.DecimalSI)
		}
		if random.IntN(4) > 0 {
			l[v1.ResourceMemory] = *resource.NewQuantity(random.Int64N(1<<40), resource.BinarySI)
		}
		return l
	}
	var spec v1.PodSpec
	always := v1.ContainerRestartPolicyAlways
	for range random.IntN(4) {
		c := v1.Container{Resources: v1.ResourceRequirements{Requests: list()}}
		if random.IntN(2) == 0 {
			c.RestartPolicy = &always
		}
		spec.InitContainers = append(spec.InitContainers, c)
	}
	for range 1 + random.IntN(3) {
		spec.Containers = append(spec.Containers, v1.Container{Resources: v1.ResourceRequirements{Requests: list()}})
	}
	if random.IntN(3) == 0 {
		spec.Overhead = list()
	}
	return spec
}
