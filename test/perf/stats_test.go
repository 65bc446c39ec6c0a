package main

import (
	"math"
	"testing"
)

func TestMedian(t *testing.T) {
	for want, values := range map[float64][]float64{3: {9, 1, 3}, 2: {3, 1}, 7: {7}} {
		if got := median(values); got != want {
			t.Errorf("of %v it is %v, want %v", values, got, want)
		}
	}
}

// Values of a 95 % interval by hand: logarithms 0 and 0.2, so a mean of 0.1, a
// deviation of 0.1414, and t = 12.706 for one degree of freedom.
func TestConfidence(t *testing.T) {
	mean, low, high := confidence([]float64{1, math.Exp(0.2)})
	for name, pair := range map[string][2]float64{
		"mean": {math.Log(mean), 0.1}, "low": {math.Log(low), 0.1 - 1.2706}, "high": {math.Log(high), 0.1 + 1.2706},
	} {
		if math.Abs(pair[0]-pair[1]) > 1e-3 {
			t.Errorf("the logarithm of %s is %v, want %v", name, pair[0], pair[1])
		}
	}
	if mean, low, _ := confidence([]float64{1.5}); mean != 1.5 || !math.IsNaN(low) {
		t.Errorf("a single value has mean %v and lower bound %v, want 1.5 and none", mean, low)
	}
}

func TestRatiosAreOfTheSameRound(t *testing.T) {
	of := func(a, b float64) round {
		return round{"Mixed": {"a": {Pods: 100, Seconds: a}, "b": {Pods: 100, Seconds: b}}}
	}
	// The second round took twice as long for both.
	got := ratios([]round{of(1, 2), of(2, 4)}, "Mixed", "a", "b", result.throughput)
	if len(got) != 2 || got[0] != 2 || got[1] != 2 {
		t.Errorf("ratios %v, want 2 in both rounds", got)
	}
}
