package scenario

import (
	"fmt"
	"slices"
	"strings"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/apis/config"
)

// The commands below change objects, nodes and what is measured of them.

// resize changes what a container requests, and uses, while it runs.
func (r *runner) resize(a *args, _ *printer) error {
	p, err := r.pod(a.name())
	if err != nil {
		return err
	}
	deferred := a.flag("deferred")
	c, err := p.only(a)
	if err != nil {
		return err
	}
	if cpu, given := a.pattern("uses"); given {
		c.cpu = cpu
	}
	c.memory = a.amountOr(amount.Memory, "uses-memory", c.memory)
	p.conditions = nil
	if deferred {
		p.conditions = []v1.PodCondition{{Type: v1.PodResizePending, Status: v1.ConditionTrue, Reason: v1.PodReasonDeferred}}
	}
	var unknown error
	err = r.changePod(p.name, func(object *v1.Pod) {
		for of, key := range []string{amount.CPU: "request", amount.Memory: "memory"} {
			if value, given := a.amount(amount.Resource(of), key); given {
				unknown = request(object, c.name, amount.Resource(of), value)
			}
		}
		object.Generation++
		object.Status = p.status(&object.Status)
	})
	if unknown != nil {
		return unknown
	}
	return err
}

// annotate sets annotations of pod/NAME or node/NAME. An empty one is taken away.
func (r *runner) annotate(a *args, _ *printer) error {
	kind, name, _ := strings.Cut(a.name(), "/")
	set := func(meta *metav1.ObjectMeta) {
		for i := range a.list {
			key := a.list[i].Key
			value, given := a.text(key)
			if !given {
				continue
			}
			if meta.Annotations == nil {
				meta.Annotations = map[string]string{}
			}
			if meta.Annotations[prefix+key] = value; value == "" {
				delete(meta.Annotations, prefix+key)
			}
		}
	}
	switch kind {
	case "pod":
		return r.changePod(name, func(object *v1.Pod) { set(&object.ObjectMeta) })
	case "node":
		return r.changeNode(name, func(object *v1.Node) { set(&object.ObjectMeta) })
	}
	return fmt.Errorf("annotate needs pod/NAME or node/NAME")
}

func (r *runner) restartScheduler(*args, *printer) error {
	before := r.cluster
	nodes, err := before.NodeInfos()
	if err != nil {
		return err
	}
	var objects []*v1.Node
	for _, node := range nodes {
		objects = append(objects, node.Node())
	}
	slices.SortFunc(objects, func(a, b *v1.Node) int { return strings.Compare(a.Name, b.Name) })
	var pods []*v1.Pod
	for name := range r.pods {
		pod, err := before.Pod(nameOf(name))
		if err != nil {
			return err
		}
		pods = append(pods, pod)
	}
	slices.SortFunc(pods, func(a, b *v1.Pod) int { return strings.Compare(a.Name, b.Name) })
	r.parked = nil
	return r.startScheduler(objects, pods)
}

// reserve does what a scheduling cycle does before it binds a pod.
func (r *runner) reserve(a *args, _ *printer) error {
	p, err := r.pod(a.name())
	if err != nil {
		return err
	}
	m, err := r.machine(a.name())
	if err != nil {
		return err
	}
	p.join(m)
	plugin, object, err := r.reserving(p)
	if err != nil {
		return err
	}
	return plugin.Reserve(r.t.Context(), framework.NewCycleState(), object, m.name).AsError()
}

func (r *runner) unreserve(a *args, _ *printer) error {
	p, err := r.pod(a.name())
	if err != nil {
		return err
	}
	name := ""
	if p.machine != nil {
		name = p.machine.name
	}
	plugin, object, err := r.reserving(p)
	if err != nil {
		return err
	}
	if object.Spec.NodeName == "" {
		p.leave()
	}
	plugin.Unreserve(r.t.Context(), framework.NewCycleState(), object, name)
	return nil
}

func (r *runner) reserving(p *pod) (fwk.ReservePlugin, *v1.Pod, error) {
	plugin, _ := r.cluster.Plugin(r.profile.SchedulerName, config.NodeLoad)
	object, err := r.cluster.Pod(nameOf(p.name))
	return plugin.(fwk.ReservePlugin), object, err
}

