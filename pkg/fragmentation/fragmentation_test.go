package fragmentation

import (
	"math"
	mathrand "math/rand"
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"testing"
	"testing/quick"

	v1 "k8s.io/api/core/v1"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/device"
)

const (
	gpu v1.ResourceName = "nvidia.com/gpu"
	nic v1.ResourceName = "rdma/hca"
	mig v1.ResourceName = "nvidia.com/mig-1g.5gb"
)

// sample is a node and a mix, with amounts so small that shapes often just fit
// or just do not.
type sample struct {
	node Node
	mix  Mix
}

// Generate implements quick.Generator.
func (sample) Generate(seed *mathrand.Rand, _ int) reflect.Value {
	random := rand.New(rand.NewPCG(seed.Uint64(), 1))
	kinds := []v1.ResourceName{gpu, nic, mig}
	amounts := func() amount.Vector { return amount.Vector{random.Int64N(5), random.Int64N(5)} }
	s := sample{mix: Mix{kinds: map[v1.ResourceName][]Shape{}}}
	s.node.Unrequested = amounts().Sub(amount.Vector{1, 1}) // requested may be more than is allocatable
	s.node.Headroom = amounts().Sub(amount.Vector{2, 2})
	if random.IntN(3) == 0 {
		s.node.Headroom = Unlimited()
	}
	s.node.Most = amounts()
	for _, kind := range kinds[:1+random.IntN(3)] {
		s.node.Devices = append(s.node.Devices, device.Stock{Name: kind, Allocatable: random.Int64N(9), Requested: random.Int64N(9)})
	}
	for _, kind := range kinds[:2] { // mig is of the other shapes
		s.mix.kinds[kind] = randomShapes(random, kind, kinds)
	}
	s.mix.other = randomShapes(random, "", nil)
	return reflect.ValueOf(s)
}

func randomShapes(random *rand.Rand, kind v1.ResourceName, kinds []v1.ResourceName) []Shape {
	shapes := make([]Shape, 1+random.IntN(6))
	total := 0.0
	for i := range shapes {
		s := &shapes[i]
		s.Count, s.Weight = 1+random.Int64N(8), random.Float64()
		s.Requests = amount.Vector{random.Int64N(4), random.Int64N(4)}
		s.Use = amount.Vector{random.Int64N(4), random.Int64N(4)}
		for _, other := range kinds {
			if other != kind && random.IntN(4) == 0 {
				s.Others = append(s.Others, device.Request{Name: other, Count: 1 + random.Int64N(3)})
			}
		}
		total += s.Weight
	}
	for i := range shapes {
		shapes[i].Weight /= total
	}
	return shapes
}

// bruteForce takes the definition at its word: it goes through the free devices
// of the kind one by one, and asks of each how likely a pod drawn from the mix
// cannot take it, by listing all that such a pod needs, and all there is.
func bruteForce(m *Mix, n *Node, kind v1.ResourceName) float64 {
	have := map[string]int64{}
	for r := range amount.NumResources {
		have["requests of "+string(r.Name())] = n.Unrequested[r]
		have["use of "+string(r.Name())] = n.Headroom[r]
	}
	for _, d := range n.Devices {
		have[string(d.Name)] = d.Allocatable - d.Requested
	}
	fits := func(s Shape) bool {
		need := map[string]int64{string(kind): s.Count}
		for r := range amount.NumResources {
			need["requests of "+string(r.Name())] = s.Requests[r]
			need["use of "+string(r.Name())] = min(s.Use[r], n.Most[r])
		}
		for _, other := range s.Others {
			need[string(other.Name)] = other.Count
		}
		for what, amount := range need {
			if amount > 0 && have[what] < amount {
				return false
			}
		}
		return true
	}
	fragments := 0.0
	for free := have[string(kind)]; free > 0; free-- {
		for _, s := range m.Shapes(kind) {
			if !fits(s) {
				fragments += s.Weight
			}
		}
	}
	return fragments
}

func TestOfIsItsDefinition(t *testing.T) {
	hosted, cannot := 0, 0
	check := func(s sample) bool {
		for i := range s.node.Devices {
			kind := s.node.Devices[i].Name
			got, want := Of(s.mix.Shapes(kind), &s.node, i), bruteForce(&s.mix, &s.node, kind)
			if math.Abs(got-want) > 1e-9 || got < 0 || got > float64(s.node.Devices[i].Free())+1e-9 {
				t.Errorf("%s on %+v with %+v: %v, want %v", kind, s.node, s.mix, got, want)
				return false
			}
			if want < float64(s.node.Devices[i].Free()) {
				hosted++
			} else if want > 0 {
				cannot++
			}
		}
		return true
	}
	if err := quick.Check(check, &quick.Config{MaxCount: 5000}); err != nil {
		t.Error(err)
	}
	if hosted < 100 || cannot < 100 {
		t.Errorf("the samples are of one sort: %d nodes could host a shape, %d could host none", hosted, cannot)
	}
}

