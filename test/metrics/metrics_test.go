package metrics

import (
	"cmp"
	"context"
	_ "embed"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/template"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/component-base/metrics"

	"github.com/plimsoll-scheduler/plimsoll/pkg/load"
	"github.com/plimsoll-scheduler/plimsoll/pkg/observe"
	"github.com/plimsoll-scheduler/plimsoll/pkg/plugins"
	"github.com/plimsoll-scheduler/plimsoll/pkg/selfcheck"
	"github.com/plimsoll-scheduler/plimsoll/test/document"
)

//go:embed metrics.md.tmpl
var text string

// metric is what is said of one.
type metric struct {
	Name, Type, Help string
	Labels           []string
}

// description has what prometheus.Desc tells of itself.
var description = regexp.MustCompile(`^Desc\{fqName: ("(?:[^"\\]|\\.)*"), help: ("(?:[^"\\]|\\.)*"), unit: "[a-z]*", constLabels: \{\}, variableLabels: \{([^}]*)\}\}$`)

type noSource struct{}

func (noSource) Poll(context.Context) ([]load.Reading, error) { return nil, nil }

// all returns Plimsoll's metrics, by name.
func all(t *testing.T) (found []metric) {
	t.Helper()
	model, shared := load.NewModel(load.Config{}, noSource{}), plugins.NewShared(nil, nil)
	counted := slices.Concat(model.Counters(), shared.Metrics(), observe.NewMetrics().All(), selfcheck.New(nil, nil, nil).Metrics())
	read := append(shared.Collectors(), model.Collector())
	registry := metrics.NewKubeRegistry()
	registry.MustRegister(counted...)
	registry.CustomMustRegister(read...)
	for _, m := range counted {
		found = append(found, describe(t, m, typeOf(t, m))...)
	}
	for _, m := range read {
		found = append(found, describe(t, m, "gauge")...)
	}
	slices.SortFunc(found, func(a, b metric) int { return cmp.Compare(a.Name, b.Name) })
	return found
}

func typeOf(t *testing.T, m metrics.Registerable) string {
	t.Helper()
	switch m.(type) {
	case *metrics.Counter, *metrics.CounterVec:
		return "counter"
	case *metrics.Gauge, *metrics.GaugeVec:
		return "gauge"
	case *metrics.Histogram, *metrics.HistogramVec:
		return "histogram"
	}
	t.Fatalf("%T: this test does not know the type", m)
	return ""
}

func describe(t *testing.T, m interface{ Describe(chan<- *prometheus.Desc) }, kind string) (found []metric) {
	t.Helper()
	descriptions := make(chan *prometheus.Desc, 100)
	m.Describe(descriptions)
	close(descriptions)
	for d := range descriptions {
		parts := description.FindStringSubmatch(d.String())
		if parts == nil {
			t.Fatalf("%s: this test does not know the form", d)
		}
		name, err := strconv.Unquote(parts[1])
		if err != nil {
			t.Fatal(err)
		}
		help, err := strconv.Unquote(parts[2])
		if err != nil {
			t.Fatal(err)
		}
		of := metric{Name: name, Type: kind, Help: strings.TrimPrefix(help, "[ALPHA] ")}
		if parts[3] != "" {
			of.Labels = strings.Split(parts[3], ",")
		}
		found = append(found, of)
	}
	return found
}

func TestDocumentIsThatOfTheCode(t *testing.T) {
	document.Check(t, "docs/metrics.md", template.Must(template.New("").Funcs(template.FuncMap{"join": strings.Join}).Parse(text)), all(t))
}

// Base units, the prefix, what Prometheus' naming practices ask for; and no label that
// grows with pods.
func TestNamesHaveOneForm(t *testing.T) {
	labels := []string{"by", "check", "node", "plugin", "profile", "reason", "resource", "result", "state", "verdict"}
	for _, m := range all(t) {
		if !regexp.MustCompile(`^plimsoll_[a-z]+(_[a-z]+)*$`).MatchString(m.Name) {
			t.Errorf("%s: must be lower case, with the prefix plimsoll_", m.Name)
		}
		if isTotal := strings.HasSuffix(m.Name, "_total"); isTotal != (m.Type == "counter") {
			t.Errorf("%s is a %s: counters, and no others, end in _total", m.Name, m.Type)
		}
		if regexp.MustCompile(`_(ms|milliseconds|minutes|percent|millicores|mb|count|sum|bucket)(_|$)`).MatchString(m.Name) {
			t.Errorf("%s: must be in base units (seconds, bytes, cores, ratio), and not end in what a histogram's series do", m.Name)
		}
		if m.Type == "histogram" && !regexp.MustCompile(`_(seconds|ratio)$`).MatchString(m.Name) {
			t.Errorf("%s: a histogram ends in its unit", m.Name)
		}
		for _, label := range m.Labels {
			if !slices.Contains(labels, label) {
				t.Errorf("%s has a label %s: known are %q", m.Name, label, labels)
			}
			if label == "node" && m.Type != "gauge" {
				t.Errorf("%s is a %s: the series of a node that is gone would stay", m.Name, m.Type)
			}
		}
		if !strings.HasSuffix(m.Help, ".") || strings.Contains(m.Help, "|") {
			t.Errorf("%s: %q must end in a full stop, and fit into a table", m.Name, m.Help)
		}
	}
}
