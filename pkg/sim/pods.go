package sim

import (
	"fmt"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	resourcehelper "k8s.io/component-helpers/resource"

	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/world"
)

// pods has the scenario's pods come, start and end, as users, the API server and
// kubelets do: each is an object of the cluster and, while it runs, a task of a
// machine.
type pods struct {
	clock     *world.Clock
	cluster   objects
	machines  map[string]*world.Machine
	observers []lifecycleObserver
	all       []lifecycle
	// byName are those that have arrived and not ended.
	byName map[types.NamespacedName]*lifecycle
	// placed is the pod that the scheduler has just chosen a node for, which the API
	// server does not know yet.
	placed  types.NamespacedName
	onBound func(pod *v1.Pod, node string, at time.Duration)
}

// objects are the cluster's objects.
type objects interface {
	AddPod(*v1.Pod) error
	UpdatePod(*v1.Pod) error
	DeletePod(types.NamespacedName) error
	Bind(pod types.NamespacedName, node string) error
	Pod(types.NamespacedName) (*v1.Pod, error)
}

// lifecycleObserver is told of what becomes of pods.
type lifecycleObserver interface {
	// arrived: the pod waits for a node.
	arrived(*lifecycle)
	// bound: it has got one.
	bound(*lifecycle)
	// ran: it has been running from the start.
	ran(*lifecycle)
	// started: its containers run from now on.
	started(*lifecycle)
	// ended: it is deleted, and had a node.
	ended(*lifecycle)
	// withdrawn: it is deleted, and waited for a node.
	withdrawn(*lifecycle)
}

// lifecycle is a pod under one policy.
type lifecycle struct {
	spec    *Pod
	devices int64
	task    *world.Task
	machine *world.Machine // nil while it waits, and when it has ended
	gone    bool           // deleted
	// estimates are what it was estimated to use when it got its node, in cores.
	estimates [numEstimates]float64
}

func newPods(specs []Pod, clock *world.Clock, machines []*world.Machine, observers ...lifecycleObserver) *pods {
	p := &pods{
		clock: clock, observers: observers, all: make([]lifecycle, len(specs)),
		machines: make(map[string]*world.Machine, len(machines)), byName: make(map[types.NamespacedName]*lifecycle, len(specs)),
	}
	for _, m := range machines {
		p.machines[m.Name] = m
	}
	for i := range specs {
		spec := &specs[i]
		devices := world.DevicesIn(resourcehelper.PodRequests(spec.Object, resourcehelper.PodResourcesOptions{}))
		p.all[i] = lifecycle{
			spec: spec, devices: devices,
			task: &world.Task{UID: spec.Object.UID, Use: &spec.Use, Devices: devices},
		}
	}
	return p
}

// begin adds the pods that run from the start, and plans when the others come: those
// that have a node then run there.
func (p *pods) begin() error {
	for i := range p.all {
		l := &p.all[i]
		if node := l.spec.Object.Spec.NodeName; node != "" {
			if l.spec.Arrival > 0 {
				p.clock.At(l.spec.Arrival, func() error { return p.arriveRunning(l, node) })
			} else if err := p.arriveRunning(l, node); err != nil {
				return err
			}
			continue
		}
		p.clock.At(l.spec.Arrival, func() error { return p.arrive(l) })
	}
	return nil
}

// newObject returns the pod as its owner would make it now.
func (p *pods) newObject(l *lifecycle) *v1.Pod {
	object := l.spec.Object.DeepCopy()
	object.Spec.SchedulerName = "" // that of the policy
	object.CreationTimestamp = metav1.NewTime(p.clock.Now().Truncate(time.Second))
	object.Status.Phase = v1.PodPending
	p.byName[nameOf(object)] = l
	return object
}

// tell tells the observers what has become of the pod.
func (p *pods) tell(become func(lifecycleObserver, *lifecycle), l *lifecycle) {
	for _, o := range p.observers {
		become(o, l)
	}
}

func (p *pods) arrive(l *lifecycle) error {
	object := p.newObject(l)
	p.tell(lifecycleObserver.arrived, l)
	p.planDeletion(l)
	return p.cluster.AddPod(object)
}

