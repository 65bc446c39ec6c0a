package input

import (
	"fmt"
	"math/rand/v2"

	v1 "k8s.io/api/core/v1"

	"github.com/plimsoll-scheduler/plimsoll/pkg/sim"
)

// Synthetic generates a cluster, and the pods that the model has come to it. It
// resembles clusters with GPUs in its proportions, and is no copy of any.
func Synthetic(m Model, seed uint64) (*sim.Scenario, error) {
	if err := m.validate(); err != nil {
		return nil, err
	}
	random := rand.New(rand.NewPCG(seed, 2))
	return m.populate("generated", generateNodes(m.Nodes), generateShapes(random), generateSeries(random), seed)
}

// generateNodes returns nodes of four kinds, mixed in equal measure throughout.
func generateNodes(count int) []*v1.Node {
	kinds := []struct {
		part                     int // of 20
		cores, gibibytes, device int64
		model                    string
	}{
		{9, 96, 384, 8, "A"},
		{7, 104, 512, 2, "B"},
		{3, 16, 120, 2, "C"},
		{1, 64, 256, 0, ""},
	}
	var round []int
	for kind := range kinds {
		for range kinds[kind].part {
			round = append(round, kind)
		}
	}
	nodes := make([]*v1.Node, count)
	for i := range nodes {
		k := kinds[round[i*7%len(round)]] // 7 and 20 have no common divisor: all come, well mixed
		nodes[i] = newNode(fmt.Sprintf("node-%04d", i), k.cores*1000, k.gibibytes<<30, k.device, k.model)
	}
	return nodes
}

// generateShapes returns what pods request: most one device with some cores,
// few several, and one in eight none.
func generateShapes(random *rand.Rand) []shape {
	shapes := make([]shape, 2000)
	for i := range shapes {
		cores := []int64{2, 4, 4, 6, 8, 8, 10, 12, 16}[random.IntN(9)]
		devices := int64(1)
		switch p := random.Float64(); {
		case p < 0.125:
			devices = 0
		case p < 0.135:
			devices, cores = 2, 2*cores
		case p < 0.145:
			devices, cores = 4, 24+4*cores/2
		case p < 0.15:
			devices, cores = 8, 48+4*cores/2
		}
		shapes[i] = shape{cpu: cores * 1000, memory: cores * []int64{2, 3, 4}[random.IntN(3)] << 30, devices: devices}
	}
	return shapes
}
