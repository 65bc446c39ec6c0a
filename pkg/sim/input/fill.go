package input

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/plimsoll-scheduler/plimsoll/pkg/sim"
)

// Filling says how a cluster is filled up: pods come one after another, and none
// goes.
type Filling struct {
	// Ask is how many devices the pods ask for, as a part of all.
	Ask float64
	// Hot is the part of the nodes that are hot: something beside the pods uses
	// between HotFrom and HotTo of their CPU.
	Hot, HotFrom, HotTo float64
	// Use is what pods use of the CPU that they request.
	Use float64
}

// arrivalStep is the time between two pods. What most pods use is measured by the time
// that others come: ten a second would be a test of how those count of which nothing is
// measured.
const arrivalStep = time.Second

// firstArrival leaves time for the nodes to be measured.
const firstArrival = time.Minute

// Fill fills the nodes with the pods of the list in their order, and from the beginning
// again when all have come. Nodes and list may be used for several scenarios.
func (l *PodList) Fill(nodes []*v1.Node, f Filling, seed uint64) (*sim.Scenario, error) {
	return f.fill(slices.Clone(nodes), l.shapes, seed)
}

// FillSynthetic fills a generated cluster (see Synthetic).
func FillSynthetic(count int, f Filling, seed uint64) (*sim.Scenario, error) {
	return f.fill(generateNodes(count), generateShapes(rand.New(rand.NewPCG(seed, 2))), seed)
}

// fill makes the scenario. The seed gives the order of the nodes, by which ties
// are broken, and which of them are hot.
func (f *Filling) fill(nodes []*v1.Node, shapes []shape, seed uint64) (*sim.Scenario, error) {
	if !(f.Ask > 0 && f.Ask <= 10) {
		return nil, fmt.Errorf("pods that ask for %v of all devices: must be above 0, and at most 10", f.Ask)
	}
	random := rand.New(rand.NewPCG(seed, 3))
	random.Shuffle(len(nodes), func(i, j int) { nodes[i], nodes[j] = nodes[j], nodes[i] })
	s := &sim.Scenario{Name: "fill", Nodes: nodes, Seed: seed, Metrics: sim.DefaultMetricsServer(), Background: map[string]sim.Background{}}
	for _, node := range nodes {
		part := f.HotFrom + (f.HotTo-f.HotFrom)*random.Float64()
		if random.Float64() < f.Hot {
			s.Background[node.Name] = sim.Background{CPU: part * node.Status.Allocatable.Cpu().AsApproximateFloat64()}
		}
	}
	total := float64(devicesOf(nodes))
	asked := int64(0)
	at := firstArrival
	for i := 0; float64(asked) < f.Ask*total; i++ {
		if i >= maxPods {
			return nil, fmt.Errorf("%d pods do not ask for %v of all devices: nearly none asks for any", maxPods, f.Ask)
		}
		shape := shapes[i%len(shapes)]
		asked += shape.devices
		w := workload{shape: shape, set: replicaSet(i), requests: shape.requests(), limits: shape.limits()}
		s.Pods = append(s.Pods, sim.Pod{
			Object: w.object(), Arrival: at,
			Use: sim.Use{Base: f.Use * float64(shape.cpu) / 1000, Memory: shape.memory / 2},
		})
		at += arrivalStep
	}
	s.MeasureFrom, s.End = at, at+time.Minute
	return s, nil
}

func (s *shape) requests() v1.ResourceList {
	requests := v1.ResourceList{
		v1.ResourceCPU:    *resource.NewMilliQuantity(s.cpu, resource.DecimalSI),
		v1.ResourceMemory: *resource.NewQuantity(s.memory, resource.BinarySI),
	}
	if s.devices > 0 {
		requests[gpu] = *resource.NewQuantity(s.devices, resource.DecimalSI)
	}
	return requests
}

// limits returns those of the devices, which must be as the requests.
func (s *shape) limits() v1.ResourceList {
	if s.devices == 0 {
		return nil
	}
	return v1.ResourceList{gpu: *resource.NewQuantity(s.devices, resource.DecimalSI)}
}
