package devicefit

import (
	"context"
	"errors"
	"fmt"
	"sync"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/utils/clock"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/apis/config"
	"github.com/plimsoll-scheduler/plimsoll/pkg/device"
	"github.com/plimsoll-scheduler/plimsoll/pkg/explain"
	"github.com/plimsoll-scheduler/plimsoll/pkg/fragmentation"
	"github.com/plimsoll-scheduler/plimsoll/pkg/line"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load"
	"github.com/plimsoll-scheduler/plimsoll/pkg/rejection"
	"github.com/plimsoll-scheduler/plimsoll/pkg/waiting"
)

// Name is the name of the plugin in a KubeSchedulerConfiguration.
const Name = config.DeviceFit

// demandSigner is the key of the plugin's fragment in a pod's signature. It
// must differ from the keys of all other plugins, of which the framework keeps
// one value a key.
const demandSigner = "plimsoll.io/DeviceFit.Demand()"

// DeviceFit places pods by the devices that nodes have left.
type DeviceFit struct {
	handle  fwk.Handle
	model   *load.Model
	devices *device.Catalogue
	learner *fragmentation.Learner
	metrics *gauges

	rate             rating // nil for LeastFragmentation
	weights          weights
	avoidDeviceNodes bool

	// rule decides on the load line of nodes, and statistic is
	// what is compared with it: NodeLoad's, so that headroom is what NodeLoad
	// would let pods use.
	rule      line.Rule
	statistic load.Statistic

	// perDevice is what a pod without devices must leave for each free device. If
	// that is nothing, no node is rejected, and waiting is nil.
	perDevice amount.Vector
	statuses  *rejection.Statuses
	waiting   *waiting.Set[anyPod]
	rejecting rejecting
	// late guards making a cycle that PreFilter has not left.
	late sync.Mutex
}

var (
	_ fwk.PreFilterPlugin      = &DeviceFit{}
	_ fwk.FilterPlugin         = &DeviceFit{}
	_ fwk.PostFilterPlugin     = &DeviceFit{}
	_ fwk.PreScorePlugin       = &DeviceFit{}
	_ fwk.ScorePlugin          = &DeviceFit{}
	_ fwk.PlacementScorePlugin = &DeviceFit{}
	_ fwk.ReservePlugin        = &DeviceFit{}
	_ fwk.PostBindPlugin       = &DeviceFit{}
	_ fwk.EnqueueExtensions    = &DeviceFit{}
	_ fwk.SignPlugin           = &DeviceFit{}
)

// Shared is what the DeviceFit plugins of a process share.
type Shared struct {
	// Profiles has the arguments of NodeLoad in the profiles that use it.
	Profiles config.Profiles
	// Model returns the load model, the same each time.
	Model func(context.Context, fwk.Handle) (*load.Model, error)
	// Inventory returns the devices of device classes, the same each time:
	// device.NoClasses without dynamic resource allocation.
	Inventory func(context.Context, fwk.Handle) (device.ClassInventory, error)
	Metrics   *Metrics
	// Dispatch has waiting pods looked at. It defaults to goroutines of their own.
	Dispatch waiting.Dispatcher
	// Clock defaults to the real one.
	Clock clock.PassiveClock
}

// Factory returns what makes the plugin for a profile.
func Factory(shared Shared) func(context.Context, runtime.Object, fwk.Handle) (fwk.Plugin, error) {
	if shared.Clock == nil {
		shared.Clock = clock.RealClock{}
	}
	return func(ctx context.Context, obj runtime.Object, handle fwk.Handle) (fwk.Plugin, error) {
		fld := field.NewPath("profiles").Key(handle.ProfileName()).Child("pluginConfig").Key(Name).Child("args")
		args, errs := config.DecodeDeviceFit(obj, fld)
		if len(errs) > 0 {
			return nil, errs.ToAggregate()
		}
		inventory, err := shared.Inventory(ctx, handle)
		if err != nil {
			return nil, err
		}
		pl, err := newPlugin(args, fld, shared.Profiles[handle.ProfileName()], inventory)
		if err != nil {
			return nil, err
		}
		pl.handle = handle
		if pl.model, err = shared.Model(ctx, handle); err != nil {
			return nil, err
		}
		pl.metrics = shared.Metrics.profile(handle.ProfileName())
		pl.learner = fragmentation.NewLearner(shared.Clock)
		if err := errors.Join(pl.devices.Watch(handle.SharedInformerFactory()), pl.learn(ctx, handle.SharedInformerFactory())); err != nil {
			return nil, err
		}
		pl.wait(ctx, shared.Dispatch)
		return pl, nil
	}
}

