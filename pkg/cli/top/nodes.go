package top

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/cli/leader"
	"github.com/plimsoll-scheduler/plimsoll/pkg/cli/show"
	"github.com/plimsoll-scheduler/plimsoll/pkg/status"
)

// The values of --sort-by and --only.
const (
	byName     = "name"
	byCPU      = "cpu"
	byMemory   = "memory"
	byHeadroom = "headroom"
	byFree     = "free"
	byAge      = "age"

	onlyOver    = "over"
	onlyStale   = "stale"
	onlyDevices = "devices"
	onlyFree    = "free"
)

var nodes = subject{
	use: "nodes [NODE...]", short: "Show nodes against their lines, and their devices",
	long: `Show nodes: what is measured of their CPU and memory, what is in flight (pods that
are on the node and that its sample does not show yet), the line, what is left
below it, and their devices.

On a terminal a bar shows the CPU: solid what is measured, shaded what is in
flight, with a mark at the line.

States are Fresh, Stale (the newest sample is too old), Missing (there never was
one), Awaits (it takes no pod before its first sample), and Over (predicted use is
above the line).`,
	sorts:   []string{byName, byCPU, byMemory, byHeadroom, byFree, byAge},
	filters: []string{onlyOver, onlyStale, onlyDevices, onlyFree},
	get:     getNodes, table: tableOfNodes,
}

func getNodes(ctx context.Context, from *leader.Client, o *options) (any, error) {
	answer := &status.Nodes{}
	if err := from.Get(ctx, status.NodesPath, o.query(), answer); err != nil {
		return nil, err
	}
	var names []string
	for i := range answer.Nodes {
		names = append(names, answer.Nodes[i].Name)
	}
	if err := o.missing("node", names); err != nil {
		return nil, err
	}
	answer.Nodes = slices.DeleteFunc(answer.Nodes, func(n status.Node) bool { return !o.wants(n.Name) || !o.passes(&n) })
	sortBy(answer.Nodes, numberOf[o.sortBy], func(n *status.Node) string { return n.Name })
	return answer, nil
}

// passes reports whether a node is all that --only names.
func (o *options) passes(n *status.Node) bool {
	for _, filter := range o.only {
		ok := false
		switch filter {
		case onlyOver:
			ok = n.Over != ""
		case onlyStale:
			ok = n.State != "Fresh"
		case onlyDevices:
			ok = len(n.Devices) > 0
		case onlyFree:
			ok = freeOf(n) > 0
		}
		if !ok {
			return false
		}
	}
	return true
}

// numberOf has what nodes are sorted by.
var numberOf = map[string]func(*status.Node) float64{
	byCPU:    func(n *status.Node) float64 { return partOf(&n.CPU) },
	byMemory: func(n *status.Node) float64 { return partOf(&n.Memory) },
	byHeadroom: func(n *status.Node) float64 {
		if n.CPU.Use == nil {
			return math.Inf(-1)
		}
		return n.CPU.Use.Headroom
	},
	byFree: func(n *status.Node) float64 { return float64(freeOf(n)) },
	byAge: func(n *status.Node) float64 {
		if n.SampleAgeSeconds == nil {
			return math.Inf(1)
		}
		return *n.SampleAgeSeconds
	},
}

// partOf returns the predicted use as a part of what is allocatable, -1 if it is not
// known.
func partOf(a *status.Amounts) float64 {
	if a.Use == nil || a.Allocatable == 0 {
		return -1
	}
	return a.Use.Predicted / a.Allocatable
}

func freeOf(n *status.Node) (free int64) {
	for _, d := range n.Devices {
		free += d.Free
	}
	return free
}

const barWidth = 20

