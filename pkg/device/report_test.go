package device

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	v1 "k8s.io/api/core/v1"
	"k8s.io/component-base/metrics"
	"k8s.io/klog/v2/ktesting"
)

// told is what a Reporter tells of a Kinds.
type told struct {
	kinds    *Kinds
	synced   bool
	registry metrics.KubeRegistry
	log      ktesting.Underlier
	lines    int // of the log that were read
}

func newTold(t *testing.T, patterns ...string) *told {
	logger := ktesting.NewLogger(t, ktesting.NewConfig(ktesting.BufferLogs(true)))
	told := &told{
		kinds: NewKinds(newMatcher(t, patterns...), newClock()), registry: metrics.NewKubeRegistry(),
		log: logger.GetSink().(ktesting.Underlier),
	}
	m := NewMetrics()
	told.registry.MustRegister(m.All()...)
	told.kinds.reports = NewReporter(logger, m, "plimsoll")
	told.kinds.synced = func() bool { return told.synced }
	return told
}

// newLines returns what was logged since it was called last: the resource, its
// verdict and what that was before.
func (told *told) newLines() (lines []string) {
	log := told.log.GetBuffer().Data()
	for _, entry := range log[told.lines:] {
		value := func(key string) any {
			return entry.WithKVList[1+slices.Index(entry.WithKVList, any(key))]
		}
		if entry.WithKVList == nil {
			value = func(key string) any { return entry.ParameterKVList[1+slices.Index(entry.ParameterKVList, any(key))] }
		}
		lines = append(lines, fmt.Sprintf("%v: %v, was %v", value("resource"), value("verdict"), value("before")))
	}
	told.lines = len(log)
	return lines
}

// gauges returns the gauges that there are.
func (told *told) gauges(t *testing.T) map[string]float64 {
	t.Helper()
	families, err := told.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	gauges := map[string]float64{}
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			var labels []string
			for _, label := range metric.GetLabel() {
				labels = append(labels, label.GetValue())
			}
			gauges[family.GetName()+"{"+strings.Join(labels, ",")+"}"] = metric.GetGauge().GetValue()
		}
	}
	return gauges
}

func TestVerdictsAreToldOnce(t *testing.T) {
	told := newTold(t, "*", "!squat.ai/*")
	for i := range 3 {
		told.kinds.Set(nodeWith(fmt.Sprint("plain", i), nil))
	}
	has := func(accelerators string) *v1.Node {
		return nodeWith("n", resources{gpu: "8", "squat.ai/x": "1", "acme.com/accel": accelerators})
	}
	expect := func(when string, lines []string, gauges map[string]float64) {
		t.Helper()
		if got := told.newLines(); !slices.Equal(got, lines) {
			t.Errorf("%s: logged %q, want %q", when, got, lines)
		}
		if got := told.gauges(t); !maps.Equal(got, gauges) {
			t.Errorf("%s: gauges %v, want %v", when, got, gauges)
		}
	}
	told.kinds.Set(has("8"))
	told.kinds.current()
	expect("before all nodes are known", nil, map[string]float64{})
	told.synced = true
	told.kinds.current()
	first := map[string]float64{
		"plimsoll_device_resources{plimsoll,acme.com/accel,device}": 1,
		"plimsoll_device_resources{plimsoll,nvidia.com/gpu,device}": 1,
		"plimsoll_device_resources{plimsoll,squat.ai/x,excluded}":   1,
	}
	expect("when they are", []string{"acme.com/accel: device, was ", "nvidia.com/gpu: device, was ", "squat.ai/x: excluded, was "}, first)
	for range 3 {
		told.kinds.current()
		told.kinds.Set(has("8"))
	}
	expect("when nothing is new", nil, first)

	told.kinds.Set(nodeWith("m", resources{gpu: "4"}))
	first["plimsoll_device_resources{plimsoll,nvidia.com/gpu,device}"] = 2
	expect("when another node has one", nil, first)

	told.kinds.Set(has("17"))
	expect("when one turns out to be none", []string{"acme.com/accel: counter, was device"}, map[string]float64{
		"plimsoll_device_resources{plimsoll,acme.com/accel,counter}": 1,
		"plimsoll_device_resources{plimsoll,nvidia.com/gpu,device}":  2,
		"plimsoll_device_resources{plimsoll,squat.ai/x,excluded}":    1,
	})
	told.kinds.Remove("n")
	told.kinds.Remove("m")
	expect("when all are gone", nil, map[string]float64{})
	told.kinds.Set(has("8"))
	if got := told.newLines(); len(got) != 3 {
		t.Errorf("logged %q when they are new again", got)
	}
}

// A cluster whose nodes have a resource each, of which every one is another, does
// not make gauges without bound: those of devices are kept.
func TestGaugesAreBounded(t *testing.T) {
	told := newTold(t, "*", "!b.com/*")
	told.synced = true
	for i := range 300 {
		told.kinds.Set(nodeWith(fmt.Sprint(i), resources{
			v1.ResourceName(fmt.Sprint("a.com/", i)): "100", v1.ResourceName(fmt.Sprint("b.com/", i)): "1",
		}))
	}
	told.kinds.Set(nodeWith("gpus", resources{gpu: "8"}))
	got := told.gauges(t)
	if len(got) != maxShown || got["plimsoll_device_resources{plimsoll,nvidia.com/gpu,device}"] != 1 {
		t.Errorf("%d gauges, want %d, with that of the device", len(got), maxShown)
	}
	if all := told.kinds.Resources(); len(all) != 601 {
		t.Errorf("%d resources are known, want all", len(all))
	}
}
