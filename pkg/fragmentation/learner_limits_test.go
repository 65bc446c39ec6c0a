package fragmentation

import (
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/device"
)

// A kind that nobody asks for any more comes back to the default mix.
func TestKindsThatVanish(t *testing.T) {
	l, clock := newLearner()
	for range 1000 {
		l.Observe([]device.Request{{Name: mig, Count: 7}}, amount.Vector{500, gi}, amount.Vector{500, gi}, clock.Now())
	}
	if got := weightOf(l.Mix().Shapes(mig), isLearned); got < 0.99 {
		t.Errorf("a thousand pods with seven devices weigh %v of the demand", got)
	}
	pass(clock, 30*halfLife)
	l.Observe(gpus(1), amount.Vector{500, gi}, amount.Vector{500, gi}, clock.Now())
	if got := weightOf(l.Mix().Shapes(mig), isLearned); got > 1e-6 {
		t.Errorf("after three months they weigh %v", got)
	}
	checkWeights(t, l.Mix(), gpu, mig)
}

// A cluster whose users ask for something else each time must not cost more.
func TestWhatIsLearnedIsBounded(t *testing.T) {
	l, clock := newLearner()
	const common = 3
	for i := range 10 * maxLearned {
		l.Observe(gpus(int64(i)+10), amount.Vector{500, gi}, amount.Vector{500, gi}, clock.Now().Add(-240*time.Hour))
		if i%10 == 0 {
			l.Observe(gpus(common), amount.Vector{500, gi}, amount.Vector{500, gi}, clock.Now())
		}
		if len(l.shapes) > maxLearned {
			t.Fatalf("%d shapes are remembered, want at most %d", len(l.shapes), maxLearned)
		}
	}
	passSecond(clock)
	mix := l.Mix()
	checkWeights(t, mix, gpu)
	if shapes := mix.Shapes(gpu); len(shapes) != maxShapes {
		t.Errorf("%d shapes in the mix, want the %d that weigh the most", len(shapes), maxShapes)
	}
	// The rarest is forgotten, not the oldest.
	pods := 0.0
	for _, shape := range l.shapes {
		if shape.devices[0].Count == common {
			pods = shape.pods
		}
	}
	if math.Abs(pods-maxLearned) > 1e-6 {
		t.Errorf("%v pods of the common shape are known, want %d", pods, maxLearned)
	}
}

// A shape that no node is large enough for is left out, also a default one,
// until there is such a node.
func TestShapesFitTheLargestNode(t *testing.T) {
	l, clock := newLearner()
	l.Observe(gpus(3), amount.Vector{500, gi}, amount.Vector{500, gi}, clock.Now())
	l.Observe(gpus(1_000_000), amount.Vector{500, gi}, amount.Vector{500, gi}, clock.Now())
	for _, tt := range []struct {
		largest map[v1.ResourceName]int64
		want    []int64
		weigh3  float64
	}{
		{map[v1.ResourceName]int64{gpu: 4, nic: 2}, []int64{1, 2, 3, 4}, 3. / (3 + 3*8)},
		{map[v1.ResourceName]int64{gpu: 8}, []int64{1, 2, 3, 4, 8}, 3. / (3 + 4*8)},
		{map[v1.ResourceName]int64{nic: 2}, []int64{1, 2, 3, 4, 8, 1_000_000}, 3. / (3 + 4*8 + 1_000_000)},
		{map[v1.ResourceName]int64{gpu: 0}, nil, 0},
	} {
		l.Fit(tt.largest)
		passSecond(clock)
		var counts []int64
		for _, s := range l.Mix().Shapes(gpu) {
			counts = append(counts, s.Count)
		}
		slices.Sort(counts)
		if got := weightOf(l.Mix().Shapes(gpu), isLearned); !slices.Equal(counts, tt.want) || len(counts) < 6 && math.Abs(got-tt.weigh3) > 1e-5 {
			t.Errorf("largest %v: shapes with %v devices, of which that with 3 weighs %v; want %v and %v", tt.largest, counts, got, tt.want, tt.weigh3)
		}
		if largest, limited := tt.largest[nic]; limited {
			for _, s := range l.Mix().Shapes(nic) {
				if s.Count > largest {
					t.Errorf("largest %v: a default shape with %d NICs", tt.largest, s.Count)
				}
			}
		}
	}
}

