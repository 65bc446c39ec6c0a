package sim

import (
	"context"
	"fmt"
	"reflect"
	"time"
	"unsafe"

	"github.com/paypal/load-watcher/pkg/watcher"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/cache"
	fwk "k8s.io/kube-scheduler/framework"
	schedconfig "k8s.io/kubernetes/pkg/scheduler/apis/config"
	frameworkruntime "k8s.io/kubernetes/pkg/scheduler/framework/runtime"
	trimaranconfig "sigs.k8s.io/scheduler-plugins/apis/config"
	"sigs.k8s.io/scheduler-plugins/pkg/trimaran"
	"sigs.k8s.io/scheduler-plugins/pkg/trimaran/loadvariationriskbalancing"
	"sigs.k8s.io/scheduler-plugins/pkg/trimaran/lowriskovercommitment"
	"sigs.k8s.io/scheduler-plugins/pkg/trimaran/targetloadpacking"
)

// Trimaran's plugins are the real code. Only, they take their metrics from a
// collector that asks load-watcher on tickers of the wall clock, and note when
// pods were assigned by the wall clock; none of which can be replaced from
// outside. So metrics are written into the collector, and times into the notes,
// by reflection, when they would change in simulated time.
//
// A limit: TargetLoadPacking keeps its arguments in variables of its package,
// so all policies of a process that use it have those of the last one.

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

// trimaranPlugin is a plugin whose metrics are kept up to date.
type trimaranPlugin struct{ collector *trimaran.Collector }

// adaptTrimaran has the plugins of the registry fed by the simulation.
func (s *scheduler) adaptTrimaran(profile *schedconfig.KubeSchedulerProfile, registry frameworkruntime.Registry) {
	for i := range profile.PluginConfig {
		if spec := trimaranSpec(profile.PluginConfig[i].Args); spec != nil {
			spec.WatcherAddress = noWatcher
		}
	}
	for _, name := range []string{targetloadpacking.Name, loadvariationriskbalancing.Name, lowriskovercommitment.Name} {
		factory := registry[name]
		registry[name] = func(ctx context.Context, args runtime.Object, handle fwk.Handle) (fwk.Plugin, error) {
			if spec := trimaranSpec(args); spec != nil {
				spec.WatcherAddress = noWatcher // also for arguments that are defaults
			}
			plugin, err := factory(ctx, args, handle)
			if err != nil {
				return nil, err
			}
			collector := reflect.ValueOf(plugin).Elem().FieldByName("collector")
			if !collector.IsValid() || collector.Type() != reflect.TypeFor[*trimaran.Collector]() {
				return nil, fmt.Errorf("plugin %s has no collector of metrics: it is another version than the simulation knows", name)
			}
			s.trimaran = append(s.trimaran, &trimaranPlugin{collector: (*trimaran.Collector)(collector.UnsafePointer())})
			return plugin, nil
		}
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

// planTrimaran plans what load-watcher and the collectors do.
func (s *scheduler) planTrimaran(e *engine, regularly func(time.Duration, func())) {
	var metrics watcher.WatcherMetrics
	regularly(watcherInterval, func() { metrics = e.watcherMetrics() })
	regularly(collectorInterval, func() {
		for _, p := range s.trimaran {
			p.set(metrics)
		}
	})
	regularly(cleanupInterval, func() { s.cleanUpNotes(e.clock.Now().Add(-cleanupAge)) })
}

// set writes the metrics that the collector has.
func (p *trimaranPlugin) set(metrics watcher.WatcherMetrics) {
	field := reflect.ValueOf(p.collector).Elem().FieldByName("metrics")
	*(*watcher.WatcherMetrics)(unsafe.Pointer(field.UnsafeAddr())) = metrics //nolint:gosec // see above
}

// watcherMetrics returns what load-watcher gets from metrics-server: each
// node's latest use in percent of its capacity.
func (e *engine) watcherMetrics() watcher.WatcherMetrics {
	now := e.timeOf(e.now)
	metrics := watcher.WatcherMetrics{
		Timestamp: now.Unix(),
		Window:    watcher.Window{Duration: watcher.FifteenMinutes, Start: now.Add(-15 * time.Minute).Unix(), End: now.Unix()},
		Source:    watcher.K8sClientName,
		Data:      watcher.Data{NodeMetricsMap: make(watcher.NodeMetricsMap, len(e.machines))},
	}
	for _, m := range e.machines {
		if cpu, memory, ok := e.metricsServer.usedPercent(m); ok {
			metrics.Data.NodeMetricsMap[m.name] = watcher.NodeMetrics{Metrics: []watcher.Metric{
				{Type: watcher.CPU, Operator: watcher.Latest, Value: cpu},
				{Type: watcher.Memory, Operator: watcher.Latest, Value: memory},
			}}
		}
	}
	return metrics
}

// notes returns what notes when pods were assigned, if handlers of the pod
// informer do.
func (s *scheduler) notes() []*trimaran.PodAssignEventHandler {
	var all []*trimaran.PodAssignEventHandler
	for _, handler := range s.pods.handlers {
		if filtering, ok := handler.(cache.FilteringResourceEventHandler); ok {
			if notes, ok := filtering.Handler.(*trimaran.PodAssignEventHandler); ok {
				all = append(all, notes)
			}
		}
	}
	return all
}

// noteAssignment sets the time at which the pod that was last assigned to the
// node was so.
func (s *scheduler) noteAssignment(node string, at time.Time) {
	for _, notes := range s.notes() {
		notes.Lock()
		pods := reflect.ValueOf(notes.ScheduledPodsCache).MapIndex(reflect.ValueOf(node))
		if pods.IsValid() && pods.Len() > 0 {
			pods.Index(pods.Len() - 1).FieldByName("Timestamp").Set(reflect.ValueOf(at))
		}
		notes.Unlock()
	}
}

// cleanUpNotes drops what was noted before the time.
func (s *scheduler) cleanUpNotes(before time.Time) {
	for _, notes := range s.notes() {
		notes.Lock()
		byNode := reflect.ValueOf(notes.ScheduledPodsCache)
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
		notes.Unlock()
	}
}
