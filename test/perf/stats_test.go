package main

import (
	"slices"
	"strings"
	"testing"
)

func TestMedian(t *testing.T) {
	for want, values := range map[float64][]float64{3: {9, 1, 3}, 2: {3, 1}, 7: {7}} {
		if got := median(values); got != want {
			t.Errorf("of %v it is %v, want %v", values, got, want)
		}
	}
}

// A contender is compared with the stock that ran beside it, whatever that took.
func TestRatiosAreOfTheSameTime(t *testing.T) {
	took := func(seconds, cpu float64) result { return result{Pods: 100, Seconds: seconds, CPUSeconds: cpu} }
	rounds := []round{
		{"Mixed": {recommended: {Contender: took(1, 3), Stock: took(2, 2)}}},
		{"Mixed": {recommended: {Contender: took(2, 6), Stock: took(4, 4)}}}, // all took twice as long
	}
	if got := cpuRatios(rounds, "Mixed", recommended); !slices.Equal(got, []float64{1.5, 1.5}) {
		t.Errorf("CPU a pod is %v of stock's, want 1.5 in both rounds", got)
	}
	if got := throughputRatios(rounds, "Mixed", recommended); !slices.Equal(got, []float64{2, 2}) {
		t.Errorf("throughput is %v of stock's, want 2 in both rounds", got)
	}
	var b strings.Builder
	goal{workload: "Mixed", of: recommended, most: 1.05}.write(&b, rounds)
	goal{workload: "Mixed", of: recommended, least: 0.95}.write(&b, rounds)
	if got := b.String(); !strings.Contains(got, "CPU a pod | at most 1.05 | 1.50 (1.50 to 1.50) | **missed** |") ||
		!strings.Contains(got, "pods/s | at least 0.95 | 2.00 (2.00 to 2.00) | reached |") {
		t.Errorf("the goals are reported as\n%s", got)
	}
}
