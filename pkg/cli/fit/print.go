package fit

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/cli/show"
)

// printReport prints what came of it.
func printReport(screen show.Screen, output *show.Flags, r *Report) {
	out := screen.Out
	fmt.Fprintf(out, "%s, by the profile %s, on %s; one is expected to use %s cores and %s\n\n",
		r.Pod, r.Profile, r.From, amount.Cores(r.Estimate.CPU), amount.Bytes(r.Estimate.Memory))
	t := &show.Table{Empty: "No node takes it.", Columns: []show.Column{{Name: "NODE"}, {Name: "REPLICAS", Right: true}, {Name: "WHICH"}}}
	for i := range r.Nodes {
		wanted := slices.DeleteFunc(slices.Clone(r.Nodes[i].Order), func(n int) bool { return n > r.Replicas })
		if len(wanted) > 0 {
			t.Add(show.Text("%s", r.Nodes[i].Name), show.Text("%d", len(wanted)), show.Text("%s", ranges(wanted)))
		}
	}
	output.PrintTable(screen, t)
	fmt.Fprintln(out)
	fmt.Fprintln(out, r.summary())
	if r.Blocked != "" {
		fmt.Fprintf(out, "After %d the next one would wait: %s\n", r.Fit, r.Blocked)
	}
	if output.Wide() {
		for _, reason := range slices.SortedFunc(maps.Keys(r.Reasons), func(a, b string) int { return r.Reasons[b] - r.Reasons[a] }) {
			fmt.Fprintf(out, "  %d nodes: %s\n", r.Reasons[reason], reason)
		}
	}
	if r.Waiting > 0 {
		fmt.Fprintf(out, "%d pods of the cluster wait for a node: they are not counted, and may come first.\n", r.Waiting)
	}
	for _, note := range r.Notes {
		fmt.Fprintln(out, "Note: "+note+".")
	}
}

// summary says how many fit.
func (r *Report) summary() string {
	text := fmt.Sprintf("%d of %d fit.", min(r.Fit, r.Replicas), r.Replicas)
	switch {
	case r.Limited && r.Fit == r.ByRequests:
		return text + fmt.Sprintf(" At least %d would (no more were tried: --max).", r.Fit)
	case r.Limited:
		return text + fmt.Sprintf(" %d would before nodes are at their line, and by requests alone at least %d (no more were tried: --max).", r.Fit, r.ByRequests)
	case r.Fit == r.ByRequests:
		return text + fmt.Sprintf(" %d would, and no more by requests alone.", r.Fit)
	}
	return text + fmt.Sprintf(" %d would before nodes are at their line, and %d by requests alone.", r.Fit, r.ByRequests)
}

// ranges writes rising numbers, such as 1-3,5.
func ranges(numbers []int) string {
	var texts []string
	for i := 0; i < len(numbers); {
		j := i
		for j+1 < len(numbers) && numbers[j+1] == numbers[j]+1 {
			j++
		}
		if i == j {
			texts = append(texts, fmt.Sprint(numbers[i]))
		} else {
			texts = append(texts, fmt.Sprintf("%d-%d", numbers[i], numbers[j]))
		}
		i = j + 1
	}
	return strings.Join(texts, ",")
}
