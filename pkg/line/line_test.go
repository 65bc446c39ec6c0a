package line

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
)

const gi = 1 << 30

func own(r amount.Resource, percent int64) *Own {
	o := &Own{}
	o.Percent[r], o.Set[r] = percent, true
	return o
}

func TestWhichThresholdHolds(t *testing.T) {
	for name, test := range map[string]struct {
		general int64
		band    bool
		own     *Own
		want    int64
	}{
		"none of its own":                  {75, false, &Own{}, 75},
		"lower than the general one":       {75, false, own(amount.CPU, 60), 60},
		"higher than the general one":      {75, false, own(amount.CPU, 90), 90},
		"its own turns the resource off":   {75, false, own(amount.CPU, 0), 0},
		"lowers a band":                    {50, true, own(amount.CPU, 30), 30},
		"does not raise a band":            {50, true, own(amount.CPU, 90), 50},
		"does not turn a band off":         {50, true, own(amount.CPU, 0), 50},
		"a band without a threshold":       {0, true, own(amount.CPU, 60), 60},
		"of the other resource":            {75, false, own(amount.Memory, 60), 75},
		"no threshold, none of the node's": {0, false, &Own{}, 0},
	} {
		rule := Rule{Percent: amount.Vector{test.general, 0}, Band: test.band}
		if l := rule.On(test.own, amount.Vector{1000, 1}); l.Percent[amount.CPU] != test.want {
			t.Errorf("%s: %d %%, want %d %%", name, l.Percent[amount.CPU], test.want)
		}
	}
}

func TestOverAndHeadroom(t *testing.T) {
	rule := Rule{Percent: amount.Vector{75, 0}}
	l := rule.On(&Own{}, amount.Vector{10_001, 100})
	if l.Limit != (amount.Vector{7500, 100}) {
		t.Fatalf("the line is at %v", l.Limit)
	}
	if r, over := l.Over(amount.Vector{7500, 1000}); over {
		t.Errorf("over the line of %s: at the line it is not, and memory has no threshold", r.Name())
	}
	if r, over := l.Over(amount.Vector{7501, 0}); !over || r != amount.CPU {
		t.Errorf("7501m of 7500m: over %t, resource %s", over, r.Name())
	}
	if got := l.Headroom(amount.Vector{8000, 40}); got != (amount.Vector{-500, 60}) {
		t.Errorf("headroom %v", got)
	}
	if got := l.Room(amount.Vector{8000, 40}); got != (amount.Vector{-500, Unlimited}) {
		t.Errorf("room %v: memory has no threshold", got)
	}
}

func TestALineOfAbsurdAmountsDoesNotOverflow(t *testing.T) {
	rule := Rule{Percent: amount.Vector{100, 100}, Largest: amount.Vector{math.MaxInt64, math.MaxInt64}}
	l := rule.On(&Own{}, amount.Vector{math.MaxInt64, math.MaxInt64})
	if l.Limit[amount.CPU] < math.MaxInt64-100 || l.Limit[amount.CPU] < 0 {
		t.Errorf("the line is at %v", l.Limit)
	}
	if got := l.With(amount.Vector{math.MaxInt64, 1}, amount.Vector{math.MaxInt64, 1}); got[amount.CPU] != math.MaxInt64 {
		t.Errorf("with a pod: %v", got)
	}
}