// What a pod takes never makes a node host a shape that it could not before,
// and more headroom never makes a device useless.
func TestOfGrowsWithWhatIsTaken(t *testing.T) {
	check := func(s sample, cpu, memory uint8) bool {
		taken := amount.Vector{int64(cpu % 4), int64(memory % 4)}
		for i := range s.node.Devices {
			shapes := s.mix.Shapes(s.node.Devices[i].Name)
			after, idle := s.node, s.node
			after.Room = s.node.Without(taken, taken)
			idle.Headroom = Unlimited()
			if Of(shapes, &after, i) < Of(shapes, &s.node, i)-1e-9 || Of(shapes, &idle, i) > Of(shapes, &s.node, i)+1e-9 {
				return false
			}
		}
		return true
	}
	if err := quick.Check(check, &quick.Config{MaxCount: 2000}); err != nil {
		t.Error(err)
	}
}

func TestOf(t *testing.T) {
	const gi = 1 << 30
	pod := func(count, cpu, memory int64) Shape {
		amounts := amount.Vector{cpu, memory}
		return Shape{Count: count, Requests: amounts, Use: amounts, Weight: 0.5}
	}
	small, large := pod(1, 1000, gi), pod(8, 8000, 8*gi)
	roomy := Room{Unrequested: amount.Vector{64000, 256 * gi}, Headroom: amount.Vector{64000, 256 * gi}, Most: Unlimited()}
	room := func(unrequested, headroom amount.Vector) Room {
		return Room{Unrequested: unrequested, Headroom: headroom, Most: roomy.Most}
	}
	gpus := func(allocatable, requested int64) []device.Stock {
		return []device.Stock{{Name: gpu, Allocatable: allocatable, Requested: requested}}
	}
	tests := []struct {
		name string
		node Node
		want float64
	}{
		{"all of use", Node{roomy, gpus(8, 0)}, 0},
		{"too few for the large pod", Node{roomy, gpus(8, 1)}, 3.5},
		{"none free", Node{roomy, gpus(8, 8)}, 0},
		{"more in use than are healthy", Node{roomy, gpus(6, 8)}, 0},
		{"the device plugin restarts", Node{roomy, gpus(0, 4)}, 0},
		{"requests leave no CPU for the large pod", Node{room(amount.Vector{7999, 256 * gi}, roomy.Headroom), gpus(8, 0)}, 4},
		{"requests leave no CPU", Node{room(amount.Vector{999, 256 * gi}, roomy.Headroom), gpus(8, 0)}, 8},
		{"requests leave no memory", Node{room(amount.Vector{64000, gi - 1}, roomy.Headroom), gpus(8, 0)}, 8},
		{"more is requested than there is", Node{room(amount.Vector{-1, -1}, roomy.Headroom), gpus(8, 0)}, 8},
		{"load leaves no CPU for the large pod", Node{room(roomy.Unrequested, amount.Vector{7999, 256 * gi}), gpus(8, 0)}, 4},
		{"load leaves no memory", Node{room(roomy.Unrequested, amount.Vector{64000, 0}), gpus(8, 0)}, 8},
		{"over the line", Node{room(roomy.Unrequested, amount.Vector{-5000, 256 * gi}), gpus(8, 0)}, 8},
		{"load leaves CPU for what the large pod counts for", Node{Room{roomy.Unrequested, amount.Vector{6000, 256 * gi}, amount.Vector{6000, 256 * gi}}, gpus(8, 0)}, 0},
		{"load not known", Node{room(roomy.Unrequested, Unlimited()), gpus(8, 0)}, 0},
		{"load not known, and requests leave no CPU", Node{room(amount.Vector{0, 0}, Unlimited()), gpus(8, 0)}, 8},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Of([]Shape{small, large}, &tt.node, 0); got != tt.want {
				t.Errorf("%v of %d free devices are fragments, want %v", got, tt.node.Devices[0].Free(), tt.want)
			}
		})
	}
}

