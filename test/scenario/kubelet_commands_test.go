package scenario

import (
	"fmt"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
)

// The commands below are about what runs on nodes.

func (r *runner) start(a *args, _ *printer) error {
	p, err := r.pod(a.name())
	if err != nil {
		return err
	}
	silent := a.flag("silent")
	names := a.names()
	if err := p.start(r.world, names, 0); err != nil {
		return err
	}
	for _, name := range names {
		p.container(name).looping = false
	}
	if silent {
		return nil
	}
	return r.tell(p)
}

// tellOf has the kubelet tell what it has not told.
func (r *runner) tellOf(a *args, _ *printer) error {
	p, err := r.pod(a.name())
	if err != nil {
		return err
	}
	return r.tell(p)
}

// ending reads which containers of which pod end, and how.
func (r *runner) ending(a *args) (p *pod, names []string, exitCode int32, reason string, err error) {
	p, err = r.pod(a.name())
	return p, a.names(), int32(a.number("exit", 0)), a.textOr("reason", ""), err
}

func (r *runner) stopContainers(a *args, _ *printer) error {
	p, names, exitCode, reason, err := r.ending(a)
	if err != nil {
		return err
	}
	chosen, err := p.stop(r.world, names, exitCode, reason)
	if err != nil {
		return err
	}
	for _, c := range chosen {
		c.looping = false
	}
	return r.tell(p)
}

func (r *runner) crash(a *args, _ *printer) error {
	p, names, exitCode, reason, err := r.ending(a)
	if err != nil {
		return err
	}
	chosen, err := p.stop(r.world, names, max(exitCode, 1), reason)
	if err != nil {
		return err
	}
	for _, c := range chosen {
		c.backOff()
	}
	return r.tell(p)
}

func (r *runner) restart(a *args, _ *printer) error {
	p, names, exitCode, reason, err := r.ending(a)
	if err != nil {
		return err
	}
	chosen, err := p.stop(r.world, names, max(exitCode, 1), reason)
	if err != nil {
		return err
	}
	for _, c := range chosen {
		c.start(p.now(r.world), r.world.second(), 0)
	}
	return r.tell(p)
}

// longestBackOff is what a kubelet's back-off grows to.
const longestBackOff = 5 * time.Minute

// crashLoop has a container that runs crash after a while, again and again.
func (r *runner) crashLoop(a *args, _ *printer) error {
	p, err := r.pod(a.name())
	if err != nil {
		return err
	}
	chosen, err := p.chosen([]string{a.name()}, runs)
	if err != nil {
		return err
	}
	chosen[0].looping = true
	r.crashAfter(p, chosen[0], a.duration("runs", 5*time.Second))
	return nil
}

func (r *runner) crashAfter(p *pod, c *container, ran time.Duration) {
	r.later(p, ran, func() error {
		if !c.looping || !runs(c) {
			return nil
		}
		c.stop(p.now(r.world), 1, "")
		c.backOff()
		r.later(p, min(10*time.Second<<c.failures, longestBackOff), func() error {
			if !c.looping {
				return nil
			}
			c.start(p.now(r.world), r.world.second(), 0)
			r.crashAfter(p, c, ran)
			return r.tell(p)
		})
		c.failures = min(c.failures+1, 10)
		return r.tell(p)
	})
}

// changeUse changes what a container uses from now on.
func (r *runner) changeUse(a *args, _ *printer) error {
	p, err := r.pod(a.name())
	if err != nil {
		return err
	}
	c, err := p.only(a)
	if err != nil {
		return err
	}
	if cpu, given := a.pattern("cpu"); given {
		c.cpu = cpu
	}
	c.memory = a.amountOr(amount.Memory, "memory", c.memory)
	return nil
}

// only returns the container that is named, or the only one.
func (p *pod) only(a *args) (*container, error) {
	name, named := a.next()
	if !named && len(p.containers) == 1 {
		return p.containers[0], nil
	}
	if c := p.container(name); c != nil {
		return c, nil
	}
	return nil, fmt.Errorf("pod %s: which container of it?", p.name)
}

// deletePod has the pod be told to end.
func (r *runner) deletePod(a *args, _ *printer) error {
	p, err := r.pod(a.name())
	if err != nil {
		return err
	}
	return r.tellToEnd(p, a.duration("grace", p.grace))
}

// tellToEnd is what the API server does with a pod that is deleted: one that is
// bound to no node is gone.
func (r *runner) tellToEnd(p *pod, grace time.Duration) error {
	object, err := r.cluster.Pod(nameOf(p.name))
	if err != nil {
		return err
	}
	if object.Spec.NodeName == "" {
		p.leave()
		delete(r.pods, p.name)
		return r.cluster.DeletePod(nameOf(p.name))
	}
	seconds := int64(grace / time.Second)
	err = r.changePod(p.name, func(object *v1.Pod) {
		at := metav1.NewTime(r.world.clock.Time(r.elapsed() + grace))
		object.DeletionTimestamp, object.DeletionGracePeriodSeconds = &at, &seconds
	})
	if p.takes >= 0 {
		r.later(p, min(p.takes, grace), func() error { return r.endPod(p, ending{}) })
	}
	return err
}

// ending is how the API server gets to know that a pod is gone.
type ending struct {
	silent    bool // without a report of its containers' end
	tombstone bool
	late      time.Duration
}

func (r *runner) end(a *args, _ *printer) error {
	e := ending{silent: a.flag("silent"), tombstone: a.flag("tombstone"), late: a.duration("late", 0)}
	for _, name := range a.names() {
		p, err := r.pod(name)
		if err != nil {
			return err
		}
		if err := r.endPod(p, e); err != nil {
			return err
		}
	}
	return nil
}

// endPod ends the pod now. It is deleted when that is told.
func (r *runner) endPod(p *pod, e ending) error {
	for _, c := range p.containers {
		if runs(c) {
			c.stop(p.now(r.world), 137, "")
		}
	}
	p.leave()
	delete(r.pods, p.name)
	if !e.silent {
		if err := r.tell(p); err != nil {
			return err
		}
	}
	forget := func() error {
		if e.tombstone {
			return r.cluster.LosePod(nameOf(p.name))
		}
		return r.cluster.DeletePod(nameOf(p.name))
	}
	if e.late > 0 {
		r.world.clock.At(r.elapsed()+e.late, forget)
		return nil
	}
	return forget()
}
