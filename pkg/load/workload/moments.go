package workload

import (
	"math"
	"time"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/demand"
)

const (
	// halfLife is when a sample counts half.
	halfLife = 6 * time.Hour
	// maxStands is how much time a sample stands for at the most: a workload that is
	// measured once an hour is not known for that hour.
	maxStands = time.Minute
	// deviations is how many standard deviations above the mean a pod is estimated:
	// nine in ten values of a normal distribution are below.
	deviations = 1.28
)

// moments are the mean and the variance of amounts, of which older ones count less.
type moments struct {
	// weight is how much time the samples stand for, in seconds, decayed until at.
	weight float64
	// mean and square, the weighted sum of squared distances from it.
	mean, square float64
	at           time.Time
}

// add takes in an amount that was measured over a window. It stands for the time
// since the one before, but for no less than its window and no more than maxStands.
// One that comes late counts as one of now.
func (m *moments) add(value float64, at time.Time, window time.Duration) {
	stands := window
	if at.After(m.at) {
		if since := at.Sub(m.at); !m.at.IsZero() {
			decay := math.Exp2(-since.Seconds() / halfLife.Seconds())
			m.weight *= decay
			m.square *= decay
			stands = max(window, min(since, maxStands))
		}
		m.at = at
	}
	weight := stands.Seconds()
	m.weight += weight
	distance := value - m.mean
	m.mean += distance * weight / m.weight
	m.square += weight * distance * (value - m.mean)
}

// deviation returns the standard deviation.
func (m *moments) deviation() float64 {
	if m.weight == 0 {
		return 0
	}
	return math.Sqrt(max(0, m.square/m.weight))
}

// doubt is how much time of samples weighs as much as a pod's requests do.
//
// More use than requested is believed almost at once: it is what makes nodes hot,
// and an autoscaler adds pods a minute after the first ones were seen. Less is
// believed slowly, and slower of memory than of CPU, because heaps grow.
func doubt(r amount.Resource, less bool) time.Duration {
	switch {
	case !less:
		return 5 * time.Second
	case r == amount.Memory:
		return time.Hour
	}
	return 5 * time.Minute
}

// estimate returns what the next pod is expected to use of the resource, if its
// requests suggest this much:
//
//	(t x (mean + 1.28 deviation) + d x requested) / (t + d)
//
// where t is how much time the samples stand for, and d is doubt.
func (m *moments) estimate(r amount.Resource, requested int64) int64 {
	if m.weight == 0 {
		return requested
	}
	seen := m.mean + deviations*m.deviation()
	d := doubt(r, seen < float64(requested)).Seconds()
	use := (m.weight*seen + d*float64(requested)) / (m.weight + d)
	return min(int64(math.Round(use)), amount.Limit)
}

// independent is how far apart two samples of a pod are that tell as much as two
// samples of different times: use that is high now will be so in a minute.
const independent = 15 * time.Minute

// demand returns what is to be believed of the use of one pod that requests this
// much, given the prior of all workloads: its mean, its variance, and how much of that
// comes of how uncertain the mean is.
//
// With n = t/15 min independent samples of mean m and variance v, and what is
// usual of workloads, mean p and variance q of a workload's mean:
//
//	v'   = (n v + (0.35 m)²) / (n + 1)
//	K    = v' / q
//	mean = (n m + K p) / (n + K)
//	variance = v' + v' / (n + K)
//
// the second part of which is what is uncertain of the mean. (The mean is that of
// a normal distribution whose mean has a normal prior.) More use than is usual is
// believed almost at once, as in estimate.
func (m *moments) demand(r amount.Resource, requested int64, prior Prior) (mean, variance, uncertain float64) {
	if m.weight == 0 {
		return prior.demand(r, requested)
	}
	usual, spread := prior.of(r, requested)
	n := m.weight / independent.Seconds()
	within := (n*m.square/m.weight + demand.UnknownVariance(m.mean)) / (n + 1)
	k := 0.
	if spread > 0 {
		k = within / spread
	}
	if m.mean > usual {
		k = min(k, doubt(r, false).Seconds()/independent.Seconds())
	}
	uncertain = within / (n + k)
	return (n*m.mean + k*usual) / (n + k), within + uncertain, uncertain
}
