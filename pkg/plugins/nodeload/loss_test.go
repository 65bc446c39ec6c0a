package nodeload

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/apis/config"
	"github.com/plimsoll-scheduler/plimsoll/pkg/compat"
	"github.com/plimsoll-scheduler/plimsoll/pkg/demand"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load"
)

var capacity = amount.Vector{64_000, 256 * gi}

// uses is the demand of this mean of CPU, in cores, with this deviation.
func uses(mean, deviation float64) (d demand.Demand) {
	d.Mean[amount.CPU], d.Variance[amount.CPU] = 1000*mean, 1e6*deviation*deviation
	return d
}

// byLoss are the arguments that rank nodes by what is lost.
func byLoss(a *config.NodeLoadArgs) { a.Score.Strategy = config.LeastExpectedLoss }

func lossOn(before demand.Demand, inUse float64, pod newcomer) float64 {
	p := newPolicy(args(byLoss))
	return p.expectedLoss(p.riskOf(before, capacity, &pod), inUse, &pod)
}

// What it costs to place a pod, in devices that are short because of it.
func TestExpectedLoss(t *testing.T) {
	small, trainer := newcomer{demand: uses(1, 0.5)}, newcomer{demand: uses(8, 2), devices: 1}
	for _, tt := range []struct {
		name      string
		loss      float64
		low, high float64
	}{
		{"a cool node", lossOn(uses(10, 2), 0, trainer), 0, 0.001},
		{"a node that is full for certain", lossOn(uses(120, 1), 0, trainer), 1, 1.4},
		{"a pod takes the node past its capacity, and with it the devices in use", lossOn(uses(60, 1), 7, trainer), 7, 8.4},
		{"a small pod on a full node adds little to what is short already", lossOn(uses(120, 1), 7, small), 0, 0.2},
	} {
		if tt.loss < tt.low || tt.loss > tt.high {
			t.Errorf("%s: %v devices are lost, want %v to %v", tt.name, tt.loss, tt.low, tt.high)
		}
	}
	// A node of one spiky pod is worse than one of fifty calm ones of the same sum.
	if spiky, calm := lossOn(uses(45, 16), 4, trainer), lossOn(uses(45, 2), 4, trainer); spiky < 10*calm || spiky < 0.1 {
		t.Errorf("beside a spiky pod %v devices are lost, beside calm ones %v", spiky, calm)
	}
	// Nodes that are far from full are equally healthy.
	if three, fifteen := scoreOfLoss(lossOn(uses(2, 0.5), 0, small)), scoreOfLoss(lossOn(uses(9.6, 2), 0, small)); three-fifteen > 0.5 {
		t.Errorf("a node at 3 %% scores %v, one at 15 %% %v", three, fifteen)
	}
	// A spiky pod costs less where few devices are.
	if few, many := lossOn(uses(30, 6), 1, newcomer{demand: uses(16, 16)}), lossOn(uses(30, 6), 8, newcomer{demand: uses(16, 16)}); few > many/3 {
		t.Errorf("a spiky pod costs %v beside one device in use, %v beside eight", few, many)
	}
}

// More demand, and more devices, never cost less; a loss is never negative, and its
// score is between 0 and 100, whatever the numbers.
func TestLossesAreMonotonous(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 5000 {
		before, inUse := uses(80*random.Float64(), 10*random.Float64()), float64(random.IntN(9))
		pod := newcomer{demand: uses(20*random.Float64(), 5*random.Float64()), devices: float64(random.IntN(9))}
		more := pod
		more.devices++
		loss, larger := lossOn(before, inUse, pod), lossOn(before, inUse, more)
		if math.IsNaN(loss) || loss < 0 || larger < loss {
			t.Fatalf("%+v beside %v devices: %+v costs %v, with a device more %v", before, inUse, pod, loss, larger)
		}
		if score := scoreOfLoss(loss); score < -1e-9 || score > float64(compat.MaxScore) {
			if loss <= largeLoss {
				t.Fatalf("a loss of %v scores %v", loss, score)
			}
		}
	}
}

