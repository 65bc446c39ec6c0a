package devicefit

import (
	"context"
	"errors"
	"fmt"
	"sync"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/utils/clock"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/apis/config"
	"github.com/plimsoll-scheduler/plimsoll/pkg/compat"
	"github.com/plimsoll-scheduler/plimsoll/pkg/device"
	"github.com/plimsoll-scheduler/plimsoll/pkg/explain"
	"github.com/plimsoll-scheduler/plimsoll/pkg/fragmentation"
	"github.com/plimsoll-scheduler/plimsoll/pkg/line"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load"
	"github.com/plimsoll-scheduler/plimsoll/pkg/recall"
	"github.com/plimsoll-scheduler/plimsoll/pkg/rejection"
	"github.com/plimsoll-scheduler/plimsoll/pkg/status"
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
	handle    fwk.Handle
	model     *load.Model
	devices   *device.Catalogue
	decisions *explain.Log // nil if decisions are not explained
	learner   *fragmentation.Learner
	fitting   fitting
	metrics   *gauges

	rate             rating // nil for LeastFragmentation
	weights          weights
	avoidDeviceNodes bool

	// rule decides on the load line of nodes, and statistic is
	// what is compared with it: NodeLoad's, so that headroom is what NodeLoad
	// would let pods use.
	rule      line.Rule
	statistic load.Statistic
	// ignoresStale: what is not measured now is not known.
	ignoresStale bool

	// perDevice is what a pod without devices must leave for each free device. If
	// that is nothing, no node is rejected, and waiting is nil.
	perDevice amount.Vector
	statuses  *rejection.Statuses
	waiting   *waiting.Set[anyPod]
	rejecting rejecting
	// late guards making a cycle that PreFilter has not left.
	late sync.Mutex
	// sheets have the scores that nodes got for pods alike.
	sheets recall.Sheets[shape, ranking]
}

var (
	_ fwk.PreFilterPlugin         = &DeviceFit{}
	_ fwk.FilterPlugin            = &DeviceFit{}
	_ fwk.PostFilterPlugin        = &DeviceFit{}
	_ fwk.PreScorePlugin          = &DeviceFit{}
	_ fwk.ScorePlugin             = &DeviceFit{}
	_ compat.PlacementScorePlugin = &DeviceFit{}
	_ fwk.ReservePlugin           = &DeviceFit{}
	_ fwk.PostBindPlugin          = &DeviceFit{}
	_ fwk.EnqueueExtensions       = &DeviceFit{}
	_ fwk.SignPlugin              = &DeviceFit{}
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
	// Catalogues is told of the profile's catalogue; nil if nobody wants it.
	Catalogues *device.Catalogues
	// Metrics are of devices, and Waiting of pods that are rejected.
	Metrics *Metrics
	Waiting *waiting.Metrics
	// Decisions is where decisions are explained; nil if they are not.
	Decisions *explain.Log
	// Status is told of the plugin; nil if nobody asks what is known of nodes.
	Status *status.Reporters
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
		pl, err := newPlugin(args, fld, shared.Profiles[handle.ProfileName()], inventory, shared.Clock)
		if err != nil {
			return nil, err
		}
		pl.handle, pl.decisions = handle, shared.Decisions
		pl.decisions.RecordTo(handle.ProfileName(), handle.EventRecorder())
		if shared.Catalogues != nil {
			shared.Catalogues.Set(handle.ProfileName(), pl.devices)
		}
		if pl.model, err = shared.Model(ctx, handle); err != nil {
			return nil, err
		}
		pl.metrics = shared.Metrics.profile(handle.ProfileName())
		pl.learner = fragmentation.NewLearner(shared.Clock)
		reporter := device.NewReporter(klog.FromContext(ctx), shared.Metrics.resources, handle.ProfileName())
		if err := errors.Join(pl.devices.Watch(handle.SharedInformerFactory(), reporter), pl.learn(ctx, handle.SharedInformerFactory())); err != nil {
			return nil, err
		}
		pl.model.Subscribe(func(context.Context) { pl.recountDevices() })
		pl.wait(ctx, shared.Dispatch, shared.Waiting)
		shared.Status.Add(handle.ProfileName(), pl)
		return pl, nil
	}
}

// newPlugin returns the plugin as far as it follows from its arguments and
// those of NodeLoad in the profile, which are nil if that does not use it.
func newPlugin(args *config.DeviceFitArgs, fld *field.Path, nodeLoad *config.NodeLoadArgs, inventory device.ClassInventory, clock clock.PassiveClock) (*DeviceFit, error) {
	matcher, err := device.NewMatcher(args.Resources)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", fld.Child("resources"), err)
	}
	for name, weight := range args.Weights {
		if !matcher.Matches(v1.ResourceName(name)) {
			return nil, field.Invalid(fld.Child("weights").Key(name), weight, "no pattern of resources matches this, so it would be ignored")
		}
	}
	pl := &DeviceFit{
		devices: device.NewCatalogue(matcher, inventory, clock), avoidDeviceNodes: args.AvoidDeviceNodes,
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
		pl.ignoresStale = nodeLoad.StalePolicy == config.Ignore
	}
	return pl, nil
}

