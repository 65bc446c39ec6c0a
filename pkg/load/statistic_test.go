package load

import (
	"fmt"
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
			h := history{window: time.Minute, limit: 10}
			for _, sample := range test.samples {
				h.add(sample)
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
	h := history{window: time.Hour, limit: historyLimit(time.Hour, 15*time.Second)}
	for i := range 100_000 { // a source that has a new sample each second
		h.add(at(i, time.Second, 1))
		if len(h.samples) > h.limit {
			t.Fatalf("%d samples, limit %d", len(h.samples), h.limit)
		}
	}
}

// settledReference is the prediction by its definition: the statistic of the
// samples as they would have been had each pod run all along.
func settledReference(f *fixture, name string, pods map[string]*podStory) Statistics {
	n := f.nodes[name]
	var result Statistics
	for r := range amount.NumResources {
		samples := make([]weighted, 0, len(n.history.samples))
		for i, s := range n.history.samples {
			amount := s.Usage[r]
			for _, p := range pods {
				if shown := p.running && !s.Start().Before(p.since.Add(warmUp)); !shown {
					amount += p.estimate[r]
				}
			}
			samples = append(samples, weighted{amount, n.history.weight(i)})
		}
		if len(samples) == 0 {
			continue
		}
		values, _ := summarize(samples)
		for s, value := range values {
			result[s][r] = value
		}
	}
	return result
}

// podStory is what the reference knows of a pod.
type podStory struct {
	estimate amount.Vector
	running  bool
	since    time.Time
}

func TestPredictionAgreesWithTheReference(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 8))
	f := newFixture(t)
	f.config.Window = 3 * time.Minute
	f.SetNode("n", amount.Vector{64000, 1 << 38})
	stories := map[string]*podStory{}
	next := 0
	for range 5000 {
		f.now.Step(time.Duration(random.IntN(8)) * time.Second)
		switch random.IntN(5) {
		case 0:
			uid := fmt.Sprint("p", next)
			next++
			f.Reserve(boundPod(uid, "n"), "n")
			stories[uid] = &podStory{estimate: amount.Vector{1000, 1 << 30}}
		case 1:
			for uid, p := range stories {
				p.running, p.since = true, f.now.Now()
				f.SetPod(running(boundPod(uid, "n"), p.since), true)
				break
			}
		case 2:
			for uid := range stories {
				f.RemovePod(boundPod(uid, "n"))
				delete(stories, uid)
				break
			}
		default:
			f.sample("n", float64(random.IntN(20)))
		}
		for uid, p := range stories { // what every sample shows has left the ledger for good
			if samples := f.nodes["n"].history.samples; len(samples) > 0 && p.running && !samples[0].Start().Before(p.since.Add(warmUp)) {
				delete(stories, uid)
			}
		}
		if n, _ := f.node("n"); n.Sampled && n.Predicted != settledReference(f, "n", stories) {
			t.Fatalf("predicted %v, want %v", n.Predicted, settledReference(f, "n", stories))
		}
		if len(f.pods) != len(stories) {
			t.Fatalf("%d pods in the ledger, want %d", len(f.pods), len(stories))
		}
	}
}

// Statistics lag behind; what was placed must not.
func TestAverageCountsPodsThatStartedInFull(t *testing.T) {
	f := newFixture(t)
	f.config.Window = 5 * time.Minute
	f.SetNode("n", amount.Vector{8000, 1 << 34})
	for range 20 {
		f.now.Step(window)
		f.sample("n", 1)
	}
	if n, _ := f.node("n"); n.Covered != 5*time.Minute || n.Predicted[Average][amount.CPU] != 1000 {
		t.Fatalf("covered %v, predicted %v", n.Covered, n.Predicted[Average])
	}
	pod := boundPod("p", "n")
	f.Reserve(pod, "n")
	f.SetPod(running(pod, f.now.Now()), true)
	for i := range 30 {
		f.now.Step(window)
		used := 1.0
		if time.Duration(i)*window >= warmUp {
			used = 2 // it uses what it asks for, once it is warm
		}
		f.sample("n", used)
		if n, _ := f.node("n"); n.Predicted[Average][amount.CPU] != 2000 {
			t.Fatalf("%v after the start: predicted %v, measured %v, want 2000 predicted", time.Duration(i+1)*window, n.Predicted[Average], n.Measured[Average])
		}
	}
	if len(f.pods) != 0 {
		t.Error("the pod is still in the ledger")
	}
}
