package snapshot

import (
	"cmp"
	"slices"
	"strings"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	resourcehelper "k8s.io/component-helpers/resource"

	"github.com/plimsoll-scheduler/plimsoll/pkg/recording"
)

// lives are all pods that are known, those of the API server and those that only
// Prometheus knows. Several may have had the same name, one after the other.
type lives struct {
	byUID  map[types.UID]*recording.Pod
	byName map[types.NamespacedName][]*recording.Pod
	order  []*recording.Pod
}

func newLives(pods []*v1.Pod) *lives {
	l := &lives{byUID: map[types.UID]*recording.Pod{}, byName: map[types.NamespacedName][]*recording.Pod{}}
	for _, pod := range pods {
		l.add(lifeOf(pod))
	}
	return l
}

func (l *lives) add(p *recording.Pod) *recording.Pod {
	name := types.NamespacedName{Namespace: p.Namespace, Name: p.Name}
	if p.UID != "" {
		l.byUID[types.UID(p.UID)] = p
	}
	l.byName[name] = append(l.byName[name], p)
	l.order = append(l.order, p)
	return p
}

// sort sorts the pods of each name by when they came.
func (l *lives) sort() {
	for _, pods := range l.byName {
		slices.SortStableFunc(pods, func(a, b *recording.Pod) int { return begin(a).Compare(begin(b)) })
	}
}

// begin is when a pod came, as far as that is known.
func begin(p *recording.Pod) time.Time {
	for _, at := range []*time.Time{p.Created, p.Scheduled, p.Started} {
		if at != nil {
			return *at
		}
	}
	return time.Time{}
}

// at returns which pod of a name was there at a time: the last that had come by then.
// Series may know a pod a little before its times do, which are whole seconds. It is nil
// if there is none, or if that one ran on another node.
func (l *lives) at(name types.NamespacedName, node string, at time.Time) *recording.Pod {
	var found *recording.Pod
	for _, p := range l.byName[name] {
		if (found == nil || !begin(p).After(at)) && (p.Node == "" || node == "" || p.Node == node) {
			found = p
		}
	}
	return found
}

// lifeOf returns what the API server tells of a pod.
func lifeOf(pod *v1.Pod) *recording.Pod {
	p := &recording.Pod{
		Namespace: pod.Namespace, Name: pod.Name, UID: string(pod.UID), Node: pod.Spec.NodeName,
		Priority: pod.Spec.Priority, Requests: map[string]string{}, Created: timeOf(pod.CreationTimestamp),
		Completed: pod.Status.Phase == v1.PodSucceeded || pod.Status.Phase == v1.PodFailed,
	}
	for name, quantity := range resourcehelper.PodRequests(pod, resourcehelper.PodResourcesOptions{}) {
		p.Requests[string(name)] = quantity.String()
	}
	if owner := metav1.GetControllerOf(pod); owner != nil {
		p.Owner = &recording.Owner{Kind: owner.Kind, Name: owner.Name}
	}
	for _, c := range pod.Status.Conditions {
		if c.Type == v1.PodScheduled && c.Status == v1.ConditionTrue {
			p.Scheduled = timeOf(c.LastTransitionTime)
		}
	}
	p.Started = startOf(pod)
	if p.Completed {
		p.Ended = endOf(pod)
	}
	return p
}

func timeOf(t metav1.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return new(t.UTC())
}

// startOf returns when the pod's containers ran for the first time: the last of them to
// start. After a restart only the kubelet's first word of the pod is left.
func startOf(pod *v1.Pod) (start *time.Time) {
	for i := range pod.Status.ContainerStatuses {
		status := &pod.Status.ContainerStatuses[i]
		var at metav1.Time
		switch {
		case status.RestartCount > 0 && pod.Status.StartTime != nil:
			return timeOf(*pod.Status.StartTime)
		case status.State.Running != nil:
			at = status.State.Running.StartedAt
		case status.State.Terminated != nil:
			at = status.State.Terminated.StartedAt
		}
		start = later(start, timeOf(at))
	}
	return start
}

func endOf(pod *v1.Pod) (end *time.Time) {
	for i := range pod.Status.ContainerStatuses {
		if t := pod.Status.ContainerStatuses[i].State.Terminated; t != nil {
			end = later(end, timeOf(t.FinishedAt))
		}
	}
	return end
}

func later(a, b *time.Time) *time.Time {
	if a == nil || b != nil && b.After(*a) {
		return b
	}
	return a
}

// sorted returns all pods, by name and then by when they came.
func (l *lives) sorted() []recording.Pod {
	slices.SortStableFunc(l.order, func(a, b *recording.Pod) int {
		return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name), begin(a).Compare(begin(b)))
	})
	all := make([]recording.Pod, len(l.order))
	for i, p := range l.order {
		all[i] = *p
	}
	return all
}
