package kube

import (
	"context"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	fwk "k8s.io/kube-scheduler/framework"
	schedconfig "k8s.io/kubernetes/pkg/scheduler/apis/config"
	frameworkruntime "k8s.io/kubernetes/pkg/scheduler/framework/runtime"

	"github.com/plimsoll-scheduler/plimsoll/pkg/annotation"
	"github.com/plimsoll-scheduler/plimsoll/pkg/apis/config"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load"
	"github.com/plimsoll-scheduler/plimsoll/pkg/plugins"
	"github.com/plimsoll-scheduler/plimsoll/pkg/waiting"
)

// pluginKey names an instance of a plugin.
type pluginKey struct{ profile, plugin string }

// registry returns the plugins beside kube-scheduler's own: those of the
// scheduler command, and the caller's.
func (c *Cluster) registry(o *Options, profiles []schedconfig.KubeSchedulerProfile) (frameworkruntime.Registry, error) {
	args, errs := config.DecodeProfiles(profiles)
	if len(errs) > 0 {
		return nil, errs.ToAggregate()
	}
	shared := plugins.NewShared(args, func(_ context.Context, handle fwk.Handle) (*load.Model, error) {
		return c.sharedModel(o, handle, args)
	})
	shared.Clock, shared.Decisions = o.Clock, o.Decisions
	if o.Inventory != nil {
		shared.Inventory = o.Inventory
	}
	shared.Dispatch = waiting.Inline() // in one goroutine, and in its time
	registry := shared.Registry()
	for name, factory := range o.Plugins {
		registry[name] = factory
	}
	for name, factory := range registry {
		registry[name] = c.kept(factory)
	}
	return registry, nil
}

// kept returns the factory, of which each plugin is kept for Plugin.
func (c *Cluster) kept(factory frameworkruntime.PluginFactory) frameworkruntime.PluginFactory {
	return func(ctx context.Context, args runtime.Object, handle fwk.Handle) (fwk.Plugin, error) {
		plugin, err := factory(ctx, args, handle)
		if err == nil {
			c.plugins[pluginKey{handle.ProfileName(), plugin.Name()}] = plugin
		}
		return plugin, err
	}
}

// sharedModel returns the load model, the same each time. It watches the
// cluster's informers; what its Run does is done by Routines.
func (c *Cluster) sharedModel(o *Options, handle fwk.Handle, profiles config.Profiles) (*load.Model, error) {
	if c.model != nil {
		return c.model, nil
	}
	cfg := plugins.ModelConfig(profiles.Shared())
	cfg.Clock, cfg.Demands = o.Clock, o.Demands
	cfg.Report = func(object runtime.Object, reason, message string) {
		handle.EventRecorder().Eventf(object, nil, v1.EventTypeWarning, reason, "Scheduling", "%s", message)
	}
	if err := annotation.Watch(handle.SharedInformerFactory(), cfg.Report); err != nil {
		return nil, err
	}
	if err := annotation.WatchForbidden(handle.SharedInformerFactory(), profiles, cfg.Report); err != nil {
		return nil, err
	}
	source := o.Source
	if source == nil {
		source = noSource{}
	}
	model := load.NewModel(cfg, source)
	if _, err := model.Watch(handle.SharedInformerFactory()); err != nil {
		return nil, err
	}
	c.model, c.modelConfig = model, cfg
	return model, nil
}

// noSource knows no node.
type noSource struct{}

// Poll implements load.Source.
func (noSource) Poll(context.Context) ([]load.Reading, error) { return nil, nil }
