package load

import (
	"github.com/plimsoll-scheduler/plimsoll/pkg/apis/config"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load/history"
)

// Statistic condenses the samples of a window into one amount.
type Statistic = history.Statistic

// The statistics.
const (
	Latest        = history.Latest
	Average       = history.Average
	P50           = history.P50
	P90           = history.P90
	P95           = history.P95
	P99           = history.P99
	Peak          = history.Peak
	NumStatistics = history.NumStatistics
)

// StatisticOf returns the statistic of the name, which must be a valid one.
func StatisticOf(name config.Statistic) Statistic {
	return map[config.Statistic]Statistic{
		config.Latest: Latest, config.Average: Average, config.Peak: Peak,
		config.P50: P50, config.P90: P90, config.P95: P95, config.P99: P99,
	}[name]
}
