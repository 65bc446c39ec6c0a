package nodeload

import (
	"context"
	"sync"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	resourcehelper "k8s.io/component-helpers/resource"
	fwk "k8s.io/kube-scheduler/framework"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/apis/config"
	"github.com/plimsoll-scheduler/plimsoll/pkg/compat"
	"github.com/plimsoll-scheduler/plimsoll/pkg/demand"
	"github.com/plimsoll-scheduler/plimsoll/pkg/device"
	"github.com/plimsoll-scheduler/plimsoll/pkg/explain"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load"
	"github.com/plimsoll-scheduler/plimsoll/pkg/recall"
	"github.com/plimsoll-scheduler/plimsoll/pkg/rejection"
	"github.com/plimsoll-scheduler/plimsoll/pkg/status"
	"github.com/plimsoll-scheduler/plimsoll/pkg/waiting"
)

// Name of the plugin in a KubeSchedulerConfiguration.
const Name = config.NodeLoad

// NodeLoad places pods by the measured load of nodes.
type NodeLoad struct {
	handle   fwk.Handle
	model    *load.Model
	policy   policy
	waiting  *waiting.Set[class]
	statuses *rejection.Statuses
	// decisions is where decisions are explained; nil if they are not.
	decisions *explain.Log
	// catalogue returns what is known of devices; nil if nothing is.
	catalogue func() *device.Catalogue
	// late guards making a cycle that PreFilter has not left.
	late sync.Mutex
	// sheets have the scores that nodes got for pods alike.
	sheets recall.Sheets[shape, int8]
}

var (
	_ fwk.PreFilterPlugin   = &NodeLoad{}
	_ fwk.FilterPlugin      = &NodeLoad{}
	_ fwk.PostFilterPlugin  = &NodeLoad{}
	_ fwk.PreScorePlugin    = &NodeLoad{}
	_ fwk.ScorePlugin       = &NodeLoad{}
	_ fwk.ReservePlugin     = &NodeLoad{}
	_ fwk.EnqueueExtensions = &NodeLoad{}
	_ fwk.SignPlugin        = &NodeLoad{}
)

// Shared is what the NodeLoad plugins of a process share.
type Shared struct {
	// Model returns the load model, the same each time.
	Model func(context.Context, fwk.Handle) (*load.Model, error)
	// Metrics are of nodes, and Waiting of pods that are rejected.
	Metrics *Metrics
	Waiting *waiting.Metrics
	// Decisions is where decisions are explained; nil if they are not.
	Decisions *explain.Log
	// Status is told of the plugin; nil if nobody asks what is known of nodes.
	Status *status.Reporters
	// Dispatch has waiting pods looked at. It defaults to goroutines of their own.
	Dispatch waiting.Dispatcher
	// Catalogues has what is known of devices in the profiles that rank nodes by them.
	// In others, and if it is nil, all pods count the same.
	Catalogues *device.Catalogues
}

// Factory returns what makes the plugin for a profile.
func Factory(shared Shared) func(context.Context, runtime.Object, fwk.Handle) (fwk.Plugin, error) {
	return func(ctx context.Context, obj runtime.Object, handle fwk.Handle) (fwk.Plugin, error) {
		fld := field.NewPath("profiles").Key(handle.ProfileName()).Child("pluginConfig").Key(Name).Child("args")
		args, errs := config.DecodeNodeLoad(obj, fld)
		if len(errs) > 0 {
			return nil, errs.ToAggregate()
		}
		model, err := shared.Model(ctx, handle)
		if err != nil {
			return nil, err
		}
		pl := newPlugin(ctx, args, model, shared, handle)
		shared.Status.Add(handle.ProfileName(), pl)
		return pl, nil
	}
}

// newPlugin returns the plugin for the profile that handle belongs to. What it
// runs ends with ctx.
func newPlugin(ctx context.Context, args *config.NodeLoadArgs, model *load.Model, shared Shared, handle fwk.Handle) *NodeLoad {
	pl := &NodeLoad{
		handle: handle, model: model, policy: newPolicy(args), decisions: shared.Decisions,
		statuses: rejection.NewStatuses(int(numVerdicts), newStatus),
		// Not before it is asked for: the profile's other plugins may be made later.
		catalogue: sync.OnceValue(func() *device.Catalogue { return shared.Catalogues.Of(handle.ProfileName()) }),
	}
	if pl.policy.prices != nil {
		model.KnowDemands()
	}
	shared.Decisions.RecordTo(handle.ProfileName(), handle.EventRecorder())
	shared.Metrics.add(handle.ProfileName(), &pl.policy, model.View)
	pl.wait(ctx, shared.Dispatch, shared.Waiting)
	return pl
}

// Name returns the name of the plugin.
func (pl *NodeLoad) Name() string { return Name }

const stateKey fwk.StateKey = Name

