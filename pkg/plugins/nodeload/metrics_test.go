package nodeload

import (
	"maps"
	"strings"
	"testing"
	"time"

	"k8s.io/component-base/metrics"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/apis/config"
	"github.com/plimsoll-scheduler/plimsoll/pkg/line"
)

// shown returns the gauges by their labels' values, in the order of their names.
func (c *cluster) shown(t *testing.T) map[string]float64 {
	t.Helper()
	registry := metrics.NewKubeRegistry()
	registry.CustomMustRegister(c.metrics)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string]float64{}
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			labels := []string{strings.TrimPrefix(family.GetName(), "plimsoll_")}
			for _, label := range metric.GetLabel() {
				labels = append(labels, label.GetValue())
			}
			shown[strings.Join(labels, " ")] = metric.GetGauge().GetValue()
		}
		c.metrics.ClearState() // a collector can be in one registry at a time
	}
	return shown
}

// Nodes of 10 cores, with a line at 7.5, and of 100 GiB, with one at 85.
func TestGaugesOfNodesAgainstTheLine(t *testing.T) {
	c := newCluster(t, args(func(a *config.NodeLoadArgs) { a.Window = 0 }), "cool", "hot", "own", "unmeasured")
	own := line.Own{Set: [amount.NumResources]bool{amount.CPU: true}, Percent: amount.Vector{amount.CPU: 0}}
	c.model.SetNode("own", amount.Vector{amount.CPU: 10_000, amount.Memory: 100 * gi}, own)
	c.use("cool", 3, 17*gi)
	c.use("hot", 9, 17*gi)
	c.use("own", 9, 102*gi)
	c.poll(t)
	measured := map[string]float64{
		"node_line_ratio cool plimsoll cpu": 0.4, "node_line_ratio cool plimsoll memory": 0.2,
		"node_line_ratio hot plimsoll cpu": 1.2, "node_line_ratio hot plimsoll memory": 0.2,
		"node_line_ratio own plimsoll memory": 1.2,
		"nodes_over_line plimsoll cpu":        1, "nodes_over_line plimsoll memory": 1,
	}
	if got := c.shown(t); !maps.Equal(got, measured) {
		t.Errorf("%v, want %v", got, measured)
	}
	c.model.RemoveNode("own")
	c.clock.Step(24 * time.Hour)
	unknown := map[string]float64{"nodes_over_line plimsoll cpu": 0, "nodes_over_line plimsoll memory": 0}
	if got := c.shown(t); !maps.Equal(got, unknown) {
		t.Errorf("when nothing is known of nodes: %v, want %v", got, unknown)
	}
}
