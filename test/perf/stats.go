package main

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// ratios returns a measure of one contender divided by that of another in the
// same round, for each round.
func ratios(rounds []round, workload, of, to string, measure func(result) float64) []float64 {
	values := make([]float64, len(rounds))
	for i, r := range rounds {
		values[i] = measure(r[workload][of]) / measure(r[workload][to])
	}
	return values
}

// median returns the middle value, or the mean of the two in the middle.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// spread returns the median of ratios, with the least and the greatest.
func spread(values []float64) string {
	return fmt.Sprintf("%.2f (%.2f to %.2f)", median(values), slices.Min(values), slices.Max(values))
}

// confidence returns the geometric mean of ratios and its 95 % confidence
// interval, by Student's t for their logarithms. A single value has none: then
// the bounds are not numbers.
func confidence(values []float64) (mean, low, high float64) {
	logs := make([]float64, len(values))
	for i, v := range values {
		logs[i] = math.Log(v)
	}
	if len(logs) < 2 {
		return values[0], math.NaN(), math.NaN()
	}
	center, deviation := stat.MeanStdDev(logs, nil)
	t := distuv.StudentsT{Mu: 0, Sigma: 1, Nu: float64(len(logs) - 1)}.Quantile(0.975)
	half := t * deviation / math.Sqrt(float64(len(logs)))
	return math.Exp(center), math.Exp(center - half), math.Exp(center + half)
}