func (r *runner) miss(a *args, _ *printer) error    { return r.setMissed(a, true) }
func (r *runner) measure(a *args, _ *printer) error { return r.setMissed(a, false) }

func (r *runner) setMissed(a *args, missed bool) error {
	for _, name := range a.names() {
		m, err := r.machine(name)
		if err != nil {
			return err
		}
		m.missed = missed
	}
	return nil
}

func (r *runner) source(a *args, _ *printer) error {
	switch state := a.name(); state {
	case "down", "up":
		r.metrics.down = state == "down"
		return nil
	default:
		return fmt.Errorf("a source is down or up, not %s", state)
	}
}

func (r *runner) readable(a *args, _ *printer) error   { return r.setUnreadable(a, false) }
func (r *runner) unreadable(a *args, _ *printer) error { return r.setUnreadable(a, true) }

func (r *runner) setUnreadable(a *args, unreadable bool) error {
	for _, name := range a.names() {
		p, err := r.pod(name)
		if err != nil {
			return err
		}
		p.unreadable = unreadable
	}
	return nil
}

// replace has another machine take the name of one. What ran there is gone.
func (r *runner) replace(a *args, _ *printer) error {
	before, err := r.machine(a.name())
	if err != nil {
		return err
	}
	seen := a.textOr("seen", "update")
	m := &machine{name: before.name, cpu: before.cpu, phase: before.phase, booted: r.world.second()}
	m.base = amount.Vector{amount.CPU: a.amountOr(amount.CPU, "base", before.base[amount.CPU]), amount.Memory: before.base[amount.Memory]}
	m.skew = a.duration("clock", 0)
	object, err := r.cluster.Node(before.name)
	if err != nil {
		return err
	}
	after := object.DeepCopy()
	after.UID = types.UID(a.textOr("uid", "2"))
	after.Status.NodeInfo.BootID = string(after.UID)
	r.metrics.forget(before)
	assigned := slices.DeleteFunc(slices.Clone(before.pods), func(p *pod) bool { return p.phase() != v1.PodPending })
	r.world.remove(before)
	r.world.machines = append(r.world.machines, m)
	for _, p := range assigned {
		p.join(m) // it is to run on whatever has the name
	}
	if seen == "update" {
		return r.cluster.UpdateNode(after)
	}
	if err := r.cluster.DeleteNode(after.Name); err != nil {
		return err
	}
	return r.cluster.AddNode(after)
}

func (r *runner) remove(a *args, _ *printer) error {
	m, err := r.machine(a.name())
	if err != nil {
		return err
	}
	r.metrics.forget(m)
	r.world.remove(m)
	return r.cluster.DeleteNode(m.name)
}

// reboot ends all that runs on a node. It starts again by itself when the node is
// up.
func (r *runner) reboot(a *args, _ *printer) error {
	m, err := r.machine(a.name())
	if err != nil {
		return err
	}
	var stopped []*container
	for c := range m.running {
		stopped = append(stopped, c)
	}
	for _, c := range stopped {
		c.stop(metav1.NewTime(r.world.on(m, r.world.second())), 255, "Unknown")
	}
	m.missed = true
	up := func() error {
		m.missed, m.used, m.booted = false, 0, r.world.second()
		for _, c := range stopped {
			if c.state.Terminated != nil {
				c.start(metav1.NewTime(r.world.on(m, r.world.second())), r.world.second(), 0)
			}
		}
		err := r.changeNode(m.name, func(node *v1.Node) { node.Status.NodeInfo.BootID += "+" })
		for _, p := range m.pods {
			if err == nil {
				err = r.tell(p)
			}
		}
		return err
	}
	if down := a.duration("down", 0); down > 0 {
		r.world.clock.At(r.elapsed()+down, up)
		return nil
	}
	return up()
}

func (r *runner) setClock(a *args, _ *printer) error {
	m, err := r.machine(a.name())
	if err != nil {
		return err
	}
	by, err := time.ParseDuration(a.name())
	m.skew += by
	return err
}
