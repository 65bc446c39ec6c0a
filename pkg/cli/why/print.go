package why

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/cli/show"
	"github.com/plimsoll-scheduler/plimsoll/pkg/explain"
)

// printAnswer prints the answer on one screen.
func printAnswer(screen show.Screen, output *show.Flags, a *Answer) {
	out := screen.Out
	for _, line := range a.Lines() {
		fmt.Fprintln(out, line)
	}
	if a.Decision != nil {
		fmt.Fprintln(out)
		output.PrintTable(screen, tableOf(a.Decision, output.Wide()))
	}
	if len(a.Help) > 0 {
		fmt.Fprintln(out, "\nWhat would help, one of these:")
		for _, line := range a.Help {
			fmt.Fprintln(out, "- "+line)
		}
	}
	if a.Ours && a.Node == "" && a.Scheduled != "" {
		fmt.Fprintf(out, "\nThe scheduler's words, of all plugins:\n  %s\n", a.Scheduled)
	}
}

// Lines tells in sentences, one a line, where the pod is or what it waits for. What is
// known of nodes, what would help and the scheduler's own words are not in them.
func (a *Answer) Lines() []string {
	lines := []string{fmt.Sprintf("Pod %s, of the scheduler %s", a.Pod, a.Scheduler)}
	if !a.Ours {
		return append(append(lines, a.foreign()...), a.ending()...)
	}
	if len(a.Observing) > 0 && a.Node == "" {
		return append(lines, fmt.Sprintf("It waits for ever: this scheduler places no pod, it only observes those of %s (--observe).", strings.Join(a.Observing, ", ")))
	}
	lines = append(lines, a.state())
	lines = append(lines, a.ending()...)
	lines = append(lines, a.grouped()...)
	if a.Decision == nil {
		return append(lines, "There is no decision to explain: "+a.NoDecision)
	}
	return append(lines, a.decided()...)
}

// foreign tells of a pod that is not ours.
func (a *Answer) foreign() []string {
	lines := []string{fmt.Sprintf("Plimsoll does not decide on it: its profiles are %s.", strings.Join(a.Profiles, ", "))}
	if d := a.Decision; d != nil && d.Result == explain.Observed {
		lines = append(lines, a.observed())
	}
	switch {
	case a.Node != "":
		return append(lines, fmt.Sprintf("It is on the node %s.", a.Node))
	case a.Scheduled != "":
		return append(lines, "It waits. Its scheduler says: "+a.Scheduled)
	default:
		return append(lines, "It has no node, and its scheduler has not said why.")
	}
}

// observed tells where Plimsoll would have put a pod of another scheduler.
func (a *Answer) observed() string {
	d := a.Decision
	switch d.Node {
	case "":
		return fmt.Sprintf("Observed %s ago: it would have waited for %s", ago(d.Time), d.WaitsFor)
	case d.Bound:
		return fmt.Sprintf("Observed %s ago: it would have gone to the same node, of %d", ago(d.Time), d.Considered)
	}
	return fmt.Sprintf("Observed %s ago: it would have gone to %s, of %d nodes", ago(d.Time), d.Node, d.Considered)
}

// state tells where the pod is, or since when it waits.
func (a *Answer) state() string {
	switch {
	case a.Node != "" && a.Phase == "Pending":
		return fmt.Sprintf("It has the node %s, where it has not started yet", a.Node)
	case a.Node != "":
		return fmt.Sprintf("It is on the node %s (%s)", a.Node, a.Phase)
	case a.Phase != "Pending":
		return fmt.Sprintf("It has no node, and is %s", a.Phase)
	case a.Nominated != "":
		return a.preempting()
	default:
		return "It has waited " + since(a)
	}
}

// preempting tells of a pod that waits for those that it preempts.
func (a *Answer) preempting() string {
	text := fmt.Sprintf("It preempts pods on the node %s, and ", a.Nominated)
	switch {
	case a.LeavingUnknown:
		return text + "waits for them to leave (which they are is not known: you may not list the pods of all namespaces)"
	case len(a.Leaving) == 0:
		return text + "they have left: it is about to be tried there"
	}
	shown := a.Leaving[:min(len(a.Leaving), mostLeaving)]
	text += fmt.Sprintf("waits for %d of them to leave: %s", len(a.Leaving), strings.Join(shown, ", "))
	if len(shown) < len(a.Leaving) {
		text += ", ..."
	}
	return text
}

