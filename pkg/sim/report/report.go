// Package report shows the result of a simulation to people: as tables on a
// terminal, and as one HTML page with charts that needs nothing from elsewhere,
// neither scripts nor fonts nor a network.
package report

import (
	_ "embed" // the page's template
	"fmt"
	"html/template"
	"io"
	"time"

	"github.com/plimsoll-scheduler/plimsoll/pkg/sim"
)

//go:embed page.html.tmpl
var page string

// Baseline is the name of the policy that ratios refer to.
const Baseline = "stock"

// content is what the page is made of.
type content struct {
	Title      string
	Facts      []fact
	Recorded   bool     // else all use is by a model
	Sources    []string // what is measured, and what is not
	Tables     []table
	Baseline   string // empty if that policy did not run
	Policies   []policy
	Notes      []fact
	Starved    figure
	Waits      figure
	Bands      []figure
	Heat       []figure
	HeatLegend []heatClass
	HeatEvery  int // of so many nodes one is shown
	Parameters []sim.Parameter
	Style      template.CSS
}

// fact is a line of a list of names and values.
type fact struct{ Name, Value string }

// policy is an entry of the legend.
type policy struct {
	Name  string
	Color template.CSS
	Dash  string
}

// figure is a chart with the text that replaces it for those who cannot see it.
type figure struct {
	Title string
	SVG   template.HTML // empty: there is nothing to draw
}

// Write writes the page.
func Write(w io.Writer, result *sim.Result) error {
	tmpl, err := template.New("page").Funcs(template.FuncMap{
		"inc": func(i int) int { return i + 1 },
	}).Parse(page)
	if err != nil {
		return fmt.Errorf("the template of the report: %w", err)
	}
	c, err := contentOf(result)
	if err != nil {
		return err
	}
	if err := tmpl.Execute(w, c); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

func contentOf(result *sim.Result) (*content, error) {
	c := &content{
		Title:      result.Scenario.Name,
		Facts:      facts(result),
		Recorded:   result.Scenario.Recording != nil,
		Sources:    sources(&result.Scenario),
		Tables:     tables(result),
		HeatLegend: heatClasses(),
		HeatEvery:  heatEvery(result),
		Parameters: result.Scenario.Parameters,
		Style:      colorVariables(),
	}
	if baseline(result) != nil {
		c.Baseline = Baseline
	}
	for i, p := range result.Policies {
		c.Policies = append(c.Policies, policy{Name: p.Name, Color: policyColor(i), Dash: dashArray(i)})
		if p.Note != "" {
			c.Notes = append(c.Notes, fact{p.Name, p.Note})
		}
	}
	for _, draw := range []func(*content, *sim.Result) error{drawStarved, drawWaits, drawBands, drawHeat} {
		if err := draw(c, result); err != nil {
			return nil, fmt.Errorf("draw the report: %w", err)
		}
	}
	return c, nil
}

// facts says what was simulated.
func facts(result *sim.Result) []fact {
	d := &result.Scenario
	return []fact{
		{"Nodes", number(float64(d.Nodes), 0)},
		{"Devices", number(float64(d.Devices), 0)},
		{"Pods", number(float64(d.Pods), 0)},
		{"Measured", fmt.Sprintf("from %s to %s of simulated time", span(d.MeasuredFrom), span(d.MeasuredTo))},
		{"Seed", fmt.Sprint(result.Seed)},
	}
}

// span is a time since the start, such as 4h or 4h30m.
func span(d time.Duration) string {
	s := d.Round(time.Minute).String()
	if len(s) > 2 && s[len(s)-2:] == "0s" && s[len(s)-3] == 'm' {
		s = s[:len(s)-2]
	}
	if len(s) > 2 && s[len(s)-2:] == "0m" && s[len(s)-3] == 'h' {
		s = s[:len(s)-2]
	}
	return s
}
