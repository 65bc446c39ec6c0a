package ledger

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load/history"
)

// samples returns a history of a sample each window, the last of which ends then.
func samples(end int, uses ...int64) *history.History {
	h := history.New(5*time.Minute, window)
	for i, use := range uses {
		h.Add(ending(end-15*(len(uses)-1-i), both(use)))
	}
	return &h
}

// predict is Predict when the newest sample arrives.
func predict(h *history.History, present, departed []*story) Prediction {
	records := func(stories []*story) (records []*Record) {
		for _, s := range stories {
			records = append(records, &s.Record)
		}
		return records
	}
	now := epoch
	if newest := h.Newest(); newest != nil {
		now = newest.Timestamp
	}
	var scratch history.Scratch
	return Predict(h, records(present), records(departed), now, warmUp, &scratch)
}

func TestPredictionOfASimpleNode(t *testing.T) {
	type pods = []*story
	runs := State{Since: at(0)}
	unseen := func() *story { return ofContainers(10).says(0, State{}) }
	for name, test := range map[string]struct {
		samples           *history.History
		present, departed pods
		latest, average   int64
		peak              int64
	}{
		"no samples":                     {samples: samples(0), present: pods{unseen()}, latest: 10, average: 10, peak: 10},
		"no pods":                        {samples: samples(300, 4, 6, 2), latest: 2, average: 4, peak: 6},
		"a pod that nothing shows":       {samples: samples(300, 4, 6, 2), present: pods{unseen()}, latest: 12, average: 14, peak: 16},
		"two of them":                    {samples: samples(300, 4, 6, 2), present: pods{unseen(), unseen()}, latest: 22, average: 24, peak: 26},
		"a pod that all show":            {samples: samples(300, 4, 6, 2), present: pods{ofContainers(10).says(0, runs).sampled(300)}, latest: 2, average: 4, peak: 6},
		"a pod that the newest may show": {samples: samples(30, 4, 6, 2), present: pods{ofContainers(10).says(0, runs).sampled(30)}, latest: 12, average: 14, peak: 16},
		"of which it is known how much it shows": {
			samples: samples(30, 4, 6, 2), present: pods{ofContainers(10).says(0, runs).sampled(30).used(2, 30)}, latest: 2 + 8, average: 13, peak: 16,
		},
		"a pod that the newest shows, never read, leaves out the rest": {
			samples: samples(75, 40, 60, 2), present: pods{ofContainers(10).says(0, runs).sampled(75)}, latest: 2, average: 2, peak: 2,
		},
		"a pod that the newest shows and that was read leaves out the time in which it warmed up": {
			samples: samples(75, 4, 6, 10), present: pods{ofContainers(10).says(0, runs).sampled(75).used(4, 75)}, latest: 10, average: 10, peak: 10,
		},
		"a pod that has left, which was not read": {
			samples: samples(300, 14, 16, 12), departed: pods{ofContainers(10).says(0, runs).sampled(300).left(301)}, latest: 12, average: 14, peak: 16,
		},
		"a pod that has left, which was": {
			samples: samples(300, 14, 16, 12), departed: pods{ofContainers(10).says(0, runs).sampled(300).used(9, 285, 300).left(301)}, latest: 3, average: 5, peak: 7,
		},
		"it left before the newest sample": {
			samples: samples(300, 14, 16, 12), departed: pods{ofContainers(10).says(0, runs).sampled(300).used(9, 270, 285).left(285)}, latest: 12, average: (5 + 7 + 12) / 3, peak: 12,
		},
		"not so much is taken off that less is left than others used": {
			samples:  samples(300, 10, 10, 10),
			present:  pods{ofContainers(10).says(0, runs).sampled(300).used(4, 270, 285, 300)},
			departed: pods{ofContainers(10).says(0, runs).sampled(300).used(9, 270, 285, 300).left(301)},
			latest:   4, average: 4, peak: 4,
		},
		"nor less than others are to use": {
			samples:  samples(30, 1, 1, 1),
			present:  pods{ofContainers(10).says(0, runs).sampled(30)},
			departed: pods{ofContainers(10).says(-90, State{Since: at(-90)}).sampled(30).used(9, 0, 15, 30).left(31)},
			latest:   10, average: 10, peak: 10,
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := predict(test.samples, test.present, test.departed)
			got := p.Statistics()
			for s, want := range map[history.Statistic]int64{history.Latest: test.latest, history.Average: test.average, history.Peak: test.peak} {
				if got[s][amount.CPU] != want {
					t.Errorf("statistic %d: %v, want %d", s, got[s], want)
				}
			}
			if newest := test.samples.Newest(); newest != nil && p.Measured[history.Latest] != newest.Usage {
				t.Errorf("measured %v, want %v", p.Measured[history.Latest], newest.Usage)
			}
		})
	}
}

