package scenario

import (
	"fmt"
	"slices"
	"strings"

	v1 "k8s.io/api/core/v1"

	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/kube"
)

// maxCycles bounds how many pods are tried at a moment: more would be a pod that
// is tried again and again.
const maxCycles = 500

// schedule tries the pods that can be tried, until there is none.
func (r *runner) schedule(a *args, p *printer) error {
	bind := !a.flag("hold")
	if err := r.begin(); err != nil {
		return err
	}
	before := len(p.text)
	if err := r.scheduleAll(p, bind); err != nil {
		return err
	}
	if len(p.text) == before {
		p.line("no pod to try")
	}
	return nil
}

func (r *runner) scheduleAll(p *printer, bind bool) error {
	for range maxCycles {
		if !r.cluster.HasWork() {
			return nil
		}
		d, err := r.cluster.ScheduleOne(r.t.Context())
		if err != nil {
			return err
		}
		r.observeQueue()
		if err := r.carryOut(&d, p, bind); err != nil {
			return err
		}
		if err := r.tick(); err != nil {
			return err
		}
		r.observeQueue()
	}
	return fmt.Errorf("after %d cycles there are still pods to try", maxCycles)
}

// carryOut does what the API server does after a decision.
func (r *runner) carryOut(d *kube.Decision, p *printer, bind bool) error {
	at, name := since(r.elapsed()), d.Pod.Name
	pod := r.pods[name]
	switch {
	case d.Node != "":
		p.line("%s %s -> %s", at, name, d.Node)
		m, err := r.machine(d.Node)
		if err != nil {
			return err
		}
		if pod.machine == nil {
			pod.join(m)
		}
		r.held[name] = d.Node
		if bind {
			return r.bind(name)
		}
		return nil
	case d.Status == nil:
		p.line("%s %s is not tried", at, name)
		return nil
	}
	r.reasons[name] = rejectionsOf(d)
	p.line("%s %s waits: %s", at, name, r.reasons[name])
	if d.Nominated != "" && pod.machine == nil {
		if err := r.changePod(name, func(object *v1.Pod) { object.Status.NominatedNodeName = d.Nominated }); err != nil {
			return err
		}
	}
	return r.evict(d, p)
}

// rejectionsOf returns why each node does not take the pod, and what preemption is
// to do about it.
func rejectionsOf(d *kube.Decision) string {
	var texts []string
	for node, status := range d.Rejections() {
		texts = append(texts, fmt.Sprintf("%s: %s", node, strings.Join(status.Reasons(), ", ")))
	}
	slices.Sort(texts)
	if len(texts) == 0 {
		texts = []string{d.Status.Message()}
	}
	if d.Nominated != "" {
		texts = append(texts, "nominated to "+d.Nominated)
	}
	return strings.Join(texts, "; ")
}

// evict has those told to end that preemption has chosen.
func (r *runner) evict(d *kube.Decision, p *printer) error {
	victims := r.evicted
	r.evicted = nil
	slices.Sort(victims)
	for _, name := range victims {
		victim, err := r.pod(name)
		if err != nil {
			return err
		}
		p.line("%s %s evicts %s", since(r.elapsed()), d.Pod.Name, name)
		if err := r.tellToEnd(victim, victim.grace); err != nil {
			return err
		}
	}
	return nil
}

// bindHeld binds a pod that was scheduled and held.
func (r *runner) bindHeld(a *args, _ *printer) error { return r.bind(a.name()) }

func (r *runner) bind(name string) error {
	p, err := r.pod(name)
	if err != nil {
		return err
	}
	node, held := r.held[name]
	if !held {
		return fmt.Errorf("pod %s has got no node", name)
	}
	delete(r.held, name)
	delete(r.reasons, name)
	if err := r.cluster.Bind(nameOf(name), node); err != nil {
		return err
	}
	r.startLater(p)
	return nil
}
