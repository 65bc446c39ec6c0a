package fragmentation

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	testingclock "k8s.io/utils/clock/testing"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/device"
)

const gi = 1 << 30

func newLearner() (*Learner, *testingclock.FakePassiveClock) {
	clock := testingclock.NewFakePassiveClock(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	return NewLearner(clock), clock
}

// passSecond lets so much time pass that the next mix is a new one.
func passSecond(clock *testingclock.FakePassiveClock) { pass(clock, rebuildEvery) }

func pass(clock *testingclock.FakePassiveClock, d time.Duration) { clock.SetTime(clock.Now().Add(d)) }

func gpus(count int64) []device.Request { return []device.Request{{Name: gpu, Count: count}} }

// weightOf returns the weight of the shapes for which is returns true.
func weightOf(shapes []Shape, is func(*Shape) bool) (sum float64) {
	for i := range shapes {
		if is(&shapes[i]) {
			sum += shapes[i].Weight
		}
	}
	return sum
}

// isLearned reports whether a shape is none of the default ones, which ask for whole
// cores.
func isLearned(s *Shape) bool { return s.Requests[amount.CPU]%1000 != 0 }

func checkWeights(t *testing.T, m *Mix, kinds ...v1.ResourceName) {
	t.Helper()
	for _, kind := range append(kinds, "example.org/never-seen") {
		shapes := m.Shapes(kind)
		if len(shapes) == 0 || len(shapes) > maxShapes {
			t.Errorf("%s: %d shapes, want between 1 and %d", kind, len(shapes), maxShapes)
		}
		sum := 0.0
		for i := range shapes {
			s := &shapes[i]
			if s.Count < 1 || math.IsNaN(s.Weight) || s.Weight < 0 || s.Weight > 1 {
				t.Errorf("%s: %+v is no shape", kind, *s)
			}
			for r := range amount.NumResources {
				if s.Requests[r] < 0 || s.Use[r] < 0 {
					t.Errorf("%s: %+v asks for less than nothing", kind, *s)
				}
			}
			sum += s.Weight
		}
		if math.Abs(sum-1) > 1e-9 {
			t.Errorf("%s: weights add up to %v, want 1", kind, sum)
		}
	}
}

func TestDefaultMixUntilPodsAreSeen(t *testing.T) {
	l, clock := newLearner()
	want := func(kind v1.ResourceName) {
		t.Helper()
		shapes := l.Mix().Shapes(kind)
		if len(shapes) != 4 {
			t.Fatalf("%s: %+v, want four shapes", kind, shapes)
		}
		for i, count := range []int64{1, 2, 4, 8} {
			amounts := amount.Vector{1000 * count, gi * count}
			if s := shapes[i]; s.Count != count || s.Weight != 0.25 || s.Requests != amounts || s.Use != amounts || len(s.Others) != 0 {
				t.Errorf("%s: %+v, want %d devices with a core and a GiB each, at a weight of 1/4", kind, s, count)
			}
		}
	}
	want(gpu)
	l.Observe(nil, amount.Vector{1, 1}, amount.Vector{1, 1}, clock.Now()) // a pod without devices
	passSecond(clock)
	want(gpu)
	l.Observe(gpus(1), amount.Vector{500, gi}, amount.Vector{500, gi}, clock.Now())
	passSecond(clock)
	want(nic) // what is learned of one kind says nothing of another
	if got := len(l.Mix().Shapes(gpu)); got != 5 {
		t.Errorf("%d shapes of pods with GPUs, want the default ones and the one seen", got)
	}
}

// reference keeps each pod, and counts as the documentation says: demand in
// devices, halved in each half-life, on top of the default mix.
type reference []observed

type observed struct {
	devices       []device.Request
	requests, use amount.Vector
	created       time.Time
}

func (pods reference) weights(now time.Time, kind v1.ResourceName) map[string]float64 {
	weights, total := map[string]float64{}, 0.0
	add := func(s Shape, weight float64) {
		weights[describe(&s)] += weight
		total += weight
	}
	for _, s := range defaultShapes() {
		add(s, 8)
	}
	for _, p := range pods {
		for i, d := range p.devices {
			if d.Name == kind {
				others := append(append([]device.Request{}, p.devices[:i]...), p.devices[i+1:]...)
				add(Shape{Count: d.Count, Others: others, Requests: p.requests, Use: p.use},
					float64(d.Count)*math.Pow(0.5, now.Sub(p.created).Hours()/72))
			}
		}
	}
	for shape := range weights {
		weights[shape] /= total
	}
	return weights
}

func describe(s *Shape) string {
	return fmt.Sprint(s.Count, " and ", s.Others, s.Requests, s.Use)
}

func TestMixIsTheDemandInDevices(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		l, clock := newLearner()
		var pods reference
		for range random.IntN(200) {
			devices := gpus(1 << random.Int64N(3))
			switch random.IntN(4) {
			case 0:
				devices = append(devices, device.Request{Name: nic, Count: 1 + random.Int64N(2)})
			case 1:
				devices[0].Name = nic
			}
			requests := amount.Vector{1500 << random.IntN(2), gi << random.IntN(2)} // in steps that are shapes of their own
			p := observed{devices, requests, requests.Sub(amount.Vector{10, 20}), clock.Now().Add(-time.Duration(random.IntN(1000)) * time.Hour)}
			pods = append(pods, p)
			l.Observe(p.devices, p.requests, p.use, p.created)
			pass(clock, time.Duration(random.IntN(10))*time.Hour)
		}
		passSecond(clock)
		mix := l.Mix()
		checkWeights(t, mix, gpu, nic)
		for _, kind := range []v1.ResourceName{gpu, nic} {
			want, got := pods.weights(clock.Now(), kind), map[string]float64{}
			for _, s := range mix.Shapes(kind) {
				got[describe(&s)] += s.Weight
			}
			if len(want) > maxShapes {
				t.Fatalf("%d shapes: the mix leaves some out", len(want))
			}
			for shape := range want {
				// The mix may be older than a moment if nothing was seen since.
				if math.Abs(got[shape]-want[shape]) > 1e-3 {
					t.Errorf("%s, shape %s: weight %v, want %v", kind, shape, got[shape], want[shape])
				}
			}
			if len(got) != len(want) {
				t.Errorf("%s: %d shapes, want %d", kind, len(got), len(want))
			}
		}
	}
}

