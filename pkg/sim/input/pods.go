package input

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sort"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/plimsoll-scheduler/plimsoll/pkg/sim"
)

// gpu is the name under which nodes have devices.
const gpu v1.ResourceName = "nvidia.com/gpu"

// namespace is where the pods are.
const namespace = "default"

// shape is what a pod requests.
type shape struct {
	cpu     int64 // millicores
	memory  int64 // bytes
	devices int64
}

// workload is a Deployment of which pods are replicas.
type workload struct {
	set         *appsv1.ReplicaSet
	shape       shape
	requests    v1.ResourceList
	limits      v1.ResourceList
	ratio       float64
	burst       float64
	memoryRatio float64
	pods        int // made so far
}

// populate returns the scenario of the model on the nodes: pods of the shapes,
// which use CPU by the series.
func (m *Model) populate(name string, nodes []*v1.Node, shapes []shape, series [][]float64, seed uint64) (*sim.Scenario, error) {
	if err := m.validate(); err != nil {
		return nil, err
	}
	random := rand.New(rand.NewPCG(seed, 1))
	s := &sim.Scenario{
		Name: name, Nodes: nodes, Seed: seed,
		MeasureFrom: m.FillTime, End: m.FillTime + m.ChurnTime,
		Metrics:    sim.MetricsServer{Interval: m.ScrapeInterval, Delay: m.ScrapeDelay, Missing: m.ScrapeMissing},
		Parameters: m.describe(),
	}
	series = m.scaled(series)
	workloads, popularity := m.workloads(shapes, random)
	draw := func() *workload {
		at := random.Float64() * popularity[len(popularity)-1]
		return workloads[min(sort.SearchFloat64s(popularity, at), len(workloads)-1)]
	}
	wanted := m.Fill * float64(devicesOf(nodes))
	var first []*workload
	for devices := int64(0); float64(devices) < wanted; {
		w := draw()
		devices += w.shape.devices
		if first = append(first, w); len(first) > maxPods {
			return nil, fmt.Errorf("%d pods do not fill %.0f devices: nearly none asks for any; draw again with another seed or more workloads", maxPods, wanted)
		}
	}
	arrivals := make([]time.Duration, len(first))
	for i := range arrivals {
		arrivals[i] = time.Duration(random.Float64() * float64(m.FillTime))
	}
	slices.Sort(arrivals)
	for i, w := range first {
		pod := m.pod(w, series, random)
		pod.Arrival = arrivals[i]
		pod.Lifetime += m.FillTime - pod.Arrival
		s.Pods = append(s.Pods, pod)
	}
	between := m.Life / time.Duration(len(first)) // as many come as go
	for at := m.FillTime; ; {
		at += time.Duration(random.ExpFloat64() * float64(between))
		if at >= s.End {
			break
		}
		pod := m.pod(draw(), series, random)
		pod.Arrival = at
		s.Pods = append(s.Pods, pod)
	}
	for _, w := range workloads {
		s.ReplicaSets = append(s.ReplicaSets, w.set)
	}
	return s, nil
}

// maxPods bounds the first pods.
const maxPods = 1_000_000

func devicesOf(nodes []*v1.Node) int64 {
	sum := int64(0)
	for _, node := range nodes {
		devices := node.Status.Allocatable[gpu]
		sum += devices.Value()
	}
	return sum
}

// scaled returns the series divided by their means, and cut.
func (m *Model) scaled(series [][]float64) [][]float64 {
	var all [][]float64
	for _, values := range series {
		sum := 0.0
		for _, v := range values {
			sum += v
		}
		if sum == 0 {
			continue // it has no mean to be divided by
		}
		scaled := make([]float64, len(values))
		for i, v := range values {
			scaled[i] = min(m.SeriesMax, v*float64(len(values))/sum)
		}
		all = append(all, scaled)
	}
	return all
}

