package devicefit

import (
	"sync"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/component-base/metrics"
	fwk "k8s.io/kube-scheduler/framework"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/device"
	"github.com/plimsoll-scheduler/plimsoll/pkg/fragmentation"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load"
)

// Metrics are DeviceFit's metrics, of all profiles. Labels are bounded by the
// number of profiles and of kinds of device.
type Metrics struct {
	inUse, starved, free, fragmented, stranded *metrics.GaugeVec
	resources                                  *device.Metrics
}

// NewMetrics returns metrics that are not registered yet.
func NewMetrics() *Metrics {
	gauge := func(name, help string) *metrics.GaugeVec {
		return metrics.NewGaugeVec(&metrics.GaugeOpts{
			Namespace: "plimsoll", Name: "devices_" + name, Help: help + ", by profile and resource.", StabilityLevel: metrics.ALPHA,
		}, []string{"profile", "resource"})
	}
	return &Metrics{
		inUse:   gauge("in_use", "Healthy devices that pods have asked for, at one of the last scheduling cycles"),
		starved: gauge("starved", "Devices in use on nodes of whose CPU 90 % or more is used, by the newest sample, so that their pods may get less than they would use"),
		free:    gauge("free", "Devices that no pod has asked for, at one of the last scheduling cycles"),
		fragmented: gauge("fragmented",
			"Free devices of no use to the pods that the cluster typically runs, because of their count, or of the CPU or memory left for requests"),
		stranded:  gauge("stranded", "Free devices of no further use to those pods because the node is too loaded to feed them"),
		resources: device.NewMetrics(),
	}
}

// All returns the metrics, to be registered.
func (m *Metrics) All() []metrics.Registerable {
	return append(m.resources.All(), m.inUse, m.starved, m.free, m.fragmented, m.stranded)
}

// profile returns the metrics of one profile.
func (m *Metrics) profile(name string) *gauges {
	return &gauges{metrics: m, name: name, kinds: map[v1.ResourceName]bool{}}
}

// gauges are the metrics of one profile.
type gauges struct {
	metrics *Metrics
	name    string

	mu     sync.Mutex
	looked time.Time                // when the nodes were looked at
	nodes  []deviceNode             // those with devices, as they were then
	stocks []device.Stock           // of the nodes, one after another
	kinds  map[v1.ResourceName]bool // that have gauges
}

// deviceNode is a node with devices.
type deviceNode struct {
	name        string
	unrequested amount.Vector
	stocks      int // how many of gauges.stocks are its own
}

// tally is the devices of one kind.
type tally struct{ inUse, starved, free, fragmented, stranded float64 }

// set sets the gauges, and drops those of kinds that are gone.
func (g *gauges) set(tallies map[v1.ResourceName]*tally) {
	m := g.metrics
	vectors := []*metrics.GaugeVec{m.inUse, m.starved, m.free, m.fragmented, m.stranded}
	for kind := range g.kinds {
		if tallies[kind] == nil {
			for _, vector := range vectors {
				vector.Delete(map[string]string{"profile": g.name, "resource": string(kind)})
			}
			delete(g.kinds, kind)
		}
	}
	for kind, t := range tallies {
		g.kinds[kind] = true
		for i, value := range []float64{t.inUse, t.starved, t.free, t.fragmented, t.stranded} {
			vectors[i].WithLabelValues(g.name, string(kind)).Set(value)
		}
	}
}

// looksEvery is how often the nodes are looked at. That takes as long as scoring them.
const looksEvery = 15 * time.Second

// countDevices counts the devices of all nodes, if that was not done of late. It is
// part of a scheduling cycle because the nodes, as the scheduler sees them, may be
// looked at only there.
func (pl *DeviceFit) countDevices(c *cycle) {
	g := pl.metrics
	g.mu.Lock()
	defer g.mu.Unlock()
	if c.view.Now.Sub(g.looked) < looksEvery {
		return
	}
	nodes, err := pl.handle.SnapshotSharedLister().NodeInfos().List()
	if err != nil {
		return // there is none in this cycle; the next one tries again
	}
	g.looked = c.view.Now
	g.look(nodes, pl.devices.View()) // without devices that are away
	pl.tallyDevices()
}

// look notes the nodes with devices.
func (g *gauges) look(nodes []fwk.NodeInfo, devices device.View) {
	g.nodes, g.stocks = g.nodes[:0], g.stocks[:0]
	for _, nodeInfo := range nodes {
		before := len(g.stocks)
		g.stocks, _ = devices.AppendStocks(g.stocks, nodeInfo)
		if count := len(g.stocks) - before; count > 0 {
			_, unrequested := roomOf(nodeInfo)
			g.nodes = append(g.nodes, deviceNode{nodeInfo.Node().Name, unrequested, count})
		}
	}
}

// recountDevices counts them anew when load may have changed, whether pods are
// scheduled or not. Those that a scheduling cycle found are taken to be there still.
func (pl *DeviceFit) recountDevices() {
	pl.metrics.mu.Lock()
	defer pl.metrics.mu.Unlock()
	if len(pl.metrics.nodes) > 0 && pl.metrics.metrics.free.IsCreated() {
		pl.tallyDevices()
	}
}

func (pl *DeviceFit) tallyDevices() {
	view, mix, rule := pl.model.View(), pl.learner.Mix(), pl.rule
	rule.Largest = view.Largest()
	tallies := map[v1.ResourceName]*tally{}
	stocks := pl.metrics.stocks
	for i := range pl.metrics.nodes {
		of := &pl.metrics.nodes[i]
		node := view.Node(of.name)
		left := remains{Node: fragmentation.Node{Devices: stocks[:of.stocks]}}
		left.Unrequested, stocks = of.unrequested, stocks[of.stocks:]
		pl.measure(&left, &view, &rule, node)
		starves := starves(&view, node)
		for j := range left.Devices {
			kind := left.Devices[j].Name
			if tallies[kind] == nil {
				tallies[kind] = &tally{}
			}
			tallies[kind].add(mix.Shapes(kind), &left.Node, j, starves)
		}
	}
	pl.metrics.set(tallies)
}

// add counts the node's i-th kind of device.
func (t *tally) add(shapes []fragmentation.Shape, node *fragmentation.Node, i int, starves bool) {
	stock := &node.Devices[i]
	inUse := float64(min(stock.Requested, stock.Allocatable))
	t.inUse += inUse
	if starves {
		t.starved += inUse
	}
	unloaded := *node
	unloaded.Headroom = fragmentation.Unlimited()
	fragmented := fragmentation.Of(shapes, &unloaded, i)
	t.free += float64(stock.Free())
	t.fragmented += fragmented
	t.stranded += fragmentation.Of(shapes, node, i) - fragmented
}

// starves reports whether the devices of a node that are in use may get less CPU than
// they need: little is left of it.
func starves(view *load.View, node *load.Node) bool { return view.Short(node)[amount.CPU] }