// A pod larger than any line gets a large node that is nearly idle.
func TestWhatALargePodCountsFor(t *testing.T) {
	rule := Rule{Percent: amount.Vector{75, 85}, Largest: amount.Vector{10_000, 100 * gi}}
	for name, test := range map[string]struct {
		own       *Own
		size      amount.Vector
		use, pod  amount.Vector
		over      bool
		because   string
		threshold amount.Resource
	}{
		"idle node": {
			&Own{}, amount.Vector{10_000, 100 * gi}, amount.Vector{0, 0}, amount.Vector{30_000, 0}, false, "two thirds of the line count", 0,
		},
		"node that is not idle": {
			&Own{}, amount.Vector{10_000, 100 * gi}, amount.Vector{3000, 0}, amount.Vector{30_000, 0}, true, "3 + 5 cores are above 7.5", amount.CPU,
		},
		"idle node with a lower line of its own": {
			own(amount.CPU, 45), amount.Vector{10_000, 100 * gi}, amount.Vector{0, 0}, amount.Vector{5000, 0}, false, "two thirds of 4.5 cores count", 0,
		},
		"idle small node": {
			&Own{}, amount.Vector{4000, 100 * gi}, amount.Vector{0, 0}, amount.Vector{5000, 0}, true, "5 cores count, and its line is at 3", amount.CPU,
		},
		"more memory than the line, on an idle node": {
			&Own{}, amount.Vector{10_000, 100 * gi}, amount.Vector{0, 4 * gi}, amount.Vector{0, 95 * gi}, false, "nothing else is there that it could kill", 0,
		},
		"more memory than the node has left": {
			&Own{}, amount.Vector{10_000, 100 * gi}, amount.Vector{0, 10 * gi}, amount.Vector{0, 95 * gi}, true, "10 + 95 GiB are above 100", amount.Memory,
		},
		"much memory on a node that is not idle": {
			&Own{}, amount.Vector{10_000, 100 * gi}, amount.Vector{0, 28 * gi}, amount.Vector{0, 84 * gi}, true, "28 + 84 GiB are above 100", amount.Memory,
		},
		"memory up to the line on a node that is not idle": {
			&Own{}, amount.Vector{10_000, 100 * gi}, amount.Vector{0, 28 * gi}, amount.Vector{0, 57 * gi}, false, "28 + 57 GiB are at the line", 0,
		},
	} {
		l := rule.On(test.own, test.size)
		r, over := l.Over(l.With(test.use, test.pod))
		if over != test.over || over && r != test.threshold {
			t.Errorf("%s: over %t (%s), want %t: %s", name, over, r.Name(), test.over, test.because)
		}
	}
}

// Takes is With and Over, solved for the pod.
func TestTakesIsWhatDoesNotGoOver(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	vector := func() amount.Vector { return amount.Vector{random.Int64N(100), random.Int64N(100)} }
	for range 20_000 {
		rule := Rule{Percent: vector(), Largest: vector()}
		l := rule.On(&Own{}, vector())
		use, pod := vector(), vector()
		takes := l.Takes(use)
		r, over := l.Over(l.With(use, pod))
		if same, overWith := l.OverWith(use, pod); same != r || overWith != over {
			t.Fatalf("line %+v at %v with %v: over %t (%s) or %t (%s)?", l, use, pod, over, r.Name(), overWith, same.Name())
		}
		if fits := pod[0] <= takes[0] && pod[1] <= takes[1]; fits == over {
			t.Fatalf("line %+v at %v takes %v, and with %v it is over: %t", l, use, takes, pod, over)
		}
	}
}

// Whatever the amounts, more use is never further below the line, and a larger
// pod never counts for less.
func TestMoreUseIsNeverBetter(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	vector := func() amount.Vector { return amount.Vector{random.Int64N(100), random.Int64N(100)} }
	for range 20_000 {
		rule := Rule{Percent: vector(), Band: random.IntN(2) == 0, Largest: vector()}
		o := &Own{Percent: vector(), Set: [amount.NumResources]bool{random.IntN(2) == 0, random.IntN(2) == 0}}
		l := rule.On(o, vector())
		use, pod, more := vector(), vector(), vector()
		base, larger, fuller := l.With(use, pod), l.With(use, pod.Add(more)), l.With(use.Add(more), pod)
		for r := range amount.NumResources {
			if larger[r] < base[r] || fuller[r] < base[r] {
				t.Fatalf("line %+v: use %v with %v is %v, with %v more of the pod %v, of the use %v", l, use, pod, base, more, larger, fuller)
			}
		}
	}
}
