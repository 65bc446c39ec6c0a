package sim

import (
	"fmt"
	"strconv"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// task is a pod in the simulation of one policy.
type task struct {
	spec    *Pod
	object  *v1.Pod // as the API server has it; nil before its arrival and after its end
	devices int64
	machine *machine // nil while it waits
	// isRunning is true from the start of its containers at startedAt.
	isRunning bool
	startedAt time.Duration
}

// newObject returns the pod as the API server would make it now.
func (e *engine) newObject(t *task) *v1.Pod {
	object := t.spec.Object.DeepCopy()
	object.Spec.SchedulerName = e.policy.Profile.SchedulerName
	// Nothing is evicted here.
	never := v1.PreemptNever
	object.Spec.PreemptionPolicy = &never
	object.CreationTimestamp = metav1.NewTime(e.timeOf(e.now).Truncate(time.Second))
	object.Status.Phase = v1.PodPending
	e.touch(object)
	return object
}

func (e *engine) touch(object *v1.Pod) {
	e.versions++
	object.ResourceVersion = strconv.FormatUint(e.versions, 10)
}

func (e *engine) arrive(t *task) error {
	t.object = e.newObject(t)
	e.byName[nameOf(t.object)] = t
	e.meter.arrived(e, t)
	return e.scheduler.pods.add(t.object)
}

// arriveRunning adds a pod that runs from the start of the simulation.
func (e *engine) arriveRunning(t *task, node string) error {
	m, ok := e.byNode[node]
	if !ok {
		return fmt.Errorf("pod %s is on node %s, which does not exist", nameOf(t.spec.Object), node)
	}
	t.object = e.newObject(t)
	e.byName[nameOf(t.object)] = t
	t.object.Status = runningStatus(t.object, e.timeOf(t.spec.Arrival))
	t.machine = m
	e.meter.allocated += t.devices
	if err := e.scheduler.pods.add(t.object); err != nil {
		return err
	}
	e.startOn(m, t, t.spec.Arrival)
	return nil
}

func nameOf(pod *v1.Pod) types.NamespacedName {
	return types.NamespacedName{Namespace: pod.Namespace, Name: pod.Name}
}

// change replaces the pod by a changed copy, of which the scheduler is told.
func (e *engine) change(t *task, edit func(*v1.Pod)) error {
	before := t.object
	t.object = before.DeepCopy()
	edit(t.object)
	e.touch(t.object)
	return e.scheduler.pods.update(before, t.object)
}

// bind is what the API server does when the scheduler binds the pod.
func (e *engine) bind(name types.NamespacedName, node string) error {
	t, m := e.byName[name], e.byNode[node]
	if t == nil || m == nil {
		return fmt.Errorf("the scheduler bound pod %s to node %s: there is no such pod or node", name, node)
	}
	t.machine = m
	e.meter.bound(e, t)
	e.plan(e.now+t.spec.StartDelay, func() error { return e.start(t) })
	delete(e.scheduler.failed, t.object.UID)
	if err := e.change(t, func(pod *v1.Pod) { pod.Spec.NodeName = node }); err != nil {
		return err
	}
	e.scheduler.noteAssignment(node, e.timeOf(e.now))
	if e.onBound != nil {
		e.onBound(e.policy.Name, t.object, node, e.now)
	}
	return nil
}

// start is what the kubelet does when the pod's containers run.
func (e *engine) start(t *task) error {
	e.startOn(t.machine, t, e.now)
	return e.change(t, func(pod *v1.Pod) { pod.Status = runningStatus(pod, e.timeOf(e.now)) })
}

func (e *engine) startOn(m *machine, t *task, since time.Duration) {
	t.isRunning, t.startedAt = true, since
	e.settle(m, e.now)
	m.running = append(m.running, t)
	e.recount(m)
	e.planChange(t)
	if t.spec.Lifetime > 0 {
		e.plan(max(e.now, since+t.spec.Lifetime), func() error { return e.end(t) })
	}
}

func runningStatus(pod *v1.Pod, at time.Time) v1.PodStatus {
	// The API server keeps whole seconds.
	since := metav1.NewTime(at.Truncate(time.Second))
	status := v1.PodStatus{
		Phase:     v1.PodRunning,
		StartTime: &since,
		Conditions: []v1.PodCondition{
			{Type: v1.PodScheduled, Status: v1.ConditionTrue, LastTransitionTime: since},
			{Type: v1.PodReady, Status: v1.ConditionTrue, LastTransitionTime: since},
		},
	}
	for i := range pod.Spec.Containers {
		status.ContainerStatuses = append(status.ContainerStatuses, v1.ContainerStatus{
			Name: pod.Spec.Containers[i].Name, Ready: true,
			State: v1.ContainerState{Running: &v1.ContainerStateRunning{StartedAt: since}},
		})
	}
	return status
}

// planChange plans the next change of what the running pod uses.
func (e *engine) planChange(t *task) {
	at := t.spec.Use.nextChange(e.now)
	if at > e.scenario.End {
		return
	}
	e.plan(at, func() error {
		if t.isRunning {
			e.settle(t.machine, e.now)
			e.recount(t.machine)
			e.planChange(t)
		}
		return nil
	})
}

// end deletes the pod.
func (e *engine) end(t *task) error {
	m := t.machine
	e.settle(m, e.now)
	for i, other := range m.running {
		if other == t {
			m.running = append(m.running[:i], m.running[i+1:]...)
			break
		}
	}
	e.recount(m)
	e.meter.ended(t)
	object := t.object
	t.isRunning, t.object, t.machine = false, nil, nil
	delete(e.byName, nameOf(object))
	return e.scheduler.pods.remove(object)
}
