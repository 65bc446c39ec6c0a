package report

import (
	"bytes"
	"fmt"
	"html/template"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// The size of a chart in units of its own: the page scales it to the room there
// is. At the width of a phone (360 px) type of 14 is shown as of 10 px.
const (
	chartWidth  vg.Length = 450
	chartHeight vg.Length = 290
	fontSize    vg.Length = 14
)

// newPlot returns an empty chart of amounts over hours, with a grid and the texts
// of its axes.
func newPlot(x, y string) *plot.Plot {
	p := plot.New()
	p.BackgroundColor = nil
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		axis.Padding = 0
		axis.Color = inkText
		axis.Tick.Color = inkText
		axis.Tick.Length = 4
		axis.Label.Padding = 4
		axis.Label.TextStyle.Color = inkText
		axis.Label.TextStyle.Font.Variant = "Sans"
		axis.Label.TextStyle.Font.Size = fontSize
		axis.Tick.Label.Color = inkText
		axis.Tick.Label.Font.Variant = "Sans"
		axis.Tick.Label.Font.Size = fontSize
	}
	p.X.Label.Text, p.Y.Label.Text = x, y
	p.X.Tick.Marker, p.Y.Tick.Marker = hours{}, amounts{}
	p.Add(&plotter.Grid{
		Vertical:   draw.LineStyle{Color: inkGrid, Width: 0.7},
		Horizontal: draw.LineStyle{Color: inkGrid, Width: 0.7},
	})
	return p
}

// policyLine returns the style of the i-th policy's line.
func policyLine(i int) draw.LineStyle {
	return draw.LineStyle{Color: inkPolicy + ink(i%inkPolicies), Width: 2, Dashes: dashes[i%len(dashes)]}
}

// svgElement is a chart as an element of the page.
type svgElement = template.HTML

// prelude is what vgsvg writes before the drawing.
var prelude = regexp.MustCompile(`(?s)^<\?xml.*?<svg [^>]*>`)

// svg draws the chart as an element of an HTML page. The label is for those who
// cannot see it.
func svg(p *plot.Plot, label string) (svgElement, error) {
	canvas := vgsvg.New(chartWidth, chartHeight)
	// Room for the last label of the horizontal axis, half of which is outside.
	p.Draw(draw.Crop(draw.New(canvas), 0, -8, 0, -6))
	var buf bytes.Buffer
	if _, err := canvas.WriteTo(&buf); err != nil {
		return "", err
	}
	drawing := prelude.ReplaceAllString(buf.String(), "")
	// Pictures fill the room they are given.
	drawing = strings.ReplaceAll(drawing, "<image ", `<image preserveAspectRatio="none" `)
	start := fmt.Sprintf(`<svg viewBox="0 0 %g %g" role="img" aria-label=`, chartWidth.Points(), chartHeight.Points()) +
		`"` + template.HTMLEscapeString(label) + `">`
	return svgElement(start + inks().Replace(drawing)), nil
}

// hours are the ticks of an axis of hours: whole ones, at most nine.
type hours struct{}

// Ticks implements plot.Ticker.
func (hours) Ticks(low, high float64) []plot.Tick {
	step := 0.25
	for _, next := range []float64{0.5, 1, 2, 3, 4, 6, 12, 24, 48, 96, 168, 336} {
		if (high-low)/step <= 8 {
			break
		}
		step = next
	}
	var ticks []plot.Tick
	for v := math.Ceil(low/step) * step; v <= high; v += step {
		ticks = append(ticks, plot.Tick{Value: v, Label: fmt.Sprintf("%g", v)})
	}
	return ticks
}

// amounts are the ticks of an axis of amounts: round ones, at most seven, with
// thousands set apart.
type amounts struct{}

// Ticks implements plot.Ticker.
func (amounts) Ticks(low, high float64) []plot.Tick {
	const most = 7
	step := math.Pow(10, math.Floor(math.Log10((high-low)/most)))
	for _, factor := range []float64{1, 2, 5, 10} {
		if (high-low)/(step*factor) < most {
			step *= factor
			break
		}
	}
	decimals := max(0, int(-math.Floor(math.Log10(step))))
	var ticks []plot.Tick
	for i := math.Ceil(low / step); i*step <= high; i++ {
		ticks = append(ticks, plot.Tick{Value: i * step, Label: number(i*step, decimals)})
	}
	return ticks
}

// durations are the ticks of an axis of the logarithm of seconds.
func durations() plot.ConstantTicks {
	var ticks plot.ConstantTicks
	for _, t := range []struct {
		at    time.Duration
		label string
	}{
		{time.Second, "1 s"}, {10 * time.Second, "10 s"}, {time.Minute, "1 min"}, {10 * time.Minute, "10 min"},
		{time.Hour, "1 h"}, {10 * time.Hour, "10 h"}, {100 * time.Hour, "100 h"},
	} {
		ticks = append(ticks, plot.Tick{Value: math.Log10(t.at.Seconds()), Label: t.label})
	}
	return ticks
}

// percents are the ticks of an axis of the logarithm of percent.
func percents() plot.ConstantTicks {
	var ticks plot.ConstantTicks
	for power := -4; power <= 2; power++ {
		label := strconv.FormatFloat(math.Pow10(power), 'f', -1, 64)
		ticks = append(ticks, plot.Tick{Value: float64(power), Label: label})
	}
	return ticks
}
