package workload

import (
	"maps"
	"math"
	"slices"
	"time"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
)

const (
	// Buckets grow by a tenth each, from 1 to above amount.Limit, so a percentile
	// is at most a tenth too high and never too low.
	bucketGrowth = 1.1
	buckets      = 365
)

// histogram is a decaying histogram of amounts. (Vertical Pod Autoscaler's
// recommender keeps its history in the same way.)
type histogram struct {
	weights  map[int16]float64 // by bucket; few are in use
	observed time.Duration     // that all samples together stand for, not decayed
	// reference is the time at which a weight of 1 is one second: weights of
	// later samples are larger instead of earlier ones being made smaller.
	reference time.Time
}

func (h *histogram) add(use int64, at time.Time, stands time.Duration) {
	if h.weights == nil {
		h.weights, h.reference = map[int16]float64{}, at
	}
	halfLives := at.Sub(h.reference).Seconds() / halfLife.Seconds()
	if halfLives > 50 { // before a weight grows out of a float's range
		for b := range h.weights {
			if h.weights[b] *= math.Exp2(-halfLives); h.weights[b] < 1e-6 {
				delete(h.weights, b)
			}
		}
		h.reference, halfLives = at, 0
	}
	h.weights[bucketOf(use)] += stands.Seconds() * math.Exp2(halfLives)
	h.observed = min(h.observed+stands, 2*LearnAfter)
}

func bucketOf(use int64) int16 {
	if use <= 1 {
		return 0
	}
	return int16(min(math.Ceil(math.Log(float64(use))/math.Log(bucketGrowth)), buckets-1))
}

// percentile returns the upper end of the bucket below which at least the part
// of the weight lies.
func (h *histogram) percentile(part float64) int64 {
	used := slices.Sorted(maps.Keys(h.weights))
	total := 0.0
	for _, b := range used {
		total += h.weights[b]
	}
	reached := 0.0
	for _, b := range used {
		if reached += h.weights[b]; reached >= part*total*(1-1e-12) {
			return min(int64(math.Pow(bucketGrowth, float64(b))), amount.Limit)
		}
	}
	return 0
}