// The deviation is that of the samples as they would have been, without the jump
// that a pod made by starting.
func TestAStartIsNoVariation(t *testing.T) {
	starts := ofContainers(8).says(0, State{Since: at(0)}).sampled(90).used(8, 90)
	p := predict(samples(90, 2, 2, 2, 2, 2, 10, 10), []*story{starts}, nil)
	if p.Deviation != both(0) {
		t.Errorf("deviation %v, want none", p.Deviation)
	}
	p = predict(samples(90, 2, 2, 2, 2, 2, 10, 10), nil, nil)
	if p.Deviation == both(0) {
		t.Error("without the pod, there is no variation")
	}
}

// Whatever is known of pods: a pod more that is there never makes the prediction
// smaller, and one more that has left never makes it larger. Nothing is below zero.
func TestMorePodsAreNeverLess(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	pod := func() *story {
		containers := make([]int64, 1+random.IntN(2))
		for i := range containers {
			containers[i] = random.Int64N(20)
		}
		s := ofContainers(containers...)
		states := make([]State, len(containers))
		s.says(0, states...)
		for end := 15; end <= 300; end += 15 {
			for i := range states {
				if random.IntN(8) == 0 {
					states[i] = State{Since: at(end - random.IntN(15)), Before: Interval{From: states[i].Since, To: at(end - 15)}}
				}
			}
			s.says(end, states...).sampled(end)
			if random.IntN(3) == 0 {
				s.used(random.Int64N(20), end)
			}
		}
		return s
	}
	for range 500 {
		uses := make([]int64, 20)
		for i := range uses {
			uses[i] = random.Int64N(50)
		}
		h := samples(300, uses...)
		present, departed := []*story{pod(), pod()}, []*story{pod().left(280 + random.IntN(20))}
		base := predict(h, present, departed)
		fuller := predict(h, append(present, pod()), departed)
		emptier := predict(h, present, append(departed, pod().left(280+random.IntN(20))))
		// Which samples are left out depends on the pods, but never the newest.
		latest := func(p Prediction) amount.Vector { return p.Statistics()[history.Latest] }
		for r := range amount.NumResources {
			if latest(fuller)[r] < latest(base)[r] || latest(emptier)[r] > latest(base)[r] || latest(emptier)[r] < 0 {
				t.Fatalf("%v; with a pod more %v, with one more that has left %v", latest(base), latest(fuller), latest(emptier))
			}
		}
	}
}

func TestCountUnseenIsThePartThatPredictAddsToAll(t *testing.T) {
	var records []*Record
	for i, phase := range []Phase{Absent, Reserved, Assigned, Starting, PartlyMeasured, Measured, Remeasuring, Departing} {
		records = append(records, &Record{Phase: phase, Estimate: both(1 << i)})
	}
	if got, want := CountUnseen(records, epoch, warmUp), both(2+4+8); got != want {
		t.Errorf("%v, want %v", got, want)
	}
}

// A node has more changing pods than there is memory for on the stack.
func TestManyPodsStartAtOnce(t *testing.T) {
	var present []*story
	for range 40 {
		present = append(present, ofContainers(10).says(0, State{Since: at(0)}).sampled(30))
	}
	if got := predict(samples(30, 7), present, nil); fmt.Sprint(got.Statistics()[history.Latest]) != "[407 407]" {
		t.Errorf("%v", got.Statistics()[history.Latest])
	}
}
