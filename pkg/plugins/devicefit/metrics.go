package devicefit

import (
	"sync"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/component-base/metrics"

	"github.com/plimsoll-scheduler/plimsoll/pkg/device"
	"github.com/plimsoll-scheduler/plimsoll/pkg/fragmentation"
	"github.com/plimsoll-scheduler/plimsoll/pkg/waiting"
)

// Metrics are DeviceFit's metrics, of all profiles. Labels are bounded by the
// number of profiles and of kinds of device.
type Metrics struct {
	free, fragmented, stranded *metrics.GaugeVec
	rejections                 *metrics.CounterVec
	waiting                    *waiting.Metrics
	resources                  *device.Metrics
}

const namespace = "plimsoll"

// NewMetrics returns metrics that are not registered yet.
func NewMetrics() *Metrics {
	gauge := func(name, help string) *metrics.GaugeVec {
		return metrics.NewGaugeVec(&metrics.GaugeOpts{
			Namespace: namespace, Name: name, Help: help, StabilityLevel: metrics.ALPHA,
		}, []string{"profile", "resource"})
	}
	return &Metrics{
		free: gauge("devices_free", "Devices that no pod has asked for, at one of the last scheduling cycles, by profile and resource."),
		fragmented: gauge("devices_fragmented",
			"Free devices of no use to the pods that the cluster typically runs, because of their count, or of the CPU or memory left for requests, by profile and resource."),
		stranded: gauge("devices_stranded",
			"Free devices of no further use to those pods because the node is too loaded to feed them, by profile and resource."),
		rejections: metrics.NewCounterVec(&metrics.CounterOpts{
			Namespace: namespace, Name: "stranding_rejections_total", StabilityLevel: metrics.ALPHA,
			Help: "Scheduling attempts in which DeviceFit rejected nodes because a pod would strand free devices, by profile.",
		}, []string{"profile"}),
		waiting: waiting.NewMetrics(
			waiting.Opts{Name: "stranding_requeued_pods_total", Help: "Pods put back into the queue because a node's load dropped that they would have stranded devices on, by profile."},
			waiting.Opts{Name: "stranding_requeued_pod_wait_seconds", Help: "Time from a pod's first rejection by DeviceFit until it was put back into the queue because load dropped, by profile."},
		),
		resources: device.NewMetrics(),
	}
}

// All returns the metrics, to be registered.
func (m *Metrics) All() []metrics.Registerable {
	return append(append(m.waiting.All(), m.resources.All()...), m.free, m.fragmented, m.stranded, m.rejections)
}

// profile returns the metrics of one profile.
func (m *Metrics) profile(name string) *gauges {
	return &gauges{metrics: m, name: name, kinds: map[v1.ResourceName]bool{}}
}

// gauges are the metrics of one profile.
type gauges struct {
	metrics *Metrics
	name    string

	mu      sync.Mutex
	updated time.Time
	kinds   map[v1.ResourceName]bool // that have gauges
}

func (g *gauges) rejected() { g.metrics.rejections.WithLabelValues(g.name).Inc() }

// tally is the devices of one kind.
type tally struct{ free, fragmented, stranded float64 }

// set sets the gauges, and drops those of kinds that are gone.
func (g *gauges) set(tallies map[v1.ResourceName]*tally) {
	vectors := []*metrics.GaugeVec{g.metrics.free, g.metrics.fragmented, g.metrics.stranded}
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
		for i, value := range []float64{t.free, t.fragmented, t.stranded} {
			vectors[i].WithLabelValues(g.name, string(kind)).Set(value)
		}
	}
}

// gaugesEvery is how often the gauges are brought up to date. Doing so looks at
// all nodes, which takes as long as scoring them.
const gaugesEvery = 15 * time.Second

// updateGauges counts the devices of all nodes, if that was not done of late. It is
// part of a scheduling cycle because the nodes, as the scheduler sees them, may be
// looked at only there.
func (pl *DeviceFit) updateGauges(c *cycle) {
	pl.metrics.mu.Lock()
	defer pl.metrics.mu.Unlock()
	if c.view.Now.Sub(pl.metrics.updated) < gaugesEvery {
		return
	}
	nodes, err := pl.handle.SnapshotSharedLister().NodeInfos().List()
	if err != nil {
		return // there is none in this cycle; the next one tries again
	}
	pl.metrics.updated = c.view.Now
	present := *c
	present.devices = pl.devices.View() // without those that are away
	tallies := map[v1.ResourceName]*tally{}
	var buffer [device.UsualKinds]device.Stock
	for _, nodeInfo := range nodes {
		left, _ := pl.remains(&present, nodeInfo, buffer[:0])
		for i := range left.Devices {
			kind := left.Devices[i].Name
			if tallies[kind] == nil {
				tallies[kind] = &tally{}
			}
			tallies[kind].add(c.mix.Shapes(kind), &left.Node, i)
		}
	}
	pl.metrics.set(tallies)
}

// add counts the node's i-th kind of device.
func (t *tally) add(shapes []fragmentation.Shape, node *fragmentation.Node, i int) {
	unloaded := *node
	unloaded.Headroom = fragmentation.Unlimited()
	fragmented := fragmentation.Of(shapes, &unloaded, i)
	t.free += float64(node.Devices[i].Free())
	t.fragmented += fragmented
	t.stranded += fragmentation.Of(shapes, node, i) - fragmented
}
