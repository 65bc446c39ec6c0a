package main

import (
	"context"
	"errors"
	"sync"

	v1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/component-base/metrics/legacyregistry"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"

	"github.com/plimsoll-scheduler/plimsoll/pkg/annotation"
	"github.com/plimsoll-scheduler/plimsoll/pkg/apis/config"
	"github.com/plimsoll-scheduler/plimsoll/pkg/faults"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load"
	"github.com/plimsoll-scheduler/plimsoll/pkg/plugins"
)

// sharedModel is the load model of the process. It is built for the first
// plugin that asks for it: only then are there informers and a client.
type sharedModel struct {
	profiles config.Profiles
	mu       sync.Mutex
	model    *load.Model
}

// awaitFirstPoll waits for that of the model, which there is if a profile has one of
// our plugins.
func (s *sharedModel) awaitFirstPoll(ctx context.Context) {
	if model := s.present(); model != nil {
		model.AwaitFirstPoll(ctx)
	}
}

// present returns the model, nil if there is none (yet).
func (s *sharedModel) present() *load.Model {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.model
}

// get is the Model of plugins.Shared.
func (s *sharedModel) get(ctx context.Context, handle fwk.Handle) (*load.Model, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.model != nil {
		return s.model, nil
	}
	args := s.profiles.Shared()
	source, remedy, err := newSource(args, handle.KubeConfig())
	if err != nil {
		return nil, err
	}
	cfg := plugins.ModelConfig(args)
	cfg.Remedy = remedy
	reporter := faults.NewReporter(func(f faults.Fault) {
		handle.EventRecorder().Eventf(f.Object, nil, v1.EventTypeWarning, f.Reason, "Scheduling", "%s", f.Message)
	})
	cfg.Report, cfg.Lead = reporter.Report, reporter.Lead
	model := load.NewModel(cfg, source)
	synced, err := model.Watch(handle.SharedInformerFactory())
	if err != nil {
		return nil, err
	}
	if err := errors.Join(
		annotation.Watch(handle.SharedInformerFactory(), reporter.Report),
		annotation.WatchForbidden(handle.SharedInformerFactory(), s.profiles, reporter.Report),
	); err != nil {
		return nil, err
	}
	legacyregistry.MustRegister(model.Counters()...)
	legacyregistry.CustomMustRegister(model.Collector())
	ctx = klog.NewContext(ctx, klog.LoggerWithName(klog.FromContext(ctx), "load"))
	go func() {
		// Polling before the nodes are known would drop all that is read.
		if cache.WaitForCacheSync(ctx.Done(), synced...) {
			model.Run(ctx)
		}
	}()
	s.model = model
	return model, nil
}
