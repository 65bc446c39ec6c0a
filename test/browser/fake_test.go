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

	mu        sync.Mutex
	nodes     []status.Node
	decisions []explain.Summary
}

// newFake returns a leader of so many nodes of all kinds: idle and busy, over the line,
// stale, with devices and without.
func newFake(t *testing.T, nodes int) *fake {
	t.Helper()
	f := &fake{decisions: madeUpDecisions()}
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
	mux.HandleFunc(status.PodsPath, func(w http.ResponseWriter, r *http.Request) {
		_ = json.NewEncoder(w).Encode(status.Pods{Header: header(), Pods: madeUpPods(nodes, r.FormValue("node"))})
	})
	mux.HandleFunc(explain.Path, func(w http.ResponseWriter, r *http.Request) { f.explain(w, r.FormValue("pod")) })
	f.server = httptest.NewTLSServer(mux)
	t.Cleanup(f.server.Close)
	return f
}

// explain answers with all decisions, or with that on a pod.
func (f *fake) explain(w http.ResponseWriter, pod string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if pod == "" {
		_ = json.NewEncoder(w).Encode(map[string]any{"decisions": f.decisions})
		return
	}
	for i := range f.decisions {
		if d := &f.decisions[i]; d.Pod == pod {
			_ = json.NewEncoder(w).Encode(explain.Decision{Summary: *d, Nodes: []explain.Node{madeUpNumbers(i, d.Node)}})
			return
		}
	}
	w.WriteHeader(http.StatusNotFound)
	_ = json.NewEncoder(w).Encode(status.Failure{Error: "no decision on pod " + pod})
}

// wait has pods wait, which the API server knows.
func (f *fake) wait(t *testing.T, names ...string) {
	t.Helper()
	for i, name := range names {
		pod := createPod(t, name, "24")
		t.Cleanup(func() { deletePod(t, name) })
		since := time.Now().Add(-time.Duration(i*i+1) * 97 * time.Second)
		f.mu.Lock()
		f.decisions = append(f.decisions, explain.Summary{
			Pod: pod.Namespace + "/" + pod.Name, UID: pod.UID, Profile: "plimsoll", Time: time.Now(), Result: explain.Waits, WaitsSince: &since,
			WaitsFor:   "the predicted use of one of 412 node(s) to fall below its line; closest is gpu-pool-b-013, whose cpu has to fall by 1.30 cores (2.0 % of allocatable): with the pod it is predicted at 49.3 cores, and the line is at 48.0 cores",
			Considered: 750, Rejected: map[string]int{"node(s) over the cpu load line": 412},
		})
		f.mu.Unlock()
	}
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

// madeUpPods returns three pods on each node, or on the one that is named.
func madeUpPods(nodes int, node string) []status.Pod {
	pods := []status.Pod{}
	for i := range 3 * nodes {
		if node != "" && node != madeUp(i%nodes).Name {
			continue
		}
		pods = append(pods, status.Pod{
			Namespace: "research", Name: fmt.Sprintf("train-%04d", i), Node: madeUp(i % nodes).Name, Phase: "Measured", Seen: true,
			CPU: status.Expected{Requested: 4, Expected: 3.2}, Memory: status.Expected{Requested: 16 * gib, Expected: 9 * gib},
		})
	}
	return pods
}

func madeUpDecisions() []explain.Summary {
	decisions := []explain.Summary{}
	now := time.Now()
	for i := range 30 {
		d := explain.Summary{
			Pod: fmt.Sprintf("research/train-%04d", i), UID: types.UID(fmt.Sprint(i)), Profile: "plimsoll", Time: now.Add(-time.Duration(i*i) * 3 * time.Second),
			Result: explain.Placed, Node: madeUp(i).Name, Considered: 1000,
		}
		if i%5 == 1 {
			d.Result, d.Node, d.Rejected = explain.Waits, "", map[string]int{"node(s) over the cpu load line": 1000}
			d.WaitsFor = "the predicted use of one of 1000 node(s) to fall below its line"
		}
		decisions = append(decisions, d)
	}
	return decisions
}

// madeUpNumbers are those of the node that the i-th decision chose.
func madeUpNumbers(i int, node string) explain.Node {
	score, fit := int64(60+i), int64(50-i)
	cpu := explain.Load{Measured: 20 + float64(i), Estimate: 4, Predicted: 24 + float64(i), ThresholdPercent: 85, Threshold: 54.4}
	memory := explain.Load{Measured: 100 * gib, Estimate: 8 * gib, Predicted: 108 * gib, ThresholdPercent: 85, Threshold: 435 * gib}
	return explain.Node{
		Name: node, State: "Fresh", Load: &explain.Loads{CPU: cpu, Memory: memory},
		NodeLoad: explain.Outcome{Score: &score}, DeviceFit: explain.Outcome{Score: &fit}, Fragmentation: &explain.Fragmentation{Before: 1, After: 1.5},
	}
}
