package devicefit

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/component-base/metrics"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/backend/cache"
	"k8s.io/kubernetes/pkg/scheduler/framework"
	st "k8s.io/kubernetes/pkg/scheduler/testing"
)

// shown has each metric that is served, by "name{label values}" in the order of
// the labels' names: the value of a gauge or counter, the count of a histogram.
func (c *cluster) shown(t *testing.T, registry metrics.KubeRegistry) map[string]float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string]float64{}
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			labels := ""
			for i, label := range metric.GetLabel() {
				if i > 0 {
					labels += ","
				}
				labels += label.GetValue()
			}
			value := metric.GetGauge().GetValue() + metric.GetCounter().GetValue() + float64(metric.GetHistogram().GetSampleCount())
			shown[fmt.Sprintf("%s{%s}", family.GetName(), labels)] = value
		}
	}
	return shown
}

func (c *cluster) register() metrics.KubeRegistry {
	registry := metrics.NewKubeRegistry()
	registry.MustRegister(append(c.metrics.All(), c.counters.All()...)...)
	return registry
}

// setNodes sets what the scheduler knows of the cluster: the nodes, with their pods.
func (c *cluster) setNodes(nodes ...fwk.NodeInfo) {
	var objects []*v1.Node
	var pods []*v1.Pod
	for _, node := range nodes {
		objects = append(objects, node.Node())
		for _, info := range node.GetPods() {
			pod := info.GetPod().DeepCopy()
			pod.Spec.NodeName = node.Node().Name
			pods = append(pods, pod)
		}
	}
	*c.lister = *cache.NewSnapshot(pods, objects)
}

func gaugesOf(kind v1.ResourceName, inUse, starved, free, fragmented, stranded float64) map[string]float64 {
	labels := fmt.Sprintf("{plimsoll,%s}", kind)
	return map[string]float64{
		"plimsoll_devices_in_use" + labels: inUse, "plimsoll_devices_starved" + labels: starved,
		"plimsoll_devices_free" + labels: free, "plimsoll_devices_fragmented" + labels: fragmented, "plimsoll_devices_stranded" + labels: stranded,
	}
}

func TestGaugesOfDevices(t *testing.T) {
	c := newCluster()
	registry := c.register()
	pl := pluginOf(t, c, `{}`)
	update := func(step time.Duration) map[string]float64 {
		t.Helper()
		c.clock.Step(step)
		c.model.Poll(t.Context())
		if _, status := pl.PreFilter(t.Context(), framework.NewCycleState(), st.MakePod().Obj(), nil); status.IsRejected() {
			t.Fatal(status.AsError())
		}
		return c.shown(t, registry)
	}
	check := func(what string, got map[string]float64, kinds ...map[string]float64) {
		t.Helper()
		want := map[string]float64{}
		for _, kind := range kinds {
			maps.Copy(want, kind)
		}
		if !maps.EqualFunc(got, want, func(a, b float64) bool { return math.Abs(a-b) < 1e-9 }) {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
	// The default mix is of pods with 1, 2, 4 and 8 devices, a quarter of the
	// demand each, that need a core for each device.
	whole := c.addNode(t, "whole", 1)                                 // nothing fragmented
	five := c.addNode(t, "five", 1, resources{gpu: "3"})              // of no use to those with 8
	requested := c.addNode(t, "requested", 1, resources{"cpu": "61"}) // 3 cores left: of no use to those with 4 and 8
	hot := c.addNode(t, "hot", 62.5, resources{gpu: "6"})             // 2 free, 1.5 cores: 4 and 8 by number, 2 by load
	full := c.addNode(t, "full", 63.9, resources{gpu: "8"})           // none free
	slices7 := newNode(t, "slices", resources{mig: "7", "cpu": "64", "memory": "256Gi"})
	c.measure(slices7, -1)
	c.setNodes(whole, five, requested, hot, full, slices7)
	first := []map[string]float64{
		gaugesOf(gpu, 0+3+0+6+8, 6+8, 8+5+8+2, 0+5./4+8./2+2./2, 2./4),
		gaugesOf(mig, 0, 0, 7, 0, 0), // no node has 8: there are none to ask for
	}
	check("at first", update(0), first...)

	c.setNodes(whole)
	check("seconds later", update(looksEvery-time.Second), first...)
	check("when they are due", update(time.Second), gaugesOf(gpu, 0, 0, 8, 0, 0))
	c.use["whole"] = [2]float64{57, 1 << 30}
	check("when the node is loaded", update(looksEvery), gaugesOf(gpu, 0, 0, 8, 0, 2))
	c.use["whole"] = [2]float64{70, 1 << 30}
	c.clock.Step(looksEvery)
	c.model.Poll(t.Context())
	check("when it is over the line, and no pod is scheduled", c.shown(t, registry), gaugesOf(gpu, 0, 0, 8, 0, 8))
	delete(c.use, "whole")
	check("when it is not measured for a while", update(10*looksEvery), gaugesOf(gpu, 0, 0, 8, 0, 8))
	clear(c.use)
	check("when nothing is measured any more", update(time.Hour), gaugesOf(gpu, 0, 0, 8, 0, 0))
	c.setNodes()
	check("without nodes", update(looksEvery))
}

func TestCountersOfRejections(t *testing.T) {
	c := newCluster()
	registry := c.register()
	node := c.addNode(t, "n", 60)
	c.model.Poll(t.Context())
	pl := pluginOf(t, c, onePerDevice)
	for range 3 {
		c.attempt(t, pl, c.waitingPod(t, "p", "2", 0), node)
	}
	c.wokenBy(t, "n", 1)
	got := c.shown(t, registry)
	for name, want := range map[string]float64{
		"plimsoll_rejections_total{DeviceFit,plimsoll,stranding}": 3,
		"plimsoll_pods_woken_total{DeviceFit,plimsoll}":           1,
		"plimsoll_pods_woken_wait_seconds{DeviceFit,plimsoll}":    1,
	} {
		if got[name] != want {
			t.Errorf("%s = %v, want %v: %v", name, got[name], want, slices.Sorted(maps.Keys(got)))
		}
	}
}