// mostLeaving is how many of the pods that leave are named.
const mostLeaving = 5

// ending tells of a pod that is evicted or deleted.
func (a *Answer) ending() (lines []string) {
	if a.Preempted != "" {
		text := "It is being evicted: " + a.Preempted
		if a.PreemptedBy != "" {
			text += " (" + a.PreemptedBy + ")"
		}
		lines = append(lines, text)
	}
	switch {
	case a.Deleted == nil:
	case len(a.Finalizers) > 0:
		lines = append(lines, "It is being deleted, and it is kept by the finalizer "+strings.Join(a.Finalizers, ", "))
	case time.Now().Before(*a.Deleted):
		lines = append(lines, fmt.Sprintf("It is being deleted, and has %s to end", duration.HumanDuration(time.Until(*a.Deleted))))
	default:
		lines = append(lines, "It is being deleted")
	}
	return lines
}

// grouped tells of the pod's group.
func (a *Answer) grouped() (lines []string) {
	if a.Group == "" {
		return nil
	}
	text := fmt.Sprintf("It is scheduled with its group %s, of which %d of %d pods have a node", a.Group, a.Members.Placed, a.Members.All)
	switch atOnce := a.Members.AtOnce; {
	case atOnce == 0:
	case atOnce == a.Members.All:
		text += ": all of them or none get one"
	case a.Members.All < atOnce:
		text += fmt.Sprintf(": none gets one before there are %d", atOnce)
	default:
		text += fmt.Sprintf(": at least %d of them or none get one", atOnce)
	}
	lines = append(lines, text)
	if m := a.Members; m.Waiting != "" && m.Waiting != a.Pod {
		lines = append(lines, fmt.Sprintf("The group waits because of %s, which waits for %s", m.Waiting, m.WaitsFor))
	}
	return lines
}

// since says for how long a pod has waited.
func since(a *Answer) string {
	if a.Decision != nil && a.Decision.WaitsSince != nil {
		return fmt.Sprintf("for load for %s (created %s ago, last tried %s ago)", ago(*a.Decision.WaitsSince), ago(a.Created), ago(a.Decision.Time))
	}
	return fmt.Sprintf("for %s", ago(a.Created))
}

func ago(t time.Time) string { return duration.HumanDuration(max(0, time.Since(t))) }

// decided tells of the last decision.
func (a *Answer) decided() (lines []string) {
	d := a.Decision
	switch {
	case d.Result == explain.Placed:
		lines = append(lines, fmt.Sprintf("%s was chosen of %d nodes, %s ago", d.Node, d.Considered, ago(d.Time)))
	case d.Result == explain.TakenBack && a.Group != "":
		lines = append(lines, fmt.Sprintf("%s was chosen %s ago, and taken back, because not enough of its group found a node, or it could not be bound there", d.Node, ago(d.Time)))
	case d.Result == explain.TakenBack:
		lines = append(lines, fmt.Sprintf("%s was chosen %s ago, and taken back, because it could not be bound there", d.Node, ago(d.Time)))
	case d.WaitsFor != "" && a.Nominated == "":
		lines = append(lines, "It waits for "+d.WaitsFor)
	}
	if len(d.Rejected) > 0 {
		lines = append(lines, fmt.Sprintf("Plimsoll rejected, of %d nodes: %s", d.Considered, show.Counts(d.Rejected)))
	}
	return lines
}

// bestNodes is how many nodes are shown beside the chosen one.
const bestNodes = 3