func TestDemandIsCountedInDevices(t *testing.T) {
	l, clock := newLearner()
	for range 8 {
		l.Observe(gpus(1), amount.Vector{500, gi}, amount.Vector{500, gi}, clock.Now())
	}
	l.Observe(gpus(8), amount.Vector{500, gi}, amount.Vector{500, gi}, clock.Now())
	shapes := l.Mix().Shapes(gpu)
	for _, count := range []int64{1, 8} {
		got := weightOf(shapes, func(s *Shape) bool { return isLearned(s) && s.Count == count })
		if want := 8.0 / (8 + 8 + 32); math.Abs(got-want) > 1e-9 {
			t.Errorf("eight pods with a device and one with eight: those with %d weigh %v, want %v", count, got, want)
		}
	}
}

func TestDemandHalvesInThreeDays(t *testing.T) {
	l, clock := newLearner()
	is := func(count int64) func(*Shape) bool {
		return func(s *Shape) bool { return isLearned(s) && s.Count == count }
	}
	l.Observe(gpus(3), amount.Vector{500, gi}, amount.Vector{500, gi}, clock.Now())
	pass(clock, halfLife)
	l.Observe(gpus(5), amount.Vector{500, gi}, amount.Vector{500, gi}, clock.Now())
	// A restart finds pods that were created before it started.
	l.Observe(gpus(7), amount.Vector{500, gi}, amount.Vector{500, gi}, clock.Now().Add(-2*halfLife))
	shapes, total := l.Mix().Shapes(gpu), 32+3*0.5+5+7*0.25
	for count, want := range map[int64]float64{3: 1.5 / total, 5: 5 / total, 7: 1.75 / total} {
		if got := weightOf(shapes, is(count)); math.Abs(got-want) > 1e-9 {
			t.Errorf("pods with %d devices weigh %v, want %v", count, got, want)
		}
	}
}

func TestPodsOfOneShapeHaveItsMean(t *testing.T) {
	l, clock := newLearner()
	l.Observe(gpus(3), amount.Vector{1000, 10 * gi}, amount.Vector{500, 4 * gi}, clock.Now())
	l.Observe(gpus(3), amount.Vector{1100, 11 * gi}, amount.Vector{700, 5 * gi}, clock.Now())
	l.Observe(gpus(3), amount.Vector{2000, 10 * gi}, amount.Vector{500, 4 * gi}, clock.Now())
	l.Observe(gpus(3), amount.Vector{0, 0}, amount.Vector{250, gi}, clock.Now())
	l.Observe(gpus(3), amount.Vector{1, 0}, amount.Vector{250, gi}, clock.Now())
	got := map[amount.Vector]amount.Vector{}
	for _, s := range l.Mix().Shapes(gpu) {
		if s.Count == 3 {
			got[s.Requests] = s.Use
		}
	}
	want := map[amount.Vector]amount.Vector{
		{1050, 10.5 * gi}: {600, 4.5 * gi},
		{2000, 10 * gi}:   {500, 4 * gi},
		{0, 0}:            {250, gi}, // no request is a shape of its own
		{1, 0}:            {250, gi},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("use by requests: %v, want %v", got, want)
	}
}

func TestMixIsDeterministic(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	var pods []observed
	for i := range 300 {
		devices := gpus(int64(i%8) + 1)
		if i%3 == 0 {
			devices = append(devices, device.Request{Name: nic, Count: 1})
		}
		amounts := amount.Vector{1000 << (i % 5), gi << (i % 7)}
		pods = append(pods, observed{devices: devices, requests: amounts, use: amounts})
	}
	var first *Mix
	for range 20 {
		l, clock := newLearner()
		random.Shuffle(len(pods), func(i, j int) { pods[i], pods[j] = pods[j], pods[i] })
		for _, p := range pods {
			l.Observe(p.devices, p.requests, p.use, clock.Now())
		}
		mix := l.Mix()
		if first == nil {
			first = mix
		}
		if !reflect.DeepEqual(mix, first) {
			t.Fatalf("the same pods make another mix: %+v and %+v", mix, first)
		}
	}
}

// A mix is what one scheduling cycle decides by: it does not change under it,
// and is not made anew for each pod of a burst.
func TestMixIsMadeAnewOnceASecond(t *testing.T) {
	l, clock := newLearner()
	l.Observe(gpus(1), amount.Vector{500, gi}, amount.Vector{500, gi}, clock.Now())
	before := l.Mix()
	copied := slices.Clone(before.Shapes(gpu))
	pass(clock, rebuildEvery/2)
	l.Observe(gpus(1), amount.Vector{500, gi}, amount.Vector{500, gi}, clock.Now())
	if l.Mix() != before {
		t.Error("made anew after half a second")
	}
	pass(clock, rebuildEvery/2)
	after := l.Mix()
	if after == before {
		t.Error("not made anew after a second")
	}
	if !reflect.DeepEqual(before.Shapes(gpu), copied) {
		t.Error("a mix has changed")
	}
	pass(clock, time.Hour)
	if l.Mix() != after {
		t.Error("made anew although no pod was seen")
	}
}
