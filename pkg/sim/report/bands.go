package report

import (
	"fmt"
	"math"
	"slices"
	"time"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg/draw"

	"github.com/plimsoll-scheduler/plimsoll/pkg/sim"
)

// The quantiles of the nodes that bands are drawn between: 5 to 95, 25 to 75,
// and the median.
var bandQuantiles = [5]float64{0.05, 0.25, 0.5, 0.75, 0.95}

// drawBands draws the utilization of the nodes over time, a chart for each
// policy, all with the same axes.
func drawBands(c *content, result *sim.Result) error {
	all := make([][5]plotter.XYs, len(result.Policies))
	top := 100.0
	for i, p := range result.Policies {
		all[i] = quantiles(&result.Scenario, &p.Timeline)
		for _, point := range all[i][len(bandQuantiles)-1] {
			top = max(top, point.Y)
		}
	}
	for i, p := range result.Policies {
		f := figure{Title: p.Name}
		if len(all[i][0]) > 0 {
			var err error
			if f.SVG, err = bandChart(i, p.Name, all[i], top*1.05); err != nil {
				return err
			}
		}
		c.Bands = append(c.Bands, f)
	}
	return nil
}

// quantiles returns the bandQuantiles of the nodes' utilization in percent, by
// the hours since the start.
func quantiles(d *sim.Description, t *sim.Timeline) [5]plotter.XYs {
	var lines [5]plotter.XYs
	var values []float64
	for step, nodes := range t.Utilization {
		values = values[:0]
		for _, v := range nodes {
			if !math.IsNaN(float64(v)) { // the node was not there
				values = append(values, float64(v))
			}
		}
		if len(values) == 0 {
			continue
		}
		slices.Sort(values)
		for q, quantile := range bandQuantiles {
			lines[q] = append(lines[q], plotter.XY{
				X: hoursAt(d, t, step),
				Y: stat.Quantile(quantile, stat.Empirical, values, nil),
			})
		}
	}
	return lines
}

// hoursAt is the time of a step of the timeline, in hours since the start of
// the simulation.
func hoursAt(d *sim.Description, t *sim.Timeline, step int) float64 {
	return (d.MeasuredFrom + time.Duration(step)*t.Step).Hours()
}

func bandChart(i int, name string, lines [5]plotter.XYs, top float64) (svgElement, error) {
	p := newPlot("hours", "CPU demand, % of allocatable")
	policy := ink(i % inkPolicies)
	outer, err := between(lines[0], lines[4], inkOuter+policy)
	if err != nil {
		return "", err
	}
	inner, err := between(lines[1], lines[3], inkInner+policy)
	if err != nil {
		return "", err
	}
	median := &plotter.Line{XYs: lines[2], LineStyle: policyLine(i)}
	median.Dashes = nil
	p.Add(outer, inner, median, level(100, lines[2]))
	p.Y.Min, p.Y.Max = 0, top
	last := lines[2][len(lines[2])-1]
	return svg(p, fmt.Sprintf("CPU demand of the nodes over time with %s; at the end the median is %.0f %% of allocatable", name, last.Y))
}

// between fills the area between two lines with the same times.
func between(low, high plotter.XYs, color ink) (*plotter.Polygon, error) {
	ring := slices.Clone(low)
	for _, point := range slices.Backward(high) {
		ring = append(ring, point)
	}
	area, err := plotter.NewPolygon(ring)
	if err != nil {
		return nil, fmt.Errorf("the band: %w", err)
	}
	area.Color, area.Width = color, 0
	return area, nil
}

// level is a dashed line at y over the times of a line, to compare with.
func level(y float64, times plotter.XYs) plot.Plotter {
	return &plotter.Line{
		XYs:       plotter.XYs{{X: times[0].X, Y: y}, {X: times[len(times)-1].X, Y: y}},
		LineStyle: draw.LineStyle{Color: inkLine, Width: 1.2, Dashes: dashes[1]},
	}
}
