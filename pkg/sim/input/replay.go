package input

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	resourcehelper "k8s.io/component-helpers/resource"

	"github.com/plimsoll-scheduler/plimsoll/pkg/sim"
)

// mirrorAnnotation marks static pods.
const mirrorAnnotation = "kubernetes.io/config.mirror"

// member is a pod of a snapshot with what it is taken to use.
type member struct {
	pod         *v1.Pod
	cpu, memory float64 // cores and bytes
	burst       float64
}

// populate makes a scenario of the snapshot. See Snapshot.
func (s *snapshot) populate(name string, m *Model, seed uint64) (*sim.Scenario, error) {
	random := rand.New(rand.NewPCG(seed, 3))
	series := m.scaled(generateSeries(random))
	scenario := &sim.Scenario{
		Name: name, Nodes: s.nodes, Seed: seed,
		MeasureFrom: m.FillTime, End: m.FillTime + m.ChurnTime,
		Metrics:     sim.MetricsServer{Interval: m.ScrapeInterval, Delay: m.ScrapeDelay, Missing: m.ScrapeMissing},
		Parameters:  m.describe(),
		Background:  s.background(),
		ReplicaSets: s.replicaSets(),
	}
	members := s.members(m, random)
	use := func(x *member) sim.Use {
		values := series[random.IntN(len(series))]
		return sim.Use{
			CPU: values, Base: x.cpu * (1 - x.burst), Scale: x.cpu * x.burst, Step: seriesStep,
			Offset: time.Duration(random.Float64() * float64(seriesStep) * float64(len(values))),
			Memory: int64(x.memory),
		}
	}
	var mobile []*member
	for _, x := range members {
		if staysOnNode(x.pod) {
			scenario.Pods = append(scenario.Pods, sim.Pod{Object: fixed(x.pod), Arrival: -time.Hour, Use: use(x)})
			continue
		}
		mobile = append(mobile, x)
	}
	if len(mobile) == 0 {
		return nil, fmt.Errorf("all pods of the snapshot are of DaemonSets or static: there is nothing to schedule")
	}
	add := func(x *member, object *v1.Pod, arrival, lifetime time.Duration) {
		scenario.Pods = append(scenario.Pods, sim.Pod{
			Object: object, Arrival: arrival, Lifetime: lifetime, Use: use(x),
			StartDelay: m.StartMin + time.Duration(random.Float64()*float64(m.StartMax-m.StartMin)),
		})
	}
	life := func() time.Duration { return max(time.Second, time.Duration(random.ExpFloat64()*float64(m.Life))) }
	for i, x := range mobile {
		arrival := m.FillTime * time.Duration(i) / time.Duration(len(mobile))
		add(x, unbound(x.pod, ""), arrival, m.FillTime-arrival+life())
	}
	between := float64(m.Life) / float64(len(mobile))
	for i, at := 0, m.FillTime; ; i++ {
		at += time.Duration(random.ExpFloat64() * between)
		if at >= scenario.End {
			return scenario, nil
		}
		x := mobile[random.IntN(len(mobile))]
		add(x, unbound(x.pod, fmt.Sprintf("-again-%d", i)), at, life())
	}
}

// staysOnNode reports whether the pod belongs to its node.
func staysOnNode(pod *v1.Pod) bool {
	if pod.Spec.NodeName == "" {
		return false
	}
	owner := metav1.GetControllerOfNoCopy(pod)
	_, static := pod.Annotations[mirrorAnnotation]
	return static || owner != nil && owner.Kind == "DaemonSet"
}

