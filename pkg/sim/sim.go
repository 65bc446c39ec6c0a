// Package sim simulates what schedulers would do, in virtual time, over the real
// scheduling framework.
//
// A Scenario says which pods arrive when, how long they take to start, how long
// they live and what they use over time. Run plays it once for each Policy: a
// profile of a KubeSchedulerConfiguration, run by kube-scheduler's own code
// (cache, snapshot, queue, framework, in-tree plugins) with the plugins that run
// in production. There is no API server and no kubelet: the simulation itself
// creates, binds, starts and deletes pods, and plays metrics-server. Time is a
// clock that is set from one event to the next, so a day takes a minute, and the
// same scenario gives the same result, to the byte but for the measured speed.
package sim

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"time"

	"golang.org/x/sync/errgroup"
	appsv1 "k8s.io/api/apps/v1"
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	schedconfig "k8s.io/kubernetes/pkg/scheduler/apis/config"

	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/world"
)

// Scenario is what happens, the same for each policy.
type Scenario struct {
	Name  string
	Nodes []*v1.Node
	Pods  []Pod
	// Seed is of all that is random in the simulation itself: which of several
	// nodes with the same score a pod gets, when nodes are measured, which samples
	// are missing.
	Seed uint64
	// End is when the simulation ends, and MeasureFrom from when on it is measured.
	End, MeasureFrom time.Duration
	Metrics          MetricsServer
	// Background is what uses nodes beside their pods, by node name.
	Background map[string]Background
	// ReplicaSets are the owners of pods. kube-scheduler spreads the pods of one
	// over nodes by default.
	ReplicaSets []*appsv1.ReplicaSet
	// Parameters are those of the model that the scenario was made by. They are
	// only reported.
	Parameters []Parameter
	// Recording is what the scenario was recorded of; nil if it is made by a model.
	Recording *Recording
}

// Pod is a pod of a scenario. Times are since the start of the simulation.
type Pod struct {
	// Object is the pod as it is created. If it has a node name it runs there from its
	// arrival, which may be before the start, and is not scheduled.
	Object *v1.Pod
	// Arrival is when it is created.
	Arrival time.Duration
	// StartDelay is the time from its binding until its containers run.
	StartDelay time.Duration
	// Lifetime is the time from then until it is deleted. 0 is for ever.
	Lifetime time.Duration
	// Until is when its owner deletes it at the latest, also if it waits for a node
	// or has not started by then. 0 is never.
	Until time.Duration
	// Kind is the kind of its workload; empty if its owner tells (see KindOf).
	Kind Kind
	// Use is what it uses while it runs.
	Use Use
}

// Use is what a pod uses over time.
type Use = world.Use

// Background is a constant use of a node by something that is no pod of the
// scenario: CPU in cores, memory in bytes.
type Background = world.Background

// MetricsServer says how well nodes and pods are measured.
type MetricsServer = world.Sampling

// Policy is one profile of a KubeSchedulerConfiguration under a name.
type Policy struct {
	Name string
	// Note is something that a reader of the result must know of the policy.
	Note    string
	Profile *schedconfig.KubeSchedulerProfile
	// Knowing has the load model know how each pod's use is distributed over time, as if
	// there was a perfect forecast: what learning could save at most.
	Knowing bool
}

// Options are those of Run.
type Options struct {
	// Progress is told now and then how much of the simulated time has passed. It
	// may be called from several goroutines.
	Progress func(policy string, done, total time.Duration)
	// Bound is told of each pod that gets a node. It may be called from several
	// goroutines, but for a policy in order.
	Bound func(policy string, pod *v1.Pod, node string, at time.Duration)
	// Estimates has it measured how far off the estimates of use are, which takes
	// some time: see PolicyResult.Estimates.
	Estimates bool
	// Parallel is how many policies are simulated at once; 0 is one for each CPU.
	Parallel int
}

// DefaultMetricsServer is metrics-server with its usual settings.
func DefaultMetricsServer() MetricsServer {
	return MetricsServer{Interval: 15 * time.Second, Delay: 5 * time.Second, Missing: 0.01}
}

