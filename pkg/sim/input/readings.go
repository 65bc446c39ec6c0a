package input

import (
	"fmt"
	"strings"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/metrics/pkg/apis/metrics/v1beta1"

	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/input/warning"
)

const (
	readingsUnusable   warning.Kind = "readings without CPU or memory, or with impossible amounts, count as missing"
	readingsUnreadable warning.Kind = "readings with a value that cannot be read, or without a name, count as missing"
	readingsIncomplete warning.Kind = "readings of pods without all of their containers count as missing"
	readingsOfNothing  warning.Kind = "readings of nodes or pods that are not there are left out"
	readingsTwice      warning.Kind = "readings that come twice: the later one is taken"
	nodesNotMeasured   warning.Kind = "nodes without a reading: their pods use what the model says, and nothing else uses them"
)

// takeReadings takes what nodes and pods were measured to use.
func (s *snapshot) takeReadings(path string, from *objects, nodes nodesKnown, warnings *warning.List) error {
	var left warning.List
	s.takeNodeReadings(from.nodeMetrics, nodes, &left)
	s.takePodReadings(from, &left)
	if err := warnings.Settle(&left, s.checkReadings(path, len(from.nodeMetrics)+len(from.podMetrics), left.Count(readingsOfNothing))); err != nil {
		return err
	}
	for _, node := range s.nodes {
		if _, ok := s.nodeUse[node.Name]; !ok {
			warnings.Add(nodesNotMeasured, path, "there is no reading of node %s: pods on it that have none use what the model says (use-median, memory-median), and nothing else uses it", node.Name)
		}
	}
	return nil
}

// checkReadings reports that none of the readings can be used. Those of nothing are of
// nodes and pods that are not there.
func (s *snapshot) checkReadings(path string, count, ofNothing int) error {
	switch {
	case count == 0:
		return fmt.Errorf("%s: there is no object of kind NodeMetrics in it: make readings by %s", path, command(path, "NodeMetrics"))
	case len(s.nodeUse)+len(s.podUse) > 0:
		return nil
	case ofNothing == count:
		return fmt.Errorf("%s: there is no reading in it of any of its nodes and pods that can be used: is it of another cluster?", path)
	}
	return fmt.Errorf("%s: there is no reading in it of any of its nodes and pods that can be used", path)
}

// readings are those of nodes or pods, by name.
type readings[Name comparable] struct {
	use   map[Name]usage
	times map[Name]time.Time
}

func newReadings[Name comparable]() *readings[Name] {
	return &readings[Name]{use: map[Name]usage{}, times: map[Name]time.Time{}}
}

// put takes a reading unless there is a later one, and reports whether there was one.
func (r *readings[Name]) put(name Name, use usage, at time.Time) (twice bool) {
	before, twice := r.times[name]
	if !twice || at.After(before) {
		r.use[name], r.times[name] = use, at
	}
	return twice
}

func (s *snapshot) takeNodeReadings(from []found[v1beta1.NodeMetrics], nodes nodesKnown, warnings *warning.List) {
	all := newReadings[string]()
	for i := range from {
		reading, where := &from[i].object, from[i].origin.Where()
		taken, known := nodes[reading.Name]
		use, fault := usageOf(reading.Usage)
		switch {
		case from[i].fault != nil:
			warnings.AddError(readingsUnreadable, from[i].fault, "the reading of "+called("node", reading.Name)+" counts as missing")
		case !known:
			warnings.Add(readingsOfNothing, where, "there is a reading of node %q, which is not in the snapshot: it is left out", reading.Name)
		case !taken: // as has been said
		case fault != "":
			warnings.Add(readingsUnusable, where, "node %s: usage%s; the reading counts as missing", reading.Name, fault)
		case all.put(reading.Name, use, reading.Timestamp.Time):
			warnings.Add(readingsTwice, where, "there is a second reading of node %s: the later one is taken", reading.Name)
		}
	}
	s.nodeUse = all.use
}

