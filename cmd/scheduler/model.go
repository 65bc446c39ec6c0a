package main

import (
	"context"
	"sync"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/cache"
	"k8s.io/component-base/metrics/legacyregistry"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"

	"github.com/plimsoll-scheduler/plimsoll/pkg/apis/config"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load"
)

// sharedModel is the load model of the process. It is built for the first
// profile that uses NodeLoad: only then are there informers and a client. All
// profiles configure it alike (config.ValidateProfiles).
type sharedModel struct {
	mu    sync.Mutex
	model *load.Model
}

// get is a nodeload.ModelProvider.
func (s *sharedModel) get(ctx context.Context, args *config.NodeLoadArgs, handle fwk.Handle) (*load.Model, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.model != nil {
		return s.model, nil
	}
	source, remedy, err := newSource(args, handle.KubeConfig())
	if err != nil {
		return nil, err
	}
	cfg := modelConfig(args)
	cfg.Remedy = remedy
	cfg.Report = func(object runtime.Object, err error) {
		handle.EventRecorder().Eventf(object, nil, v1.EventTypeWarning, "InvalidAnnotation", "Scheduling", "%v; the annotation is ignored", err)
	}
	model := load.NewModel(cfg, source)
	synced, err := model.Watch(handle.SharedInformerFactory())
	if err != nil {
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

func modelConfig(args *config.NodeLoadArgs) load.Config {
	cfg := load.Config{
		Interval:   args.Source.Interval,
		Timeout:    args.Source.Timeout,
		Expiration: args.Expiration,
		Window:     args.Window,
		WarmUp:     args.Estimate.WarmUp,
		Learn:      args.Estimate.Learn,
	}
	for r := range load.NumResources {
		cfg.Estimator.Factors[r] = args.Estimate.Factors[string(r.Name())]
		quantity := args.Estimate.Defaults[string(r.Name())]
		cfg.Estimator.Defaults[r] = load.AmountOf(r, quantity)
	}
	return cfg
}