// tableOf shows the chosen node and the best others; all in a wide table.
func tableOf(d *explain.Decision, wide bool) *show.Table {
	t := &show.Table{Empty: "No node was looked at by Plimsoll's plugins.", Columns: []show.Column{
		{Name: "NODE"}, {Name: "CPU", Bar: true}, {Name: "CPU", Right: true}, {Name: "IN FLIGHT", Right: true}, {Name: "THE POD", Right: true},
		{Name: "SUM", Right: true}, {Name: "LINE", Right: true}, {Name: "MEMORY SUM", Right: true}, {Name: "MEMORY LINE", Right: true},
		{Name: "NODELOAD", Right: true}, {Name: "DEVICEFIT", Right: true}, {Name: "FRAGMENTED", Right: true}, {Name: ""},
	}}
	nodes := d.Nodes
	if d.Node == "" { // the closest first
		nodes = slices.Clone(nodes)
		slices.SortStableFunc(nodes, func(a, b explain.Node) int { return cmp.Compare(distance(&a), distance(&b)) })
	}
	shown := bestNodes
	if d.Node != "" {
		shown++
	}
	if !wide && len(nodes) > shown {
		t.Notes = append(t.Notes, fmt.Sprintf("(and %d nodes more; -o wide shows more of them)", d.Considered-shown))
		nodes = nodes[:shown]
	}
	for i := range nodes {
		t.Add(rowOf(&nodes[i], d)...)
	}
	return t
}

// distance is how far a node is above its line with the pod, in parts of the line.
func distance(n *explain.Node) float64 {
	if n.Load == nil {
		return math.Inf(1)
	}
	return worst(n.Load)
}

func rowOf(n *explain.Node, d *explain.Decision) []show.Cell {
	cells := []show.Cell{show.Text("%s", n.Name)}
	if n.Load == nil {
		for range 8 {
			cells = append(cells, show.Cell{Text: "-", Level: show.Faint})
		}
	} else {
		cells = append(cells, loadsOf(n.Load)...)
	}
	cells = append(cells, scoreOf(&n.NodeLoad), scoreOf(&n.DeviceFit))
	fragmented := show.Cell{Text: "-", Level: show.Faint}
	if n.Fragmentation != nil {
		fragmented = show.Text("%+.1f", n.Fragmentation.After-n.Fragmentation.Before)
	}
	return append(cells, fragmented, remarkOf(n, d))
}

func loadsOf(l *explain.Loads) []show.Cell {
	cpu, memory := &l.CPU, &l.Memory
	whole := cpu.Threshold
	if cpu.ThresholdPercent > 0 {
		whole = cpu.Threshold * 100 / float64(cpu.ThresholdPercent)
	}
	whole = max(whole, 1e-9)
	sum := func(l *explain.Load, text string) show.Cell {
		cell := show.Cell{Text: text}
		if above(l) > 0 {
			cell.Level = show.Bad
		}
		return cell
	}
	return []show.Cell{
		show.Text("%s", show.Bar(20, cpu.Measured/whole, (cpu.InFlight+cpu.Estimate)/whole, float64(cpu.ThresholdPercent)/100)),
		show.Text("%s", amount.Cores(cpu.Measured)), show.Text("%s", amount.Cores(cpu.InFlight)), show.Text("%s", amount.Cores(cpu.Estimate)),
		sum(cpu, amount.Cores(cpu.Predicted)), show.Text("%s", amount.Cores(cpu.Threshold)),
		sum(memory, amount.Bytes(memory.Predicted)), show.Text("%s", amount.Bytes(memory.Threshold)),
	}
}

func scoreOf(o *explain.Outcome) show.Cell {
	if o.Score == nil {
		return show.Cell{Text: "-", Level: show.Faint}
	}
	return show.Text("%d", *o.Score)
}

func remarkOf(n *explain.Node, d *explain.Decision) show.Cell {
	switch {
	case n.NodeLoad.Rejected != "":
		return show.Cell{Text: n.NodeLoad.Rejected, Level: show.Bad}
	case n.DeviceFit.Rejected != "":
		return show.Cell{Text: n.DeviceFit.Rejected, Level: show.Bad}
	case n.Name == d.Node:
		return show.Cell{Text: "chosen", Level: show.Good}
	case n.State != "Fresh":
		return show.Cell{Text: n.State + " sample", Level: show.Warn}
	}
	return show.Cell{}
}
