package report

import (
	"cmp"
	"fmt"
	"html/template"
	"image"
	"image/color"
	"math"
	"slices"

	"gonum.org/v1/plot/plotter"

	"github.com/plimsoll-scheduler/plimsoll/pkg/sim"
)

// maxRows and maxColumns bound the size of a heat map, and so of the page. What
// has more is thinned out, not averaged: an average would hide the hot nodes.
const (
	maxRows    = 500
	maxColumns = 600
)

// heatClass is a range of utilization with one colour.
type heatClass struct {
	Label string
	Color template.CSS
	from  float64 // percent
	rgb   color.NRGBA
}

// heatClasses returns the colours of the heat map: shades of blue below 80 %,
// as these are no trouble, and other hues that are darker as well above.
func heatClasses() []heatClass {
	classes := []heatClass{
		{from: 0, Label: "below 20 %", rgb: rgb(0xeaf1f8)},
		{from: 20, Label: "20 to 40 %", rgb: rgb(0xc3daee)},
		{from: 40, Label: "40 to 60 %", rgb: rgb(0x8fbce0)},
		{from: 60, Label: "60 to 80 %", rgb: rgb(0x4f93cb)},
		{from: 80, Label: "80 to 100 %", rgb: rgb(0xf2a93b)},
		{from: 100, Label: "100 to 150 %", rgb: rgb(0xc8321e)},
		{from: 150, Label: "150 % and more", rgb: rgb(0x4d0711)},
	}
	for i, c := range classes {
		classes[i].Color = template.CSS(fmt.Sprintf("#%02x%02x%02x", c.rgb.R, c.rgb.G, c.rgb.B))
	}
	return classes
}

func rgb(v uint32) color.NRGBA {
	return color.NRGBA{R: uint8(v >> 16), G: uint8(v >> 8 & 0xFF), B: uint8(v & 0xFF), A: 0xFF}
}

// drawHeat draws the utilization of single nodes over time, a chart for each
// policy.
func drawHeat(c *content, result *sim.Result) error {
	for _, p := range result.Policies {
		f := figure{Title: p.Name}
		if img := heatImage(&p.Timeline); img != nil {
			var err error
			if f.SVG, err = heatChart(p.Name, &result.Scenario, &p.Timeline, img); err != nil {
				return err
			}
		}
		c.Heat = append(c.Heat, f)
	}
	return nil
}

func heatChart(name string, d *sim.Description, t *sim.Timeline, img image.Image) (svgElement, error) {
	p := newPlot("hours", "nodes, busiest on top")
	nodes := float64(len(t.Utilization[0]))
	p.Add(plotter.NewImage(img, hoursAt(d, t, 0), 0, hoursAt(d, t, len(t.Utilization)), nodes))
	return svg(p, "CPU demand of single nodes over time with "+name)
}

// heatImage has a row for each node, that with the highest mean on top, and a
// column for each step. It is nil if there is nothing to show.
func heatImage(t *sim.Timeline) image.Image {
	if len(t.Utilization) == 0 || len(t.Utilization[0]) == 0 {
		return nil
	}
	order := byMean(t.Utilization)
	everyRow, everyColumn := thinning(len(order), maxRows), thinning(len(t.Utilization), maxColumns)
	rows, columns := ceilDiv(len(order), everyRow), ceilDiv(len(t.Utilization), everyColumn)

	classes := heatClasses()
	palette := color.Palette{color.NRGBA{}} // a node that was not there
	for _, class := range classes {
		palette = append(palette, class.rgb)
	}
	img := image.NewPaletted(image.Rect(0, 0, columns, rows), palette)
	for x := range columns {
		nodes := t.Utilization[x*everyColumn]
		for y := range rows {
			img.SetColorIndex(x, y, classOf(classes, nodes, order[y*everyRow]))
		}
	}
	return img
}

// classOf returns the index of a node's class in the palette.
func classOf(classes []heatClass, nodes []float32, node int) uint8 {
	if node >= len(nodes) || math.IsNaN(float64(nodes[node])) {
		return 0
	}
	var index uint8 = 1
	for i, class := range classes {
		if float64(nodes[node]) >= class.from {
			index = uint8(i + 1)
		}
	}
	return index
}

// byMean returns the indices of the nodes, that with the highest mean first.
func byMean(steps [][]float32) []int {
	sums := make([]float64, len(steps[0]))
	counts := make([]float64, len(sums))
	for _, nodes := range steps {
		for i := range min(len(nodes), len(sums)) {
			if v := float64(nodes[i]); !math.IsNaN(v) {
				sums[i] += v
				counts[i]++
			}
		}
	}
	order := make([]int, len(sums))
	for i := range order {
		order[i] = i
		sums[i] /= max(counts[i], 1)
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(sums[b], sums[a]) })
	return order
}

// heatEvery returns of how many nodes one is shown.
func heatEvery(result *sim.Result) int {
	every := 1
	for _, p := range result.Policies {
		if len(p.Timeline.Utilization) > 0 {
			every = max(every, thinning(len(p.Timeline.Utilization[0]), maxRows))
		}
	}
	return every
}

// thinning returns of how many things one is left so that at most limit are.
func thinning(n, limit int) int {
	return max(ceilDiv(n, limit), 1)
}

func ceilDiv(a, b int) int {
	return (a + b - 1) / b
}
