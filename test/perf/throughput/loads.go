package throughput

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"sync"
	"time"

	"github.com/francoispqt/gojay"
	"github.com/paypal/load-watcher/pkg/watcher"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load"
)

const (
	// Allocatable of a node, as in workloads/node.yaml.
	nodeCores  = 64
	nodeMemory = 512 << 30
	// resolution is metrics-server's, and how often Plimsoll polls by default.
	resolution = 15 * time.Second
)

func nodeName(i int) string { return fmt.Sprint("node-", i) }

// share returns what share of its cores and memory node i uses at a moment: its
// CPU use swings with a period of ten minutes by up to 25 percent points
// around a mean of 10 to 70 %, so that 3 % of the nodes, always others, are
// over the line at 75 %.
func share(i int, at time.Time) (cpu, memory float64) {
	const period = 10 * time.Minute
	mean := 0.10 + 0.60*fraction(i, 0.6180339887) // spread evenly by the golden ratio
	swing := 0.25 * fraction(i, 0.7548776662)     // and independently by the plastic number
	phase := float64(at.UnixNano()%period.Nanoseconds())/float64(period) + fraction(i, 0.5698402910)
	return math.Max(0.02, mean+swing*math.Sin(2*math.Pi*phase)), 0.2 + 0.4*fraction(i, 0.8191725134)
}

// fraction returns the fractional part of i times step: for an irrational step
// these are evenly spread over 0 to 1.
func fraction(i int, step float64) float64 { return math.Mod(float64(i)*step, 1) }

// Loads is a load.Source that gives every node a changing load, as if
// metrics-server had measured it.
type Loads struct {
	// Nodes is how many there are.
	Nodes int

	mu  sync.Mutex
	lag time.Duration
}

// Replay makes the source say what it would have said that long ago.
func (l *Loads) Replay(lag time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lag = lag
}

// Poll implements load.Source.
func (l *Loads) Poll(context.Context) ([]load.Reading, error) {
	l.mu.Lock()
	at := time.Now().Add(-l.lag)
	l.mu.Unlock()
	readings := make([]load.Reading, l.Nodes)
	for i := range readings {
		cpu, memory := share(i, at)
		readings[i] = load.Reading{Node: nodeName(i), Timestamp: at, Window: resolution}
		readings[i].Usage[amount.CPU] = cpu * nodeCores
		readings[i].Usage[amount.Memory] = memory * nodeMemory
	}
	return readings, nil
}

// serveWatcher answers as load-watcher does, from which Trimaran's plugins read
// the load of nodes.
func (l *Loads) serveWatcher(w http.ResponseWriter, _ *http.Request) {
	now := time.Now()
	metrics := watcher.WatcherMetrics{
		Timestamp: now.Unix(), Source: "benchmark",
		Window: watcher.Window{Duration: watcher.FifteenMinutes, Start: now.Add(-15 * time.Minute).Unix(), End: now.Unix()},
		Data:   watcher.Data{NodeMetricsMap: make(watcher.NodeMetricsMap, l.Nodes)},
	}
	for i := range l.Nodes {
		cpu, memory := share(i, now)
		metrics.Data.NodeMetricsMap[nodeName(i)] = watcher.NodeMetrics{Metrics: []watcher.Metric{
			{Type: watcher.CPU, Operator: watcher.Average, Value: 100 * cpu},
			{Type: watcher.Memory, Operator: watcher.Average, Value: 100 * memory},
		}}
	}
	body, err := gojay.MarshalJSONObject(&metrics)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(body) // who does not listen any more needs no answer
}