// members returns the pods in the order of their creation, with what they use.
func (s *snapshot) members(m *Model, random *rand.Rand) []*member {
	requested := map[string]*[2]float64{} // of a node, by its pods
	for _, pod := range s.pods {
		if node := pod.Spec.NodeName; node != "" {
			if requested[node] == nil {
				requested[node] = &[2]float64{}
			}
			cpu, memory := weightsOf(pod)
			requested[node][0] += cpu
			requested[node][1] += memory
		}
	}
	all := make([]*member, 0, len(s.pods))
	byWorkload := map[string][]*member{}
	for _, pod := range s.pods {
		x := &member{pod: pod}
		cpu, memory := weightsOf(pod)
		x.cpu, x.memory = cpu*m.UseMedian, memory*m.MemoryMedian
		if usage, measured := s.metrics[pod.Spec.NodeName]; measured {
			sums := requested[pod.Spec.NodeName]
			x.cpu = usage.Cpu().AsApproximateFloat64() * cpu / sums[0]
			x.memory = usage.Memory().AsApproximateFloat64() * memory / sums[1]
		}
		all = append(all, x)
		if !staysOnNode(pod) {
			byWorkload[workloadOf(pod)] = append(byWorkload[workloadOf(pod)], x)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(byWorkload)) {
		share(byWorkload[name], m.BurstMin+(m.BurstMax-m.BurstMin)*random.Float64())
	}
	slices.SortStableFunc(all, func(a, b *member) int {
		return a.pod.CreationTimestamp.Compare(b.pod.CreationTimestamp.Time)
	})
	return all
}

// share gives all pods of a workload the mean of what they use.
func share(pods []*member, burst float64) {
	cpu, memory := 0.0, 0.0
	for _, x := range pods {
		cpu += x.cpu
		memory += x.memory
	}
	for _, x := range pods {
		x.cpu, x.memory, x.burst = cpu/float64(len(pods)), memory/float64(len(pods)), burst
	}
}

// weightsOf returns what a pod requests, in cores and bytes; a pod that requests
// nothing counts as the scheduler counts it when it scores.
func weightsOf(pod *v1.Pod) (cpu, memory float64) {
	requests := resourcehelper.PodRequests(pod, resourcehelper.PodResourcesOptions{})
	cpu, memory = requests.Cpu().AsApproximateFloat64(), requests.Memory().AsApproximateFloat64()
	if cpu == 0 {
		cpu = 0.1
	}
	if memory == 0 {
		memory = 200 << 20
	}
	return cpu, memory
}

// workloadOf returns what pods have in common that are alike.
func workloadOf(pod *v1.Pod) string {
	if owner := metav1.GetControllerOfNoCopy(pod); owner != nil {
		return pod.Namespace + "/" + owner.Kind + "/" + owner.Name
	}
	return pod.Namespace + "/Pod/" + pod.Name
}

// background returns the use of nodes that have none of the pods.
func (s *snapshot) background() map[string]sim.Background {
	occupied := map[string]bool{}
	for _, pod := range s.pods {
		occupied[pod.Spec.NodeName] = true
	}
	all := map[string]sim.Background{}
	for node, usage := range s.metrics {
		if !occupied[node] {
			all[node] = sim.Background{CPU: usage.Cpu().AsApproximateFloat64(), Memory: usage.Memory().Value()}
		}
	}
	return all
}

// replicaSets returns the ReplicaSets that own pods. Their selectors, which are
// not in the snapshot, are taken to be all labels of their pods.
func (s *snapshot) replicaSets() []*appsv1.ReplicaSet {
	known := map[types.UID]bool{}
	var sets []*appsv1.ReplicaSet
	for _, pod := range s.pods {
		owner := metav1.GetControllerOfNoCopy(pod)
		if owner == nil || owner.Kind != "ReplicaSet" || known[owner.UID] {
			continue
		}
		known[owner.UID] = true
		sets = append(sets, &appsv1.ReplicaSet{
			ObjectMeta: metav1.ObjectMeta{Namespace: pod.Namespace, Name: owner.Name, UID: owner.UID},
			Spec:       appsv1.ReplicaSetSpec{Selector: &metav1.LabelSelector{MatchLabels: pod.Labels}},
		})
	}
	return sets
}

// fixed returns the pod as it runs on its node.
func fixed(pod *v1.Pod) *v1.Pod {
	object := stripped(pod, "")
	object.Spec.NodeName = pod.Spec.NodeName
	return object
}

// unbound returns the pod, or a replica of it, as it is created.
func unbound(pod *v1.Pod, suffix string) *v1.Pod {
	object := stripped(pod, suffix)
	object.Spec.NodeName = ""
	return object
}

// stripped returns a copy without what refers to objects that are not in the
// snapshot, and without what the cluster did with the pod.
func stripped(pod *v1.Pod, suffix string) *v1.Pod {
	object := pod.DeepCopy()
	object.ManagedFields, object.DeletionTimestamp = nil, nil
	object.Name += suffix
	if object.UID == "" {
		object.UID = types.UID(pod.Namespace + "/" + pod.Name)
	}
	object.UID += types.UID(suffix)
	object.Status = v1.PodStatus{}
	object.Spec.SchedulingGates, object.Spec.ResourceClaims = nil, nil
	object.Spec.Volumes = slices.DeleteFunc(object.Spec.Volumes, func(v v1.Volume) bool {
		return v.PersistentVolumeClaim != nil || v.Ephemeral != nil
	})
	for _, containers := range [][]v1.Container{object.Spec.InitContainers, object.Spec.Containers} {
		for i := range containers {
			containers[i].Resources.Claims = nil
		}
	}
	delete(object.Annotations, mirrorAnnotation)
	return object
}
