package peers

import (
	"context"
	"fmt"
	"reflect"
	"time"
	"unsafe"

	"github.com/paypal/load-watcher/pkg/watcher"
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/cache"
	fwk "k8s.io/kube-scheduler/framework"
	frameworkruntime "k8s.io/kubernetes/pkg/scheduler/framework/runtime"
	trimaranconfig "sigs.k8s.io/scheduler-plugins/apis/config"
	"sigs.k8s.io/scheduler-plugins/pkg/trimaran"
	"sigs.k8s.io/scheduler-plugins/pkg/trimaran/loadvariationriskbalancing"
	"sigs.k8s.io/scheduler-plugins/pkg/trimaran/lowriskovercommitment"
	"sigs.k8s.io/scheduler-plugins/pkg/trimaran/targetloadpacking"

	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/world"
)

// Trimaran's plugins are the real code. Only, they take their metrics from a
// collector that asks load-watcher on tickers of the wall clock, and note when
// pods were assigned by the wall clock; none of which can be replaced from
// outside. So metrics are written into the collector, and times into the notes,
// by reflection, when they would change in simulated time.
//
// A limit: TargetLoadPacking keeps its arguments in variables of its package,
// so all schedulers of a process that use it have those of the last one.

const (
	// watcherInterval is how often load-watcher asks metrics-server.
	watcherInterval = time.Minute
	// collectorInterval is how often a plugin asks load-watcher.
	collectorInterval = 30 * time.Second
	// cleanupInterval is how often the plugin drops notes that are older than
	// cleanupAge.
	cleanupInterval, cleanupAge = 5 * time.Minute, time.Minute
	// noWatcher is an address at which nothing answers: what the collector asks
	// for by the wall clock fails at once, and changes nothing.
	noWatcher = "http://127.0.0.1:0"
)

// trimaranFeed keeps the plugins of one scheduler up to date.
type trimaranFeed struct {
	clock      *world.Clock
	machines   []*world.Machine
	metrics    *world.MetricsServer
	collectors []*trimaran.Collector
	notes      []assignmentNotes
}

// registry returns Trimaran's plugins, which are fed from Start on.
func (f *trimaranFeed) registry() frameworkruntime.Registry {
	return frameworkruntime.Registry{
		targetloadpacking.Name:          f.fed(targetloadpacking.New),
		loadvariationriskbalancing.Name: f.fed(loadvariationriskbalancing.New),
		lowriskovercommitment.Name:      f.fed(lowriskovercommitment.New),
	}
}

// fed returns the factory, of which each plugin is fed.
func (f *trimaranFeed) fed(factory frameworkruntime.PluginFactory) frameworkruntime.PluginFactory {
	return func(ctx context.Context, args runtime.Object, handle fwk.Handle) (fwk.Plugin, error) {
		if args != nil {
			args = args.DeepCopyObject()
		}
		if spec := trimaranSpec(args); spec != nil {
			spec.WatcherAddress = noWatcher
		}
		plugin, err := factory(ctx, args, handle)
		if err != nil {
			return nil, err
		}
		collector, ok := fieldOf[*trimaran.Collector](plugin, "collector")
		if !ok {
			return nil, fmt.Errorf("plugin %s has no collector of metrics: it is another version than the simulation knows", plugin.Name())
		}
		f.collectors = append(f.collectors, collector)
		if handler, ok := fieldOf[*trimaran.PodAssignEventHandler](plugin, "eventHandler"); ok {
			notes := assignmentNotes{handler}
			f.notes = append(f.notes, notes)
			err = notes.follow(handle, f.clock)
		}
		return plugin, err
	}
}

func trimaranSpec(args runtime.Object) *trimaranconfig.TrimaranSpec {
	switch args := args.(type) {
	case *trimaranconfig.TargetLoadPackingArgs:
		return &args.TrimaranSpec
	case *trimaranconfig.LoadVariationRiskBalancingArgs:
		return &args.TrimaranSpec
	case *trimaranconfig.LowRiskOverCommitmentArgs:
		return &args.TrimaranSpec
	}
	return nil
}

