package nodeload

import (
	"context"

	v1 "k8s.io/api/core/v1"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
	schedutil "k8s.io/kubernetes/pkg/scheduler/util"
	"k8s.io/utils/clock"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/compat"
	"github.com/plimsoll-scheduler/plimsoll/pkg/explain"
	"github.com/plimsoll-scheduler/plimsoll/pkg/line"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load"
	"github.com/plimsoll-scheduler/plimsoll/pkg/waiting"
)

// class is what decides on the room of a node for a pod, besides how much the pod
// needs.
type class struct {
	rule line.Rule
	soft bool
}

// wait has the plugin's rejected pods woken, until ctx ends.
func (pl *NodeLoad) wait(ctx context.Context, dispatch waiting.Dispatcher, rejections *waiting.Metrics) {
	pl.waiting = waiting.NewSet(waiting.Config[class]{
		Handle: pl.handle, Rules: rules{&pl.policy, pl.model}, View: pl.model.View,
		Metrics: rejections, Plugin: Name, Reasons: labels[:],
	})
	if dispatch == nil {
		dispatch = waiting.Background(clock.RealClock{})
	}
	lines := &crossings{
		profile: pl.handle.ProfileName(), policy: &pl.policy, recorder: pl.handle.EventRecorder(), nodes: map[string]*crossing{},
	}
	pl.model.Subscribe(pl.waiting.Start(ctx, dispatch, func(view *load.View) { lines.look(view, pl.model.Leads()) }))
}

// rules are NodeLoad's part in the decision which pods to wake.
type rules struct {
	policy *policy
	model  *load.Model
}

var _ waiting.Rules[class] = rules{}

// Class returns what decides on the room for the pod.
func (r rules) Class(view *load.View, pod *v1.Pod, before waiting.History) class {
	a := r.policy.askIn(view, pod, amount.Vector{}, before)
	if a.soft {
		return class{soft: true} // whatever the rule
	}
	return class{rule: a.rule}
}

// Need returns the pod's estimate.
func (r rules) Need(pod *v1.Pod) amount.Vector { return r.model.Estimate(pod) }

// Room returns how much the estimate of a pod of the class may be for Filter to
// take the node.
func (r rules) Room(view *load.View, node *load.Node, of class, taken amount.Vector) (amount.Vector, bool) {
	room := amount.Vector{line.Unlimited, line.Unlimited}
	if r.policy.lacksSample(view, node) {
		return room, false
	}
	use, known := r.policy.use(view, node, r.policy.filterBy)
	switch {
	case !of.soft && r.policy.awaits(view, node):
		return room, false
	case of.soft || !known:
		return room, true
	}
	l := of.rule.On(node.Own, node.Allocatable)
	return l.Takes(use.Add(taken)), true
}

// PostFilter says that the attempt has failed. It never makes a pod schedulable.
func (pl *NodeLoad) PostFilter(_ context.Context, state fwk.CycleState, _ *v1.Pod, _ fwk.NodeToStatusReader) (*fwk.PostFilterResult, *fwk.Status) {
	if data, err := state.Read(stateKey); err == nil && data.(*cycle).attempt != nil {
		pl.waiting.Finish(data.(*cycle).attempt)
	}
	explain.Of(state).Conclude(explain.Waits, "")
	return nil, fwk.NewStatus(fwk.Unschedulable)
}

// EventsToRegister returns the cluster events after which a pod is retried that
// the plugin rejected, where they tell sooner than the load model what it is
// waiting for.
func (pl *NodeLoad) EventsToRegister(context.Context) ([]fwk.ClusterEventWithHint, error) {
	return []fwk.ClusterEventWithHint{
		{
			Event:          fwk.ClusterEvent{Resource: fwk.Node, ActionType: fwk.Add | fwk.UpdateNodeAllocatable},
			QueueingHintFn: pl.afterNodeChange,
		},
		compat.WhenOwnPodChanges(pl.afterOwnChange),
	}, nil
}

// afterNodeChange queues the pod if the node that was added or changed would
// take it, as far as is known now.
func (pl *NodeLoad) afterNodeChange(_ klog.Logger, pod *v1.Pod, oldObj, newObj any) (fwk.QueueingHint, error) {
	_, changed, err := schedutil.As[*v1.Node](oldObj, newObj)
	if err != nil {
		return fwk.Queue, err
	}
	view := pl.model.View()
	a := pl.policy.askIn(&view, pod, pl.model.Estimate(pod), pl.waiting.History(pod.UID))
	if pl.policy.verdict(&view, view.Node(changed.Name), amount.FromList(changed.Status.Allocatable), &a, amount.Vector{}) != fits {
		return fwk.QueueSkip, nil
	}
	return fwk.Queue, nil
}

// afterOwnChange queues the pod if it asks for something else than before, because
// of its annotations or its requests.
func (pl *NodeLoad) afterOwnChange(_ klog.Logger, _ *v1.Pod, oldObj, newObj any) (fwk.QueueingHint, error) {
	before, after, err := schedutil.As[*v1.Pod](oldObj, newObj)
	if err != nil {
		return fwk.Queue, err
	}
	if pl.askOf(before) == pl.askOf(after) {
		return fwk.QueueSkip, nil
	}
	return fwk.Queue, nil
}
