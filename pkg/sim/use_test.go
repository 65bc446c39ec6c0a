package sim

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
		if got := u.cpuAt(at); got != want {
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
	if constant.cpuAt(time.Hour) != 3 || constant.nextChange(0) != math.MaxInt64 || constant.meanCPU(0, time.Hour) != 3 {
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
			sum += u.cpuAt(from + (to-from)*time.Duration(i)/moments)
		}
		if got, want := u.meanCPU(from, to), sum/moments; math.Abs(got-want) > 0.005 {
			t.Fatalf("the mean of %+v from %v to %v is %v, want %v", u, from, to, got, want)
		}
	}
}

func TestUnusableDevices(t *testing.T) {
	mix := []shape{{cpu: 4000, memory: 1, devices: 1, share: 0.75}, {cpu: 8000, memory: 1, devices: 4, share: 0.25}}
	for name, test := range map[string]struct {
		room room
		want float64
	}{
		"room for both":          {room{cpu: 8000, memory: 1, devices: 4}, 0},
		"too few for the larger": {room{cpu: 8000, memory: 1, devices: 3}, 0.75},
		"too little CPU for it":  {room{cpu: 7999, memory: 1, devices: 4}, 1},
		"too little for any":     {room{cpu: 3999, memory: 1, devices: 4}, 4},
		"no memory":              {room{cpu: 8000, memory: 0, devices: 2}, 2},
		"nothing free":           {room{cpu: 0, memory: 0, devices: 0}, 0},
	} {
		if got := unusable([]room{test.room}, mix); math.Abs(got-test.want) > 1e-9 {
			t.Errorf("%s: %v devices, want %v", name, got, test.want)
		}
	}
}

func TestChanceIsEvenlySpreadAndOfItsArgumentsOnly(t *testing.T) {
	const draws = 100_000
	var parts [10]int
	for i := range uint64(draws) {
		c := chance(3, i%300, i/300)
		if c < 0 || c >= 1 || c != chance(3, i%300, i/300) {
			t.Fatalf("chance is %v", c)
		}
		parts[int(c*10)]++
	}
	for i, count := range parts {
		if math.Abs(float64(count)/draws-0.1) > 0.005 {
			t.Errorf("%d of %d draws are in tenth %d", count, draws, i)
		}
	}
	if chance(3, 1, 2) == chance(4, 1, 2) {
		t.Error("two seeds give the same")
	}
}

func TestPointsKeepTheNewest(t *testing.T) {
	var p points
	if _, ok := p.back(0); ok {
		t.Error("there is a point before any was added")
	}
	for i := range 20 {
		p.add(point{at: time.Duration(i)})
	}
	for n := range len(p.ring) {
		if got, ok := p.back(n); !ok || got.at != time.Duration(19-n) {
			t.Errorf("point %d back is of %d, %v", n, got.at, ok)
		}
	}
	if _, ok := p.back(len(p.ring)); ok {
		t.Error("a point is there that has been overwritten")
	}
}

func TestQuantile(t *testing.T) {
	values := []float64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}
	for part, want := range map[float64]float64{0.5: 5, 0.99: 10, 0.1: 1, 0: 1, 1: 10} {
		if got := quantile(part, values); got != want {
			t.Errorf("quantile %v is %v, want %v", part, got, want)
		}
	}
	if quantile(0.5, nil) != 0 {
		t.Error("of nothing it is not 0")
	}
}
