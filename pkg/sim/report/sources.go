package report

import (
	"fmt"
	"time"

	"github.com/plimsoll-scheduler/plimsoll/pkg/sim"
)

// sources says what of the scenario is measured and what is not, a line each: a word, a
// colon and the rest.
func sources(d *sim.Description) []string {
	r := d.Recording
	if r == nil {
		return []string{"What pods use is a model: no public trace links requests for devices with measured use."}
	}
	count := func(n int) string { return number(float64(n), 0) }
	lines := []string{
		fmt.Sprintf("Measured: arrivals, ends and use of %s pods, from %s to %s in steps of %v; %s %% of it are gaps, where the value before holds",
			count(r.MeasuredPods), r.From.UTC().Format(time.RFC3339), r.To.UTC().Format(time.RFC3339), time.Duration(r.StepSeconds)*time.Second, number(r.GapsPercent, 1)),
		fmt.Sprintf("Not placed anew: %s pods, which ran already when the recording began, belong to their node, or are known by their use alone", count(r.StayingPods)),
		fmt.Sprintf("Not measured: the use of %s other pods, which is a model; %s more are left out; what pods would have used on nodes whose CPU was all in use", count(r.ModelledPods), count(r.LeftOutPods)),
	}
	for _, note := range r.Notes {
		lines = append(lines, "Not recorded: "+note)
	}
	if f := r.Fidelity; f != nil {
		lines = append(lines, fmt.Sprintf("Error of the replay: with each pod where it ran, the use of nodes is off what was measured by %s %% of allocatable CPU on average and %s %% at the 99th percentile, and by %s %% and %s %% of memory (%s values)",
			number(f.CPUMeanPercent, 2), number(f.CPUP99Percent, 2), number(f.MemoryMeanPercent, 2), number(f.MemoryP99Percent, 2), count(f.Values)))
	}
	return lines
}
