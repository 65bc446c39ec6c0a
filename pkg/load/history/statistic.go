package history

import (
	"math"
	"slices"
	"time"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
)

// Statistic condenses the samples of a window into one amount.
type Statistic int

// The statistics. Percentiles and the average weigh each sample by the time
// that it stands for.
const (
	// Latest is the newest sample.
	Latest Statistic = iota
	// Average is the mean.
	Average
	// P50 to P99 are percentiles: the least sample that at least that part of
	// the time does not exceed.
	P50
	P90
	P95
	P99
	// Peak is the largest sample.
	Peak
	NumStatistics
)

// percentiles are the parts of time of P50 to P99.
func percentiles() [P99 - P50 + 1]float64 { return [...]float64{0.50, 0.90, 0.95, 0.99} }

// Statistics is each statistic of a window.
type Statistics [NumStatistics]amount.Vector

// Shifted returns the statistics of the same samples with a added to each:
// each statistic moves by a as well.
func (s Statistics) Shifted(a amount.Vector) Statistics {
	for i := range s {
		s[i] = s[i].Add(a)
	}
	return s
}

// AnyBelow reports whether a statistic of a resource is below what it is in other.
func (s *Statistics) AnyBelow(other *Statistics) bool {
	for i := range s {
		for r := range s[i] {
			if s[i][r] < other[i][r] {
				return true
			}
		}
	}
	return false
}

// weighted is a sample's amount of one resource, and the time it stands for.
type weighted struct {
	amount int64
	weight time.Duration
}

// summarize returns the statistics of one resource, and the standard
// deviation. samples, in the order of time, are sorted in place; there is at
// least one, and each weight is above 0.
func summarize(samples []weighted) (statistics [NumStatistics]int64, deviation int64) {
	statistics[Latest] = samples[len(samples)-1].amount
	total, sum := 0.0, 0.0
	for _, s := range samples {
		total += float64(s.weight)
		sum += float64(s.weight) * float64(s.amount)
	}
	mean := sum / total
	squares := 0.0
	for _, s := range samples {
		squares += float64(s.weight) * (float64(s.amount) - mean) * (float64(s.amount) - mean)
	}
	statistics[Average] = int64(math.Round(mean))
	deviation = int64(math.Round(math.Sqrt(squares / total)))

	slices.SortFunc(samples, func(a, b weighted) int {
		switch {
		case a.amount < b.amount:
			return -1
		case a.amount > b.amount:
			return 1
		}
		return 0
	})
	statistics[Peak] = samples[len(samples)-1].amount
	parts := percentiles()
	reached, next := 0.0, 0
	for _, s := range samples {
		reached += float64(s.weight)
		// The tolerance keeps rounding in the sum from passing over a sample
		// that reaches the part exactly.
		for next < len(parts) && reached >= parts[next]*total*(1-1e-12) {
			statistics[P50+Statistic(next)] = s.amount
			next++
		}
	}
	return statistics, deviation
}
