package sim

import (
	"context"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	schedconfig "k8s.io/kubernetes/pkg/scheduler/apis/config"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/demand"
	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/kube"
	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/peers"
	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/world"
)

// Start is when simulated time starts: at eight in the morning. It lies ahead of
// real time, because Trimaran drops what is older than a few minutes of real time.
func Start() time.Time { return time.Date(2100, 1, 1, 8, 0, 0, 0, time.UTC) }

// cycleTime is how much simulated time a scheduling cycle takes: about what one
// takes at some thousand nodes. Pods that arrive together wait for each other.
const cycleTime = 5 * time.Millisecond

// player plays a scenario under one policy: it puts the world, the scheduler and
// what measures both together, and has time pass. None of them knows the player.
type player struct {
	scenario  *Scenario
	policy    *Policy
	clock     *world.Clock
	machines  []*world.Machine
	metrics   *world.MetricsServer
	cluster   *kube.Cluster
	peers     *peers.Peers
	pods      *pods
	meter     *meter
	appraisal *appraisal // nil if estimates are not judged
	cycles    int
	real      time.Duration // spent in scheduling cycles
}

func newPlayer(ctx context.Context, s *Scenario, policy *Policy, o *Options) (*player, error) {
	p := &player{scenario: s, policy: policy, clock: world.NewClock(Start())}
	p.meter = newMeter(s, p.clock)
	for _, node := range s.Nodes {
		p.machines = append(p.machines, world.NewMachine(p.clock, node, s.Background[node.Name], p.meter))
	}
	p.metrics = world.NewMetricsServer(p.clock, p.machines, s.Metrics, s.Seed)
	p.peers = peers.New(p.clock, p.machines, p.metrics, s.Seed)
	p.pods = newPods(s.Pods, p.clock, p.machines, p.meter)
	source := &source{clock: p.clock, machines: p.machines, metrics: p.metrics, taskOf: p.pods.taskOf}
	var err error
	p.cluster, err = kube.New(ctx, kube.Options{
		Clock:       p.clock.WithTicker(),
		Profiles:    []schedconfig.KubeSchedulerProfile{*policy.Profile},
		Source:      source,
		Demands:     p.demands(),
		Plugins:     p.peers.Registry(),
		ReplicaSets: s.ReplicaSets,
	})
	if err != nil {
		return nil, err
	}
	p.pods.cluster = p.cluster
	p.pods.onBound = func(pod *v1.Pod, node string, at time.Duration) {
		if o.Bound != nil {
			o.Bound(policy.Name, pod, node, at)
		}
	}
	if o.Estimates && p.cluster.Model() != nil {
		if p.appraisal, err = newAppraisal(p.cluster, source, p.clock, s.MeasureFrom); err != nil {
			return nil, err
		}
		p.pods.observers = append(p.pods.observers, p.appraisal)
	}
	return p, nil
}

// demands returns what tells the load model what pods use, nil if the policy does not
// know it.
func (p *player) demands() func(*v1.Pod) (demand.Demand, bool) {
	if !p.policy.Knowing {
		return nil
	}
	known := make(map[types.UID]demand.Demand, len(p.scenario.Pods))
	for i := range p.scenario.Pods {
		pod := &p.scenario.Pods[i]
		known[pod.Object.UID] = demandOf(&pod.Use)
	}
	return func(pod *v1.Pod) (demand.Demand, bool) {
		d, ok := known[pod.UID]
		return d, ok
	}
}

// demandOf returns the distribution of a use over time. Of memory that grows it is what
// is used in the end.
func demandOf(u *Use) (d demand.Demand) {
	mean, variance := u.CPUMoments()
	d.Mean[amount.CPU], d.Variance[amount.CPU] = 1000*mean, 1e6*variance
	d.Mean[amount.Memory] = float64(u.PeakMemory())
	return d
}

// run plays the scenario to its end.
func (p *player) run(ctx context.Context, progress func(done time.Duration)) error {
	if err := p.begin(ctx); err != nil {
		return err
	}
	for {
		if err := p.schedule(ctx); err != nil {
			return err
		}
		next, ok := p.clock.Next()
		if !ok || next > p.scenario.End {
			break
		}
		if err := p.clock.RunUntil(next); err != nil {
			return err
		}
		progress(p.clock.Elapsed())
	}
	if err := p.clock.RunUntil(p.scenario.End); err != nil {
		return err
	}
	for _, m := range p.machines {
		m.Advance(p.clock.Elapsed())
	}
	progress(p.clock.Elapsed())
	return nil
}

// begin adds the nodes, and plans what is to happen.
func (p *player) begin(ctx context.Context) error {
	for _, node := range p.scenario.Nodes {
		if err := p.cluster.AddNode(node.DeepCopy()); err != nil {
			return err
		}
	}
	if err := p.pods.begin(); err != nil {
		return err
	}
	p.metrics.Prime()
	for _, routine := range p.cluster.Routines() {
		p.clock.Every(0, routine.Interval, func() error {
			routine.Run(ctx)
			return nil
		})
	}
	p.peers.Start(p.cluster)
	p.clock.Every(p.scenario.MeasureFrom, timelineStep, func() error {
		nodes, err := p.cluster.NodeInfos()
		if err != nil {
			return err
		}
		p.meter.step(p.machines, nodes)
		return nil
	})
	return nil
}

// schedule runs scheduling cycles until no pod is left that could be tried.
// Each takes its time, in which things happen.
func (p *player) schedule(ctx context.Context) error {
	for p.clock.Elapsed() < p.scenario.End && p.cluster.HasWork() {
		if err := ctx.Err(); err != nil {
			return err
		}
		start := time.Now() // real time: of the speed of decisions, nothing else depends on it
		decision, err := p.cluster.ScheduleOne(ctx)
		p.real += time.Since(start)
		p.cycles++
		if err != nil {
			return err
		}
		if decision.Node != "" {
			p.pods.placed = decision.Pod
		}
		if err := p.clock.RunUntil(min(p.clock.Elapsed()+cycleTime, p.scenario.End)); err != nil {
			return err
		}
		if decision.Node != "" {
			if err := p.pods.bind(decision.Pod, decision.Node); err != nil {
				return err
			}
		}
	}
	return nil
}

// result returns what the policy has led to.
func (p *player) result() PolicyResult {
	r := p.meter.result()
	r.Name, r.Note, r.Decisions = p.policy.Name, p.policy.Note, p.cycles
	if p.real > 0 {
		r.DecisionsPerSecond = float64(p.cycles) / p.real.Seconds()
	}
	if p.appraisal != nil {
		r.Estimates = p.appraisal.result()
	}
	r.Timeline.Placements = p.pods.placements(p.machines)
	return r
}
