package devicefit

import (
	"math"
	"math/big"
	"strconv"
	"testing"
	"testing/quick"

	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/utils/clock"

	"github.com/plimsoll-scheduler/plimsoll/pkg/apis/config"
	"github.com/plimsoll-scheduler/plimsoll/pkg/device"
)

func TestRatingOfUnknownStrategy(t *testing.T) {
	if _, err := ratingOf("Tightest"); err == nil {
		t.Error("no error")
	}
}

func TestRatingsDoNotOverflow(t *testing.T) {
	stock := device.Stock{Allocatable: math.MaxInt64, Requested: math.MaxInt64}
	if got := mostAllocated(stock, math.MaxInt64); got != 100 {
		t.Errorf("mostAllocated = %v, want 100", got)
	}
	if got := leastAllocated(stock, math.MaxInt64); got != 0 {
		t.Errorf("leastAllocated = %v, want 0", got)
	}
}

// sample is a node with two kinds of devices and a pod's requests for them.
type sample struct {
	Allocatable, Requested, Count [2]uint8
}

func (s sample) node(t *testing.T) fwk.NodeInfo {
	return newNode(t, "node", s.resources(s.Allocatable), s.resources(s.Requested))
}

func (s sample) resources(counts [2]uint8) resources {
	return resources{gpu: strconv.Itoa(int(counts[0])), fpga: strconv.Itoa(int(counts[1]))}
}

// The scorers against their formulas in exact arithmetic.
func TestScoreDevicesIsItsFormula(t *testing.T) {
	check := func(s sample) bool {
		pod := []device.Request{{Name: gpu, Count: int64(s.Count[0]) + 1}, {Name: fpga, Count: int64(s.Count[1]) + 1}}
		for _, strategy := range []config.Strategy{config.MostAllocated, config.LeastAllocated} {
			want := new(big.Rat)
			for i := range pod {
				if s.Allocatable[i] == 0 {
					continue
				}
				used := big.NewRat(int64(s.Requested[i])+pod[i].Count, int64(s.Allocatable[i]))
				if used.Cmp(big.NewRat(1, 1)) > 0 {
					used.SetInt64(1)
				}
				if strategy == config.LeastAllocated {
					used.Sub(big.NewRat(1, 1), used)
				}
				want.Add(want, used.Mul(used, big.NewRat(50, 1)))
			}
			rate, err := ratingOf(strategy)
			if err != nil {
				t.Fatal(err)
			}
			if got := scoreDevices(rate, nil, stocksOf(t, s.node(t)), pod); !isAbout(t, got, want) {
				return false
			}
		}
		return true
	}
	if err := quick.Check(check, nil); err != nil {
		t.Error(err)
	}
}

func TestScoreAvoidanceIsItsFormula(t *testing.T) {
	check := func(s sample) bool {
		freest := new(big.Rat)
		for i := range s.Allocatable {
			if s.Allocatable[i] > s.Requested[i] {
				if free := big.NewRat(int64(s.Allocatable[i]-s.Requested[i]), int64(s.Allocatable[i])); free.Cmp(freest) > 0 {
					freest = free
				}
			}
		}
		want := new(big.Rat).Sub(big.NewRat(1, 1), freest)
		want.Mul(want, big.NewRat(50, 1))
		return isAbout(t, scoreAvoidance(stocksOf(t, s.node(t))), want)
	}
	if err := quick.Check(check, nil); err != nil {
		t.Error(err)
	}
}

// isAbout reports whether got is exact, give or take what float64 loses.
func isAbout(t *testing.T, got float64, exact *big.Rat) bool {
	t.Helper()
	want, _ := exact.Float64()
	ok := math.Abs(got-want) <= 1e-9
	if !ok {
		t.Errorf("rating %v, want %v", got, want)
	}
	return ok
}

func stocksOf(t *testing.T, node fwk.NodeInfo) []device.Stock {
	t.Helper()
	matcher, err := device.NewMatcher([]string{"*"})
	if err != nil {
		t.Fatal(err)
	}
	stocks, _ := device.NewCatalogue(matcher, device.NoClasses{}, clock.RealClock{}).View().AppendStocks(nil, node)
	return stocks
}

// A node whose devices cannot be counted must never win over one whose can.
func TestUncountedDevicesNeverRankAboveCountedOnes(t *testing.T) {
	pod := []device.Request{{Name: gpu, Count: 1}}
	for _, rate := range []rating{mostAllocated, leastAllocated} {
		for _, uncounted := range []resources{{gpu: "0"}, {"cpu": "1"}, {}} {
			score := scoreDevices(rate, nil, stocksOf(t, newNode(t, "uncounted", uncounted, resources{gpu: "3"})), pod)
			for _, used := range []string{"0", "4", "7"} {
				counted := scoreDevices(rate, nil, stocksOf(t, newNode(t, "counted", resources{gpu: "8"}, resources{gpu: used})), pod)
				if score > counted {
					t.Errorf("an uncounted node rates %v, one with %s of 8 in use %v", score, used, counted)
				}
			}
		}
	}
}
