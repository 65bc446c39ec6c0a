package input

import (
	"fmt"
	"math"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/plimsoll-scheduler/plimsoll/pkg/recording"
	"github.com/plimsoll-scheduler/plimsoll/pkg/sim"
)

// objectOf returns the pod's object: that of the snapshot, or one with the requests and
// the owner that were recorded, or nil if those are not known. The fault is what is
// impossible about it.
func (r *replay) objectOf(pod *recording.Pod) (object *v1.Pod, fault string) {
	if object := r.objects[pod.UID]; object != nil && pod.UID != "" {
		return object, ""
	}
	if pod.Requests == nil {
		return nil, ""
	}
	object = r.newObject(pod)
	requests := v1.ResourceList{}
	for name, text := range pod.Requests {
		quantity, err := resource.ParseQuantity(text)
		if err != nil {
			return nil, fmt.Sprintf("requests[%s] is %q: %v", name, text, err)
		}
		requests[v1.ResourceName(name)] = quantity
	}
	object.Spec.Containers[0].Resources.Requests = requests
	return object, faultOfRequests(object)
}

// newObject returns an object with what is recorded beside requests. What decides where
// it may run is that of another pod of its owner; without one it tolerates the taints of
// the node that it ran on.
func (r *replay) newObject(pod *recording.Pod) *v1.Pod {
	object := &v1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: pod.Namespace, Name: pod.Name, UID: types.UID(pod.UID)},
		Spec: v1.PodSpec{
			NodeName: pod.Node, Priority: pod.Priority,
			Containers: []v1.Container{{Name: "recorded"}},
		},
	}
	if owner := pod.Owner; owner != nil {
		object.OwnerReferences = []metav1.OwnerReference{{
			APIVersion: "recorded/v1", Kind: owner.Kind, Name: owner.Name, Controller: new(true),
			UID: types.UID(owner.Kind + " " + pod.Namespace + "/" + owner.Name),
		}}
	}
	if like := r.siblings[workloadOf(object)]; like != nil && pod.Owner != nil {
		object.Labels, object.OwnerReferences = like.Labels, like.OwnerReferences
		object.Spec.NodeSelector, object.Spec.Affinity, object.Spec.Tolerations = like.Spec.NodeSelector, like.Spec.Affinity, like.Spec.Tolerations
		object.Spec.TopologySpreadConstraints = like.Spec.TopologySpreadConstraints
		if object.Spec.Priority == nil {
			object.Spec.Priority = like.Spec.Priority
		}
		return object
	}
	for _, taint := range r.nodes[pod.Node].taints {
		object.Spec.Tolerations = append(object.Spec.Tolerations, v1.Toleration{Key: taint.Key, Operator: v1.TolerationOpEqual, Value: taint.Value, Effect: taint.Effect})
	}
	return object
}

// named returns the object under a name and a UID that no other has: pods of StatefulSets
// come again under the same name.
func (r *replay) named(object *v1.Pod) *v1.Pod {
	name := nameOfPod(object)
	count := r.names[name]
	r.names[name]++
	if count == 0 && object.UID != "" {
		return object
	}
	object = object.DeepCopy()
	if count > 0 {
		object.Name += again(count)
	}
	object.UID = types.UID(fmt.Sprintf("recorded %s %d", name, count))
	return object
}

// belongsToNode reports whether the pod is of a DaemonSet or static.
func belongsToNode(pod *v1.Pod) bool {
	onNode := pod.DeepCopy()
	if onNode.Spec.NodeName == "" {
		onNode.Spec.NodeName = "recorded"
	}
	return staysOnNode(onNode)
}

// useOf returns what the pod uses over time.
func (r *replay) useOf(pod *recording.Pod, object *v1.Pod, l life, stays bool) sim.Use {
	weight := weightOf(object)
	modelled := usage{cpu: weight.cpu * r.model.UseMedian, memory: weight.memory * r.model.MemoryMedian}
	if pod.CPU.Known() == 0 && pod.Memory.Known() == 0 {
		r.facts.ModelledPods++
		return sim.Use{Base: modelled.cpu, Memory: int64(modelled.memory)}
	}
	r.facts.MeasuredPods++
	byAge := pod.Completed && l.started && !stays
	from, to := r.stepsOf(l, byAge)
	use := sim.Use{CPU: r.filled(&pod.CPU, from, to, modelled.cpu, l), Scale: 1, Step: r.recorded.Step()}
	for _, bytes := range r.filled(&pod.Memory, from, to, modelled.memory, l) {
		use.MemorySeries = append(use.MemorySeries, int64(bytes))
	}
	if use.ByAge = byAge; byAge {
		// The first entry is of the step in which it started.
		use.Offset = max(0, l.start-time.Duration(from)*use.Step)
		return use
	}
	length := use.Step * time.Duration(len(use.CPU))
	use.Offset = (length - time.Duration(from)*use.Step%length) % length
	return use
}

// stepsOf returns the steps that values are needed of: from the pod's start to its end,
// and unless they are by its age from its arrival, since it may start earlier than it did.
func (r *replay) stepsOf(l life, byAge bool) (from, to int) {
	step := r.recorded.Step()
	from, to = int(max(0, l.arrival)/step), r.recorded.Steps()
	if byAge {
		from = int(max(0, l.start) / step)
	}
	if l.end < r.scenario.End {
		to = int((l.end + step - 1) / step)
	}
	return from, max(from+1, to)
}

// filled returns the values of the steps. Where none is known it is the one before, or
// else the first after it, or otherwise.
func (r *replay) filled(s *recording.Series, from, to int, otherwise float64, l life) []float64 {
	values := make([]float64, to-from)
	last := math.NaN()
	for step := from; step < to && math.IsNaN(last); step++ {
		last = s.At(step)
	}
	if math.IsNaN(last) {
		last = otherwise
	}
	begin := int(max(0, l.start) / r.recorded.Step())
	for i := range values {
		value := s.At(from + i)
		if from+i >= begin {
			r.ran++
			if math.IsNaN(value) {
				r.gaps++
			}
		}
		if !math.IsNaN(value) {
			last = value
		}
		values[i] = last
	}
	return values
}

// count adds what the pod used to that of the pods of its node.
func (r *replay) count(node string, use *sim.Use, l life) {
	from, to := r.stepsOf(l, use.ByAge)
	for step := int(max(0, l.start) / r.recorded.Step()); step < to; step++ {
		value := usage{cpu: use.Base, memory: float64(use.Memory)}
		if entry := step - from; entry >= 0 && entry < len(use.CPU) {
			value = usage{cpu: use.CPU[entry], memory: float64(use.MemorySeries[entry])}
		}
		r.used[node][step].cpu += value.cpu
		r.used[node][step].memory += value.memory
	}
}
