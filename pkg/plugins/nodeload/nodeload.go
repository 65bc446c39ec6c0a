// Package nodeload is the NodeLoad plugin: it keeps nodes below a line of
// measured use, and prefers those furthest below it.
//
// A node's predicted use is what the load model measured there, and the
// estimates of the pods in flight to it, and that of the pod to be placed.
// Filter rejects a node whose prediction is above a threshold; Score ranks by
// the distance to it. Both are pure functions (decide.go) over the view of the
// load model that PreFilter took for the scheduling cycle.
//
// A drop in measured use is no event of the cluster, so pods that were
// rejected are remembered with the nodes that rejected them, and put back into
// the queue as soon as a poll shows that one of those would take them now
// (waiting.go).
package nodeload

import (
	"context"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"
	fwk "k8s.io/kube-scheduler/framework"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/apis/config"
	"github.com/plimsoll-scheduler/plimsoll/pkg/explain"
	"github.com/plimsoll-scheduler/plimsoll/pkg/line"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load"
	"github.com/plimsoll-scheduler/plimsoll/pkg/rejection"
)

// Name of the plugin in a KubeSchedulerConfiguration.
const Name = config.NodeLoad

// NodeLoad places pods by the measured load of nodes.
type NodeLoad struct {
	handle  fwk.Handle
	model   *load.Model
	policy  policy
	waiting *rejection.Waiting[ask]
	wishes  *wishes
	metrics *Metrics
	// decisions is where decisions are explained; nil if they are not.
	decisions *explain.Log
	statuses  *rejection.Statuses
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

// Factory returns what makes the plugin for a profile. model returns the load
// model of the process, the same each time.
func Factory(model func(context.Context, fwk.Handle) (*load.Model, error), metrics *Metrics, decisions *explain.Log) func(context.Context, runtime.Object, fwk.Handle) (fwk.Plugin, error) {
	return func(ctx context.Context, obj runtime.Object, handle fwk.Handle) (fwk.Plugin, error) {
		fld := field.NewPath("profiles").Key(handle.ProfileName()).Child("pluginConfig").Key(Name).Child("args")
		args, errs := config.DecodeNodeLoad(obj, fld)
		if len(errs) > 0 {
			return nil, errs.ToAggregate()
		}
		shared, err := model(ctx, handle)
		if err != nil {
			return nil, err
		}
		return New(args, shared, metrics, decisions, handle), nil
	}
}

// New returns the plugin for the profile that handle belongs to. decisions may
// be nil.
func New(args *config.NodeLoadArgs, model *load.Model, metrics *Metrics, decisions *explain.Log, handle fwk.Handle) *NodeLoad {
	pl := &NodeLoad{
		handle: handle, model: model, policy: newPolicy(args), metrics: metrics, decisions: decisions,
		waiting: rejection.NewWaiting[ask](), wishes: newWishes(), statuses: rejection.NewStatuses(int(numVerdicts), newStatus),
	}
	model.Subscribe(pl.afterChange)
	return pl
}

// Name returns the name of the plugin.
func (pl *NodeLoad) Name() string { return Name }

const stateKey fwk.StateKey = Name

// cycle is what one scheduling cycle decides on.
type cycle struct {
	pod    types.UID
	view   load.View
	ask    ask
	exempt bool
	whatIf whatIf
	trace  *explain.Trace // nil if nothing is to be explained
}

func (pl *NodeLoad) newCycle(pod *v1.Pod) *cycle {
	c := &cycle{pod: pod.UID, view: pl.model.View(), exempt: rejection.IsExempt(pod)}
	c.ask = pl.askIn(&c.view, pod)
	return c
}

// askOf returns what the cycle's pod, and the pods that it is tried with, ask
// of the node, which may be nil.
func (c *cycle) askOf(node *load.Node, by load.Statistic) ask {
	a := c.ask
	if node != nil && (c.whatIf.added != nil || c.whatIf.trials != nil) {
		a.beside = c.whatIf.beside(&c.view, node, by)
	}
	return a
}

func (pl *NodeLoad) askOf(pod *v1.Pod) ask { return pl.policy.askOf(pod, pl.model.Estimate(pod)) }

// askIn is askOf with all that depends on what nodes there are, and on how long
// the pod has waited.
func (pl *NodeLoad) askIn(view *load.View, pod *v1.Pod) ask {
	a := pl.askOf(pod)
	a.rule.Largest = view.Largest()
	if p := pl.waiting.Get(pod.UID); p != nil {
		a.rule.Largest = a.rule.Largest.Min(p.Ask.rule.Largest)
		a.soft = a.soft || a.overdue(p.Since, view.Now)
	}
	return a
}

func cycleOf(state fwk.CycleState) (*cycle, error) {
	data, err := state.Read(stateKey)
	if err != nil {
		return nil, err
	}
	return data.(*cycle), nil
}

// PreFilter takes the view of the load model for the cycle, and skips Filter
// for pods that it never rejects.
func (pl *NodeLoad) PreFilter(_ context.Context, state fwk.CycleState, pod *v1.Pod, _ []fwk.NodeInfo) (*fwk.PreFilterResult, *fwk.Status) {
	c := pl.newCycle(pod)
	pl.beginTrace(c, state)
	state.Write(stateKey, c)
	pl.wishes.remove(pod.UID)
	if c.exempt || !pl.policy.rejects(c.ask) {
		return nil, fwk.NewStatus(fwk.Skip)
	}
	pl.statuses.Grow(c.view.Slots())
	return nil, nil
}

// Filter rejects a node that is over the line with the pod on it.
func (pl *NodeLoad) Filter(_ context.Context, state fwk.CycleState, _ *v1.Pod, nodeInfo fwk.NodeInfo) *fwk.Status {
	c, err := cycleOf(state)
	if err != nil {
		return fwk.AsStatus(err)
	}
	node := c.view.NodeOf(nodeInfo)
	v := pl.policy.verdict(c.view.State(node), node, allocatableOf(nodeInfo), c.askOf(node, pl.policy.filterBy))
	if v == fits {
		c.markFits(node)
		return nil
	}
	c.markRejected(node, v)
	return pl.statuses.For(node, int(v))
}

// PreScore sees to it that Score has a view, also where Filter is turned off.
func (pl *NodeLoad) PreScore(_ context.Context, state fwk.CycleState, pod *v1.Pod, _ []fwk.NodeInfo) *fwk.Status {
	if _, err := cycleOf(state); err != nil {
		state.Write(stateKey, pl.newCycle(pod))
	}
	return nil
}

// Score ranks a node by how far below the line it is with the pod on it.
func (pl *NodeLoad) Score(_ context.Context, state fwk.CycleState, _ *v1.Pod, nodeInfo fwk.NodeInfo) (int64, *fwk.Status) {
	c, err := cycleOf(state)
	if err != nil {
		return 0, fwk.AsStatus(err)
	}
	node := c.view.NodeOf(nodeInfo)
	score := pl.scoreOf(&c.view, node, nodeInfo, c.ask)
	c.markScore(node, score)
	return score, nil
}

// scoreOf ranks the node, which is nil if the view does not know it, for what is
// asked of it.
func (pl *NodeLoad) scoreOf(view *load.View, node *load.Node, nodeInfo fwk.NodeInfo, a ask) int64 {
	var predicted amount.Vector
	var own line.Own // of the node; none if it is not known
	if node != nil {
		own = node.Own
	}
	switch {
	case view.State(node) == load.Fresh:
		predicted = pl.policy.predicted(node)
	case pl.policy.stale == config.Ignore:
		return neutralScore
	default:
		predicted = pl.model.Requested(requestedOf(nodeInfo))
	}
	return pl.policy.score(predicted.Add(a.estimate), allocatableOf(nodeInfo), &own, a)
}

// ScoreExtensions returns nil: scores are on an absolute scale.
func (pl *NodeLoad) ScoreExtensions() fwk.ScoreExtensions { return nil }

// Reserve counts the pod on the node from now on.
func (pl *NodeLoad) Reserve(_ context.Context, state fwk.CycleState, pod *v1.Pod, nodeName string) *fwk.Status {
	pl.model.Reserve(pod, nodeName)
	pl.stopWaiting(pod.UID)
	if c, err := cycleOf(state); err == nil {
		pl.explain(c, pod, explain.Placed, nodeName)
	}
	return nil
}

// Unreserve takes back Reserve: binding failed, or the rest of the pod's group
// found no place.
func (pl *NodeLoad) Unreserve(_ context.Context, state fwk.CycleState, pod *v1.Pod, nodeName string) {
	pl.model.Unreserve(pod)
	if c, err := cycleOf(state); err == nil {
		pl.explain(c, pod, explain.TakenBack, nodeName)
	}
}

// SignPod signs all that Filter and Score look at in a pod, so that pods with
// equal signatures can share results for as long as the framework keeps them.
func (pl *NodeLoad) SignPod(_ context.Context, pod *v1.Pod) ([]fwk.SignFragment, *fwk.Status) {
	a := pl.askOf(pod)
	return []fwk.SignFragment{{Key: "plimsoll.io/NodeLoad", Value: struct {
		Estimate, Percent  amount.Vector
		Band, Soft, Exempt bool
	}{a.estimate, a.rule.Percent, a.rule.Band, a.soft, rejection.IsExempt(pod)}}}, nil
}

func allocatableOf(nodeInfo fwk.NodeInfo) amount.Vector {
	allocatable := nodeInfo.GetAllocatable()
	return amount.Vector{amount.CPU: allocatable.GetMilliCPU(), amount.Memory: allocatable.GetMemory()}
}

// requestedOf returns what the node's pods request, with the scheduler's own
// stand-ins for containers without a request.
func requestedOf(nodeInfo fwk.NodeInfo) amount.Vector {
	requested := nodeInfo.GetNonZeroRequested()
	return amount.Vector{amount.CPU: requested.GetMilliCPU(), amount.Memory: requested.GetMemory()}
}
