// Package throughput measures how many pods a scheduler profile places a second,
// with Kubernetes' own scheduler_perf: 5,000 nodes with 8 devices and a
// changing load each, and 5,000 device pods, either identical or of 50 shapes.
//
// A process makes one run, because metrics and feature gates are those of the
// process: see BenchmarkThroughput, and the program in the folder above, which
// makes many.
package throughput

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/component-base/metrics/legacyregistry"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/cmd/kube-scheduler/app/options"
	"k8s.io/kubernetes/pkg/scheduler"
	frameworkruntime "k8s.io/kubernetes/pkg/scheduler/framework/runtime"
	perf "k8s.io/kubernetes/test/integration/scheduler_perf"
	"k8s.io/kubernetes/test/utils/client-go/ktesting"
	"k8s.io/utils/clock"

	// The scheme of Trimaran's arguments.
	_ "sigs.k8s.io/scheduler-plugins/apis/config/scheme"

	"github.com/plimsoll-scheduler/plimsoll/pkg/apis/config"
	"github.com/plimsoll-scheduler/plimsoll/pkg/explain"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load"
	"github.com/plimsoll-scheduler/plimsoll/pkg/plugins"
)

// harness is the plugins of one run and what they need.
type harness struct {
	args   *config.NodeLoadArgs
	loads  *Loads
	watch  *Stopwatch
	shared *plugins.Shared

	model *load.Model     // nil as long as no plugin has asked for it
	ctx   context.Context // ends with the scheduler; as long as model lives
}

// newHarness returns the plugins for the configuration. Decisions are explained
// in the background, until ctx ends.
func newHarness(ctx context.Context, file string, loads *Loads, watch *Stopwatch) (*harness, error) {
	cfg, err := options.LoadConfigFromFile(klog.FromContext(ctx), file)
	if err != nil {
		return nil, err
	}
	profiles, errs := config.DecodeProfiles(cfg.Profiles)
	if len(errs) > 0 {
		return nil, errs.ToAggregate()
	}
	h := &harness{args: profiles.Shared(), loads: loads, watch: watch}
	h.shared = plugins.NewShared(profiles, h.sharedModel)
	legacyregistry.MustRegister(h.shared.Metrics()...) // else they would count nothing, and cost nothing
	h.shared.Decisions = explain.NewLog(clock.RealClock{})
	go h.shared.Decisions.Run(ctx)
	return h, nil
}

func (h *harness) registry() frameworkruntime.Registry {
	registry := h.shared.Registry()
	registry[StopwatchName] = h.watch.New
	return registry
}

// sharedModel is the Model of plugins.Shared. Plugins are made one after the other.
func (h *harness) sharedModel(ctx context.Context, handle fwk.Handle) (*load.Model, error) {
	if h.model != nil {
		return h.model, nil
	}
	model := load.NewModel(plugins.ModelConfig(h.args), h.loads)
	if _, err := model.Watch(handle.SharedInformerFactory()); err != nil {
		return nil, err
	}
	legacyregistry.MustRegister(model.Counters()...)
	legacyregistry.CustomMustRegister(model.Collector())
	h.model, h.ctx = model, ctx
	return model, nil
}

// nodesCreated is a perf.NodeUpdateFn: it brings the load model to where it is
// after some time, before there are pods.
func (h *harness) nodesCreated(ctx ktesting.TContext, _ *scheduler.Scheduler, _ *perf.Workload, nodes *v1.NodeList) error {
	if len(nodes.Items) != h.loads.Nodes {
		return fmt.Errorf("there are %d nodes, want %d", len(nodes.Items), h.loads.Nodes)
	}
	if h.model != nil {
		if err := h.waitNodes(ctx); err != nil {
			return err
		}
		for lag := h.args.Window; lag > 0; lag -= h.args.Source.Interval {
			h.loads.Replay(lag)
			h.model.Poll(ctx)
		}
		h.loads.Replay(0)
		go h.model.Run(h.ctx)
	}
	runtime.GC() // what was made so far is not to be collected while we measure
	return nil
}

// waitNodes waits until the model knows all nodes.
func (h *harness) waitNodes(ctx context.Context) error {
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	deadline := time.After(time.Minute)
	for {
		known, view := 0, h.model.View()
		for range view.All {
			known++
		}
		if known == h.loads.Nodes {
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-deadline:
			return errors.New("the load model does not learn of the nodes")
		case <-ticker.C:
		}
	}
}

// newWatcher starts the server that stands for load-watcher.
func newWatcher(loads *Loads) *httptest.Server {
	mux := http.NewServeMux()
	mux.HandleFunc("/watcher", loads.serveWatcher)
	return httptest.NewServer(mux)
}
