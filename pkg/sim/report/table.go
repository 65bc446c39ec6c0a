package report

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	pretty "github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"github.com/plimsoll-scheduler/plimsoll/pkg/sim"
)

// measure is a column of a table: something that was measured of each policy.
type measure struct {
	name     string
	unit     string // below the name
	meaning  string
	decimals int
	ratio    bool // a column beside it tells the ratio to the baseline
	of       func(*sim.PolicyResult) float64
}

// losses is what the policies cost.
func losses() []measure {
	return []measure{
		{"starved", "device-min", "minutes that allocated devices spent on nodes whose CPU demand was above their allocatable", 0, true,
			func(p *sim.PolicyResult) float64 { return p.StarvedDeviceMinutes }},
		{"movable", "% of it", "of that, as looked at every five minutes: where it would have ended if one pod had been on another node, which had the room; the most that moving pods could save", 0, false,
			func(p *sim.PolicyResult) float64 { return p.StarvedMovablePercent }},
		{"outgrown", "% of it", "of the starved: where that would not have ended it, and a pod alone used more CPU than its node has", 0, false,
			func(p *sim.PolicyResult) float64 { return p.StarvedOutgrownPercent }},
		{"lost", "device-min", "the starved, and minutes that devices were free where a waiting pod could have had them, or where the scenario's pods could not use them", 0, true,
			func(p *sim.PolicyResult) float64 { return p.LostDeviceMinutes }},
		{"short of CPU", "pod-min", "minutes that pods, with devices or without, spent on such nodes", 0, true,
			func(p *sim.PolicyResult) float64 { return p.ShortPodMinutes }},
		{"memory", "events", "memory overcommit events: times that the memory in use on a node rose above its allocatable", 0, false,
			func(p *sim.PolicyResult) float64 { return float64(p.MemoryOvercommitEvents) }},
	}
}

// loads is what the policies did to the nodes.
func loads() []measure {
	return []measure{
		{"> 80 %", "node-min", "minutes that nodes spent above 80 % of their allocatable CPU", 0, true,
			func(p *sim.PolicyResult) float64 { return p.HotNodeMinutes80 }},
		{"> 100 %", "node-min", "minutes that nodes spent with more CPU demand than allocatable", 0, true,
			func(p *sim.PolicyResult) float64 { return p.HotNodeMinutes100 }},
		{"CPU mean", "%", "CPU demand of the nodes in percent of allocatable, the mean over nodes and time", 1, false,
			func(p *sim.PolicyResult) float64 { return p.Utilization.Mean }},
		{"stddev", "% points", "standard deviation of that across the nodes, the mean over time", 1, false,
			func(p *sim.PolicyResult) float64 { return p.Utilization.Stddev }},
		{"p99", "%", "99th percentile of that over nodes and time", 1, false,
			func(p *sim.PolicyResult) float64 { return p.Utilization.P99 }},
	}
}

// outcomes is what became of the pods and the devices.
func outcomes() []measure {
	return []measure{
		{"scheduled", "pods", "pods that got a node, in the whole simulation", 0, false,
			func(p *sim.PolicyResult) float64 { return float64(p.PodsScheduled) }},
		{"not", "pods", "pods that were still waiting at the end, or when they were deleted", 0, false,
			func(p *sim.PolicyResult) float64 { return float64(p.PodsUnscheduled) }},
		{"wait p50", "s", "median of the time from a pod's arrival until it got a node; one that waits at the end counts with what it has waited", 1, false,
			func(p *sim.PolicyResult) float64 { return p.WaitSeconds.P50 }},
		{"wait p99", "s", "99th percentile of that time", 1, false,
			func(p *sim.PolicyResult) float64 { return p.WaitSeconds.P99 }},
		{"devices", "% allocated", "devices that pods had, the mean over time", 1, false,
			func(p *sim.PolicyResult) float64 { return p.DevicesAllocatedPercent }},
		{"fragmented", "% of devices", "free devices that a pod with devices, drawn from those of the scenario, could not use where they were; the mean over time", 1, false,
			func(p *sim.PolicyResult) float64 { return p.FragmentedDevicesPercent }},
		{"decisions", "/s", "scheduling decisions a second of real time spent in them, on one core of the machine that ran the simulation", 0, false,
			func(p *sim.PolicyResult) float64 { return p.DecisionsPerSecond }},
	}
}

// table is the measures of all policies, ready to be shown.
type table struct {
	Caption string
	Columns []column
	Rows    []row
}

