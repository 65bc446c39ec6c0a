package input

import (
	"maps"
	"math/rand/v2"
	"slices"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	resourcehelper "k8s.io/component-helpers/resource"

	"github.com/plimsoll-scheduler/plimsoll/pkg/sim"
	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/input/warning"
)

const nodesBelowTheirPods warning.Kind = "nodes that were measured to use no more than their measured pods: their other pods use what the model says"

// member is a pod of a snapshot with what it is taken to use.
type member struct {
	pod   *v1.Pod
	use   usage
	burst float64
}

// remainder is what is left of a node's measured use when that of its measured pods is
// taken off, and what its other pods request.
type remainder struct {
	use       usage
	requested usage
	measured  bool // the node
	pods      int  // of those, how many are measured
	others    int  // and how many are not
}

// remainders returns those of all nodes.
func (s *snapshot) remainders() map[string]*remainder {
	all := map[string]*remainder{}
	for _, node := range s.nodes {
		use, measured := s.nodeUse[node.Name]
		all[node.Name] = &remainder{use: use, measured: measured}
	}
	for _, pod := range s.pods {
		r := all[pod.Spec.NodeName]
		if r == nil {
			continue // it is on none
		}
		if use, ok := s.podUse[nameOfPod(pod)]; ok {
			r.use.cpu = max(0, r.use.cpu-use.cpu)
			r.use.memory = max(0, r.use.memory-use.memory)
			r.pods++
			continue
		}
		weight := weightOf(pod)
		r.requested.cpu += weight.cpu
		r.requested.memory += weight.memory
		r.others++
	}
	return all
}

func nameOfPod(pod *v1.Pod) types.NamespacedName {
	return types.NamespacedName{Namespace: pod.Namespace, Name: pod.Name}
}

// shares reports whether what remains is that of the node's other pods. Nothing remains
// where node and pods were measured at different times: that is no use of 0.
func (r *remainder) shares() bool {
	return r.measured && (r.pods == 0 || r.use.cpu > 0 && r.use.memory > 0)
}

// members returns the pods in the order of their creation, with what they use.
func (s *snapshot) members(m *Model, random *rand.Rand) []*member {
	remainders := s.remainders()
	all := make([]*member, 0, len(s.pods))
	byWorkload := map[string][]*member{}
	for _, pod := range s.pods {
		x := &member{pod: pod, use: s.useOf(pod, remainders[pod.Spec.NodeName], m)}
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

// useOf returns what a pod is taken to use. The remainder is that of its node, nil if it
// has none.
func (s *snapshot) useOf(pod *v1.Pod, r *remainder, m *Model) usage {
	if use, ok := s.podUse[nameOfPod(pod)]; ok {
		return use
	}
	weight := weightOf(pod)
	if r == nil || !r.shares() {
		return usage{cpu: weight.cpu * m.UseMedian, memory: weight.memory * m.MemoryMedian}
	}
	return usage{cpu: r.use.cpu * weight.cpu / r.requested.cpu, memory: r.use.memory * weight.memory / r.requested.memory}
}

// warn names the nodes of which nothing remains for their other pods.
func (s *snapshot) warn(path string, warnings *warning.List) {
	remainders := s.remainders()
	for _, node := range s.nodes {
		if r := remainders[node.Name]; r.measured && r.others > 0 && !r.shares() {
			warnings.Add(nodesBelowTheirPods, path, "node %s was measured to use no more than those of its pods that were measured: its other pods use what the model says (use-median, memory-median)", node.Name)
		}
	}
}

// share gives all pods of a workload the mean of what they use.
func share(pods []*member, burst float64) {
	var sum usage
	for _, x := range pods {
		sum.cpu += x.use.cpu
		sum.memory += x.use.memory
	}
	mean := usage{cpu: sum.cpu / float64(len(pods)), memory: sum.memory / float64(len(pods))}
	for _, x := range pods {
		x.use, x.burst = mean, burst
	}
}

// weightOf returns what a pod requests; a pod that requests nothing counts as the
// scheduler counts it when it scores.
func weightOf(pod *v1.Pod) usage {
	requests := resourcehelper.PodRequests(pod, resourcehelper.PodResourcesOptions{})
	weight := usage{cpu: requests.Cpu().AsApproximateFloat64(), memory: requests.Memory().AsApproximateFloat64()}
	if weight.cpu == 0 {
		weight.cpu = 0.1
	}
	if weight.memory == 0 {
		weight.memory = 200 << 20
	}
	return weight
}

// workloadOf returns what pods have in common that are alike.
func workloadOf(pod *v1.Pod) string {
	if owner := metav1.GetControllerOfNoCopy(pod); owner != nil {
		return pod.Namespace + "/" + owner.Kind + "/" + owner.Name
	}
	return pod.Namespace + "/Pod/" + pod.Name
}

// background returns the use of nodes that is none of their pods': where no pod is
// without a reading.
func (s *snapshot) background() map[string]sim.Background {
	all := map[string]sim.Background{}
	for node, r := range s.remainders() {
		if r.measured && r.others == 0 && (r.use.cpu > 0 || r.use.memory > 0) {
			all[node] = sim.Background{CPU: r.use.cpu, Memory: int64(r.use.memory)}
		}
	}
	return all
}
