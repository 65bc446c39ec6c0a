package report

import (
	"bytes"
	"math"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/plimsoll-scheduler/plimsoll/pkg/sim"
)

// made is a result with made-up numbers: 40 nodes over ten hours, in which
// nodes are the busier the later the policy comes.
func made(policies ...string) *sim.Result {
	random := rand.New(rand.NewPCG(1, 2))
	r := &sim.Result{Seed: 7, Scenario: sim.Description{
		Name: "made up <for> tests", Nodes: 1040, Devices: 80, Pods: 1500,
		MeasuredFrom: 4 * time.Hour, MeasuredTo: 14*time.Hour + 30*time.Minute,
		Parameters: []sim.Parameter{{Name: "use-ratio", Value: "0.55", Meaning: "median of what a pod uses of its request"}},
	}}
	for i, name := range policies {
		p := sim.PolicyResult{
			Name: name, StarvedDeviceMinutes: 1200 * float64(i+1), HotNodeMinutes80: 4000 * float64(i+1), HotNodeMinutes100: 100 * float64(i),
			PodsScheduled: 1490, PodsUnscheduled: 10, DevicesAllocatedPercent: 81.26, FragmentedDevicesPercent: 2.1, DecisionsPerSecond: 812.4,
		}
		p.WaitSeconds.P99 = 15.26
		p.Utilization.Mean, p.Utilization.Stddev, p.Utilization.P99 = 41.5, 12.5, 96
		p.Timeline.Step = 5 * time.Minute
		for step := range 120 {
			nodes := make([]float32, 40)
			for n := range nodes {
				nodes[n] = float32(20 + n + 10*i + int(20*random.Float64()))
			}
			p.Timeline.Utilization = append(p.Timeline.Utilization, nodes)
			p.Timeline.StarvedDeviceMinutes = append(p.Timeline.StarvedDeviceMinutes, p.StarvedDeviceMinutes*float64(step)/119)
		}
		for range 1490 {
			p.Timeline.Waits = append(p.Timeline.Waits, time.Duration(math.Exp(8*random.Float64()*random.Float64())-1)*time.Second)
		}
		r.Policies = append(r.Policies, p)
	}
	return r
}

func render(t *testing.T, r *sim.Result) string {
	t.Helper()
	var buf bytes.Buffer
	if err := Write(&buf, r); err != nil {
		t.Fatal(err)
	}
	return buf.String()
}

// elements counts the elements of a page by name, and fails the test if one is
// not closed or closed twice.
func elements(t *testing.T, text string) map[string]int {
	t.Helper()
	void := map[string]bool{"meta": true, "image": true}
	count := map[string]int{}
	var open []string
	tokens := html.NewTokenizer(strings.NewReader(text))
	for {
		switch tokens.Next() {
		case html.ErrorToken:
			if len(open) > 0 {
				t.Errorf("the page ends within %v", open)
			}
			return count
		case html.StartTagToken:
			name, _ := tokens.TagName()
			count[string(name)]++
			if !void[string(name)] {
				open = append(open, string(name))
			}
		case html.SelfClosingTagToken:
			name, _ := tokens.TagName()
			count[string(name)]++
		case html.EndTagToken:
			name, _ := tokens.TagName()
			if len(open) == 0 || open[len(open)-1] != string(name) {
				t.Fatalf("</%s> within %v", name, open)
			}
			open = open[:len(open)-1]
		}
	}
}