func TestExtremePods(t *testing.T) {
	const most = 1 << 50 // of an amount: see amount.FromQuantity
	tests := []struct {
		name    string
		devices []device.Request
		amounts amount.Vector
		created func(now time.Time) time.Time
	}{
		{"nothing but a device", gpus(1), amount.Vector{}, nil},
		{"as much as can be", gpus(math.MaxInt64), amount.Vector{most, most}, nil},
		{"a thousand years from now", gpus(3), amount.Vector{500, gi}, func(now time.Time) time.Time { return now.AddDate(1000, 0, 0) }},
		{"a thousand years ago", gpus(3), amount.Vector{500, gi}, func(now time.Time) time.Time { return now.AddDate(-1000, 0, 0) }},
		{"eight years ago", gpus(3), amount.Vector{500, gi}, func(now time.Time) time.Time { return now.AddDate(-8, 0, 0) }},
		{"without a time", gpus(3), amount.Vector{500, gi}, func(time.Time) time.Time { return time.Time{} }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l, clock := newLearner()
			created := clock.Now()
			if tt.created != nil {
				created = tt.created(clock.Now())
			}
			for range 3 {
				l.Observe(tt.devices, tt.amounts, tt.amounts, created)
				checkWeights(t, l.Mix(), gpu)
				passSecond(clock)
			}
			// What is learned after it counts as always.
			for range 100 {
				l.Observe(gpus(5), amount.Vector{500, gi}, amount.Vector{500, gi}, clock.Now())
			}
			passSecond(clock)
			checkWeights(t, l.Mix(), gpu)
			five := weightOf(l.Mix().Shapes(gpu), func(s *Shape) bool { return s.Count == 5 })
			if want := 500.0 / (500 + 32 + 3*3); five < want-1e-6 && tt.devices[0].Count < 1000 {
				t.Errorf("a hundred pods with five devices weigh %v, want at least %v", five, want)
			}
		})
	}
}

// A pod whose creation lies ahead by our clock counts as one of now.
func TestClocksThatDiffer(t *testing.T) {
	l, clock := newLearner()
	l.Observe(gpus(3), amount.Vector{500, gi}, amount.Vector{500, gi}, clock.Now().Add(10*halfLife))
	if got, want := weightOf(l.Mix().Shapes(gpu), isLearned), 3.0/35; math.Abs(got-want) > 1e-9 {
		t.Errorf("weight %v, want %v", got, want)
	}
}

// Weights grow with time. They are brought down before they overflow, which
// must not show.
func TestYearsGoBy(t *testing.T) {
	l, clock := newLearner()
	for year := range 60 {
		pass(clock, 365*24*time.Hour)
		l.Observe(gpus(3), amount.Vector{500, gi}, amount.Vector{500, gi}, clock.Now().Add(-halfLife))
		l.Observe(gpus(5), amount.Vector{500, gi}, amount.Vector{700, gi}, clock.Now())
		l.Observe([]device.Request{{Name: v1.ResourceName(fmt.Sprint("example.org/", year)), Count: 1}}, amount.Vector{}, amount.Vector{}, clock.Now())
		shapes := l.Mix().Shapes(gpu)
		checkWeights(t, l.Mix(), gpu)
		for count, want := range map[int64]float64{3: 1.5 / 38.5, 5: 5 / 38.5} {
			got := weightOf(shapes, func(s *Shape) bool { return s.Count == count })
			if math.Abs(got-want) > 1e-9 {
				t.Fatalf("year %d: pods with %d devices weigh %v, want %v", year, count, got, want)
			}
		}
	}
	if len(l.shapes) > 30 {
		t.Errorf("%d shapes are remembered, of which most were last seen decades ago", len(l.shapes))
	}
	pass(clock, 100*365*24*time.Hour) // a clock that was set wrong, and then right
	l.Observe(gpus(5), amount.Vector{500, gi}, amount.Vector{500, gi}, clock.Now())
	checkWeights(t, l.Mix(), gpu)
	if len(l.shapes) != 1 {
		t.Errorf("%d shapes are remembered after a hundred years, want 1", len(l.shapes))
	}
}

func TestLearnerIsUsedByMany(t *testing.T) {
	l, clock := newLearner()
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			for j := range 200 {
				l.Observe(gpus(int64(j%8)+1), amount.Vector{500, gi}, amount.Vector{500, gi}, clock.Now())
				if i%2 == 0 {
					passSecond(clock)
				}
				Of(l.Mix().Shapes(gpu), &Node{Devices: []device.Stock{{Name: gpu, Allocatable: 8}}}, 0)
			}
		})
	}
	group.Wait()
	passSecond(clock)
	l.Observe(gpus(1), amount.Vector{500, gi}, amount.Vector{500, gi}, clock.Now())
	checkWeights(t, l.Mix(), gpu)
	pods := 0.0
	for _, shape := range l.shapes {
		pods += shape.pods
	}
	// Those of the last minutes count a little more than one.
	if pods < 1601 || pods > 1610 {
		t.Errorf("%v pods were learned, want 1601", pods)
	}
}

// One operation makes the mix of as many shapes as are remembered.
func BenchmarkMix(b *testing.B) {
	l, clock := newLearner()
	for i := range maxLearned {
		l.Observe(gpus(int64(i%8)+1), amount.Vector{1000 << (i % 8), gi << (i / 8)}, amount.Vector{500, gi}, clock.Now())
	}
	b.ReportAllocs()
	for b.Loop() {
		l.changed = true
		passSecond(clock)
		l.Mix()
	}
}
