package sim

import (
	"context"

	fwk "k8s.io/kube-scheduler/framework"
	schedconfig "k8s.io/kubernetes/pkg/scheduler/apis/config"
	frameworkruntime "k8s.io/kubernetes/pkg/scheduler/framework/runtime"

	"github.com/plimsoll-scheduler/plimsoll/pkg/apis/config"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load"
	"github.com/plimsoll-scheduler/plimsoll/pkg/plugins"
	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/koordinator"
	"github.com/plimsoll-scheduler/plimsoll/pkg/waiting"
)

// registry returns the plugins beside kube-scheduler's own: those of the
// scheduler command, fed by the simulation, and Koordinator's for comparison.
func (s *scheduler) registry(e *engine, profile *schedconfig.KubeSchedulerProfile) (frameworkruntime.Registry, error) {
	profiles, errs := config.DecodeProfiles([]schedconfig.KubeSchedulerProfile{*profile})
	if len(errs) > 0 {
		return nil, errs.ToAggregate()
	}
	shared := plugins.NewShared(profiles, func(_ context.Context, handle fwk.Handle) (*load.Model, error) {
		return s.loadModel(e, handle, profiles.Shared())
	})
	shared.Clock = e.clock
	shared.Dispatch = waiting.Inline() // in the simulation's one goroutine, and in its time
	registry := shared.Registry()
	s.adaptTrimaran(profile, registry)
	registry[koordinator.Name] = s.koordinator(e)
	return registry, nil
}

// loadModel returns Plimsoll's load model. It watches the simulation's informers
// and reads its metrics-server; what its Run does is done by plan.
func (s *scheduler) loadModel(e *engine, handle fwk.Handle, args *config.NodeLoadArgs) (*load.Model, error) {
	if s.model != nil {
		return s.model, nil
	}
	cfg := plugins.ModelConfig(args)
	cfg.Clock = e.clock
	model := load.NewModel(cfg, e.metricsServer)
	if _, err := model.Watch(handle.SharedInformerFactory()); err != nil {
		return nil, err
	}
	s.model, s.interval = model, cfg.Interval
	return model, nil
}
