package devicefit

import (
	"fmt"
	"strconv"
	"testing"

	v1 "k8s.io/api/core/v1"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework"
	st "k8s.io/kubernetes/pkg/scheduler/testing"
)

const benchNodes = 5_000

// newBenchNodes returns a cluster in which every second node has devices.
func newBenchNodes(t testing.TB) []fwk.NodeInfo {
	nodes := make([]fwk.NodeInfo, benchNodes)
	for i := range nodes {
		capacity := resources{"cpu": "64", "memory": "256Gi", "hugepages-1Gi": "0", "hugepages-2Mi": "0"}
		requests := resources{"cpu": "1"}
		if i%2 == 0 {
			capacity[gpu], capacity[fpga] = "8", "2"
			requests[gpu] = strconv.Itoa(i % 9)
		}
		nodes[i] = newNode(t, fmt.Sprintf("node-%d", i), capacity, requests)
	}
	return nodes
}

type scoreCase struct {
	name, args string
	pod        *v1.Pod
}

func scoreCases() []scoreCase {
	device := st.MakePod().Req(resources{"cpu": "4", gpu: "1", fpga: "1"}).Obj()
	plain := st.MakePod().Req(resources{"cpu": "1"}).Obj()
	const patterns = `{"resources": ["nvidia.com/*", "amd.com/gpu", "xilinx.com/*"]}`
	return []scoreCase{
		{"device pod", `{}`, device},
		{"plain pod", `{}`, plain},
		{"plain pod, three patterns", patterns, plain},
		{"plain pod, wildcards", `{"resources": ["nvidia.com/g*", "xilinx.com/f???"]}`, plain},
	}
}

// scorer returns a function that scores all nodes once, through the interfaces
// and with the CycleState that the framework uses.
func (c scoreCase) scorer(t testing.TB, nodes []fwk.NodeInfo) func() {
	plugin, err := New(t.Context(), rawArgs(c.args), mustProfile(t, c.args))
	if err != nil {
		t.Fatal(err)
	}
	var state fwk.CycleState = framework.NewCycleState()
	for i := range 10 { // other plugins keep theirs there, too
		state.Write(fwk.StateKey(strconv.Itoa(i)), &demand{})
	}
	ctx := t.Context()
	if status := plugin.(fwk.PreScorePlugin).PreScore(ctx, state, c.pod, nodes); !status.IsSuccess() {
		t.Fatal(status)
	}
	score := plugin.(fwk.ScorePlugin)
	return func() {
		for _, node := range nodes {
			if _, status := score.Score(ctx, state, c.pod, node); !status.IsSuccess() {
				t.Fatal(status)
			}
		}
	}
}

func TestScoreDoesNotAllocate(t *testing.T) {
	nodes := newBenchNodes(t)
	for _, c := range scoreCases() {
		t.Run(c.name, func(t *testing.T) {
			// Goroutines of the framework allocate now and then, and are counted.
			// An allocation of Score shows on each node, or on each with devices.
			if allocs := testing.AllocsPerRun(3, c.scorer(t, nodes)); allocs > benchNodes/100 {
				t.Errorf("%v allocations to score %d nodes, want none", allocs, len(nodes))
			}
		})
	}
}

// One operation scores one pod on 5,000 nodes.
func BenchmarkScore(b *testing.B) {
	nodes := newBenchNodes(b)
	for _, c := range scoreCases() {
		b.Run(c.name, func(b *testing.B) {
			score := c.scorer(b, nodes)
			b.ReportAllocs()
			for b.Loop() {
				score()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchNodes, "ns/node")
		})
	}
}

func BenchmarkSignPod(b *testing.B) {
	plugin, err := New(b.Context(), rawArgs(`{}`), mustProfile(b, `{}`))
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range scoreCases()[:2] {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, status := plugin.(fwk.SignPlugin).SignPod(b.Context(), c.pod); !status.IsSuccess() {
					b.Fatal(status)
				}
			}
		})
	}
}