// workloads returns the workloads, and their popularity, cumulated.
func (m *Model) workloads(shapes []shape, random *rand.Rand) ([]*workload, []float64) {
	all := make([]*workload, m.Workloads)
	popularity := make([]float64, m.Workloads)
	sum := 0.0
	for i := range all {
		w := &workload{
			shape:       shapes[random.IntN(len(shapes))],
			ratio:       min(m.UseMax, m.UseMedian*math.Exp(m.UseSigma*random.NormFloat64())),
			burst:       m.BurstMin + (m.BurstMax-m.BurstMin)*random.Float64(),
			memoryRatio: min(m.MemoryMax, m.MemoryMedian*math.Exp(m.MemorySigma*random.NormFloat64())),
		}
		w.requests, w.limits = w.shape.requests(), w.shape.limits()
		w.set = replicaSet(i)
		all[i] = w
		sum += math.Pow(float64(i+1), -m.Zipf)
		popularity[i] = sum
	}
	return all, popularity
}

// replicaSet returns what a Deployment makes its pods with.
func replicaSet(i int) *appsv1.ReplicaSet {
	app := fmt.Sprintf("workload-%d", i)
	hash := fmt.Sprintf("%08x", uint32(i)*2654435761) // told apart at a glance
	labels := map[string]string{"app": app, appsv1.DefaultDeploymentUniqueLabelKey: hash}
	return &appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: app + "-" + hash, UID: types.UID("replicaset-" + app), Labels: labels},
		Spec:       appsv1.ReplicaSetSpec{Selector: &metav1.LabelSelector{MatchLabels: labels}},
	}
}

// pod returns the next replica of the workload. Its arrival is left open.
func (m *Model) pod(w *workload, series [][]float64, random *rand.Rand) sim.Pod {
	cpu := float64(w.shape.cpu) / 1000 * w.ratio
	values := series[random.IntN(len(series))]
	pod := sim.Pod{
		Object:     w.object(),
		StartDelay: m.StartMin + time.Duration(random.Float64()*float64(m.StartMax-m.StartMin)),
		Lifetime:   max(time.Second, time.Duration(random.ExpFloat64()*float64(m.Life))),
		Use: sim.Use{
			CPU: values, Base: cpu * (1 - w.burst), Scale: cpu * w.burst, Step: seriesStep,
			Offset: time.Duration(random.Float64() * float64(seriesStep) * float64(len(values))),
			Memory: int64(float64(w.shape.memory) * w.memoryRatio),
		},
	}
	return pod
}

// object returns the next replica as the ReplicaSet controller makes it.
func (w *workload) object() *v1.Pod {
	w.pods++
	name := fmt.Sprintf("%s-%05d", w.set.Name, w.pods)
	isController := true
	return &v1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: name, UID: types.UID("pod-" + name), Labels: w.set.Spec.Selector.MatchLabels,
			OwnerReferences: []metav1.OwnerReference{{
				APIVersion: appsv1.SchemeGroupVersion.String(), Kind: "ReplicaSet", Name: w.set.Name, UID: w.set.UID, Controller: &isController,
			}},
		},
		Spec: v1.PodSpec{
			RestartPolicy: v1.RestartPolicyAlways,
			Containers:    []v1.Container{{Name: "main", Image: "app", Resources: v1.ResourceRequirements{Requests: w.requests, Limits: w.limits}}},
		},
	}
}

// newNode returns a node with all of its capacity allocatable.
func newNode(name string, cpu, memory, devices int64, model string) *v1.Node {
	list := v1.ResourceList{
		v1.ResourceCPU:    *resource.NewMilliQuantity(cpu, resource.DecimalSI),
		v1.ResourceMemory: *resource.NewQuantity(memory, resource.BinarySI),
		v1.ResourcePods:   *resource.NewQuantity(110, resource.DecimalSI),
	}
	node := &v1.Node{ObjectMeta: metav1.ObjectMeta{
		Name: name, UID: types.UID("node-" + name), Labels: map[string]string{v1.LabelHostname: name},
	}}
	if devices > 0 {
		list[gpu] = *resource.NewQuantity(devices, resource.DecimalSI)
	}
	if model != "" {
		node.Labels["nvidia.com/gpu.product"] = model
	}
	node.Status = v1.NodeStatus{
		Capacity: list, Allocatable: list,
		Conditions: []v1.NodeCondition{{Type: v1.NodeReady, Status: v1.ConditionTrue}},
	}
	return node
}
