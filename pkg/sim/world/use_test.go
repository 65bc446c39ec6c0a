package world

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

func TestUseAtATime(t *testing.T) {
	u := Use{CPU: []float64{1, 2, 4}, Scale: 10, Base: 1, Step: time.Minute, Offset: 150 * time.Second}
	for at, want := range map[time.Duration]float64{
		0:                 41, // the third entry, half gone
		30 * time.Second:  11,
		89 * time.Second:  11,
		90 * time.Second:  21,
		150 * time.Second: 41,
		210 * time.Second: 11,
	} {
		if got := u.CPUAt(at); got != want {
			t.Errorf("at %v: %v cores, want %v", at, got, want)
		}
	}
	if got := u.nextChange(0); got != 30*time.Second {
		t.Errorf("the first change is at %v, want 30s", got)
	}
	if got := u.nextChange(30 * time.Second); got != 90*time.Second {
		t.Errorf("the change after that at 30s is at %v, want 1m30s", got)
	}
	constant := Use{Base: 3}
	if constant.CPUAt(time.Hour) != 3 || constant.nextChange(0) != math.MaxInt64 || constant.MeanCPU(0, time.Hour) != 3 {
		t.Error("a use without a series is not constant")
	}
}

// The mean against one of many moments.
func TestMeanUse(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	for range 50 {
		u := Use{Scale: 3, Base: 0.5, Step: 20 * time.Second, Offset: time.Duration(random.Int64N(int64(time.Hour)))}
		for range 1 + random.IntN(5) {
			u.CPU = append(u.CPU, random.Float64())
		}
		from := time.Duration(random.Int64N(int64(time.Minute)))
		to := from + time.Second + time.Duration(random.Int64N(int64(3*time.Minute)))
		sum := 0.0
		const moments = 20_000
		for i := range moments {
			sum += u.CPUAt(from + (to-from)*time.Duration(i)/moments)
		}
		if got, want := u.MeanCPU(from, to), sum/moments; math.Abs(got-want) > 0.005 {
			t.Fatalf("the mean of %+v from %v to %v is %v, want %v", u, from, to, got, want)
		}
	}
}

func TestMomentsOfAUse(t *testing.T) {
	for name, test := range map[string]struct {
		use            Use
		mean, variance float64
		memory         int64
	}{
		"constant":         {Use{Base: 3, Memory: 5}, 3, 0, 5},
		"by a series":      {Use{Base: 1, Scale: 2, CPU: []float64{1, 3}, Step: time.Minute}, 5, 4, 0},
		"of its own scale": {Use{Scale: -1, CPU: []float64{1, 3}, Step: time.Minute, MemorySeries: []int64{7, 9}}, -2, 1, 9},
		"memory grows":     {Use{Memory: 100, Growth: 10, GrowthStep: time.Minute, GrowthSteps: 3}, 0, 0, 130},
	} {
		mean, variance := test.use.CPUMoments()
		if mean != test.mean || variance != test.variance || test.use.PeakMemory() != test.memory {
			t.Errorf("%s: mean %v, variance %v, memory %d; want %v, %v, %d", name, mean, variance, test.use.PeakMemory(), test.mean, test.variance, test.memory)
		}
	}
}

func TestMemoryGrowsInSteps(t *testing.T) {
	u := Use{Memory: 100, Growth: 10, GrowthStep: time.Minute, GrowthSteps: 3}
	for age, want := range map[time.Duration]int64{
		0: 100, 59 * time.Second: 100, time.Minute: 110, 3 * time.Minute: 130, time.Hour: 130,
	} {
		if got := u.MemoryAt(age); got != want {
			t.Errorf("after %v: %d bytes, want %d", age, got, want)
		}
	}
	for age, want := range map[time.Duration]time.Duration{0: time.Minute, 2 * time.Minute: 3 * time.Minute, 3 * time.Minute: never} {
		if got := u.nextGrowth(age); got != want {
			t.Errorf("after %v it grows next at the age of %v, want %v", age, got, want)
		}
	}
	if constant := (Use{Memory: 7}); constant.MemoryAt(time.Hour) != 7 || constant.nextGrowth(time.Hour) != never {
		t.Error("memory without growth grows")
	}
}
