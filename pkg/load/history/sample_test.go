package history

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
)

func second(s int) time.Time { return epoch.Add(time.Duration(s) * time.Second) }

func TestShareOfASample(t *testing.T) {
	never := time.Time{}
	for name, test := range map[string]struct {
		from, to    time.Time
		window      time.Duration
		cpu, memory float64
	}{
		"all along":                         {never, never, 15 * time.Second, 1, 1},
		"from the start of the window on":   {second(85), never, 15 * time.Second, 1, 1},
		"from within it on":                 {second(95), never, 15 * time.Second, 1. / 3, 1},
		"from its end on":                   {second(100), never, 15 * time.Second, 0, 1},
		"from later on":                     {second(101), never, 15 * time.Second, 0, 0},
		"until its end":                     {never, second(100), 15 * time.Second, 1, 1},
		"until later":                       {never, second(200), 15 * time.Second, 1, 1},
		"until within it":                   {never, second(95), 15 * time.Second, 2. / 3, 0}, // memory is what is in use at the end
		"until its start":                   {never, second(85), 15 * time.Second, 0, 0},
		"until earlier":                     {never, second(80), 15 * time.Second, 0, 0},
		"for a while within it":             {second(90), second(95), 15 * time.Second, 1. / 3, 0},
		"for less than nothing":             {second(95), second(90), 15 * time.Second, 0, 0},
		"long ago":                          {second(10), second(20), 15 * time.Second, 0, 0},
		"at an instant, all along":          {never, never, 0, 1, 1},
		"at an instant, from then on":       {second(100), never, 0, 1, 1},
		"at an instant, until a bit before": {never, second(99), 0, 0, 0},
	} {
		s := Sample{Timestamp: second(100), Window: test.window}
		share := s.Share(test.from, test.to)
		if math.Abs(share[amount.CPU]-test.cpu) > 1e-9 || share[amount.Memory] != test.memory {
			t.Errorf("%s: %v, want %v and %v", name, share, test.cpu, test.memory)
		}
	}
}

// CPU is a mean over the window: the share is in how many of its seconds there was
// use. Memory is what was in use at its end.
func TestShareAgreesWithCountingSeconds(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		window, end := 1+random.IntN(20), 50
		from, to := 20+random.IntN(40), 20+random.IntN(40)
		count := 0
		for s := end - window; s < end; s++ {
			if s >= from && s < to {
				count++
			}
		}
		memory := 0.
		if from <= end && end <= to {
			memory = 1
		}
		s := Sample{Timestamp: second(end), Window: time.Duration(window) * time.Second}
		share := s.Share(second(from), second(to))
		if math.Abs(share[amount.CPU]-float64(count)/float64(window)) > 1e-9 || share[amount.Memory] != memory {
			t.Fatalf("use from %d to %d in the window from %d to %d: %v, want %d of %d and %v", from, to, end-window, end, share, count, window, memory)
		}
	}
}

func TestPart(t *testing.T) {
	share := [amount.NumResources]float64{amount.CPU: 0.5, amount.Memory: 0}
	if got := Part(amount.Vector{7, 7}, share); got != (amount.Vector{3, 0}) {
		t.Errorf("%v: what is not sure is not counted", got)
	}
}
