package nodeload

import (
	"slices"
	"testing"
	"time"

	"k8s.io/kubernetes/pkg/scheduler/framework"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/apis/config"
	"github.com/plimsoll-scheduler/plimsoll/pkg/line"
)

// told returns the events since the last time.
func (c *cluster) told() (events []string) {
	for {
		select {
		case event := <-c.events.Events:
			events = append(events, event)
		default:
			return events
		}
	}
}

// lead has the plugin begin a scheduling cycle, which the leader alone does.
func (c *cluster) lead(t *testing.T) {
	t.Helper()
	c.PreFilter(t.Context(), framework.NewCycleState(), pod("first", "1m", "1Mi"), nil)
}

// Of nodes of 10 cores and 100 GiB, with lines at 7.5 and 85.
func TestNodesThatCrossTheirLinesAreTold(t *testing.T) {
	const (
		over  = "Warning OverLoadLine over the load line of profile plimsoll: cpu is predicted at 8.00 cores, and the line is at 7.50 cores (75 % of allocatable)"
		below = "Normal BelowLoadLine below the load line again of profile plimsoll: cpu is predicted at 7.00 cores, and the line is at 7.50 cores (75 % of allocatable); memory is predicted at 1.0Gi, and the line is at 85.0Gi (85 % of allocatable)"
	)
	c := newCluster(t, args(func(a *config.NodeLoadArgs) { a.Window = 0 }), "n", "idle")
	c.use("idle", 1, gi)
	after := func(what string, cores float64, polls int, want ...string) {
		t.Helper()
		c.use("n", cores, gi)
		for range polls {
			c.clock.Step(15 * time.Second)
			c.poll(t)
		}
		if got := c.told(); !slices.Equal(got, want) {
			t.Errorf("%s: told %q, want %q", what, got, want)
		}
	}
	after("on a standby", 8, 10)
	c.lead(t)
	after("once it leads", 8, 1, over)
	after("while it stays over", 8, 20)
	after("for a moment", 1, 4)
	after("when it is back over the line before a minute", 8, 8)
	after("just below", 7.3, 20)
	after("below for less than a minute", 7, 4)
	after("below for a minute", 7, 1, below)
	after("while it stays below", 7, 20)
	after("over for less than a minute", 8, 4)
	after("below at once", 7, 8)
	after("over for a minute again", 8, 5, over)

	delete(c.measured, "n")
	c.clock.Step(24 * time.Hour)
	c.poll(t)
	if got := c.told(); len(got) != 0 {
		t.Errorf("told %q of a node of which nothing is known any more", got)
	}
	c.model.RemoveNode("n")
	c.model.SetNode("n", amount.Vector{amount.CPU: 10_000, amount.Memory: 100 * gi}, line.Own{})
	after("of another machine of that name", 8, 5, over)
}
