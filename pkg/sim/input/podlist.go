package input

import (
	"fmt"
	"slices"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	resourcehelper "k8s.io/component-helpers/resource"

	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/input/warning"
)

const (
	podsOnNoNode    warning.Kind = "pods on nodes that are not there are left out"
	podsTwice       warning.Kind = "pods that come twice are taken once"
	podsImpossible  warning.Kind = "pods with impossible requests are left out"
	podsUnreadable  warning.Kind = "pods with a value that cannot be read, or without a name or containers, are left out"
	podsOfSharedUID warning.Kind = "pods with the UID of another get one of their own"
)

// podTaker takes the pods of a snapshot.
type podTaker struct {
	nodes nodesKnown
	left  warning.List
	taken map[types.NamespacedName]found[*v1.Pod]
	order []types.NamespacedName
	ended int
	past  []*v1.Pod // those that have ended, and can be used
}

// takePods takes the pods that run or wait. Of pods with the same name it is the one
// that was created last: no two can exist at the same time.
func (s *snapshot) takePods(path string, from *objects, nodes nodesKnown, warnings *warning.List) error {
	t := &podTaker{nodes: nodes, taken: map[types.NamespacedName]found[*v1.Pod]{}}
	for i := range from.pods {
		t.take(&from.pods[i])
	}
	uids := map[types.UID]types.NamespacedName{}
	for _, name := range t.order {
		pod, origin := t.taken[name].object, t.taken[name].origin
		if other, shared := uids[pod.UID]; shared && pod.UID != "" {
			t.left.Add(podsOfSharedUID, origin.Where(), "pod %s has the UID of pod %s: it gets another", name, other)
			pod.UID = ""
		}
		if pod.UID == "" {
			pod.UID = types.UID("pod " + name.String())
		}
		uids[pod.UID] = name
		nameOwners(pod)
		s.pods = append(s.pods, pod)
	}
	if s.withEnded {
		s.ended = t.past
		return warnings.Settle(&t.left, nil)
	}
	var err error
	switch {
	case len(from.pods) == 0:
		err = fmt.Errorf("%s: there is no object of kind Pod in it: make pods by %s", path, command(path, "Pod"))
	case len(s.pods) == 0:
		err = fmt.Errorf("%s: of the %d pods in it %d have ended, and the others are left out: there must be one that runs or waits", path, len(from.pods), t.ended)
	case !slices.ContainsFunc(s.pods, func(pod *v1.Pod) bool { return !staysOnNode(pod) }):
		err = fmt.Errorf("%s: all pods in it that can be used are of DaemonSets or static: there is nothing to schedule", path)
	}
	return warnings.Settle(&t.left, err)
}

// take takes a pod unless it is left out.
func (t *podTaker) take(from *found[v1.Pod]) {
	pod, origin := &from.object, from.origin
	if pod.Namespace == "" {
		pod.Namespace = v1.NamespaceDefault
	}
	if pod.Status.Phase == v1.PodSucceeded || pod.Status.Phase == v1.PodFailed {
		t.ended++
		if from.fault == nil && len(pod.Spec.Containers) > 0 && faultOfRequests(pod) == "" {
			t.past = append(t.past, pod)
		}
		return
	}
	name := nameOfPod(pod)
	fault := from.fault
	if fault == nil && len(pod.Spec.Containers) == 0 {
		fault = origin.Errorf("spec.containers", "is empty: each pod must have containers, whose requests count")
	}
	if fault != nil {
		t.left.AddError(podsUnreadable, fault, calledPod(name)+" is left out")
		return
	}
	if node := pod.Spec.NodeName; node != "" && !t.nodes[node] {
		what := "which is not in the snapshot"
		if _, known := t.nodes[node]; known {
			what = "which is left out"
		}
		t.left.Add(podsOnNoNode, origin.Where(), "pod %s is on node %s, %s: the pod is left out", name, node, what)
		return
	}
	if fault := faultOfRequests(pod); fault != "" {
		t.left.Add(podsImpossible, origin.Where(), "pod %s: %s; it is left out", name, fault)
		return
	}
	before, twice := t.taken[name]
	if !twice {
		t.order = append(t.order, name)
	} else {
		t.left.Add(podsTwice, origin.Where(), "pod %s comes a second time (first at %s): the one that was created last is taken", name, before.origin.Where())
		if !before.object.CreationTimestamp.Before(&pod.CreationTimestamp) {
			return
		}
	}
	t.taken[name] = found[*v1.Pod]{object: pod, origin: origin}
}

// calledPod names a pod as called does.
func calledPod(name types.NamespacedName) string {
	if name.Name == "" {
		return called("pod", "")
	}
	return called("pod", name.String())
}

// faultOfRequests says which request of the pod is impossible, or "".
func faultOfRequests(pod *v1.Pod) string {
	for i := range pod.Spec.Containers {
		if fault := faultOfAmounts(pod.Spec.Containers[i].Resources.Requests); fault != "" {
			return fmt.Sprintf("spec.containers[%d].resources.requests%s", i, fault)
		}
	}
	for i := range pod.Spec.InitContainers {
		if fault := faultOfAmounts(pod.Spec.InitContainers[i].Resources.Requests); fault != "" {
			return fmt.Sprintf("spec.initContainers[%d].resources.requests%s", i, fault)
		}
	}
	if fault := faultOfAmounts(pod.Spec.Overhead); fault != "" {
		return "spec.overhead" + fault
	}
	if fault := faultOfAmounts(resourcehelper.PodRequests(pod, resourcehelper.PodResourcesOptions{})); fault != "" {
		return "the sum of its requests" + fault
	}
	return ""
}

// nameOwners gives owners without a UID one, so that two are not taken for the same.
func nameOwners(pod *v1.Pod) {
	for i := range pod.OwnerReferences {
		if owner := &pod.OwnerReferences[i]; owner.UID == "" {
			owner.UID = types.UID(owner.Kind + " " + pod.Namespace + "/" + owner.Name)
		}
	}
}
