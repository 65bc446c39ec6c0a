package devicefit

import (
	"math"
	mathrand "math/rand"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"testing/quick"
	"time"

	v1 "k8s.io/api/core/v1"
	testingclock "k8s.io/utils/clock/testing"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/apis/config"
	"github.com/plimsoll-scheduler/plimsoll/pkg/device"
	"github.com/plimsoll-scheduler/plimsoll/pkg/fragmentation"
)

const (
	nic v1.ResourceName = "rdma/hca"
	mig v1.ResourceName = "nvidia.com/mig-1g.5gb"
)

// choice is all that a score depends on.
type choice struct {
	strategy config.Strategy
	weights  map[string]int64
	pod      demand
	mix      *fragmentation.Mix
	left     remains
}

// Generate implements quick.Generator.
func (choice) Generate(seed *mathrand.Rand, _ int) reflect.Value {
	random := rand.New(rand.NewPCG(seed.Uint64(), 1))
	kinds := []v1.ResourceName{gpu, mig, nic} // by name
	amounts := func(most int64) amount.Vector { return amount.Vector{random.Int64N(most), random.Int64N(most)} }
	requests := func() (some []device.Request) {
		for _, kind := range kinds {
			if random.IntN(2) == 0 {
				some = append(some, device.Request{Name: kind, Count: 1 + random.Int64N(4)})
			}
		}
		return some
	}
	c := choice{weights: map[string]int64{}}
	c.strategy = []config.Strategy{config.LeastFragmentation, config.MostAllocated, config.LeastAllocated}[random.IntN(3)]
	for _, kind := range kinds {
		if random.IntN(3) == 0 {
			c.weights[string(kind)] = random.Int64N(4)
		}
	}
	c.pod = demand{Devices: requests(), Requests: amounts(5000), Use: amounts(5000)}
	c.pod.NeedsDevices = len(c.pod.Devices) > 0
	learner := fragmentation.NewLearner(testingclock.NewFakePassiveClock(time.Unix(1e9, 0)))
	for range random.IntN(20) {
		learner.Observe(requests(), amounts(3000), amounts(3000), time.Unix(1e9, 0))
	}
	c.mix = learner.Mix()
	c.left.of = amounts(20000)
	c.left.Unrequested = c.left.of.Sub(amounts(21000))
	c.left.Headroom = fragmentation.Unlimited()
	if random.IntN(3) > 0 {
		c.left.Headroom = c.left.of.Sub(amounts(21000))
		c.left.Most = amounts(5000)
	}
	for _, kind := range kinds {
		if random.IntN(3) > 0 {
			stock := device.Stock{Name: kind, Allocatable: 1 + random.Int64N(8), Requested: random.Int64N(9)}
			c.left.Devices = append(c.left.Devices, stock)
			c.left.free += stock.Free()
		}
	}
	return reflect.ValueOf(c)
}

// score is what the plugin says.
func (c choice) score(t *testing.T) int64 {
	t.Helper()
	rate, err := ratingOf(c.strategy)
	if err != nil {
		t.Fatal(err)
	}
	pl := &DeviceFit{rate: rate, weights: weightsOf(c.weights)}
	left := c.left
	left.Devices = slices.Clone(left.Devices)
	score, _ := pl.score(&cycle{demand: c.pod, mix: c.mix}, &left)
	return score
}

// wanted is what it should say, before rounding: the formulas of the
// documentation, from devices by name, without any of the plugin's parts but the
// measure of fragmentation, which has a reference of its own.
func (c choice) wanted() float64 {
	weight := func(kind v1.ResourceName) float64 {
		if w, ok := c.weights[string(kind)]; ok {
			return float64(w)
		}
		return 1
	}
	known := c.left.Headroom != fragmentation.Unlimited()
	asked, stock := map[v1.ResourceName]int64{}, map[v1.ResourceName]device.Stock{}
	free, devices, counted, freest := 0.0, 0.0, false, 0.0
	for _, d := range c.pod.Devices {
		asked[d.Name] = d.Count
	}
	for _, s := range c.left.Devices {
		stock[s.Name] = s
		free += float64(s.Free())
		devices += float64(s.Allocatable)
		freest = max(freest, float64(s.Free())/float64(s.Allocatable))
		counted = counted || asked[s.Name] > 0
	}
	fed, share := true, 1.0
	for r := range amount.NumResources {
		rest, use := c.left.Headroom[r], c.pod.Use[r]
		if !known {
			rest, use = c.left.Unrequested[r], c.pod.Requests[r]
		} else if counted := min(use, c.left.Most[r]); counted > 0 && counted > rest {
			fed = false
		}
		if c.left.of[r] > 0 {
			share = min(share, float64(rest-use)/float64(c.left.of[r]))
		}
	}
	switch {
	case len(asked) == 0 && free == 0:
		return 100
	case len(asked) > 0 && (!fed || !counted):
		return 0
	}
	rating := 0.0
	switch {
	case c.strategy == config.LeastFragmentation:
		before, after := c.left.Node, c.left.Node
		after.Room = before.Without(c.pod.Requests, c.pod.Use)
		after.Devices = nil
		for _, s := range before.Devices {
			s.Requested += asked[s.Name]
			after.Devices = append(after.Devices, s)
		}
		growth := 0.0
		for i, s := range before.Devices {
			shapes := c.mix.Shapes(s.Name)
			growth += weight(s.Name) * (fragmentation.Of(shapes, &after, i) - fragmentation.Of(shapes, &before, i))
		}
		rating = 100 / (1 + math.Exp(3*growth))
	case len(asked) > 0:
		sum, total := 0.0, 0.0
		for kind, count := range asked {
			total += weight(kind)
			if s, ok := stock[kind]; ok {
				used := min(1, float64(s.Requested+count)/float64(s.Allocatable))
				if c.strategy == config.LeastAllocated {
					used = 1 - used
				}
				sum += weight(kind) * 100 * used
			}
		}
		if rating = 50; total > 0 {
			rating = sum / total
		}
	default:
		rating = 50 * (1 - freest)
	}
	q := max(share, 0) * devices / (free + 1)
	if len(asked) == 0 {
		return 47./50*min(50, rating) + 3*q/(1+q)
	}
	return 97./100*rating + 3*q/(1+q)
}

