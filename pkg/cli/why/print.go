package why

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/plimsoll-scheduler/plimsoll/pkg/cli/show"
	"github.com/plimsoll-scheduler/plimsoll/pkg/explain"
)

// printAnswer prints the answer on one screen.
func printAnswer(screen show.Screen, output *show.Flags, a *Answer) {
	out := screen.Out
	fmt.Fprintf(out, "Pod %s, of the scheduler %s\n", a.Pod, a.Scheduler)
	if !a.Ours {
		printForeign(out, a)
		return
	}
	printState(out, a)
	if a.Preempted != "" {
		fmt.Fprintf(out, "It is being evicted: %s\n", a.Preempted)
	}
	if a.Group != "" {
		fmt.Fprintf(out, "It is scheduled with its group %s, of which %d of %d pods have a node\n", a.Group, a.Members.Placed, a.Members.All)
	}
	if a.Decision == nil {
		fmt.Fprintf(out, "There is no decision to explain: %s\n", a.NoDecision)
	} else {
		printDecision(screen, output, a)
	}
	if len(a.Help) > 0 {
		fmt.Fprintln(out, "\nWhat would help, one of these:")
		for _, line := range a.Help {
			fmt.Fprintln(out, "- "+line)
		}
	}
	if a.Node == "" && a.Scheduled != "" {
		fmt.Fprintf(out, "\nThe scheduler's words, of all plugins:\n  %s\n", a.Scheduled)
	}
}

// printForeign tells of a pod that is not ours.
func printForeign(out io.Writer, a *Answer) {
	fmt.Fprintf(out, "Plimsoll does not decide on it: its profiles are %s.\n", strings.Join(a.Profiles, ", "))
	switch {
	case a.Node != "":
		fmt.Fprintf(out, "It is on the node %s.\n", a.Node)
	case a.Scheduled != "":
		fmt.Fprintf(out, "It waits. Its scheduler says: %s\n", a.Scheduled)
	default:
		fmt.Fprintf(out, "It has no node, and its scheduler has not said why.\n")
	}
}

// printState tells where the pod is, or since when it waits.
func printState(out io.Writer, a *Answer) {
	switch {
	case a.Node != "" && a.Phase == "Pending":
		fmt.Fprintf(out, "It has the node %s, where it has not started yet\n", a.Node)
	case a.Node != "":
		fmt.Fprintf(out, "It is on the node %s (%s)\n", a.Node, a.Phase)
	case a.Phase != "Pending":
		fmt.Fprintf(out, "It has no node, and is %s\n", a.Phase)
	case a.Nominated != "":
		fmt.Fprintf(out, "It waits for pods to leave the node %s that it preempts there\n", a.Nominated)
	default:
		fmt.Fprintf(out, "It has waited %s\n", since(a))
	}
}

// since says for how long a pod has waited.
func since(a *Answer) string {
	if a.Decision != nil && a.Decision.WaitsSince != nil {
		return fmt.Sprintf("for load for %s (created %s ago, last tried %s ago)", ago(*a.Decision.WaitsSince), ago(a.Created), ago(a.Decision.Time))
	}
	return fmt.Sprintf("for %s", ago(a.Created))
}

func ago(t time.Time) string { return duration.HumanDuration(max(0, time.Since(t))) }

func printDecision(screen show.Screen, output *show.Flags, a *Answer) {
	d, out := a.Decision, screen.Out
	switch d.Result {
	case explain.Placed:
		fmt.Fprintf(out, "%s was chosen of %d nodes, %s ago\n", d.Node, d.Considered, ago(d.Time))
	case explain.TakenBack:
		fmt.Fprintf(out, "%s was chosen %s ago, and taken back: it could not be bound there, or the rest of its group found no place\n", d.Node, ago(d.Time))
	case explain.Waits:
		if d.WaitsFor != "" {
			fmt.Fprintf(out, "It waits for %s\n", d.WaitsFor)
		}
	}
	if len(d.Rejected) > 0 {
		var reasons []string
		for _, reason := range slices.Sorted(maps.Keys(d.Rejected)) {
			reasons = append(reasons, fmt.Sprintf("%d %s", d.Rejected[reason], reason))
		}
		fmt.Fprintf(out, "Plimsoll rejected, of %d nodes: %s\n", d.Considered, strings.Join(reasons, ", "))
	}
	fmt.Fprintln(out)
	output.PrintTable(screen, tableOf(d, output.Wide()))
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
		show.Text("%s", show.Cores(cpu.Measured)), show.Text("%s", show.Cores(cpu.InFlight)), show.Text("%s", show.Cores(cpu.Estimate)),
		sum(cpu, show.Cores(cpu.Predicted)), show.Text("%s", show.Cores(cpu.Threshold)),
		sum(memory, show.Bytes(memory.Predicted)), show.Text("%s", show.Bytes(memory.Threshold)),
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
