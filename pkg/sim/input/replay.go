package input

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/plimsoll-scheduler/plimsoll/pkg/sim"
)

// mirrorAnnotation marks static pods.
const mirrorAnnotation = "kubernetes.io/config.mirror"

// populate makes a scenario of the snapshot. See Snapshot.
func (s *snapshot) populate(name string, m *Model, seed uint64) *sim.Scenario {
	random := rand.New(rand.NewPCG(seed, 3))
	return s.scenario(name, m, m.scaled(generateSeries(random)), random, seed)
}

// scenario makes a scenario of the snapshot in which use follows the series.
func (s *snapshot) scenario(name string, m *Model, series [][]float64, random *rand.Rand, seed uint64) *sim.Scenario {
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
			CPU: values, Base: x.use.cpu * (1 - x.burst), Scale: x.use.cpu * x.burst, Step: seriesStep,
			Offset: time.Duration(random.Float64() * float64(seriesStep) * float64(len(values))),
			Memory: int64(x.use.memory),
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
	taken := s.names()
	for i, at := 0, m.FillTime; ; i++ {
		at += time.Duration(random.ExpFloat64() * between)
		if at >= scenario.End {
			return scenario
		}
		x := mobile[random.IntN(len(mobile))]
		for taken[x.pod.Name+again(i)] || taken[string(x.pod.UID)+again(i)] {
			i++
		}
		add(x, unbound(x.pod, again(i)), at, life())
	}
}

// again returns what is appended to the name and the UID of a pod's replica.
func again(i int) string { return fmt.Sprintf("-again-%d", i) }

// names returns the names and the UIDs of the pods.
func (s *snapshot) names() map[string]bool {
	all := map[string]bool{}
	for _, pod := range s.pods {
		all[pod.Name], all[string(pod.UID)] = true, true
	}
	return all
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

// replicaSets returns the ReplicaSets that own pods. Their selectors, which are
// not in the snapshot, are taken to be all labels of their pods.
func (s *snapshot) replicaSets() []*appsv1.ReplicaSet {
	known := map[types.NamespacedName]bool{}
	var sets []*appsv1.ReplicaSet
	for _, pod := range s.pods {
		owner := metav1.GetControllerOfNoCopy(pod)
		if owner == nil || owner.Kind != "ReplicaSet" {
			continue
		}
		name := types.NamespacedName{Namespace: pod.Namespace, Name: owner.Name}
		if known[name] {
			continue
		}
		known[name] = true
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
