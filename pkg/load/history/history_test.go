package history

import (
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
)

func filled(millicores ...int64) History {
	h := New(time.Minute, 15*time.Second)
	for i, m := range millicores {
		h.Add(at(15*(i+1), 15*time.Second, m))
	}
	return h
}

func TestSamplesThatAreLeftOut(t *testing.T) {
	h := filled(10, 70, 40, 20)
	over := func(limit int64) func(*Sample) (amount.Vector, bool) {
		return func(s *Sample) (amount.Vector, bool) { return s.Usage, s.Usage[amount.CPU] > limit }
	}
	for limit, want := range map[int64][3]int64{ // latest, average, peak
		100: {20, 35, 70},
		50:  {20, 23, 40}, // (10 + 40 + 20) / 3
		15:  {20, 15, 20}, // the newest is never left out
		0:   {20, 20, 20},
	} {
		var scratch Scratch
		got, deviation := h.Statistics(over(limit), &scratch)
		if have := [3]int64{got[Latest][amount.CPU], got[Average][amount.CPU], got[Peak][amount.CPU]}; have != want {
			t.Errorf("without those over %d: latest, average and peak %v, want %v", limit, have, want)
		}
		if limit == 0 && deviation != (amount.Vector{}) {
			t.Errorf("a single sample deviates by %v", deviation)
		}
	}
}

// What is taken off a sample may be more than it shows of one resource.
func TestUseIsNotBelowZero(t *testing.T) {
	h := filled(10, 30)
	var scratch Scratch
	got, _ := h.Statistics(func(s *Sample) (amount.Vector, bool) {
		return s.Usage.Sub(amount.Vector{20, 20}), false
	}, &scratch)
	if got[Latest] != (amount.Vector{10, 0}) || got[Average] != (amount.Vector{5, 0}) || got[P50] != (amount.Vector{0, 0}) {
		t.Errorf("%v", got)
	}
}

// The memory that is used again holds nothing of the last time.
func TestStatisticsAreTheSameEachTime(t *testing.T) {
	var scratch Scratch
	large, small := filled(1, 5, 3, 9), filled(4)
	first, _ := small.Statistics(nil, &scratch)
	large.Statistics(nil, &scratch)
	if again, _ := small.Statistics(nil, &scratch); again != first {
		t.Errorf("%v, then %v", first, again)
	}
}

func TestShifted(t *testing.T) {
	h := filled(10, 30, 20)
	var scratch Scratch
	by := amount.Vector{5, 7}
	plain, _ := h.Statistics(nil, &scratch)
	added, _ := h.Statistics(func(s *Sample) (amount.Vector, bool) { return s.Usage.Add(by), false }, &scratch)
	if plain.Shifted(by) != added {
		t.Errorf("%v, want %v", plain.Shifted(by), added)
	}
}

func TestACloneSharesNothing(t *testing.T) {
	original, untouched := filled(10, 30), filled(10, 30)
	clone := original.Clone()
	clone.Add(at(45, 15*time.Second, 99))
	clone.samples[0].Usage[amount.CPU] = 99
	if !reflect.DeepEqual(original, untouched) {
		t.Errorf("a change of the clone has made %v of the original", original.samples)
	}
	clone = original.Clone()
	for i := range 10 {
		original.Add(at(60+15*i, 15*time.Second, 99))
	}
	original.Clear()
	if !reflect.DeepEqual(clone, untouched) {
		t.Errorf("a change of the original has made %v of the clone", clone.samples)
	}
}

func TestNewestAndOldest(t *testing.T) {
	h := New(time.Minute, 15*time.Second)
	if h.Newest() != nil || h.Oldest() != nil || h.Covered() != 0 {
		t.Error("an empty history has samples")
	}
	h = filled(1, 2, 3)
	if h.Oldest().Usage[amount.CPU] != 1 || h.Newest().Usage[amount.CPU] != 3 || len(h.Samples()) != 3 || h.Covered() != 45*time.Second {
		t.Errorf("oldest %v, newest %v, covered %v", h.Oldest(), h.Newest(), h.Covered())
	}
	if h.Clear(); h.Newest() != nil {
		t.Error("a cleared history has samples")
	}
}

// What the samples stand for is kept up to date as they come and go.
func TestCoveredIsTheSumOfWeights(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for _, window := range []time.Duration{0, time.Minute, 5 * time.Minute} {
		h, second := New(window, 15*time.Second), 0
		for range 2000 {
			switch random.IntN(50) {
			case 0:
				h.Clear()
			case 1:
				second += 400 // all before is too old then
			}
			second += 1 + random.IntN(40)
			h.Add(at(second, time.Duration(random.IntN(30))*time.Second, 1))
			var want time.Duration
			for i := range h.samples {
				want += h.weight(i)
			}
			if h.Covered() != want {
				t.Fatalf("window %v, %d samples: %v, want %v", window, len(h.samples), h.Covered(), want)
			}
		}
	}
}

// What is configured may be odd: a window of nothing keeps the newest sample, and an
// interval of nothing does not keep samples without bound.
func TestOddHistories(t *testing.T) {
	h := New(0, 15*time.Second)
	for i := range 10 {
		h.Add(at(15*(i+1), 15*time.Second, int64(i)))
		if len(h.samples) != 1 || h.Newest().Usage[amount.CPU] != int64(i) {
			t.Fatalf("%v", h.samples)
		}
	}
	h = New(time.Minute, 0)
	for i := range 1000 {
		h.Add(Sample{Timestamp: epoch.Add(time.Duration(i) * time.Millisecond)})
	}
	if len(h.samples) > 62 {
		t.Errorf("%d samples of a minute are kept", len(h.samples))
	}
}
