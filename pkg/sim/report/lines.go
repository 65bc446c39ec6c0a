package report

import (
	"math"
	"slices"
	"time"

	"gonum.org/v1/plot/plotter"

	"github.com/plimsoll-scheduler/plimsoll/pkg/sim"
)

// drawStarved draws the cumulated starved device-minutes of all policies.
func drawStarved(c *content, result *sim.Result) error {
	c.Starved.Title = "Starved device-minutes, cumulated"
	p := newPlot("hours", "device-minutes")
	drawn := false
	for i, policy := range result.Policies {
		line := make(plotter.XYs, 0, len(policy.Timeline.StarvedDeviceMinutes))
		for step, minutes := range policy.Timeline.StarvedDeviceMinutes {
			line = append(line, plotter.XY{X: hoursAt(&result.Scenario, &policy.Timeline, step), Y: minutes})
		}
		if len(line) > 0 {
			p.Add(&plotter.Line{XYs: line, LineStyle: policyLine(i)})
			drawn = true
		}
	}
	if !drawn {
		return nil
	}
	p.Y.Min, p.Y.Max = 0, max(p.Y.Max*1.05, 1)
	var err error
	c.Starved.SVG, err = svg(p, "Starved device-minutes over time, a line for each policy; the table has the totals")
	return err
}

// drawWaits draws which share of the pods waited longer than a time.
func drawWaits(c *content, result *sim.Result) error {
	c.Waits.Title = "Waiting time until scheduled"
	p := newPlot("waited at least", "% of scheduled pods")
	p.X.Tick.Marker, p.Y.Tick.Marker = durations(), percents()
	drawn := false
	for i, policy := range result.Policies {
		if line := longerThan(policy.Timeline.Waits); len(line) > 0 {
			p.Add(&plotter.Line{XYs: logarithms(line), LineStyle: policyLine(i)})
			drawn = true
		}
	}
	if !drawn {
		return nil
	}
	p.X.Min, p.X.Max = math.Log10(shortestWait.Seconds()), max(p.X.Max*1.02, math.Log10(60))
	p.Y.Min, p.Y.Max = math.Floor(min(p.Y.Min, 0)), 2
	var err error
	c.Waits.SVG, err = svg(p, "Share of pods that waited at least a time, a line for each policy; the table has the median and the 99th percentile")
	return err
}

// logarithms returns the points for axes that are marked as logarithmic ones.
// (plot.LogScale puts the axis' title where its labels are not.)
func logarithms(points plotter.XYs) plotter.XYs {
	for i, point := range points {
		points[i] = plotter.XY{X: math.Log10(point.X), Y: math.Log10(point.Y)}
	}
	return points
}

// shortestWait is where the logarithmic axis begins: shorter waits are drawn
// there.
const shortestWait = time.Second

// longerThan returns the percentage of waits that are at least so long, as the
// corners of a line with steps. Steps that the eye could not tell apart are
// drawn as one.
func longerThan(waits []time.Duration) plotter.XYs {
	if len(waits) == 0 {
		return nil
	}
	sorted := slices.Sorted(slices.Values(waits))
	line := plotter.XYs{{X: shortestWait.Seconds(), Y: 100}}
	n := float64(len(sorted))
	for i, wait := range sorted {
		last, x := &line[len(line)-1], max(wait, shortestWait).Seconds()
		share := 100 * (n - float64(i)) / n // of those that waited at least so long
		if x/last.X < 1.01 {
			continue
		}
		line = append(line, plotter.XY{X: last.X, Y: share}, plotter.XY{X: x, Y: share})
	}
	longest := line[len(line)-1]
	return append(line, plotter.XY{X: longest.X, Y: 100 / n})
}
