package browser

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/plimsoll-scheduler/plimsoll/pkg/explain"
	"github.com/plimsoll-scheduler/plimsoll/pkg/status"
)

const gib = 1 << 30

// fake is a leader of a cluster that is made up.
type fake struct {
	server *httptest.Server

	mu    sync.Mutex
	nodes []status.Node
}

// newFake returns a leader of so many nodes of all kinds: idle and busy, over the line,
// stale, with devices and without.
func newFake(t *testing.T, nodes int) *fake {
	t.Helper()
	f := &fake{}
	for i := range nodes {
		f.nodes = append(f.nodes, madeUp(i))
	}
	mux := http.NewServeMux()
	serve := func(path string, body func() any) {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(body())
		})
	}
	serve(status.ProfilePath, func() any { return header() })
	serve(status.NodesPath, func() any {
		f.mu.Lock()
		defer f.mu.Unlock()
		return status.Nodes{Header: header(), Nodes: f.nodes}
	})
	serve(status.PodsPath, func() any { return status.Pods{Header: header(), Pods: madeUpPods(nodes)} })
	serve(explain.Path, func() any { return map[string]any{"decisions": madeUpDecisions()} })
	f.server = httptest.NewTLSServer(mux)
	t.Cleanup(f.server.Close)
	return f
}

// change changes a node.
func (f *fake) change(i int, change func(*status.Node)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(&f.nodes[i])
}

func header() status.Header {
	return status.Header{Version: "v0.1.0", Time: time.Now(), Profile: "plimsoll", Profiles: []string{"plimsoll", "batch"}}
}

// setUse has the node use a part of its CPU, of which a part is in flight.
func setUse(n *status.Node, measured, inFlight float64) {
	const line = 85
	use := status.Use{Measured: measured * n.CPU.Allocatable, InFlight: inFlight * n.CPU.Allocatable, LinePercent: line}
	use.Predicted, use.Line = use.Measured+use.InFlight, line*n.CPU.Allocatable/100
	use.Headroom = use.Line - use.Predicted
	n.CPU.Use, n.Over = &use, ""
	if use.Headroom < 0 {
		n.Over = "cpu"
	}
}

// madeUp returns the i-th node.
func madeUp(i int) status.Node {
	age := float64(3 + i%12)
	n := status.Node{
		Name: fmt.Sprintf("gpu-pool-%c-%03d", 'a'+i%3, i), State: "Fresh", SampleAgeSeconds: &age, Pods: 4 + i%20,
		CPU:    status.Amounts{Allocatable: 64, Requested: 40},
		Memory: status.Amounts{Allocatable: 512 * gib, Requested: 200 * gib},
	}
	setUse(&n, float64((i*37)%88)/100, float64((i%4)*(i%5))/100)
	memory := float64((i*53)%70) / 100 * 512 * gib
	n.Memory.Use = &status.Use{Measured: memory, Predicted: memory, LinePercent: 85, Line: 0.85 * 512 * gib, Headroom: 0.85*512*gib - memory}
	if i%4 != 3 {
		used := int64(i*7%9) % 9
		gpus := status.Devices{Resource: gpu, Allocatable: 8, Used: used, Free: 8 - used}
		if n.Over != "" {
			gpus.Starved = used / 3
		}
		if i%6 == 0 {
			gpus.Stranded = float64(gpus.Free) / 2
		}
		n.Devices = []status.Devices{gpus}
	}
	switch {
	case i%61 == 60:
		stale := 140.0
		n.State, n.SampleAgeSeconds = "Stale", &stale
	case i%97 == 96:
		n.State, n.SampleAgeSeconds, n.CPU.Use, n.Memory.Use, n.Over = "Missing", nil, nil, nil, ""
	case i%89 == 88:
		n.Unschedulable = true
	}
	return n
}

func madeUpPods(nodes int) []status.Pod {
	pods := []status.Pod{}
	for i := range 3 * nodes {
		pods = append(pods, status.Pod{
			Namespace: "research", Name: fmt.Sprintf("train-%04d", i), Node: madeUp(i % nodes).Name, Phase: "Measured", Seen: true,
			CPU: status.Expected{Requested: 4, Expected: 3.2}, Memory: status.Expected{Requested: 16 * gib, Expected: 9 * gib},
		})
	}
	return pods
}

func madeUpDecisions() []explain.Summary {
	decisions := []explain.Summary{}
	for i := range 30 {
		d := explain.Summary{
			Pod: fmt.Sprintf("research/train-%04d", i), UID: types.UID(fmt.Sprint(i)), Profile: "plimsoll", Time: time.Now().Add(-time.Duration(i) * 7 * time.Second).Truncate(time.Minute),
			Result: explain.Placed, Node: madeUp(i).Name, Considered: 100,
		}
		if i%5 == 1 {
			d.Result, d.Node, d.Rejected = explain.Waits, "", map[string]int{"node(s) over the cpu load line": 100}
			d.WaitsFor = "the predicted use of one of 100 node(s) to fall below its line"
		}
		decisions = append(decisions, d)
	}
	return decisions
}
