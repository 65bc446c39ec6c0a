// Package peers has the plugins of other schedulers that go by load, for
// comparison: Trimaran's, which are the real code, and a re-implementation of
// Koordinator's. What each learns of nodes in a cluster it learns of simulated
// machines here.
package peers

import (
	"time"

	frameworkruntime "k8s.io/kubernetes/pkg/scheduler/framework/runtime"

	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/peers/koordinator"
	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/world"
)

// Peers are the plugins of one scheduler.
type Peers struct {
	clock    *world.Clock
	trimaran trimaranFeed
	agents   agents
}

// Queue is the scheduler's queue.
type Queue interface {
	// RetryRejectedBy has those pods retried that the plugin rejected.
	RetryRejectedBy(plugin string)
}

// New returns the peers. metrics is what Trimaran's plugins read; the seed gives
// when Koordinator's agents report.
func New(clock *world.Clock, machines []*world.Machine, metrics *world.MetricsServer, seed uint64) *Peers {
	return &Peers{
		clock:    clock,
		trimaran: trimaranFeed{clock: clock, machines: machines, metrics: metrics},
		agents:   newAgents(clock, machines, seed),
	}
}

// Registry returns the plugins, by the names that they have in a profile.
func (p *Peers) Registry() frameworkruntime.Registry {
	registry := p.trimaran.registry()
	registry[koordinator.Name] = p.agents.factory
	return registry
}

// Start plans what feeds those plugins that have been made.
func (p *Peers) Start(queue Queue) {
	regularly := func(interval time.Duration, do func()) {
		p.clock.Every(0, interval, func() error {
			do()
			return nil
		})
	}
	if len(p.trimaran.collectors) > 0 {
		p.trimaran.start(regularly)
	}
	if len(p.agents.plugins) > 0 {
		regularly(time.Second, func() { p.agents.report(queue) })
	}
}