func TestScoreIsItsFormula(t *testing.T) {
	seen := map[string]int{}
	check := func(c choice) bool {
		got, want := c.score(t), c.wanted()
		if got < 0 || got > 100 || math.Abs(float64(got)-want) > 0.5+1e-6 {
			t.Errorf("%+v: score %d, want %v rounded", c, got, want)
			return false
		}
		if !c.pod.NeedsDevices && c.left.free > 0 && got > 50 {
			t.Errorf("%+v: score %d beside free devices", c, got)
			return false
		}
		sort := "plain pod, "
		if c.pod.NeedsDevices {
			sort = "device pod, "
		}
		switch got {
		case 0:
			sort += "0"
		case 100:
			sort += "100"
		default:
			sort += string(c.strategy)
		}
		seen[sort]++
		return true
	}
	if err := quick.Check(check, &quick.Config{MaxCount: 20_000}); err != nil {
		t.Error(err)
	}
	for _, sort := range []string{
		"device pod, 0", "device pod, LeastFragmentation", "device pod, MostAllocated", "device pod, LeastAllocated",
		"plain pod, 100", "plain pod, LeastFragmentation", "plain pod, MostAllocated", "plain pod, LeastAllocated",
	} {
		if seen[sort] < 100 {
			t.Errorf("%d samples are of the sort %q, too few to say anything: %v", seen[sort], sort, seen)
		}
	}
}

// With more live headroom left a node never scores less for the same pod: the
// strategies that count devices look at it only to break ties, and to a device
// pod that would not be fed.
func TestMoreHeadroomNeverScoresLess(t *testing.T) {
	check := func(c choice, cpu, memory uint16) bool {
		if c.strategy == config.LeastFragmentation || c.left.Headroom == fragmentation.Unlimited() {
			return true // devices that are of no use already are best used up
		}
		cooler := c
		cooler.left.Headroom = c.left.Headroom.Add(amount.Vector{int64(cpu), int64(memory)})
		return cooler.score(t) >= c.score(t)
	}
	if err := quick.Check(check, &quick.Config{MaxCount: 10_000}); err != nil {
		t.Error(err)
	}
}

// Huge counts and amounts, as a broken device plugin may report.
func TestScoreOfExtremeNodes(t *testing.T) {
	const most = 1 << 50
	for _, strategy := range []config.Strategy{config.LeastFragmentation, config.MostAllocated, config.LeastAllocated} {
		for _, allocatable := range []int64{1, 8, math.MaxInt64} {
			for _, requested := range []int64{0, 1, math.MaxInt64} {
				for _, headroom := range []amount.Vector{{}, {-most, -most}, {most, most}, fragmentation.Unlimited()} {
					for _, count := range []int64{0, 1, 8} {
						c := choice{strategy: strategy, mix: fragmentation.NewLearner(testingclock.NewFakePassiveClock(time.Unix(1e9, 0))).Mix()}
						stock := device.Stock{Name: gpu, Allocatable: allocatable, Requested: requested}
						c.left = remains{of: amount.Vector{most, 0}, free: stock.Free()}
						c.left.Devices, c.left.Headroom = []device.Stock{stock}, headroom
						if count > 0 {
							c.pod.NeedsDevices, c.pod.Devices = true, []device.Request{{Name: gpu, Count: count}}
						}
						if got := c.score(t); got < 0 || got > 100 {
							t.Errorf("%+v: score %d", c, got)
						}
					}
				}
			}
		}
	}
}

func TestFeeding(t *testing.T) {
	node := func(devices, free int64, line amount.Vector, headroom, unrequested amount.Vector) float64 {
		left := remains{of: line, free: free}
		left.Devices = []device.Stock{{Name: gpu, Allocatable: devices, Requested: devices - free}}
		return feeding(&left, fragmentation.Room{Headroom: headroom, Unrequested: unrequested})
	}
	line, none := amount.Vector{1000, 1000}, amount.Vector{}
	for _, tt := range []struct {
		name      string
		got, want float64
	}{
		{"idle, one device for the pod", node(8, 7, line, line, none), 0.5},
		{"half of the headroom", node(8, 7, line, amount.Vector{500, 1000}, none), 1. / 3},
		{"the scarcer resource counts", node(8, 7, line, amount.Vector{1000, 500}, none), 1. / 3},
		{"half of the headroom for half of the devices", node(8, 3, line, amount.Vector{500, 500}, none), 0.5},
		{"nothing left", node(8, 7, line, amount.Vector{0, 1000}, none), 0},
		{"over the line", node(8, 7, line, amount.Vector{-500, 1000}, none), 0},
		{"load not known: by requests", node(8, 7, line, fragmentation.Unlimited(), amount.Vector{500, 1000}), 1. / 3},
		{"a resource that the node does not have", node(8, 7, amount.Vector{1000, 0}, amount.Vector{1000, 0}, none), 0.5},
	} {
		if math.Abs(tt.got-tt.want) > 1e-9 {
			t.Errorf("%s: %v, want %v", tt.name, tt.got, tt.want)
		}
	}
}