// The weights say how much each resource counts, and 0 leaves one out.
func TestPricesOfResources(t *testing.T) {
	full := demand.Demand{}
	full.Mean[amount.Memory] = 512 * gi
	for _, tt := range []struct {
		cpu, memory int64
		want        float64
	}{{1, 1, 1 + podPrice}, {2, 1, (1 + podPrice) / 2}, {1, 0, 0}, {0, 1, 1 + podPrice}} {
		p := newPolicy(args(func(a *config.NodeLoadArgs) {
			byLoss(a)
			a.Score.Weights = map[string]int64{"cpu": tt.cpu, "memory": tt.memory}
		}))
		if got := p.expectedLoss(p.riskOf(full, capacity, &newcomer{devices: 1}), 0, &newcomer{devices: 1}); math.Abs(got-tt.want) > 1e-9 {
			t.Errorf("weights %d and %d: %v, want %v", tt.cpu, tt.memory, got, tt.want)
		}
	}
}

// What was measured of a node beyond what its pods are known to use counts, and
// varies.
func TestWhatNobodyIsKnownToUseCounts(t *testing.T) {
	node := &load.Node{Demand: uses(10, 2).Compact()}
	if got := demandOf(node, amount.Vector{amount.CPU: 30_000}, true); got.Mean[amount.CPU] != 30_000 || got.Variance[amount.CPU] != 4e6+demand.UnknownVariance(20_000) {
		t.Errorf("measured 30 cores, known are 10: %+v", got)
	}
	bursts := &load.Node{Demand: uses(10, 2).Compact(), Deviation: amount.Vector{amount.CPU: 16_000}}
	if got := demandOf(bursts, amount.Vector{}, true); got.Variance[amount.CPU] != 16_000*16_000 {
		t.Errorf("samples vary by 16 cores: %+v", got)
	}
	for _, known := range []bool{true, false} {
		if got := demandOf(node, amount.Vector{amount.CPU: 5_000}, known); got != node.Demand.Demand() {
			t.Errorf("measured 5 cores, known %t: %+v, want what the pods are expected to use", known, got)
		}
	}
}

// For a pod with devices the node that has the least to spare for each free device is
// the best of those where nothing is lost.
func TestBestFit(t *testing.T) {
	tight, roomy := bestFit(16_000, 2, 128_000), bestFit(60_000, 2, 128_000)
	if tight >= roomy || tight < 0 || roomy > packing {
		t.Errorf("16 cores to spare cost %v points, 60 cost %v", tight, roomy)
	}
	if got := bestFit(-1, 2, 128_000) + bestFit(1, 2, 0); got != 0 {
		t.Errorf("a node without headroom, or without capacity, costs %v points", got)
	}
}

func TestLeastExpectedLossDoesNotAllocate(t *testing.T) {
	c := newCluster(t, args(byLoss), "n")
	c.use("n", 5, 50*gi)
	c.poll(t)
	p, info, view := pod("p", "1", "1Gi"), c.info("n"), c.model.View()
	node, one := view.Node("n"), c.newcomer(p)
	asked := c.askOf(p)
	if allocs := testing.AllocsPerRun(100, func() { c.scoreOf(&view, node, info, asked, one) }); allocs > 0 {
		t.Errorf("%v allocations", allocs)
	}
}

// Nodes where nothing is at stake are told apart by how much of them is in use, a bit:
// kube-scheduler breaks no ties.
func TestPlainPodsAreSharedByNodesThatAreAlike(t *testing.T) {
	c := newCluster(t, args(byLoss), "a", "b")
	c.use("a", 0.5, gi)
	c.use("b", 0.5, gi)
	c.poll(t)
	placed := map[string]int{}
	for i := range 8 {
		p := pod(fmt.Sprint("p", i), "500m", "1Gi")
		got := c.schedule(t, p)
		best := "a"
		if got["b"].score > got["a"].score {
			best = "b"
		}
		placed[best]++
		c.model.Reserve(p, best)
	}
	if placed["a"] < 2 || placed["b"] < 2 {
		t.Errorf("of 8 pods %v are on each of two nodes that are alike", placed)
	}
	c.use("a", 1.5, gi)
	c.clock.Step(time.Minute)
	c.poll(t)
	if got := c.schedule(t, pod("q", "10m", "1Mi")); got["b"].score-got["a"].score > 3 {
		t.Errorf("a tenth more in use costs %v points", got)
	}
}