func (s *snapshot) takePodReadings(from *objects, warnings *warning.List) {
	pods := s.podsByName(from)
	all := newReadings[types.NamespacedName]()
	for i := range from.podMetrics {
		reading, where := &from.podMetrics[i].object, from.podMetrics[i].origin.Where()
		if reading.Namespace == "" {
			reading.Namespace = v1.NamespaceDefault
		}
		name := types.NamespacedName{Namespace: reading.Namespace, Name: reading.Name}
		pod, known := pods[name]
		if fault := from.podMetrics[i].fault; fault != nil {
			warnings.AddError(readingsUnreadable, fault, "the reading of "+calledPod(name)+" counts as missing")
			continue
		}
		if !known {
			warnings.Add(readingsOfNothing, where, "there is a reading of pod %s, which is not in the snapshot: it is left out", name)
		}
		if pod == nil {
			continue
		}
		missing := containersMissing(pod, reading)
		use, fault := usageOfContainers(reading.Containers)
		switch {
		case missing != "":
			warnings.Add(readingsIncomplete, where, "the reading of pod %s has no container %s: it counts as missing", name, missing)
		case fault != "":
			warnings.Add(readingsUnusable, where, "pod %s: %s; the reading counts as missing", name, fault)
		case all.put(name, use, reading.Timestamp.Time):
			warnings.Add(readingsTwice, where, "there is a second reading of pod %s: the later one is taken", name)
		}
	}
	s.podUse = all.use
}

// podsByName returns all pods by their names: nil for those that have ended or are left
// out, whose readings are of no use, and no surprise.
func (s *snapshot) podsByName(from *objects) map[types.NamespacedName]*v1.Pod {
	pods := map[types.NamespacedName]*v1.Pod{}
	for i := range from.pods {
		pods[nameOfPod(&from.pods[i].object)] = nil
	}
	for _, pod := range s.pods {
		pods[nameOfPod(pod)] = pod
	}
	return pods
}

// usageOf returns the CPU and memory in use, or what is wrong with them.
func usageOf(list v1.ResourceList) (use usage, fault string) {
	for _, name := range []v1.ResourceName{v1.ResourceCPU, v1.ResourceMemory} {
		if _, ok := list[name]; !ok {
			return use, fmt.Sprintf("[%s] is missing", name)
		}
	}
	if fault := faultOfAmounts(list); fault != "" {
		return use, fault
	}
	return usage{cpu: list.Cpu().AsApproximateFloat64(), memory: list.Memory().AsApproximateFloat64()}, ""
}

func usageOfContainers(containers []v1beta1.ContainerMetrics) (sum usage, fault string) {
	for i := range containers {
		use, fault := usageOf(containers[i].Usage)
		if fault != "" {
			return sum, fmt.Sprintf("containers[%d].usage%s", i, fault)
		}
		sum.cpu += use.cpu
		sum.memory += use.memory
	}
	return sum, ""
}

// containersMissing returns which containers of the pod run and are not in the reading,
// or "". Where the pod's status does not tell which run, all must be there.
func containersMissing(pod *v1.Pod, reading *v1beta1.PodMetrics) string {
	there := map[string]bool{} // measured, or known not to run
	for i := range reading.Containers {
		there[reading.Containers[i].Name] = true
	}
	for _, statuses := range [][]v1.ContainerStatus{pod.Status.ContainerStatuses, pod.Status.InitContainerStatuses} {
		for i := range statuses {
			if state := &statuses[i].State; state.Waiting != nil || state.Terminated != nil {
				there[statuses[i].Name] = true
			}
		}
	}
	var missing []string
	for _, name := range containersOf(pod) {
		if !there[name] {
			missing = append(missing, name)
		}
	}
	if len(missing) == 0 && len(reading.Containers) == 0 {
		return "at all"
	}
	return strings.Join(missing, ", ")
}

// containersOf returns the names of the containers that run as long as the pod: sidecars
// among the init containers do.
func containersOf(pod *v1.Pod) []string {
	var names []string
	for i := range pod.Spec.Containers {
		names = append(names, pod.Spec.Containers[i].Name)
	}
	for i := range pod.Spec.InitContainers {
		container := &pod.Spec.InitContainers[i]
		if container.RestartPolicy != nil && *container.RestartPolicy == v1.ContainerRestartPolicyAlways {
			names = append(names, container.Name)
		}
	}
	return names
}
