package scenario

import (
	"fmt"
	"slices"
	"strings"
	"time"

	v1 "k8s.io/api/core/v1"
	fwk "k8s.io/kube-scheduler/framework"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/apis/config"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load"
	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/kube"
)

// predict prints what is predicted of nodes.
func (r *runner) predict(a *args, p *printer) error {
	q := questionOf(a)
	for _, name := range a.names() {
		p.prediction(r.predictionOf(name, q))
	}
	return nil
}

// predictionOf returns what is predicted of a node, and what is true.
func (r *runner) predictionOf(name string, q question) *prediction {
	view := r.cluster.Model().View()
	of := q.of
	row := &prediction{at: r.elapsed(), node: name, question: q}
	if m := r.world.machine(name); m != nil {
		second := r.world.second()
		used := m.demand(second)
		used[amount.CPU] = min(used[amount.CPU], m.cpu)
		row.used, row.toCome = used[of], m.toCome(second)[of]
	}
	node := view.Node(name)
	if node == nil {
		return row
	}
	row.known, row.sampled = true, node.Sampled
	row.measured, row.deviation = node.Measured[load.Latest][of], node.Deviation[of]
	for i, s := range []load.Statistic{load.Latest, load.Average, load.P95, load.Peak} {
		row.predicted[i] = node.Predicted[s][of]
	}
	if view.State(node) == load.Stale {
		row.note = fmt.Sprintf("stale for %s, not judged", since(view.Age(node).Round(time.Second)))
		if use, judged := view.Use(node, load.Latest); judged {
			row.note = fmt.Sprintf("stale for %s, judged by %s", since(view.Age(node).Round(time.Second)), inUnits(of, use[of]))
		}
	}
	return row
}

// phases prints the phases of the pods on a node.
func (r *runner) phases(a *args, p *printer) error {
	states := r.cluster.Model().PodsOn(a.name())
	for i := range states {
		s := &states[i]
		how := "estimated"
		if s.Seen {
			how = "seen"
		}
		name := s.Name.Name
		if name == "" {
			name = "(gone)"
		}
		p.line("%-8s %-15v expected %5s %s", name, s.Phase, inUnits(amount.CPU, s.Expected[amount.CPU]), how)
	}
	if len(states) == 0 {
		p.line("no pods")
	}
	return nil
}

// subject returns the pod that a question is about: one that is there, or one that
// the arguments describe.
func (r *runner) subject(a *args) (*v1.Pod, error) {
	if name, given := a.next(); given {
		return r.cluster.Pod(nameOf(name))
	}
	object := podOf("pod", a).object
	return object, a.end()
}

func (r *runner) filter(a *args, p *printer) error {
	verdicts, err := r.verdicts(a)
	for i := range verdicts {
		p.line("%s: %s", verdicts[i].Node, verdictOf(verdicts[i].Rejections))
	}
	return err
}

func (r *runner) score(a *args, p *printer) error {
	verdicts, err := r.verdicts(a)
	for i := range verdicts {
		v := &verdicts[i]
		if len(v.Rejections) > 0 {
			p.line("%s: %s", v.Node, verdictOf(v.Rejections))
			continue
		}
		text := v.Node + ":"
		for _, s := range v.Scores {
			if s.Plugin == config.NodeLoad || s.Plugin == config.DeviceFit {
				text += fmt.Sprintf(" %s %d,", s.Plugin, s.Score)
			}
		}
		p.line("%s all %d", text, v.Total)
	}
	return err
}

func (r *runner) verdicts(a *args) ([]kube.Verdict, error) {
	object, err := r.subject(a)
	if err != nil {
		return nil, err
	}
	verdicts, err := r.cluster.Trial(r.t.Context(), object)
	slices.SortFunc(verdicts, func(a, b kube.Verdict) int { return strings.Compare(a.Node, b.Node) })
	return verdicts, err
}

func verdictOf(rejections []*fwk.Status) string {
	if len(rejections) == 0 {
		return "takes it"
	}
	var texts []string
	for _, status := range rejections {
		texts = append(texts, status.Plugin()+": "+status.Message())
	}
	return strings.Join(texts, "; ")
}

// waiting prints the pods that wait for something to happen.
func (r *runner) waiting(_ *args, p *printer) error {
	names := r.cluster.Unschedulable()
	for _, name := range names {
		p.line("%s: %s", name.Name, r.reasons[name.Name])
	}
	if len(names) == 0 {
		p.line("no pod waits")
	}
	return nil
}

// activated prints which pods were put back into the queue.
func (r *runner) activated(_ *args, p *printer) error {
	p.lines(r.retried, "none")
	r.retried = nil
	return nil
}

// printEvents prints what was recorded.
func (r *runner) printEvents(_ *args, p *printer) error {
	p.lines(r.events, "none")
	r.events = nil
	return nil
}

// describe returns an event as it is printed.
func describe(e *kube.Event) string {
	name := "?"
	switch object := e.Object.(type) {
	case *v1.Pod:
		name = "pod/" + object.Name
	case *v1.Node:
		name = "node/" + object.Name
	}
	return fmt.Sprintf("%s %s %s: %s", e.Type, e.Reason, name, e.Note)
}

// promise prints by how much the prediction would fall if pods were gone.
func (r *runner) promise(a *args, p *printer) error {
	_, err := r.promised(a.names(), p)
	return err
}

// relief prints the same, and by how much it falls when they go.
func (r *runner) relief(a *args, p *printer) error {
	names := a.names()
	m, err := r.promised(names, p)
	if err != nil {
		return err
	}
	before, whole := r.predicted(m), m.toCome(r.world.second())[amount.CPU]
	for _, name := range names {
		if err := r.endPod(r.pods[name], ending{}); err != nil {
			return err
		}
	}
	after, left := r.predicted(m), m.toCome(r.world.second())[amount.CPU]
	p.line("fell     by %s, from %s to %s; truly by %s, to %s", inUnits(amount.CPU, before-after), inUnits(amount.CPU, before),
		inUnits(amount.CPU, after), inUnits(amount.CPU, whole-left), inUnits(amount.CPU, left))
	return nil
}

func (r *runner) predicted(m *machine) int64 {
	view := r.cluster.Model().View()
	return view.Node(m.name).Predicted[load.Latest][amount.CPU]
}

func (r *runner) promised(names []string, p *printer) (*machine, error) {
	var m *machine
	var trial *load.Trial
	note := ""
	for _, name := range names {
		victim, err := r.pod(name)
		if err != nil {
			return nil, err
		}
		if trial == nil {
			if m = victim.machine; m == nil {
				return nil, fmt.Errorf("pod %s is on no node", name)
			}
			trial = r.cluster.Model().Try(m.name)
		}
		object, err := r.cluster.Pod(nameOf(name))
		if err != nil {
			return nil, err
		}
		if !trial.Remove(object) {
			note += ", not known for " + name
		}
	}
	if trial == nil {
		return nil, fmt.Errorf("of which pods?")
	}
	before, after := r.predicted(m), trial.Predicted(load.Latest)[amount.CPU]
	p.line("promised by %s, from %s to %s%s", inUnits(amount.CPU, before-after), inUnits(amount.CPU, before), inUnits(amount.CPU, after), note)
	return m, nil
}