func TestPageShowsEachPolicy(t *testing.T) {
	result := made("plimsoll", "stock", "load-aware")
	result.Policies[2].Note = "re-implementation for comparison"
	text := render(t, result)
	count := elements(t, text)
	if want := 2 + 2*3; count["figure"] != want || count["image"] != 3 {
		t.Errorf("%d figures and %d images, want %d and 3", count["figure"], count["image"], want)
	}
	for _, want := range []string{
		"made up &lt;for&gt; tests", "1,040", "from 4h to 14h30m", "no public trace links requests for",
		"re-implementation for comparison", "use-ratio", "median of what a pod uses of its request",
		"<td>2,400</td>", "<td>0.50</td>", "<td>15.3</td>", "var(--policy2)",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if color := regexp.MustCompile(`#FE[0-9A-F]{2}FE`).FindString(text); color != "" {
		t.Errorf("a colour was not replaced: %s", color)
	}
}

func TestPageNeedsNothingFromElsewhere(t *testing.T) {
	text := render(t, made("plimsoll", "stock"))
	for _, unwanted := range []string{"http:", "https:", "<script", "<link", "@import", "url(", "src="} {
		if strings.Contains(text, unwanted) {
			t.Errorf("the page has %q", unwanted)
		}
	}
	for _, link := range regexp.MustCompile(`href="([^"]*)"`).FindAllStringSubmatch(text, -1) {
		if !strings.HasPrefix(link[1], "data:image/") && !strings.HasPrefix(link[1], "#") {
			t.Errorf("the page refers to %q", link[1])
		}
	}
}

func TestDegenerateResults(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*sim.Result)
		empty  int // figures without a chart
	}{
		"no policies":  {func(r *sim.Result) { r.Policies = nil }, 2},
		"no waits":     {func(r *sim.Result) { r.Policies[0].Timeline.Waits = nil }, 1},
		"nobody waits": {func(r *sim.Result) { clear(r.Policies[0].Timeline.Waits) }, 0},
		"no timeline":  {func(r *sim.Result) { r.Policies[0].Timeline = sim.Timeline{} }, 4},
		"no nodes":     {func(r *sim.Result) { clear(r.Policies[0].Timeline.Utilization) }, 2},
		"one node, one step": {func(r *sim.Result) {
			timeline := &r.Policies[0].Timeline
			timeline.Utilization = [][]float32{{50}}
			timeline.StarvedDeviceMinutes = []float64{0}
		}, 0},
		"no parameters": {func(r *sim.Result) { r.Scenario.Parameters = nil }, 0},
		"not a number": {func(r *sim.Result) {
			r.Policies[0].Utilization.Mean = math.NaN()
			for _, nodes := range r.Policies[0].Timeline.Utilization {
				nodes[3] = float32(math.NaN())
			}
		}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			result := made("only")
			test.change(result)
			text := render(t, result)
			elements(t, text)
			if empty := strings.Count(text, "Nothing to show"); empty != test.empty {
				t.Errorf("%d figures are empty, want %d", empty, test.empty)
			}
			if strings.Contains(text, "NaN") || strings.Contains(text, "Inf") {
				t.Error("the page has coordinates that are no numbers")
			}
			var buf bytes.Buffer
			if err := WriteText(&buf, result); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestTicksAreRoundAndFew(t *testing.T) {
	for _, top := range []float64{0.3, 1, 7, 100, 105, 999, 18500, 2.5e6} {
		ticks := amounts{}.Ticks(0, top)
		if len(ticks) < 3 || len(ticks) > 8 || ticks[0].Value != 0 {
			t.Errorf("the ticks up to %g are %v", top, ticks)
		}
	}
	if ticks := (amounts{}).Ticks(0, 18500); ticks[1].Label != "5,000" {
		t.Errorf("the second tick up to 18,500 is %q", ticks[1].Label)
	}
	for _, span := range []float64{0.5, 20, 24, 24 * 7} {
		if ticks := (hours{}).Ticks(4, 4+span); len(ticks) < 2 || len(ticks) > 9 {
			t.Errorf("the ticks of %g hours are %v", span, ticks)
		}
	}
}

func TestLongerThan(t *testing.T) {
	line := longerThan([]time.Duration{0, 0, 30 * time.Second, 2 * time.Minute})
	for _, test := range []struct{ seconds, percent float64 }{{1, 100}, {2, 50}, {30, 50}, {31, 25}, {120, 25}} {
		// The line is the lower end of its steps: what is left of a step counts.
		percent := 0.0
		for i := 1; i < len(line); i++ {
			if line[i-1].X < test.seconds && test.seconds <= line[i].X {
				percent = line[i].Y
			}
		}
		if test.seconds == 1 {
			percent = line[0].Y
		}
		if percent != test.percent {
			t.Errorf("%g %% waited at least %g s, want %g", percent, test.seconds, test.percent)
		}
	}
	if last := line[len(line)-1]; last.X != 120 {
		t.Errorf("the line ends at %g s", last.X)
	}
}

func TestBusiestNodesAreOnTop(t *testing.T) {
	timeline := &sim.Timeline{Step: time.Minute, Utilization: [][]float32{{10, 90, 130}, {10, 30, 170}}}
	img := heatImage(timeline)
	classes := heatClasses()
	for y, want := range [][2]string{{"100 to 150 %", "150 % and more"}, {"80 to 100 %", "20 to 40 %"}, {"below 20 %", "below 20 %"}} {
		for x := range want {
			for _, class := range classes {
				if class.Label == want[x] && img.At(x, y) != class.rgb {
					t.Errorf("row %d, column %d is %v, want %v (%s)", y, x, img.At(x, y), class.rgb, class.Label)
				}
			}
		}
	}
}

func TestRatiosAreToStock(t *testing.T) {
	for name, test := range map[string]struct {
		policies []string
		want     bool
	}{
		"with stock":    {[]string{"plimsoll", "stock"}, true},
		"without stock": {[]string{"plimsoll", "other"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			var buf bytes.Buffer
			if err := WriteText(&buf, made(test.policies...)); err != nil {
				t.Fatal(err)
			}
			if got := strings.Contains(buf.String(), "to stock"); got != test.want {
				t.Errorf("ratios are shown: %t, want %t:\n%s", got, test.want, buf.String())
			}
			if test.want && !strings.Contains(buf.String(), "1,200      0.50") {
				t.Errorf("the ratio 0.50 is missing:\n%s", buf.String())
			}
		})
	}
	result := made("plimsoll", "stock")
	result.Policies[1].StarvedDeviceMinutes = 0
	if cell := tables(result)[0].Rows[0].Cells[1]; cell != "-" {
		t.Errorf("the ratio to nothing is %q", cell)
	}
}
