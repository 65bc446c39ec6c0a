package demand

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
)

// gammaTail is the probability that a gamma distribution of this mean and variance
// is above the capacity, by adding up its density with Simpson's rule.
func gammaTail(mean, variance, capacity float64) float64 {
	shape, scale := mean*mean/variance, variance/mean
	logNorm, _ := math.Lgamma(shape)
	density := func(x float64) float64 {
		if x <= 0 {
			if shape == 1 {
				return 1 / scale
			}
			return 0
		}
		return math.Exp((shape-1)*math.Log(x/scale)-x/scale-logNorm) / scale
	}
	const steps = 20000
	width, sum := capacity/steps, density(0)+density(capacity)
	for i := 1; i < steps; i++ {
		sum += density(float64(i)*width) * float64(2+2*(i%2))
	}
	return 1 - sum*width/3
}

// The approximation is within 0.01 of the distribution for coefficients of variation
// up to 1, and within 0.002 up to one half, which the sums of a node's pods have.
func TestExceedsAgreesWithTheGammaDistribution(t *testing.T) {
	worst := map[float64]float64{}
	for _, bound := range []struct{ variation, limit float64 }{{0.05, 0.002}, {0.2, 0.002}, {0.5, 0.002}, {0.7, 0.005}, {1, 0.01}} {
		for capacity := 0.1; capacity < 6; capacity += 0.1 {
			const mean = 20_000
			got := Exceeds(mean, bound.variation*bound.variation*mean*mean, capacity*mean)
			want := gammaTail(mean, bound.variation*bound.variation*mean*mean, capacity*mean)
			worst[bound.variation] = max(worst[bound.variation], math.Abs(got-want))
		}
		if worst[bound.variation] > bound.limit {
			t.Errorf("variation %v: off by %v, want no more than %v", bound.variation, worst[bound.variation], bound.limit)
		}
	}
}

func TestExceedsAtTheEdges(t *testing.T) {
	for _, tt := range []struct {
		name                           string
		mean, variance, capacity, want float64
	}{
		{"no demand", 0, 0, 1000, 0},
		{"no demand of a node without capacity", 0, 0, 0, 0},
		{"no capacity", 1, 1, 0, 1},
		{"certain, and below", 999, 0, 1000, 0},
		{"certain, and above", 1001, 0, 1000, 1},
		{"far above", 1e15, 1e20, 1, 1},
		{"far below", 1, 1, 1e15, 0},
	} {
		if got := Exceeds(tt.mean, tt.variance, tt.capacity); math.Abs(got-tt.want) > 1e-12 {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

// More demand, or less capacity, never makes it less probable that there is too
// little; and the result is a probability whatever the numbers.
func TestExceedsGrowsWithTheMean(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 10_000 {
		mean, variance, capacity := 1e5*random.Float64(), 1e9*random.Float64(), 1e5*random.Float64()
		p := Exceeds(mean, variance, capacity)
		if math.IsNaN(p) || p < 0 || p > 1 {
			t.Fatalf("Exceeds(%v, %v, %v) = %v", mean, variance, capacity, p)
		}
		if less := Exceeds(mean, variance, 1.1*capacity); less > p+1e-12 {
			t.Fatalf("mean %v, variance %v: %v for a capacity of %v, %v for more", mean, variance, p, capacity, less)
		}
		if s := mean * mean / variance; s > 1 { // else a larger mean of the same variance is another shape of the tail
			if more := Exceeds(1.1*mean, variance, capacity); more < p-0.01 {
				t.Fatalf("variance %v, capacity %v: %v for a mean of %v, %v for more", variance, capacity, p, mean, more)
			}
		}
	}
}

func TestDemandsAddUp(t *testing.T) {
	one := Of(amount.Vector{1000, 1 << 30})
	sum := Demand{}
	for range 4 {
		sum = sum.Add(one)
	}
	if sum.Mean[amount.CPU] != 4000 || math.Abs(math.Sqrt(sum.Variance[amount.CPU])-2*350) > 1e-9 || sum.Mean[amount.Memory] != 4<<30 {
		t.Errorf("four pods of %+v: %+v", one, sum)
	}
}

// What is measured of a sum is believed as far as the sum is in doubt, and in full if
// it is above.
func TestDemandGivenASum(t *testing.T) {
	demand := func(mean, over, doubt float64) (d Demand) {
		d.Mean[amount.CPU], d.Variance[amount.CPU], d.Doubt[amount.CPU] = mean, over+doubt, doubt
		return d
	}
	for name, test := range map[string]struct {
		of, want Demand
		sum      int64
	}{
		"what was expected":                   {demand(4000, 1e6, 1e6), demand(4000, 1e6, 1e6), 4000},
		"more":                                {demand(4000, 1e6, 1e6), demand(6000, 1e6+UnknownVariance(2000), 1e6), 6000},
		"less of what is as much in doubt":    {demand(4000, 1e6, 1e6), demand(2500, 1e6, 5e5), 1000},
		"less of what is known":               {demand(4000, 1e6, 0), demand(4000, 1e6, 0), 1000},
		"less of what is not known at all":    {demand(4000, 0, 1e6), demand(1000, 0, 0), 1000},
		"less than nothing":                   {demand(4000, 0, 1e6), demand(0, 0, 0), -1000},
		"something where nothing is expected": {Demand{}, demand(1000, UnknownVariance(1000), 0), 1000},
	} {
		if got := test.of.Given(amount.Vector{amount.CPU: test.sum}); got != test.want {
			t.Errorf("%s: %+v, want %+v", name, got, test.want)
		}
	}
}

// The nearer the sum that was measured, the nearer the mean, and it is never beyond.
func TestASumNeverWidensTheDemand(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	for range 10_000 {
		d := Demand{}
		d.Mean[0], d.Doubt[0] = 1e5*random.Float64(), 1e9*random.Float64()
		d.Variance[0] = d.Doubt[0] + 1e9*random.Float64()
		sum := random.Int64N(1e5)
		got := d.Given(amount.Vector{sum})
		low, high := min(float64(sum), d.Mean[0]), max(float64(sum), d.Mean[0])
		if got.Mean[0] < low-1e-6 || got.Mean[0] > high+1e-6 || got.Doubt[0] > got.Variance[0] || float64(sum) < d.Mean[0] && got.Variance[0] > d.Variance[0] {
			t.Fatalf("%+v given %v: %+v", d, sum, got)
		}
	}
}

func BenchmarkExceeds(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		Exceeds(40_000, 9e7, 64_000)
	}
}

// What a node's pods are expected to use is kept in half the memory, of any size that a
// node can have.
func TestCompactKeepsADemand(t *testing.T) {
	for _, mean := range []float64{0, 1, 12_345, 1.234567e13, 1 << 62} {
		var d Demand
		for r := range d.Mean {
			d.Mean[r], d.Variance[r], d.Doubt[r] = mean, 2*mean*mean, mean*mean/3
		}
		kept := d.Compact().Demand()
		for r := range d.Mean {
			for _, pair := range [...][2]float64{{d.Mean[r], kept.Mean[r]}, {d.Variance[r], kept.Variance[r]}, {d.Doubt[r], kept.Doubt[r]}} {
				if want, got := pair[0], pair[1]; math.Abs(got-want) > 2e-7*want {
					t.Errorf("of %g %g was kept", want, got)
				}
			}
		}
	}
}