// Run plays the scenario once for each policy. The result is the same each
// time, but for DecisionsPerSecond.
func Run(ctx context.Context, s *Scenario, policies []Policy, o Options) (*Result, error) {
	if err := s.validate(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // what the schedulers have started ends here
	// All are made before the first runs: some plugins set variables of their
	// package when they are made.
	players := make([]*player, len(policies))
	for i := range policies {
		var err error
		if players[i], err = newPlayer(ctx, s, &policies[i], &o); err != nil {
			return nil, fmt.Errorf("policy %s: %w", policies[i].Name, err)
		}
	}
	result := &Result{Seed: s.Seed, Scenario: s.describe(), Policies: make([]PolicyResult, len(policies))}
	group, ctx := errgroup.WithContext(ctx)
	if o.Parallel <= 0 {
		o.Parallel = runtime.NumCPU()
	}
	group.SetLimit(o.Parallel)
	for i, p := range players {
		group.Go(func() error {
			if err := p.run(ctx, o.progressOf(p.policy.Name, s.End)); err != nil {
				return fmt.Errorf("policy %s: %w", p.policy.Name, err)
			}
			result.Policies[i] = p.result()
			players[i] = nil
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return result, nil
}

// progressOf returns what is to be told how much of a policy's time has passed.
// It passes that on about once in a thousandth of the way.
func (o *Options) progressOf(policy string, end time.Duration) func(done time.Duration) {
	if o.Progress == nil {
		return func(time.Duration) {}
	}
	next := time.Duration(0)
	return func(done time.Duration) {
		if done >= next {
			o.Progress(policy, done, end)
			next = done + end/1000
		}
	}
}

// validate reports what is wrong with the scenario.
func (s *Scenario) validate() error {
	switch {
	case len(s.Nodes) == 0:
		return fmt.Errorf("scenario %s has no nodes", s.Name)
	case s.MeasureFrom < 0 || s.End <= s.MeasureFrom:
		return fmt.Errorf("scenario %s is measured from %v to %v: nothing is between", s.Name, s.MeasureFrom, s.End)
	case s.Metrics.Interval < time.Second || s.Metrics.Delay < 0 || s.Metrics.Delay > 4*s.Metrics.Interval || !(s.Metrics.Missing >= 0 && s.Metrics.Missing < 1):
		return fmt.Errorf("scenario %s: metrics-server with %+v: the interval must be at least 1s, the delay from 0 to four intervals, the missing part from 0 to less than 1", s.Name, s.Metrics)
	}
	nodes := map[string]bool{}
	for _, node := range s.Nodes {
		if nodes[node.Name] {
			return fmt.Errorf("scenario %s has two nodes %s", s.Name, node.Name)
		}
		if node.Status.Allocatable.Cpu().MilliValue() <= 0 || node.Status.Allocatable.Memory().Value() <= 0 {
			return fmt.Errorf("scenario %s: node %s has no allocatable CPU or memory", s.Name, node.Name)
		}
		nodes[node.Name] = true
	}
	pods := map[types.NamespacedName]bool{}
	uids := map[types.UID]bool{}
	for i := range s.Pods {
		pod := &s.Pods[i]
		name := nameOf(pod.Object)
		if pods[name] || uids[pod.Object.UID] || pod.Object.UID == "" {
			return fmt.Errorf("scenario %s: pod %s has no UID of its own, or its name is not", s.Name, name)
		}
		pods[name], uids[pod.Object.UID] = true, true
		if err := pod.validate(nodes); err != nil {
			return fmt.Errorf("scenario %s: pod %s %w", s.Name, name, err)
		}
	}
	return nil
}

func (p *Pod) validate(nodes map[string]bool) error {
	node := p.Object.Spec.NodeName
	switch {
	case node != "" && !nodes[node]:
		return fmt.Errorf("is on node %s, which does not exist", node)
	case node == "" && p.Arrival < 0:
		return fmt.Errorf("arrives at %v, before the start", p.Arrival)
	case p.StartDelay < 0 || p.Lifetime < 0:
		return fmt.Errorf("starts %v after it is bound, and lives %v: neither may be negative", p.StartDelay, p.Lifetime)
	case p.Until != 0 && p.Until <= max(0, p.Arrival):
		return fmt.Errorf("is deleted at %v, and arrives at %v: it must be later", p.Until, p.Arrival)
	case len(p.Use.CPU) > 0 && (p.Use.Step <= 0 || p.Use.Offset < 0):
		return fmt.Errorf("uses CPU by a series with a step of %v and an offset of %v: the step must be above 0, the offset not below", p.Use.Step, p.Use.Offset)
	case len(p.Use.MemorySeries) > 0 && len(p.Use.MemorySeries) != len(p.Use.CPU):
		return fmt.Errorf("uses memory by a series of %d entries, and CPU by one of %d: both must have as many", len(p.Use.MemorySeries), len(p.Use.CPU))
	case p.Use.Growth != 0 && p.Use.GrowthStep <= 0:
		return fmt.Errorf("uses memory that grows with each step of %v: the step must be above 0", p.Use.GrowthStep)
	}
	return nil
}

// Forever is when a pod ends that is never deleted.
const Forever = time.Duration(math.MaxInt64)

// EndsAt returns when a pod that starts at a time is deleted.
func (p *Pod) EndsAt(start time.Duration) time.Duration {
	end := Forever
	if p.Lifetime > 0 {
		end = start + p.Lifetime
	}
	if p.Until > 0 {
		end = min(end, p.Until)
	}
	return end
}

func (s *Scenario) describe() Description {
	d := Description{
		Name: s.Name, Nodes: len(s.Nodes), Pods: len(s.Pods),
		MeasuredFrom: s.MeasureFrom, MeasuredTo: s.End, Parameters: s.Parameters,
	}
	if s.Recording != nil {
		d.Recording = &s.Recording.Facts
	}
	for _, node := range s.Nodes {
		d.Devices += world.DevicesIn(node.Status.Allocatable)
	}
	return d
}
