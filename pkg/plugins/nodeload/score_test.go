package nodeload

import (
	"fmt"
	"testing"
	"time"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/apis/config"
	"github.com/plimsoll-scheduler/plimsoll/pkg/compat"
	"github.com/plimsoll-scheduler/plimsoll/pkg/line"
)

func TestMostHeadroom(t *testing.T) {
	both := func(cpu, memory, worst int64) *config.NodeLoadArgs {
		return args(func(a *config.NodeLoadArgs) {
			a.Score.Strategy = config.MostHeadroom
			a.Score.Weights = map[string]int64{"cpu": cpu, "memory": memory}
			a.Score.WorstResourceWeight = worst
		})
	}
	for _, test := range []struct {
		name   string
		args   *config.NodeLoadArgs
		cores  float64 // of 10; the line is at 7.5
		memory int64   // of 100 GiB; the line is at 85
		want   int64
	}{
		{"idle", both(1, 1, 1), 0, 0, 100},
		{"at the line in both", both(1, 1, 1), 7.5, 85 * gi, 0},
		{"half way in both", both(1, 1, 1), 3.75, 85 * gi / 2, 50},
		{"cpu only", both(1, 0, 0), 3.75, 85 * gi, 50},
		{"the mean", both(1, 1, 0), 3.75, 0, 75},
		{"the worst counts once more", both(1, 1, 1), 3.75, 0, 67},
		{"weights", both(3, 1, 0), 3.75, 0, 63},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newCluster(t, test.args, "n")
			c.use("n", test.cores, test.memory)
			c.poll(t)
			if got := c.schedule(t, pod("p", "0", "0"))["n"]; got.reason != "" || got.score != test.want {
				t.Errorf("%+v, want score %d", got, test.want)
			}
		})
	}
}

func TestStatistics(t *testing.T) {
	history := []float64{9, 9, 9, 1} // a window of 15 s each; the newest last
	for _, test := range []struct {
		filter, score config.Statistic
		risk          float64
		reason        string
		score100      int64 // with the line at 100 % of 10 cores
	}{
		{config.Latest, config.Latest, 0, "", 90},
		{config.Latest, config.Average, 0, "", 30},
		{config.Latest, config.Peak, 0, "", 10},
		{config.Latest, config.P50, 0, "", 10},
		{config.Latest, config.Average, 0.5, "", 13}, // the deviation is 3.46 cores
		{config.Average, config.Latest, 0, overCPU.reason(), 0},
		{config.P90, config.Latest, 0, overCPU.reason(), 0},
	} {
		t.Run(fmt.Sprintf("%s %s %v", test.filter, test.score, test.risk), func(t *testing.T) {
			c := newCluster(t, args(func(a *config.NodeLoadArgs) {
				a.Window, a.Score.Strategy = time.Minute, config.MostHeadroom
				a.Filter.Statistic, a.Score.Statistic, a.Score.RiskAversion = test.filter, test.score, test.risk
				a.Score.Weights = map[string]int64{"cpu": 1}
				a.Filter.Thresholds = map[string]int64{"cpu": 100}
				if test.reason != "" {
					a.Filter.Thresholds["cpu"] = 65
				}
			}), "n")
			for _, cores := range history {
				c.clock.Step(15 * time.Second)
				c.use("n", cores, 0)
				c.poll(t)
			}
			if got := c.schedule(t, pod("p", "0", "0"))["n"]; got.reason != test.reason || got.score != test.score100 {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestScheduleAnywayRanksHotNodesLast(t *testing.T) {
	c := newCluster(t, args(func(a *config.NodeLoadArgs) { a.Filter.WhenUnsatisfiable = config.ScheduleAnyway }), "cool", "at-line", "warm", "hot", "off-scale")
	c.use("cool", 1, 0)
	c.use("at-line", 7.5, 85*gi)
	c.use("warm", 8, 0)
	c.use("hot", 10, 0)
	c.use("off-scale", 1000, 0)
	c.poll(t)
	got := c.schedule(t, pod("p", "0", "0"))
	order := []string{"cool", "at-line", "warm", "hot", "off-scale"}
	for i, name := range order {
		if got[name].reason != "" {
			t.Errorf("%s: rejected for %q", name, got[name].reason)
		}
		if i > 0 && got[name].score >= got[order[i-1]].score {
			t.Errorf("%s scores %d, %s %d: want falling scores", order[i-1], got[order[i-1]].score, name, got[name].score)
		}
	}
}

func TestScoresStayInRange(t *testing.T) {
	for _, soft := range []bool{false, true} {
		p := newPolicy(config.DefaultNodeLoadArgs())
		p.soft = soft
		for _, predicted := range []amount.Vector{{}, {1, 1}, {7500, 85 * gi}, {1 << 50, 1 << 50}, {1 << 62, 1 << 62}} {
			for _, allocatable := range []amount.Vector{{}, {1, 1}, {10000, 100 * gi}} {
				if s := p.score(predicted, allocatable, &line.Own{}, ask{rule: p.general, soft: soft}); s < compat.MinScore || s > compat.MaxScore {
					t.Errorf("soft %t, predicted %v of %v: score %d", soft, predicted, allocatable, s)
				}
			}
		}
	}
}