func tableOfNodes(_ show.Screen, answer any) *show.Table {
	all := answer.(*status.Nodes)
	t := &show.Table{Empty: "No nodes.", Columns: []show.Column{
		{Name: "NODE"}, {Name: "STATE"}, {Name: "AGE", Right: true}, {Name: "CPU", Bar: true},
		{Name: "CPU", Right: true}, {Name: "CPU%", Right: true}, {Name: "IN FLIGHT", Right: true}, {Name: "LINE", Right: true},
		{Name: "HEADROOM", Right: true}, {Name: "MEMORY", Right: true}, {Name: "MEMORY%", Right: true}, {Name: "MEMORY LINE", Right: true, Wide: true},
		{Name: "CPU REQUESTED", Right: true, Wide: true}, {Name: "MEMORY REQUESTED", Right: true, Wide: true}, {Name: "PODS", Right: true, Wide: true},
		{Name: "DEVICES", Right: true}, {Name: "FREE", Right: true}, {Name: "FRAGMENTED", Right: true}, {Name: "STRANDED", Right: true}, {Name: "STARVED", Right: true},
	}}
	for i := range all.Nodes {
		t.Add(rowOfNode(&all.Nodes[i])...)
	}
	return t
}

func rowOfNode(n *status.Node) []show.Cell {
	cells := []show.Cell{show.Text("%s", n.Name), stateOf(n), show.Text("%s", show.Seconds(n.SampleAgeSeconds))}
	cells = append(cells, cpuOf(n)...)
	cells = append(cells, memoryOf(n)...)
	cells = append(cells, show.Text("%s", show.Percent(n.CPU.Requested, n.CPU.Allocatable)),
		show.Text("%s", show.Percent(n.Memory.Requested, n.Memory.Allocatable)), show.Text("%d", n.Pods))
	return append(cells, devicesOf(n)...)
}

// stateOf returns the state, of which being above the line is the one that most want to
// see.
func stateOf(n *status.Node) show.Cell {
	state := n.State
	level := map[string]show.Level{"Fresh": show.Good, "Stale": show.Warn, "Missing": show.Warn}[state]
	switch {
	case n.Over != "":
		state, level = "Over "+n.Over, show.Bad
	case n.Awaits:
		state = "Awaits"
	}
	if n.Unschedulable {
		state += ",cordoned"
	}
	return show.Cell{Text: state, Level: level}
}

func cpuOf(n *status.Node) []show.Cell {
	u := n.CPU.Use
	if u == nil {
		return unknown(6)
	}
	whole := max(n.CPU.Allocatable, 1e-9)
	line := "-"
	if u.LinePercent > 0 {
		line = fmt.Sprintf("%d%%", u.LinePercent)
	}
	headroom := show.Cell{Text: amount.Cores(u.Headroom)}
	if u.Headroom < 0 {
		headroom.Level = show.Bad
	}
	return []show.Cell{
		show.Text("%s", show.Bar(barWidth, u.Measured/whole, u.InFlight/whole, float64(u.LinePercent)/100)),
		show.Text("%s", amount.Cores(u.Measured)), show.Text("%s", show.Percent(u.Measured, n.CPU.Allocatable)),
		show.Text("%s", amount.Cores(u.InFlight)), show.Text("%s", line), headroom,
	}
}

func memoryOf(n *status.Node) []show.Cell {
	u := n.Memory.Use
	if u == nil {
		return unknown(3)
	}
	line := "-"
	if u.LinePercent > 0 {
		line = fmt.Sprintf("%d%%", u.LinePercent)
	}
	return []show.Cell{show.Text("%s", amount.Bytes(u.Measured)), show.Text("%s", show.Percent(u.Measured, n.Memory.Allocatable)), show.Text("%s", line)}
}

// unknown are so many cells of which nothing is known.
func unknown(cells int) []show.Cell {
	row := make([]show.Cell, cells)
	for i := range row {
		row[i] = show.Cell{Text: "-", Level: show.Faint}
	}
	return row
}

func devicesOf(n *status.Node) []show.Cell {
	if len(n.Devices) == 0 {
		return unknown(5)
	}
	var sum status.Devices
	for i := range n.Devices {
		sum.Add(&n.Devices[i])
	}
	starved := show.Text("%d", sum.Starved)
	if sum.Starved > 0 {
		starved.Level = show.Bad
	}
	return []show.Cell{
		show.Text("%d/%d", sum.Used, sum.Allocatable), show.Text("%d", sum.Free),
		show.Text("%s", show.Count(sum.Fragmented)), show.Text("%s", show.Count(sum.Stranded)), starved,
	}
}