// cycle is what one scheduling cycle decides on.
type cycle struct {
	view    load.View
	attempt *waiting.Attempt // nil if no node is rejected
	ask     ask
	// newcomer is the pod for Score; nil if nodes are ranked by headroom.
	newcomer *newcomer
	// takenAnywhere: no node is rejected for the pod.
	takenAnywhere bool
	// trial: the cycle is a copy on which preemption tries things out.
	trial  bool
	whatIf whatIf
	// sheet has those for pods like this; nil if none are kept.
	sheet recall.Sheet[int8]
	// marks are what becomes of each node; nil if nothing is to be explained.
	marks explain.Marks
}

// begin begins a cycle for the pod.
func (pl *NodeLoad) begin(state fwk.CycleState, pod *v1.Pod) *cycle {
	c := &cycle{}
	var before waiting.History
	if rejection.IsExempt(pod) {
		c.view, c.takenAnywhere = pl.model.View(), true
	} else {
		c.attempt, c.view = pl.waiting.Begin(pod, compat.InPodGroupCycle(state))
		before = c.attempt.Before()
	}
	c.ask = pl.policy.askIn(&c.view, pod, pl.model.Estimate(pod), before)
	c.newcomer = pl.newcomer(pod)
	c.takenAnywhere = c.takenAnywhere || !pl.policy.rejects(c.ask)
	if !c.takenAnywhere {
		pl.statuses.Grow(c.view.Slots())
	}
	trace := pl.decisions.Begin(state, pl.handle.ProfileName(), pod, &c.view)
	trace.Since(before.Since)
	c.marks = trace.Join(&account{policy: &pl.policy, view: &c.view, ask: c.ask})
	state.Write(stateKey, c)
	return c
}

// cycleOf returns the cycle that PreFilter has begun, or begins it: a profile may
// enable the plugin at some extension points alone.
func (pl *NodeLoad) cycleOf(state fwk.CycleState, pod *v1.Pod) *cycle {
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

func (pl *NodeLoad) askOf(pod *v1.Pod) ask { return pl.policy.askOf(pod, pl.model.Estimate(pod)) }

// PreFilter takes the view of the load model for the cycle, and skips Filter
// for pods that it never rejects.
//
// A pod that has a node is tried only because it is to be resized there: whatever
// the load of that node, it is no other's turn to take the pod.
func (pl *NodeLoad) PreFilter(_ context.Context, state fwk.CycleState, pod *v1.Pod, _ []fwk.NodeInfo) (*fwk.PreFilterResult, *fwk.Status) {
	if pod.Spec.NodeName != "" {
		return nil, fwk.NewStatus(fwk.Skip)
	}
	pl.model.BeginCycle()
	c := pl.begin(state, pod)
	if c.takenAnywhere {
		return nil, fwk.NewStatus(fwk.Skip)
	}
	return nil, nil
}

// Remembered returns how many pods are remembered as ones that wait.
func (pl *NodeLoad) Remembered() int { return pl.waiting.Len() }

// Reserve counts the pod on the node from now on.
func (pl *NodeLoad) Reserve(_ context.Context, state fwk.CycleState, pod *v1.Pod, nodeName string) *fwk.Status {
	if resourcehelper.IsPodResizeDeferred(pod) {
		return nil // it runs there already: see PreFilter
	}
	pl.model.Reserve(pod, nodeName)
	pl.waiting.Reserve(pod.UID, nodeName)
	explain.Of(state).Conclude(explain.Placed, nodeName)
	return nil
}

// Unreserve takes back Reserve: binding failed, or the rest of the pod's group
// found no place.
func (pl *NodeLoad) Unreserve(_ context.Context, state fwk.CycleState, pod *v1.Pod, nodeName string) {
	if resourcehelper.IsPodResizeDeferred(pod) {
		return
	}
	pl.model.Unreserve(pod)
	pl.waiting.Unreserve(pod.UID)
	explain.Of(state).Conclude(explain.TakenBack, nodeName)
}

// SignPod signs all that Filter and Score look at in a pod, and in what its attempts
// before have left, so that pods with equal signatures can share results for as long
// as the framework keeps them.
func (pl *NodeLoad) SignPod(_ context.Context, pod *v1.Pod) ([]fwk.SignFragment, *fwk.Status) {
	view := pl.model.View()
	a := pl.policy.askIn(&view, pod, pl.model.Estimate(pod), pl.waiting.History(pod.UID))
	var brings newcomer
	if n := pl.newcomer(pod); n != nil {
		brings = *n
	}
	return []fwk.SignFragment{{Key: "plimsoll.io/NodeLoad", Value: struct {
		Estimate, Percent, Largest amount.Vector
		Band, Soft, Exempt         bool
		Demand                     demand.Demand
		Devices                    float64
	}{a.estimate, a.rule.Percent, a.rule.Largest, a.rule.Band, a.soft, rejection.IsExempt(pod), brings.demand, brings.devices}}}, nil
}
