// Package plugins puts the scheduler plugins of a process together.
package plugins

import (
	"context"

	"k8s.io/component-base/metrics"
	fwk "k8s.io/kube-scheduler/framework"
	frameworkruntime "k8s.io/kubernetes/pkg/scheduler/framework/runtime"
	"k8s.io/utils/clock"
	"sigs.k8s.io/scheduler-plugins/pkg/trimaran/loadvariationriskbalancing"
	"sigs.k8s.io/scheduler-plugins/pkg/trimaran/lowriskovercommitment"
	"sigs.k8s.io/scheduler-plugins/pkg/trimaran/targetloadpacking"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/annotation"
	"github.com/plimsoll-scheduler/plimsoll/pkg/apis/config"
	"github.com/plimsoll-scheduler/plimsoll/pkg/device"
	"github.com/plimsoll-scheduler/plimsoll/pkg/explain"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load"
	"github.com/plimsoll-scheduler/plimsoll/pkg/plugins/devicefit"
	"github.com/plimsoll-scheduler/plimsoll/pkg/plugins/nodeload"
	"github.com/plimsoll-scheduler/plimsoll/pkg/status"
	"github.com/plimsoll-scheduler/plimsoll/pkg/waiting"
)

// Shared is what the plugins of all profiles of a process share.
type Shared struct {
	// Profiles has the arguments of NodeLoad in each profile.
	Profiles config.Profiles
	// Model returns the load model, the same each time.
	Model func(context.Context, fwk.Handle) (*load.Model, error)
	// Inventory returns the devices of device classes, the same each time.
	Inventory func(context.Context, fwk.Handle) (device.ClassInventory, error)
	// NodeLoad and DeviceFit are the plugins' metrics, and Waiting those of both.
	NodeLoad  *nodeload.Metrics
	DeviceFit *devicefit.Metrics
	Waiting   *waiting.Metrics
	// Decisions is where decisions are explained; nil if they are not.
	Decisions *explain.Log
	// Status is told of the plugins; nil if nobody asks what is known of nodes.
	Status *status.Reporters
	// Dispatch has waiting pods looked at. It defaults to goroutines of their own.
	Dispatch waiting.Dispatcher
	// Clock defaults to the real one.
	Clock clock.PassiveClock
}

// NewShared returns what plugins share, with a load model and metrics of its own,
// and without dynamic resource allocation.
func NewShared(profiles config.Profiles, model func(context.Context, fwk.Handle) (*load.Model, error)) *Shared {
	noClasses := func(context.Context, fwk.Handle) (device.ClassInventory, error) { return device.NoClasses{}, nil }
	return &Shared{
		Profiles: profiles, Model: model, Inventory: noClasses,
		NodeLoad: nodeload.NewMetrics(), DeviceFit: devicefit.NewMetrics(), Waiting: waiting.NewMetrics(),
	}
}

// Metrics returns those of the plugins' metrics that count, to be registered before the
// plugins are made.
func (s *Shared) Metrics() []metrics.Registerable {
	return append(s.Waiting.All(), s.DeviceFit.All()...)
}

// Collectors returns those that are read when a registry is scraped.
func (s *Shared) Collectors() []metrics.StableCollector {
	return []metrics.StableCollector{s.NodeLoad}
}

// Registry returns the plugins that the scheduler has beside kube-scheduler's
// own: Plimsoll's, and Trimaran's so that users can compare.
func (s *Shared) Registry() frameworkruntime.Registry {
	catalogues := &device.Catalogues{}
	return frameworkruntime.Registry{
		nodeload.Name: nodeload.Factory(nodeload.Shared{
			Model: s.Model, Metrics: s.NodeLoad, Waiting: s.Waiting, Decisions: s.Decisions, Status: s.Status, Dispatch: s.Dispatch, Catalogues: catalogues,
		}),
		devicefit.Name: devicefit.Factory(devicefit.Shared{
			Profiles: s.Profiles, Model: s.Model, Inventory: s.Inventory, Metrics: s.DeviceFit, Waiting: s.Waiting,
			Decisions: s.Decisions, Status: s.Status, Dispatch: s.Dispatch, Clock: s.Clock, Catalogues: catalogues,
		}),
		targetloadpacking.Name:          targetloadpacking.New,
		loadvariationriskbalancing.Name: loadvariationriskbalancing.New,
		lowriskovercommitment.Name:      lowriskovercommitment.New,
	}
}

// ModelConfig returns the configuration of the load model that args describe.
func ModelConfig(args *config.NodeLoadArgs) load.Config {
	cfg := load.Config{
		Interval:   args.Source.Interval,
		Timeout:    args.Source.Timeout,
		Expiration: args.Expiration,
		Window:     args.Window,
		WarmUp:     args.Estimate.WarmUp,
		Learn:      args.Estimate.Learn,
		Overrides:  annotation.OverridesOf(args),
	}
	for r := range amount.NumResources {
		cfg.Estimator.Factors[r] = args.Estimate.Factors[string(r.Name())]
		quantity := args.Estimate.Defaults[string(r.Name())]
		cfg.Estimator.Defaults[r] = amount.FromQuantity(r, quantity)
	}
	return cfg
}
