package history

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
)

// expand writes each sample down once for each second that it stands for: what
// is a statistic of that list is obvious.
func expand(samples []weighted) (list []int64) {
	for _, s := range samples {
		for range int(s.weight / time.Second) {
			list = append(list, s.amount)
		}
	}
	slices.Sort(list)
	return list
}

func referencePercentile(list []int64, percent int) int64 {
	// The least element such that at least percent of the list is not above it.
	for i, amount := range list {
		if 100*(i+1) >= percent*len(list) {
			return amount
		}
	}
	panic("unreachable")
}

func TestSummarizeAgreesWithTheReference(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	for range 5000 {
		samples := make([]weighted, 1+random.IntN(30))
		for i := range samples {
			samples[i] = weighted{amount: random.Int64N(20), weight: time.Duration(1+random.IntN(20)) * time.Second}
		}
		list, latest := expand(samples), samples[len(samples)-1].amount
		sum := 0.0
		for _, amount := range list {
			sum += float64(amount)
		}
		mean, squares := sum/float64(len(list)), 0.0
		for _, amount := range list {
			squares += (float64(amount) - mean) * (float64(amount) - mean)
		}
		want := [NumStatistics]int64{
			Latest: latest, Average: int64(math.Round(mean)), Peak: list[len(list)-1],
			P50: referencePercentile(list, 50), P90: referencePercentile(list, 90),
			P95: referencePercentile(list, 95), P99: referencePercentile(list, 99),
		}
		got, deviation := summarize(slices.Clone(samples))
		if got != want {
			t.Fatalf("statistics %v, want %v of %v", got, want, samples)
		}
		if wantDeviation := int64(math.Round(math.Sqrt(squares / float64(len(list))))); deviation != wantDeviation {
			t.Fatalf("deviation %d, want %d of %v", deviation, wantDeviation, samples)
		}
	}
}

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func at(second int, window time.Duration, millicores int64) Sample {
	return Sample{Timestamp: epoch.Add(time.Duration(second) * time.Second), Window: window, Usage: amount.Vector{amount.CPU: millicores}}
}

func TestHistoryWeighsSamplesByTheTimeTheyStandFor(t *testing.T) {
	const s = time.Second
	for _, test := range []struct {
		name    string
		samples []Sample
		want    []time.Duration
	}{
		{"windows side by side", []Sample{at(15, 15*s, 1), at(30, 15*s, 2)}, []time.Duration{15 * s, 15 * s}},
		{"windows that overlap count once", []Sample{at(15, 15*s, 1), at(20, 15*s, 2)}, []time.Duration{15 * s, 5 * s}},
		{"a gap counts for nobody", []Sample{at(15, 15*s, 1), at(50, 15*s, 2)}, []time.Duration{15 * s, 15 * s}},
		{"what lies before the history is cut off", []Sample{at(10, 15*s, 1), at(65, 15*s, 2)}, []time.Duration{5 * s, 15 * s}},
		{"what ended before the history is dropped", []Sample{at(5, 15*s, 1), at(65, 15*s, 2)}, []time.Duration{15 * s}},
		{"a source without windows", []Sample{at(15, 0, 1), at(30, 0, 2), at(50, 0, 3)}, []time.Duration{25 * s, 15 * s, 20 * s}},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := History{window: time.Minute, limit: 10}
			for _, sample := range test.samples {
				h.Add(sample)
			}
			var got []time.Duration
			for i := range h.samples {
				got = append(got, h.weight(i))
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("weights %v, want %v", got, test.want)
			}
		})
	}
}

func TestHistoryIsBounded(t *testing.T) {
	h := New(time.Hour, 15*time.Second)
	for i := range 100_000 { // a source that has a new sample each second
		h.Add(at(i, time.Second, 1))
		if len(h.samples) > h.limit {
			t.Fatalf("%d samples, limit %d", len(h.samples), h.limit)
		}
	}
}
