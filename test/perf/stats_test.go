package main

import (
	"regexp"
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
	took := func(seconds, cpu float64) result {
		return result{Pods: 100, Seconds: seconds, CPUSeconds: cpu, Filtered: 1000 * cpu, Requests: 200, AllocatedBytes: 100 << 20}
	}
	m := measurements{"Mixed": {recommended: {
		{Contender: took(1, 3), Stock: took(2, 2)},
		{Contender: took(2, 6), Stock: took(4, 4)}, // all took twice as long
	}}}
	if got := m.cpuRatios("Mixed", recommended); !slices.Equal(got, []float64{1.5, 1.5}) {
		t.Errorf("CPU a pod is %v of stock's, want 1.5 in both runs", got)
	}
	if got := m.throughputRatios("Mixed", recommended); !slices.Equal(got, []float64{2, 2}) {
		t.Errorf("throughput is %v of stock's, want 2 in both runs", got)
	}
	got := throughputReport(m)
	for _, want := range []string{
		"CPU a pod | at most 1.05 | 1.50 (1.50 to 1.50) | **missed** |",
		"pods/s | at least 0.95 | 2.00 (2.00 to 2.00) | reached |",
		"identical pods: CPU a pod | at most 1.05 | not measured |  |",
		"| Plimsoll | 1.50 (1.50 to 1.50) | 2.00 (2.00 to 2.00) | 45.00 ms | 45 (30) | 1.00 (1.00) MiB | 2.0 (2.0) | 2 |",
		"| Trimaran | not measured | | | | | | 0 |",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the report lacks %q:\n%s", want, got)
		}
	}
}

// What goals are for is run again and again, and first; the rest once.
func TestRunsOfGoalsComeFirst(t *testing.T) {
	opts := &options{rounds: 2}
	var got []string
	for _, r := range runsOf(opts) {
		got = append(got, r.workload+"/"+r.contender.Name)
	}
	ofGoals := []string{"Identical/Plimsoll", "Identical/Plimsoll batch", "Mixed/Plimsoll"}
	if want := slices.Repeat(ofGoals, 2); len(got) != 2*3+7 || !slices.Equal(got[:6], want) || slices.ContainsFunc(got[6:], func(r string) bool { return slices.Contains(ofGoals, r) }) {
		t.Errorf("the runs are %q, want %q, and then each other one once", got, want)
	}
	opts.only = regexp.MustCompile("Mixed/(stock|Plimsoll)$")
	if got := runsOf(opts); len(got) != 2*2 {
		t.Errorf("selected are %v, want two, twice each", got)
	}
}