// planDeletion has the pod deleted by its owner in time.
func (p *pods) planDeletion(l *lifecycle) {
	if l.spec.Until > 0 {
		p.clock.At(l.spec.Until, func() error { return p.delete(l) })
	}
}

// delete is what the owner does. A pod that has just got a node is deleted after
// it is bound.
func (p *pods) delete(l *lifecycle) error {
	if p.placed == nameOf(l.spec.Object) {
		p.clock.At(p.clock.Elapsed()+cycleTime, func() error { return p.delete(l) })
		return nil
	}
	return p.end(l)
}

// arriveRunning adds a pod that runs from its arrival.
func (p *pods) arriveRunning(l *lifecycle, node string) error {
	m, ok := p.machines[node]
	if !ok {
		return fmt.Errorf("pod %s is on node %s, which does not exist", nameOf(l.spec.Object), node)
	}
	object := p.newObject(l)
	object.Status = runningStatus(object, p.clock.Time(l.spec.Arrival))
	l.machine = m
	p.tell(lifecycleObserver.ran, l)
	p.planDeletion(l)
	if err := p.cluster.AddPod(object); err != nil {
		return err
	}
	p.run(l, l.spec.Arrival)
	return nil
}

// bind is what the API server does when the scheduler binds the pod.
func (p *pods) bind(name types.NamespacedName, node string) error {
	l, m := p.byName[name], p.machines[node]
	if l == nil || m == nil {
		return fmt.Errorf("the scheduler bound pod %s to node %s: there is no such pod or node", name, node)
	}
	l.machine, p.placed = m, types.NamespacedName{}
	p.tell(lifecycleObserver.bound, l)
	p.clock.At(p.clock.Elapsed()+l.spec.StartDelay, func() error { return p.start(l) })
	if err := p.cluster.Bind(name, node); err != nil {
		return err
	}
	object, err := p.cluster.Pod(name)
	if err != nil {
		return err
	}
	p.onBound(object, node, p.clock.Elapsed())
	return nil
}

// start is what the kubelet does when the pod's containers run.
func (p *pods) start(l *lifecycle) error {
	if l.gone {
		return nil
	}
	p.run(l, p.clock.Elapsed())
	p.tell(lifecycleObserver.started, l)
	before, err := p.cluster.Pod(nameOf(l.spec.Object))
	if err != nil {
		return err
	}
	object := before.DeepCopy()
	object.Status = runningStatus(object, p.clock.Now())
	return p.cluster.UpdatePod(object)
}

// run has the pod use its machine, until it ends.
func (p *pods) run(l *lifecycle, since time.Duration) {
	l.task.Start(l.machine, since)
	if l.spec.Lifetime > 0 {
		p.clock.At(max(p.clock.Elapsed(), since+l.spec.Lifetime), func() error { return p.end(l) })
	}
}

// end deletes the pod, unless it is gone.
func (p *pods) end(l *lifecycle) error {
	if l.gone {
		return nil
	}
	l.gone = true
	l.task.Stop()
	if l.machine != nil {
		p.tell(lifecycleObserver.ended, l)
	} else {
		p.tell(lifecycleObserver.withdrawn, l)
	}
	l.machine = nil
	name := nameOf(l.spec.Object)
	delete(p.byName, name)
	return p.cluster.DeletePod(name)
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

func nameOf(pod *v1.Pod) types.NamespacedName {
	return types.NamespacedName{Namespace: pod.Namespace, Name: pod.Name}
}

// taskOf returns what the pod does, or nil if there is no such pod.
func (p *pods) taskOf(name types.NamespacedName) *world.Task {
	if l := p.byName[name]; l != nil {
		return l.task
	}
	return nil
}

// placements returns which of the machines each pod is on at present, -1 for
// none.
func (p *pods) placements(machines []*world.Machine) []int {
	index := make(map[*world.Machine]int, len(machines))
	for i, m := range machines {
		index[m] = i
	}
	placements := make([]int, len(p.all))
	for i := range p.all {
		placements[i] = -1
		if m := p.all[i].machine; m != nil {
			placements[i] = index[m]
		}
	}
	return placements
}
