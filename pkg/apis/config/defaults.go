package config

import (
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
)

// DefaultNodeLoadArgs returns what `args: {}` means for NodeLoad.
func DefaultNodeLoadArgs() *NodeLoadArgs {
	return &NodeLoadArgs{
		Source: Source{
			Type: MetricsServer,
			// metrics-server scrapes each 15 s by default: polling faster shows nothing new.
			Interval: 15 * time.Second,
			Timeout:  10 * time.Second,
		},
		// Six scrapes may fail before a node's measured load is no longer believed.
		Expiration: 90 * time.Second,
		// Long enough to show how much use swings, and what is usual.
		Window:      15 * time.Minute,
		StalePolicy: UseRequests,
		Filter: Filter{
			WhenUnsatisfiable: DoNotSchedule,
			// The line is for what is so now: a node that has just become hot takes
			// no more, and one that has just cooled down takes pods at the next poll.
			Statistic:  Latest,
			Thresholds: map[string]int64{CPU: 85, Memory: 85},
		},
		Score: Score{
			Strategy: LeastExpectedLoss,
			// Pods stay for longer than a sample: rank by what is usual.
			Statistic:           Average,
			Weights:             map[string]int64{CPU: 1, Memory: 1},
			WorstResourceWeight: 1,
		},
		Estimate: Estimate{
			Factors: map[string]int64{CPU: 100, Memory: 100},
			Defaults: map[string]resource.Quantity{
				CPU:    resource.MustParse("250m"),
				Memory: resource.MustParse("200Mi"),
			},
			WarmUp: time.Minute,
			Learn:  true,
		},
		Overrides: Overrides{
			// Each pod that goes over the line at its author's request is counted in
			// full, so that all others keep away.
			WhenUnsatisfiable: AllowOverride,
			// A pod that counts as less than it uses draws others onto its node. So none
			// counts as nothing. A node that gets short of CPU is slow until the next
			// sample shows it, and one that gets short of memory loses pods.
			Estimate: EstimateOverride{Allow: true, MinPercent: map[string]int64{CPU: 10, Memory: 25}},
		},
	}
}

// DefaultDeviceFitArgs returns what `args: {}` means for DeviceFit.
func DefaultDeviceFitArgs() *DeviceFitArgs {
	return &DeviceFitArgs{
		Resources:        []string{"*"},
		Strategy:         LeastFragmentation,
		AvoidDeviceNodes: true,
	}
}

// strategyNotSaid stands for the strategy while arguments are decoded that do not name
// one. No file has it.
const strategyNotSaid ScoreStrategy = "\x00"

// complete sets the strategy, if it was not said: arguments that are for MostHeadroom
// alone ask for that.
func (a *NodeLoadArgs) complete() {
	switch {
	case a.Score.Strategy != strategyNotSaid:
	case a.Score.forHeadroom():
		a.Score.Strategy = MostHeadroom
	default:
		a.Score.Strategy = DefaultNodeLoadArgs().Score.Strategy
	}
}

// forHeadroom reports whether there are arguments that are for MostHeadroom alone.
func (s *Score) forHeadroom() bool {
	defaults := DefaultNodeLoadArgs().Score
	return s.WorstResourceWeight != defaults.WorstResourceWeight || s.RiskAversion != defaults.RiskAversion
}