// Who asks for none of a resource does not mind that it is overcommitted.
func TestWhoAsksForNothingIsFed(t *testing.T) {
	room := Room{Unrequested: amount.Vector{-1, -1}, Headroom: amount.Vector{-1, -1}, Most: Unlimited()}
	node := Node{room, []device.Stock{{Name: gpu, Allocatable: 1}}}
	if !room.Feeds(&amount.Vector{}) || Of([]Shape{{Count: 1, Weight: 1}}, &node, 0) != 0 {
		t.Error("a pod without requests and use is not fed")
	}
	for r := range amount.NumResources {
		var one amount.Vector
		one[r] = 1
		if room.Feeds(&one) {
			t.Errorf("a pod that uses %s is fed", r.Name())
		}
		for _, needs := range []Shape{{Count: 1, Weight: 1, Requests: one}, {Count: 1, Weight: 1, Use: one}} {
			if Of([]Shape{needs}, &node, 0) != 1 {
				t.Errorf("a pod that needs %s is fed: %+v", r.Name(), needs)
			}
		}
	}
}

func TestWithoutKeepsWhatIsNotKnown(t *testing.T) {
	room := Room{Unrequested: amount.Vector{10, 20}, Headroom: Unlimited()}.Without(amount.Vector{1, 2}, amount.Vector{3, 4})
	if room.Unrequested != (amount.Vector{9, 18}) || room.Headroom != Unlimited() {
		t.Errorf("%+v", room)
	}
	room = Room{Unrequested: amount.Vector{10, 20}, Headroom: amount.Vector{3, 20}}.Without(amount.Vector{1, 2}, amount.Vector{5, 4})
	if room.Headroom != (amount.Vector{-2, 16}) {
		t.Errorf("headroom %v", room.Headroom)
	}
}

// A pod that needs a GPU and a NIC makes GPUs on a node without free NICs
// fragments, and NICs on a node without free GPUs.
func TestOfSeveralKinds(t *testing.T) {
	mix := Mix{kinds: map[v1.ResourceName][]Shape{
		gpu: {{Count: 1, Weight: 0.75}, {Count: 2, Others: []device.Request{{Name: nic, Count: 1}}, Weight: 0.25}},
		nic: {{Count: 1, Others: []device.Request{{Name: gpu, Count: 2}}, Weight: 1}},
	}}
	for _, tt := range []struct{ gpus, nics, wantGPU, wantNIC float64 }{
		{8, 1, 0, 0}, {8, 0, 2, 0}, {1, 2, 0.25, 2}, {0, 2, 0, 2},
	} {
		node := Node{Devices: []device.Stock{{Name: gpu, Allocatable: int64(tt.gpus)}, {Name: nic, Allocatable: int64(tt.nics)}}}
		gotGPU, gotNIC := Of(mix.Shapes(gpu), &node, 0), Of(mix.Shapes(nic), &node, 1)
		if gotGPU != tt.wantGPU || gotNIC != tt.wantNIC {
			t.Errorf("%v GPUs and %v NICs free: fragments %v and %v, want %v and %v", tt.gpus, tt.nics, gotGPU, gotNIC, tt.wantGPU, tt.wantNIC)
		}
	}
	// A node that has no NIC at all.
	node := Node{Devices: []device.Stock{{Name: gpu, Allocatable: 8}}}
	if got := Of(mix.Shapes(gpu), &node, 0); got != 2 {
		t.Errorf("no NICs: %v GPUs are fragments, want 2", got)
	}
}

func TestOfDoesNotAllocate(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	shapes := randomShapes(random, gpu, []v1.ResourceName{gpu, nic})
	node := Node{Room: Room{Headroom: Unlimited()}, Devices: []device.Stock{{Name: gpu, Allocatable: 8}}}
	if allocs := testing.AllocsPerRun(100, func() { Of(shapes, &node, 0) }); allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}

// One operation measures one kind of device of one node against a full mix.
func BenchmarkOf(b *testing.B) {
	for _, count := range []int{4, maxShapes} {
		b.Run(strconv.Itoa(count)+" shapes", func(b *testing.B) {
			shapes := slices.Repeat(defaultShapes(), count/4)
			node := Node{Room: Room{Unrequested: amount.Vector{64000, 1 << 38}, Headroom: Unlimited()}, Devices: []device.Stock{{Name: gpu, Allocatable: 8, Requested: 2}}}
			b.ReportAllocs()
			for b.Loop() {
				Of(shapes, &node, 0)
			}
		})
	}
}