// use returns the use by which the node, which may be nil, is judged, and whether
// there is one, as NodeLoad does.
func (pl *DeviceFit) use(view *load.View, node *load.Node) (use amount.Vector, known bool) {
	if pl.ignoresStale && view.State(node) != load.Fresh {
		return amount.Vector{}, false
	}
	return view.Use(node, pl.statistic)
}

// Name returns the name of the plugin.
func (pl *DeviceFit) Name() string { return Name }

const stateKey fwk.StateKey = Name

// cycle is what one scheduling cycle decides on. It is immutable once Score
// runs.
type cycle struct {
	demand
	view    load.View
	rule    line.Rule
	devices device.View
	mix     *fragmentation.Mix
	// mayStrand says that nodes may be rejected for the pod, and attempt is which.
	mayStrand bool
	attempt   *waiting.Attempt
	// trial: the cycle is a copy on which preemption tries things out.
	trial bool
	// account is the plugin's part in the explanation, and marks what becomes of each
	// node; nil if nothing is to be explained.
	account account
	marks   explain.Marks
	// sheet has those for pods like this; nil if none are kept.
	sheet recall.Sheet[ranking]
}

func (pl *DeviceFit) newCycle(pod *v1.Pod) *cycle {
	c := &cycle{demand: pl.demandOf(pod), view: pl.model.View()}
	pl.complete(c)
	return c
}

// complete sets what the cycle goes by besides its demand and its view.
func (pl *DeviceFit) complete(c *cycle) {
	c.mix, c.rule, c.devices = pl.learner.Mix(), pl.rule, pl.devices.View()
	c.rule.Largest = c.view.Largest()
	if !c.NeedsDevices { // it could not be given what is away, and is to stay off it
		c.devices = c.devices.WithAway()
	}
}

// begin begins a cycle for the pod.
func (pl *DeviceFit) begin(state fwk.CycleState, pod *v1.Pod) *cycle {
	c := &cycle{demand: pl.demandOf(pod)}
	if c.mayStrand = pl.waiting != nil && !c.NeedsDevices && !c.Exempt; c.mayStrand {
		c.attempt, c.view = pl.waiting.Begin(pod, compat.InPodGroupCycle(state))
		pl.statuses.Grow(c.view.Slots())
		pl.rejecting.grow(c.view.Slots())
	} else {
		c.view = pl.model.View()
	}
	pl.fit(c.view.Now)
	pl.complete(c)
	trace := pl.decisions.Begin(state, pl.handle.ProfileName(), pod, &c.view)
	if c.attempt != nil {
		trace.Since(c.attempt.Before().Since)
	}
	c.marks = trace.Join(&c.account)
	state.Write(stateKey, c)
	return c
}

// cycleOf returns the cycle that PreFilter has begun, or begins it: a profile may
// enable the plugin at some extension points alone.
func (pl *DeviceFit) cycleOf(state fwk.CycleState, pod *v1.Pod) *cycle {
	if data, err := state.Read(stateKey); err == nil {
		return data.(*cycle)
	}
	pl.late.Lock()
	defer pl.late.Unlock()
	if data, err := state.Read(stateKey); err == nil {
		return data.(*cycle)
	}
	return pl.begin(state, pod)
}

// Clone implements fwk.StateData. A copy is made for each node to which a pod is
// nominated, and is a part of the decision, unless preemption tries things out: see
// RemovePod.
func (c *cycle) Clone() fwk.StateData {
	clone := *c
	return &clone
}

// PreFilter takes the view of the cluster for the cycle, and skips Filter for
// pods that it never rejects.
//
// A pod that has a node is tried only because it is to be resized there: it takes
// no headroom of another node.
func (pl *DeviceFit) PreFilter(_ context.Context, state fwk.CycleState, pod *v1.Pod, _ []fwk.NodeInfo) (*fwk.PreFilterResult, *fwk.Status) {
	if pod.Spec.NodeName != "" {
		return nil, fwk.NewStatus(fwk.Skip)
	}
	pl.model.BeginCycle()
	c := pl.begin(state, pod)
	pl.countDevices(c)
	if !c.mayStrand {
		return nil, fwk.NewStatus(fwk.Skip)
	}
	return nil, nil
}

var _ fwk.PreFilterExtensions = &DeviceFit{}

// PreFilterExtensions returns what tells when preemption tries things out. It is of no
// help: see newStatus.
func (pl *DeviceFit) PreFilterExtensions() fwk.PreFilterExtensions { return pl }

// RemovePod begins a trial, which is no part of the decision.
func (pl *DeviceFit) RemovePod(_ context.Context, state fwk.CycleState, preemptor *v1.Pod, _ fwk.PodInfo, _ fwk.NodeInfo) *fwk.Status {
	c := pl.cycleOf(state, preemptor)
	c.trial, c.account, c.marks = true, account{}, nil
	return nil
}

// AddPod changes nothing.
func (pl *DeviceFit) AddPod(context.Context, fwk.CycleState, *v1.Pod, fwk.PodInfo, fwk.NodeInfo) *fwk.Status {
	return nil
}

// SignPod returns the pod's demand, which is all of the pod that a node's
// verdict and score depend on.
func (pl *DeviceFit) SignPod(_ context.Context, pod *v1.Pod) ([]fwk.SignFragment, *fwk.Status) {
	return []fwk.SignFragment{{Key: demandSigner, Value: pl.demandOf(pod)}}, nil
}