// fieldOf returns the field of what the plugin points to, which is a pointer of
// the type P and need not be exported, and whether there is one that is not nil.
func fieldOf[P *T, T any](plugin fwk.Plugin, name string) (P, bool) {
	field := reflect.ValueOf(plugin).Elem().FieldByName(name)
	if !field.IsValid() || field.Type() != reflect.TypeFor[P]() || field.IsNil() {
		return nil, false
	}
	return (P)(field.UnsafePointer()), true
}

// start plans what load-watcher and the collectors do.
func (f *trimaranFeed) start(regularly func(time.Duration, func())) {
	var metrics watcher.WatcherMetrics
	regularly(watcherInterval, func() { metrics = f.read() })
	regularly(collectorInterval, func() {
		for _, collector := range f.collectors {
			field := reflect.ValueOf(collector).Elem().FieldByName("metrics")
			*(*watcher.WatcherMetrics)(unsafe.Pointer(field.UnsafeAddr())) = metrics //nolint:gosec // see above
		}
	})
	regularly(cleanupInterval, func() {
		for _, notes := range f.notes {
			notes.drop(f.clock.Now().Add(-cleanupAge))
		}
	})
}

// read returns what load-watcher gets from metrics-server: each node's latest
// use in percent of its capacity.
func (f *trimaranFeed) read() watcher.WatcherMetrics {
	now := f.clock.Now()
	metrics := watcher.WatcherMetrics{
		Timestamp: now.Unix(),
		Window:    watcher.Window{Duration: watcher.FifteenMinutes, Start: now.Add(-15 * time.Minute).Unix(), End: now.Unix()},
		Source:    watcher.K8sClientName,
		Data:      watcher.Data{NodeMetricsMap: make(watcher.NodeMetricsMap, len(f.machines))},
	}
	for _, m := range f.machines {
		if cpu, memory, ok := f.metrics.UsedPercent(m); ok {
			metrics.Data.NodeMetricsMap[m.Name] = watcher.NodeMetrics{Metrics: []watcher.Metric{
				{Type: watcher.CPU, Operator: watcher.Latest, Value: cpu},
				{Type: watcher.Memory, Operator: watcher.Latest, Value: memory},
			}}
		}
	}
	return metrics
}

// assignmentNotes are a plugin's notes of when pods were assigned to nodes.
type assignmentNotes struct {
	*trimaran.PodAssignEventHandler
}

// follow has each assignment noted with the time of the clock. It must be
// called after the plugin has begun to watch pods.
func (n assignmentNotes) follow(handle fwk.Handle, clock *world.Clock) error {
	_, err := handle.SharedInformerFactory().Core().V1().Pods().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		UpdateFunc: func(oldObj, newObj any) {
			before, wasPod := oldObj.(*v1.Pod)
			pod, isPod := newObj.(*v1.Pod)
			if wasPod && isPod && before.Spec.NodeName == "" && pod.Spec.NodeName != "" {
				n.setLast(pod.Spec.NodeName, clock.Now())
			}
		},
	})
	return err
}

// setLast sets the time at which the pod that was last assigned to the node was
// so.
func (n assignmentNotes) setLast(node string, at time.Time) {
	n.Lock()
	defer n.Unlock()
	pods := reflect.ValueOf(n.ScheduledPodsCache).MapIndex(reflect.ValueOf(node))
	if pods.IsValid() && pods.Len() > 0 {
		pods.Index(pods.Len() - 1).FieldByName("Timestamp").Set(reflect.ValueOf(at))
	}
}

// drop drops what was noted before the time.
func (n assignmentNotes) drop(before time.Time) {
	n.Lock()
	defer n.Unlock()
	byNode := reflect.ValueOf(n.ScheduledPodsCache)
	for _, node := range byNode.MapKeys() {
		pods := byNode.MapIndex(node)
		keep := 0
		for keep < pods.Len() && pods.Index(keep).FieldByName("Timestamp").Interface().(time.Time).Before(before) {
			keep++
		}
		// The plugin keeps the notes of a node all of which are old.
		if keep < pods.Len() {
			byNode.SetMapIndex(node, pods.Slice(keep, pods.Len()))
		}
	}
}
