package nodeload

import (
	"slices"
	"sync"

	"k8s.io/component-base/metrics"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load"
)

// Metrics show where nodes are against their load lines, in each profile. They are
// read off the load model when a registry is scraped, so they cost nothing in between.
type Metrics struct {
	metrics.BaseStableCollector
	ofLine, overLine *metrics.Desc

	mu       sync.Mutex
	profiles []profile
}

// profile is by what nodes are judged in one.
type profile struct {
	name   string
	policy *policy
	view   func() load.View
}

var _ metrics.StableCollector = &Metrics{}

// NewMetrics returns metrics that are not registered yet.
func NewMetrics() *Metrics {
	return &Metrics{
		ofLine: metrics.NewDesc("plimsoll_node_line_ratio",
			"Predicted use of a node, with no further pod, divided by its load line, by profile, node and resource: above 1 it is over the line. Absent if there is no line, or the node is not judged by use.",
			[]string{"profile", "node", "resource"}, nil, metrics.ALPHA, ""),
		overLine: metrics.NewDesc("plimsoll_nodes_over_line",
			"Nodes whose predicted use, with no further pod, is above their load line, by profile and resource.",
			[]string{"profile", "resource"}, nil, metrics.ALPHA, ""),
	}
}

// add has the nodes shown as the profile judges them.
func (m *Metrics) add(name string, p *policy, view func() load.View) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.profiles = append(m.profiles, profile{name, p, view})
}

// DescribeWithStability implements metrics.StableCollector.
func (m *Metrics) DescribeWithStability(ch chan<- *metrics.Desc) {
	ch <- m.ofLine
	ch <- m.overLine
}

// CollectWithStability implements metrics.StableCollector.
func (m *Metrics) CollectWithStability(ch chan<- metrics.Metric) {
	m.mu.Lock()
	profiles := slices.Clone(m.profiles)
	m.mu.Unlock()
	for i := range profiles {
		m.collect(&profiles[i], ch)
	}
}

func (m *Metrics) collect(of *profile, ch chan<- metrics.Metric) {
	var over [amount.NumResources]int
	view := of.view()
	for node := range view.All {
		of.policy.againstLine(&view, node, func(r amount.Resource, use, line int64) {
			if use > line {
				over[r]++
			}
			ch <- metrics.NewLazyConstMetric(m.ofLine, metrics.GaugeValue, part(use, line), of.name, node.Name, string(r.Name()))
		})
	}
	for r, nodes := range over {
		ch <- metrics.NewLazyConstMetric(m.overLine, metrics.GaugeValue, float64(nodes), of.name, string(amount.Resource(r).Name()))
	}
}

// againstLine tells of each resource with a threshold what is predicted to be used of
// it, with no further pod, and where the line is. It tells nothing of a node that is
// not judged by use.
func (p *policy) againstLine(view *load.View, node *load.Node, tell func(r amount.Resource, use, line int64)) {
	use, known := p.use(view, node, p.filterBy)
	if !known {
		return
	}
	l := p.general.On(node.Own, node.Allocatable)
	for r := range amount.NumResources {
		if l.Percent[r] > 0 {
			tell(r, use[r], l.Limit[r])
		}
	}
}

// part returns the use as a part of the line. Of a line at nothing, no use is 0 and any
// other is so many times of the smallest unit.
func part(use, line int64) float64 { return float64(use) / float64(max(line, 1)) }