// newPlugin returns the plugin as far as it follows from its arguments and
// those of NodeLoad in the profile, which are nil if that does not use it.
func newPlugin(args *config.DeviceFitArgs, fld *field.Path, nodeLoad *config.NodeLoadArgs, inventory device.ClassInventory) (*DeviceFit, error) {
	matcher, err := device.NewMatcher(args.Resources)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", fld.Child("resources"), err)
	}
	pl := &DeviceFit{
		devices: device.NewCatalogue(matcher, inventory), avoidDeviceNodes: args.AvoidDeviceNodes,
		weights: weightsOf(args.Weights), statistic: load.Latest,
		statuses: rejection.NewStatuses(1, newStatus),
	}
	if pl.rate, err = ratingOf(args.Strategy); err != nil {
		return nil, fmt.Errorf("%s: %w", fld.Child("strategy"), err)
	}
	for r := range amount.NumResources {
		perDevice := args.HeadroomPerDevice[string(r.Name())]
		pl.perDevice[r] = amount.FromQuantity(r, perDevice)
		if nodeLoad != nil {
			pl.rule.Percent[r] = nodeLoad.Filter.Thresholds[string(r.Name())]
		}
	}
	if nodeLoad != nil {
		pl.statistic = load.StatisticOf(nodeLoad.Filter.Statistic)
	}
	return pl, nil
}

// Name returns the name of the plugin.
func (pl *DeviceFit) Name() string { return Name }

// PreFilter takes the view of the cluster for the cycle, and skips Filter for
// pods that it never rejects.
//
// A pod that has a node is tried only because it is to be resized there: it takes
// no headroom of another node.
func (pl *DeviceFit) PreFilter(_ context.Context, state fwk.CycleState, pod *v1.Pod, _ []fwk.NodeInfo) (*fwk.PreFilterResult, *fwk.Status) {
	if pod.Spec.NodeName != "" {
		return nil, fwk.NewStatus(fwk.Skip)
	}
	c := pl.begin(state, pod)
	pl.updateGauges(c)
	if !c.mayStrand {
		return nil, fwk.NewStatus(fwk.Skip)
	}
	return nil, nil
}

// PreFilterExtensions returns nil: see stranding.go for why preemption is of no
// help.
func (pl *DeviceFit) PreFilterExtensions() fwk.PreFilterExtensions { return nil }

// PreScore skips Score for a pod to which all nodes are the same.
func (pl *DeviceFit) PreScore(_ context.Context, state fwk.CycleState, pod *v1.Pod, _ []fwk.NodeInfo) *fwk.Status {
	if pod.Spec.NodeName != "" {
		return fwk.NewStatus(fwk.Skip)
	}
	c := pl.cycleOf(state, pod)
	if !pl.cares(c) {
		return fwk.NewStatus(fwk.Skip)
	}
	c.trace = explain.Of(state)
	if c.trace != nil && pl.rate == nil {
		c.trace.Fragmentation = make(explain.Fragments, len(c.trace.DeviceFit))
	}
	return nil
}

// cares reports whether the pod has a preference among nodes.
func (pl *DeviceFit) cares(c *cycle) bool {
	if c.NeedsDevices {
		return len(c.Devices) > 0
	}
	return pl.avoidDeviceNodes
}

// Score ranks the node by its devices, 0 to 100.
func (pl *DeviceFit) Score(_ context.Context, state fwk.CycleState, pod *v1.Pod, nodeInfo fwk.NodeInfo) (int64, *fwk.Status) {
	if pod.Spec.NodeName != "" {
		return 0, nil
	}
	c := pl.cycleOf(state, pod)
	if !pl.cares(c) {
		return 0, nil
	}
	var buffer [maxKinds]device.Stock
	left, node := pl.remains(c, nodeInfo, buffer[:0])
	score, growth := pl.score(c, &left)
	if c.trace != nil && node != nil {
		c.trace.DeviceFit.Score(node.Slot, score)
		c.trace.Fragmentation.Note(node.Slot, growth)
	}
	return score, nil
}

// ScoreExtensions returns nil: scores need no normalizing, they are comparable
// between nodes and span the framework's range.
func (pl *DeviceFit) ScoreExtensions() fwk.ScoreExtensions { return nil }

// SignPod returns the pod's demand, which is all of the pod that a node's
// verdict and score depend on.
func (pl *DeviceFit) SignPod(_ context.Context, pod *v1.Pod) ([]fwk.SignFragment, *fwk.Status) {
	return []fwk.SignFragment{{Key: demandSigner, Value: pl.demandOf(pod)}}, nil
}
