package isolate

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/plimsoll-scheduler/plimsoll/pkg/cli/show"
)

// print prints the value: as JSON or YAML, or as text prints it.
func (r *runner) print(ctx context.Context, value any, text func(show.Screen)) error {
	return r.show.Print(ctx, r.out, func(context.Context) (any, error) { return value, nil }, func(s show.Screen, _ any) { text(s) })
}

// printPlan says what is going to be done, for people: for programs all is told at the
// end.
func (r *runner) printPlan(p *Plan) error {
	if !r.show.Text() {
		return nil
	}
	screen := show.ScreenOf(r.out)
	what := fmt.Sprintf("pod %s/%s on node %s", p.Namespace, p.Pod, p.Node)
	if len(p.Devices) > 0 {
		what += " with " + show.Counts(p.Devices)
	}
	fmt.Fprintln(screen.Out, what)
	t := &show.Table{Columns: []show.Column{{Name: "WHAT"}, {Name: "WHAT BECOMES OF IT"}}}
	add := func(what, becomes string) { t.Add(show.Text("%s", what), show.Text("%s", becomes)) }
	switch p.Action {
	case actionIsolate:
		add("labels", "taken off: "+listed(p.Labels))
		add("preemption", "Plimsoll's spares it; descheduler, cluster-autoscaler and Karpenter are asked to")
		if p.Record.Until != nil {
			add("meant until", p.Record.Until.Format(time.RFC3339)+"; nothing ends it by itself")
		}
	case actionRestore:
		add("labels", "put back: "+listed(p.Labels))
	case actionDelete:
		add("pod", "deleted, with what is in its containers")
	}
	for _, e := range p.Effects {
		add(e.Kind+" "+e.Name, e.Effect)
	}
	for _, w := range p.Warnings {
		t.Notes = append(t.Notes, "note: "+w)
	}
	r.show.PrintTable(screen, t)
	return nil
}

// printDone says what has been done.
func (r *runner) printDone(ctx context.Context, p *Plan) error {
	return r.print(ctx, p, func(s show.Screen) {
		switch {
		case !p.Done:
			fmt.Fprintln(s.Out, "nothing is done: this is a dry run")
		case p.Action == actionIsolate:
			fmt.Fprintf(s.Out, "isolated; undo it by: kubectl plimsoll isolate %s --namespace %s --undo\n", p.Pod, p.Namespace)
		case p.Action == actionRestore:
			fmt.Fprintln(s.Out, "put back")
		default:
			fmt.Fprintln(s.Out, "deleted")
		}
	})
}

// printList prints the isolated pods.
func (r *runner) printList(ctx context.Context, all []Isolated) error {
	t := &show.Table{Empty: "no pod is isolated", Columns: []show.Column{
		{Name: "NAMESPACE"}, {Name: "POD"}, {Name: "NODE"}, {Name: "DEVICES"}, {Name: "PHASE", Wide: true},
		{Name: "SINCE"}, {Name: "UNTIL"}, {Name: "BY", Wide: true}, {Name: "REASON"},
	}}
	for _, i := range all {
		since, until, by, reason := "-", show.Text("-"), "-", i.Fault
		if record := i.Record; record != nil {
			since, by, reason = record.Since.Format(time.RFC3339), record.By, record.Reason
			if record.Until != nil {
				until = show.Text("%s", record.Until.Format(time.RFC3339))
			}
		}
		if i.Overdue {
			until = show.Cell{Text: until.Text + " (overdue)", Level: show.Warn}
		}
		t.Add(show.Text("%s", i.Namespace), show.Text("%s", i.Pod), show.Text("%s", i.Node), show.Text("%s", orDash(show.Counts(i.Devices))),
			show.Text("%s", i.Phase), show.Text("%s", since), until, show.Text("%s", orDash(by)), show.Text("%s", orDash(reason)))
	}
	return r.print(ctx, all, func(s show.Screen) { r.show.PrintTable(s, t) })
}

// listed returns the labels as kubectl prints them.
func listed(labels map[string]string) string {
	var all []string
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		all = append(all, key+"="+labels[key])
	}
	if len(all) == 0 {
		return "none"
	}
	return strings.Join(all, ", ")
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}
