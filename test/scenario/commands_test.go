package scenario

import (
	"fmt"
	"time"

	v1 "k8s.io/api/core/v1"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
)

// command does what a line of a scenario says.
type command func(*runner, *args, *printer) error

// commands are all but config and the passing of time by +15s.
func commands() map[string]command {
	return map[string]command{
		"node": (*runner).addNode, "base": (*runner).changeBase, "pod": (*runner).addPod, "pods": (*runner).addPods,
		"sample": (*runner).sample, "span": (*runner).span, "run": (*runner).runFor,

		"start": (*runner).start, "tell": (*runner).tellOf, "stop": (*runner).stopContainers, "crash": (*runner).crash,
		"restart": (*runner).restart, "crashloop": (*runner).crashLoop, "uses": (*runner).changeUse,
		"delete": (*runner).deletePod, "end": (*runner).end,

		"resize": (*runner).resize, "annotate": (*runner).annotate, "restart-scheduler": (*runner).restartScheduler,
		"reserve": (*runner).reserve, "unreserve": (*runner).unreserve,
		"miss": (*runner).miss, "measure": (*runner).measure, "source": (*runner).source,
		"readable": (*runner).readable, "unreadable": (*runner).unreadable,
		"replace": (*runner).replace, "remove": (*runner).remove, "reboot": (*runner).reboot, "set-clock": (*runner).setClock,

		"predict": (*runner).predict, "phases": (*runner).phases, "filter": (*runner).filter, "score": (*runner).score,
		"schedule": (*runner).schedule, "bind": (*runner).bindHeld, "waiting": (*runner).waiting,
		"activated": (*runner).activated, "events": (*runner).printEvents,
		"promise": (*runner).promise, "relief": (*runner).relief,
	}
}

func (r *runner) addNode(a *args, _ *printer) error {
	m := machineOf(a.name(), a)
	node := nodeOf(m, a)
	if err := a.end(); err != nil {
		return err
	}
	if r.begun {
		m.booted = r.world.second()
	}
	r.world.machines = append(r.world.machines, m)
	return r.cluster.AddNode(node)
}

// changeBase changes what a node uses beside its pods.
func (r *runner) changeBase(a *args, _ *printer) error {
	m, err := r.machine(a.name())
	if err != nil {
		return err
	}
	m.base = amount.Vector{
		amount.CPU:    a.amountOr(amount.CPU, "cpu", m.base[amount.CPU]),
		amount.Memory: a.amountOr(amount.Memory, "memory", m.base[amount.Memory]),
	}
	return nil
}

func (r *runner) addPod(a *args, _ *printer) error { return r.makePod(a.name(), a) }

func (r *runner) addPods(a *args, _ *printer) error {
	count, name := 0, ""
	if _, err := fmt.Sscan(a.name(), &count); err != nil {
		return fmt.Errorf("pods needs a number first: %w", err)
	}
	name = a.name()
	list := a.list
	for i := range count {
		each := newArgs(list)
		each.name()
		each.name()
		if err := r.makePod(fmt.Sprintf("%s-%d", name, i+1), each); err != nil {
			return err
		}
		a.used = each.used
	}
	return nil
}

// makePod makes a pod, on the node that is said, which may have been running.
func (r *runner) makePod(name string, a *args) error {
	if r.pods[name] != nil {
		return fmt.Errorf("there is a pod %s", name)
	}
	nodeName := a.textOr("node", "")
	ago := a.duration("running", -1)
	p := podOf(name, a)
	if err := a.end(); err != nil {
		return err
	}
	if nodeName != "" {
		m, err := r.machine(nodeName)
		if err != nil {
			return err
		}
		p.join(m)
	}
	p.object.Spec.NodeName = nodeName
	r.pods[name] = p
	object := p.object.DeepCopy()
	object.Status.Phase = v1.PodPending
	if ago >= 0 {
		if err := p.start(r.world, nil, ago); err != nil {
			return err
		}
		object.Status = p.status(&object.Status)
	}
	if err := r.cluster.AddPod(object); err != nil {
		return err
	}
	if nodeName != "" && ago < 0 {
		r.startLater(p)
	}
	return r.tick()
}

// startLater has a pod that is bound start by itself, if it does.
func (r *runner) startLater(p *pod) {
	if p.starts < 0 {
		return
	}
	r.later(p, p.starts, func() error {
		if err := p.start(r.world, nil, 0); err != nil {
			return err
		}
		return r.tell(p)
	})
}

// later does something after a while, if the pod is still there.
func (r *runner) later(p *pod, after time.Duration, do func() error) {
	r.world.clock.At(r.elapsed()+after, func() error {
		if r.pods[p.name] != p || p.machine == nil {
			return nil
		}
		return do()
	})
}

// sample has time pass until polls have been made.
func (r *runner) sample(a *args, p *printer) error {
	count := 1
	first, given := a.next()
	if given {
		if _, err := fmt.Sscan(first, &count); err == nil {
			first, given = a.next()
		}
	}
	q := questionOf(a)
	var nodes []string
	for given {
		nodes = append(nodes, first)
		first, given = a.next()
	}
	for range count {
		wait := interval - r.elapsed()%interval
		if !r.begun {
			wait = 0
		}
		if err := r.advance(wait); err != nil {
			return err
		}
		for _, node := range nodes {
			p.prediction(r.predictionOf(node, q))
		}
	}
	return nil
}

// span has time pass, and prints between what and what the predictions were on the
// way, and what was true, as of each second.
func (r *runner) span(a *args, p *printer) error {
	name := a.name()
	d := a.seconds(a.name())
	q := questionOf(a)
	var s spread
	start := r.elapsed()
	for end := start + d; r.elapsed() < end; {
		if err := r.advance(time.Second); err != nil {
			return err
		}
		s.add(r.predictionOf(name, q))
	}
	p.spread(&s, start)
	return nil
}

// runFor has time pass, and pods be scheduled as soon as they can be tried.
func (r *runner) runFor(a *args, p *printer) error {
	d := a.seconds(a.name())
	if err := r.begin(); err != nil {
		return err
	}
	for end := r.elapsed() + d; ; {
		if err := r.scheduleAll(p, true); err != nil {
			return err
		}
		if r.elapsed() >= end {
			return nil
		}
		if err := r.advance(time.Second); err != nil {
			return err
		}
	}
}
