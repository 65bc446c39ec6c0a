package chart

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

const dashboardFile = chartDir + "/monitoring/dashboard.json"

// panel is as much of a panel as the tests go through.
type panel struct {
	ID          int
	Type        string
	Title       string
	Description string
	GridPos     struct{ H, W, X, Y int }
	Targets     []struct{ RefID, Expr, LegendFormat string }
}

func dashboardPanels(t *testing.T) []panel {
	t.Helper()
	var read struct{ Panels []panel }
	if err := json.Unmarshal(dashboardJSON(t), &read); err != nil {
		t.Fatal(err)
	}
	return read.Panels
}

func dashboardJSON(t *testing.T) []byte {
	t.Helper()
	content, err := os.ReadFile(dashboardFile)
	must(t, err)
	return content
}

// Grafana's own types know each field of the dashboard, and of its panels' options and
// targets.
func TestGrafanaKnowsTheDashboard(t *testing.T) {
	plugins.RegisterDefaultPlugins()
	var decoded dashboard.Dashboard
	// An error without a word is none: the list of faults is empty.
	if err := decoded.UnmarshalJSONStrict(dashboardJSON(t)); err != nil && err.Error() != "" {
		t.Fatal(err)
	}
	if err := decoded.Validate(); err != nil {
		t.Error(err)
	}
}

func TestPanels(t *testing.T) {
	ids := map[int]string{}
	taken := map[[2]int]string{}
	for _, p := range dashboardPanels(t) {
		if other, ok := ids[p.ID]; ok {
			t.Errorf("panels %q and %q have the same id", p.Title, other)
		}
		ids[p.ID] = p.Title
		if p.Title == "" || p.Type != "row" && (!strings.HasSuffix(p.Description, ".") || len(p.Targets) == 0) {
			t.Errorf("%+v: must have a title, a description of whole sentences, and an expression", p)
		}
		if p.GridPos.X+p.GridPos.W > 24 {
			t.Errorf("%q ends beyond the grid's 24 columns", p.Title)
		}
		for x := range p.GridPos.W {
			for y := range p.GridPos.H {
				at := [2]int{p.GridPos.X + x, p.GridPos.Y + y}
				if other := taken[at]; other != "" {
					t.Fatalf("%q lies over %q", p.Title, other)
				}
				taken[at] = p.Title
			}
		}
	}
}

var metricName = regexp.MustCompile(`\b(?:plimsoll|scheduler|leader_election)_[a-z_]+\b`)

// metricsIn returns the metrics in a text, without what a histogram's series end in.
func metricsIn(text string) (names []string) {
	for _, name := range metricName.FindAllString(text, -1) {
		for _, suffix := range []string{"_bucket", "_count", "_sum"} {
			name = strings.TrimSuffix(name, suffix)
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// The dashboard and the rules go by metrics that docs/metrics.md lists, and the
// dashboard shows all of Plimsoll's own.
func TestMetricsAreKnown(t *testing.T) {
	content, err := os.ReadFile(root + "/docs/metrics.md")
	must(t, err)
	documented := string(content)
	rules := render(t, "prometheusRule: {enabled: true}").get(t, "PrometheusRule plimsoll")
	recorded := regexp.MustCompile(`[a-z_]+:[a-z_]+:[a-z0-9_]+`)
	used := metricsIn(recorded.ReplaceAllString(text(t, rules.Object["spec"]), ""))
	shown := metricsIn(string(dashboardJSON(t)))
	if len(used) < 5 || len(shown) < 15 {
		t.Fatalf("only %q and %q were found", used, shown)
	}
	for _, name := range slices.Concat(used, shown) {
		if !regexp.MustCompile("`" + name + "[`{]").MatchString(documented) {
			t.Errorf("docs/metrics.md has no %s", name)
		}
	}
	// What resources are taken for, what is wrong around the scheduler, and what is tried
	// before it places any pod, is not what it does.
	other := regexp.MustCompile(`^plimsoll_(device_resources|self_check_findings|observed_\w+)$`)
	for _, name := range metricsIn(documented) {
		if strings.HasPrefix(name, "plimsoll_") && !other.MatchString(name) && !slices.Contains(shown, name) {
			t.Errorf("the dashboard does not show %s", name)
		}
	}
}
