package kube

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework"
	"k8s.io/utils/clock"

	"github.com/plimsoll-scheduler/plimsoll/pkg/compat/process"
)

// Decision is what a scheduling cycle has come to.
type Decision struct {
	Pod types.NamespacedName
	// Node is the node that the pod is to be bound to; empty if none takes it.
	Node string
	// Nominated is the node that the pod is to get once those are gone that it
	// preempts there; empty if it preempts none.
	Nominated string
	// Status is why none takes it: its message is that of the event that
	// kube-scheduler records. It is nil if a node does, and if the pod was not
	// tried because it is being deleted.
	Status *fwk.Status
}

// Rejections returns why each node that was looked at does not take the pod:
// its status names the plugin and the reasons. It is empty if a node takes it.
func (d *Decision) Rejections() map[string]*fwk.Status {
	rejections := map[string]*fwk.Status{}
	var fit *framework.FitError
	if d.Status != nil && errors.As(d.Status.AsError(), &fit) {
		fit.Diagnosis.NodeToStatus.ForEachExplicitNode(func(node string, status *fwk.Status) {
			rejections[node] = status
		})
	}
	return rejections
}

// cycle is what the scheduler tells of the cycle that runs.
type cycle struct {
	pod types.NamespacedName
	// reserved says that the pod has got a node, so that a binding cycle follows,
	// which is a goroutine of its own.
	reserved bool
	outcomes chan outcome
}

type outcome struct {
	decision Decision
	err      error
}

// observeCycles has the scheduler tell what its cycles come to.
func (c *Cluster) observeCycles() {
	c.cycle.outcomes = make(chan outcome, 1)
	for name, inner := range c.scheduler.Profiles {
		c.scheduler.Profiles[name] = newObservedFramework(inner, c.clock, &c.cycle)
	}
	process.TellNextPod(c.scheduler, func(pod *v1.Pod) { c.cycle.pod = nameOf(pod) })
	handle := c.scheduler.FailureHandler
	c.scheduler.FailureHandler = func(ctx context.Context, f framework.Framework, info *framework.QueuedPodInfo, status *fwk.Status, nominating *fwk.NominatingInfo, start time.Time) {
		handle(ctx, f, info, status, nominating, start)
		result := c.failure(info, status)
		if nominating.Mode() == fwk.ModeOverride {
			result.decision.Nominated = nominating.NominatedNodeName
		}
		c.cycle.outcomes <- result
	}
}

// HasWork reports whether there is a pod to try.
func (c *Cluster) HasWork() bool {
	queue := c.scheduler.SchedulingQueue
	return len(queue.PodsInActiveQ()) > 0 || len(queue.PodsInBackoffQ()) > 0
}

// Unschedulable returns the pods that were tried in vain and are not to be
// tried again until something happens, in the order of their names.
func (c *Cluster) Unschedulable() []types.NamespacedName {
	var names []types.NamespacedName
	for _, pod := range c.scheduler.SchedulingQueue.UnschedulablePods() {
		names = append(names, nameOf(pod))
	}
	slices.SortFunc(names, func(a, b types.NamespacedName) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return names
}

// ScheduleOne runs one scheduling cycle, and its binding cycle but for the
// binding itself: the next cycle counts the pod as on its node, and the caller
// says by Bind that it is. It is an error if there is no pod to try, or the
// scheduler fails other than by finding no node; the cluster is of no more use
// then.
func (c *Cluster) ScheduleOne(ctx context.Context) (Decision, error) {
	if !c.HasWork() {
		return Decision{}, errors.New("there is no pod to schedule")
	}
	c.cycle.pod, c.cycle.reserved = types.NamespacedName{}, false
	c.scheduler.ScheduleOne(klog.NewContext(ctx, c.logger))
	if !c.cycle.reserved {
		select {
		case o := <-c.cycle.outcomes:
			return o.decision, o.err
		default:
			return Decision{Pod: c.cycle.pod}, nil
		}
	}
	select {
	case o := <-c.cycle.outcomes:
		return o.decision, o.err
	case <-ctx.Done():
		return Decision{}, ctx.Err()
	}
}

// failure is that a pod found no node.
type failure struct {
	// at is when it was tried last, or flushed since.
	at time.Time
	// rejectedBy are the plugins that rejected it.
	rejectedBy map[string]bool
}

// failure notes that a pod found no node.
func (c *Cluster) failure(info *framework.QueuedPodInfo, status *fwk.Status) outcome {
	pod := info.Pod
	if !status.IsRejected() {
		return outcome{err: fmt.Errorf("schedule pod %s: %w", klog.KObj(pod), status.AsError())}
	}
	rejectedBy := map[string]bool{}
	if queued, ok := process.QueuedPod(c.scheduler, pod.Namespace, pod.Name); ok {
		for plugin := range queued.UnschedulablePlugins.Union(queued.PendingPlugins) {
			rejectedBy[plugin] = true
		}
	}
	c.failed[pod.UID] = failure{at: c.clock.Now(), rejectedBy: rejectedBy}
	return outcome{decision: Decision{Pod: nameOf(pod), Status: status}}
}

// observedFramework is a framework that tells of bindings instead of having the
// API server carry them out.
type observedFramework struct {
	process.Framework
	clock  clock.PassiveClock
	cycle  *cycle
	stored time.Time // when results were kept for the next pod of the same signature
}

// maxBatchAge is how long the framework keeps the results of a cycle for the
// next pod with the same signature. It goes by the wall clock, we by the cluster's.
const maxBatchAge = 500 * time.Millisecond

func newObservedFramework(inner framework.Framework, clock clock.PassiveClock, cycle *cycle) *observedFramework {
	f := &observedFramework{clock: clock, cycle: cycle}
	f.Framework = process.Framework{Framework: inner, Hints: func() bool { return f.clock.Since(f.stored) <= maxBatchAge }}
	return f
}

// RunReservePluginsReserve notes that the pod has got a node.
func (f *observedFramework) RunReservePluginsReserve(ctx context.Context, state fwk.CycleState, pod *v1.Pod, node string) *fwk.Status {
	f.cycle.reserved = true
	return f.Framework.RunReservePluginsReserve(ctx, state, pod, node)
}

// RunBindPlugins replaces the plugin that asks the API server to bind the pod.
func (f *observedFramework) RunBindPlugins(context.Context, fwk.CycleState, *v1.Pod, string) *fwk.Status {
	return nil
}

// RunPostBindPlugins ends the binding cycle, which is a goroutine of its own:
// ScheduleOne returns after that.
func (f *observedFramework) RunPostBindPlugins(ctx context.Context, state fwk.CycleState, pod *v1.Pod, node string) {
	f.Framework.RunPostBindPlugins(ctx, state, pod, node)
	f.cycle.outcomes <- outcome{decision: Decision{Pod: nameOf(pod), Node: node}}
}

// StoreScheduleResults notes when results are kept.
func (f *observedFramework) StoreScheduleResults(ctx context.Context, signature fwk.PodSignature, hinted, chosen string, others framework.SortedScoredNodes, cycle int64) {
	if hinted == "" {
		f.stored = f.clock.Now()
	}
	f.Framework.StoreScheduleResults(ctx, signature, hinted, chosen, others, cycle)
}