type column struct {
	Name, Unit, Meaning string
	Known               bool // what it means is said elsewhere
}

type row struct {
	Policy string // and of which part of its pods the row is
	Index  int    // of the policy, which has its colour
	Cells  []string
}

// tables returns the tables of a result.
func tables(result *sim.Result) []table {
	all := []table{
		tableOf("Losses", losses(), result),
		tableOf("Load of the nodes", loads(), result),
		tableOf("Pods and devices", outcomes(), result),
	}
	if slices.ContainsFunc(result.Policies, func(p sim.PolicyResult) bool { return len(p.Estimates) > 0 }) {
		all = append(all,
			estimatesTable("Estimates of CPU use", result, inCores()),
			estimatesTable("The same, relative", result, inPercent()))
	}
	return all
}

func tableOf(caption string, measures []measure, result *sim.Result) table {
	base := baseline(result)
	t := table{Caption: caption}
	for _, m := range measures {
		t.Columns = append(t.Columns, column{Name: m.name, Unit: m.unit, Meaning: m.meaning})
		if m.ratio && base != nil {
			t.Columns = append(t.Columns, column{
				Name: "ratio", Unit: "to " + Baseline, Known: true,
				Meaning: "what is on the left divided by the same of " + Baseline,
			})
		}
	}
	for i := range result.Policies {
		p := &result.Policies[i]
		cells := make([]string, 0, len(t.Columns))
		for _, m := range measures {
			cells = append(cells, number(m.of(p), m.decimals))
			if m.ratio && base != nil {
				cells = append(cells, ratio(m.of(p), m.of(base)))
			}
		}
		t.Rows = append(t.Rows, row{p.Name, i, cells})
	}
	return t
}

// baseline returns the result that ratios refer to, or nil.
func baseline(result *sim.Result) *sim.PolicyResult {
	i := slices.IndexFunc(result.Policies, func(p sim.PolicyResult) bool { return p.Name == Baseline })
	if i < 0 {
		return nil
	}
	return &result.Policies[i]
}

// number formats v with thousands set apart; what is no number is a dash.
func number(v float64, decimals int) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return "-"
	}
	return message.NewPrinter(language.English).Sprintf("%.*f", decimals, v)
}

// ratio formats v/base; to nothing there is no ratio.
func ratio(v, base float64) string {
	if base == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f", v/base)
}

// WriteText writes the tables for a terminal.
func WriteText(w io.Writer, result *sim.Result) error {
	var out strings.Builder
	d := &result.Scenario
	fmt.Fprintf(&out, "%s: %s nodes, %s devices, %s pods, seed %d, measured from %s to %s\n", d.Name,
		number(float64(d.Nodes), 0), number(float64(d.Devices), 0), number(float64(d.Pods), 0),
		result.Seed, span(d.MeasuredFrom), span(d.MeasuredTo))
	for _, t := range tables(result) {
		out.WriteString("\n" + t.text() + "\n")
	}
	for _, p := range result.Policies {
		if p.Note != "" {
			fmt.Fprintf(&out, "\n%s: %s", p.Name, p.Note)
		}
	}
	for _, line := range sources(d) {
		out.WriteString("\n" + line)
	}
	out.WriteString("\n")
	_, err := io.WriteString(w, out.String())
	return err
}

// text renders a table with a line of names, a line of units and no frame.
func (t *table) text() string {
	writer := pretty.NewWriter()
	style := pretty.StyleDefault
	style.Options = pretty.OptionsNoBordersAndSeparators
	style.Box.PaddingLeft, style.Box.PaddingRight = "", "  "
	writer.SetStyle(style)
	names, units := pretty.Row{strings.ToUpper(t.Caption)}, pretty.Row{""}
	configs := make([]pretty.ColumnConfig, 0, len(t.Columns))
	for i, c := range t.Columns {
		names, units = append(names, strings.ToUpper(c.Name)), append(units, c.Unit)
		configs = append(configs, pretty.ColumnConfig{Number: i + 2, Align: text.AlignRight})
	}
	writer.SetColumnConfigs(configs)
	writer.AppendRow(names)
	writer.AppendRow(units)
	for _, r := range t.Rows {
		cells := pretty.Row{r.Policy}
		for _, cell := range r.Cells {
			cells = append(cells, cell)
		}
		writer.AppendRow(cells)
	}
	lines := strings.Split(writer.Render(), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return strings.Join(lines, "\n")
}
