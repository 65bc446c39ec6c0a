// Package demand has what is to be expected of use that is not known for certain:
// its mean and its variance, and how probable it is that it passes a capacity.
//
// A pod's demand is what it would use if it got all that it asks for. The demand of
// a node is the sum of its pods' demands: of independent ones, means and variances
// add up.
package demand

import (
	"math"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
)

// Demand is a distribution of the use of each resource: of CPU in millicores, of
// memory in bytes. The zero value is no demand.
type Demand struct {
	Mean, Variance [amount.NumResources]float64
	// Doubt is the part of the variance that comes of how little is known of the mean.
	Doubt [amount.NumResources]float64
}

// Add returns the demand of both together, which vary independently.
func (d Demand) Add(e Demand) Demand {
	for r := range d.Mean {
		d.Mean[r] += e.Mean[r]
		d.Variance[r] += e.Variance[r]
		d.Doubt[r] += e.Doubt[r]
	}
	return d
}

// Compact is a demand in half the memory, to a ten-millionth. The zero value is no
// demand.
type Compact struct {
	mean [amount.NumResources]float32
	// Standard deviations: a variance of memory can be beyond what 32 bits hold.
	deviation, doubt [amount.NumResources]float32
}

// Compact returns the demand in less memory.
func (d Demand) Compact() (c Compact) {
	for r := range d.Mean {
		c.mean[r] = float32(d.Mean[r])
		// What is rounded to below zero is none.
		c.deviation[r] = float32(math.Sqrt(max(0, d.Variance[r])))
		c.doubt[r] = float32(math.Sqrt(max(0, d.Doubt[r])))
	}
	return c
}

// Demand returns the demand to compute with.
func (c Compact) Demand() (d Demand) {
	for r := range c.mean {
		d.Mean[r] = float64(c.mean[r])
		d.Variance[r] = float64(c.deviation[r]) * float64(c.deviation[r])
		d.Doubt[r] = float64(c.doubt[r]) * float64(c.doubt[r])
	}
	return d
}

// Given returns the demand of which a sum was measured, with as much variance over
// time as the demand has. A sum that is above the mean is believed: somebody uses the
// difference of whom nothing is known, nor how that varies. One below it is believed
// as far as the mean is in doubt, as with a normal prior of the mean:
//
//	mean     = M - (M - S) D / (D + T)
//	variance = T + D T / (D + T)
//
// for a mean M with a doubt of D, a variance over time of T, and a sum S.
func (d Demand) Given(sum amount.Vector) Demand {
	for r := range d.Mean {
		rest := max(0, float64(sum[r])) - d.Mean[r]
		if rest >= 0 {
			d.Mean[r] += rest
			d.Variance[r] += UnknownVariance(rest)
			continue
		}
		doubt := d.Doubt[r]
		if doubt <= 0 {
			continue
		}
		within := max(0, d.Variance[r]-doubt)
		d.Mean[r] += rest * doubt / (doubt + within)
		d.Doubt[r] = doubt * within / (doubt + within)
		d.Variance[r] = within + d.Doubt[r]
	}
	return d
}

// unknownSpread is the standard deviation of a pod's use over time, in parts of its
// mean, as long as nothing was measured: that of the median workload of public
// traces of CPU use.
const unknownSpread = 0.35

// Of returns the demand of something that is expected to use this much, and was
// never measured.
func Of(use amount.Vector) (d Demand) {
	for r := range use {
		d.Mean[r] = float64(use[r])
		d.Variance[r] = UnknownVariance(d.Mean[r])
	}
	return d
}

// UnknownVariance is the variance of a use of this mean as long as it was not
// measured.
func UnknownVariance(mean float64) float64 { return unknownSpread * unknownSpread * mean * mean }

// negligible is how many standard deviations above the mean a capacity is never
// reached, which saves the computation for most nodes: a probability below 0.0002 for
// coefficients of variation up to 1.
const negligible = 8

// Exceeds returns the probability, 0 to 1, that a demand of this mean and variance
// is above the capacity.
//
// Demand is taken to have a gamma distribution: it is never negative, and has the
// long tail that use of CPU has, which for sums of many pods becomes a normal one.
// Its tail is approximated by the cube root being nearly normal (Wilson and
// Hilferty, "The Distribution of Chi-Square", PNAS 1931): with s = mean²/variance,
//
//	z = ((capacity/mean)^(1/3) - (1 - 1/(9s))) x sqrt(9s)
//
// and the upper tail of the normal distribution at z. The error is below 0.01 for
// coefficients of variation up to 1 (TestExceedsAgreesWithTheGammaDistribution).
func Exceeds(mean, variance, capacity float64) float64 {
	switch {
	case mean <= 0:
		return 0
	case capacity <= 0:
		return 1
	case variance <= 0:
		if mean > capacity {
			return 1
		}
		return 0
	}
	if rest := capacity - mean; rest > 0 && rest*rest > negligible*negligible*variance {
		return 0
	}
	nine := 9 * mean * mean / variance
	z := (math.Cbrt(capacity/mean) - 1 + 1/nine) * math.Sqrt(nine)
	return math.Erfc(z/math.Sqrt2) / 2
}
