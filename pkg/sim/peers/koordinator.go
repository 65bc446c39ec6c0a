package peers

import (
	"context"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"
	fwk "k8s.io/kube-scheduler/framework"

	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/peers/koordinator"
	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/world"
)

// agents play the agents of Koordinator: each node reports once a minute, at
// its own second, the mean use of the last five minutes.
type agents struct {
	clock   *world.Clock
	byNode  []agent
	reports map[string]*koordinator.Report
	plugins []*koordinator.LoadAware
}

// agent is that of one machine.
type agent struct {
	machine *world.Machine
	second  int // of the minute, at which it reports
	minutes world.History
}

func newAgents(clock *world.Clock, machines []*world.Machine, seed uint64) agents {
	a := agents{clock: clock, byNode: make([]agent, len(machines)), reports: map[string]*koordinator.Report{}}
	for i, m := range machines {
		a.byNode[i] = agent{machine: m, second: int(world.Chance(seed, uint64(i), 1) * koordinator.ReportInterval.Seconds())}
	}
	return a
}

// factory makes the plugin.
func (a *agents) factory(ctx context.Context, args runtime.Object, handle fwk.Handle) (fwk.Plugin, error) {
	find := func(node string) (*koordinator.Report, bool) {
		report, ok := a.reports[node]
		return report, ok
	}
	made, err := koordinator.Factory(find, a.clock.WithTicker())(ctx, args, handle)
	if err != nil {
		return nil, err
	}
	plugin := made.(*koordinator.LoadAware)
	a.plugins = append(a.plugins, plugin)
	_, err = handle.SharedInformerFactory().Core().V1().Pods().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		DeleteFunc: func(obj any) {
			if pod, ok := obj.(*v1.Pod); ok {
				plugin.Forget(pod.UID, pod.Spec.NodeName)
			}
		},
	})
	return plugin, err
}

// report has those nodes report whose second it is. Each report wakes all pods
// that the plugin has rejected; here once a second.
func (a *agents) report(queue Queue) {
	second := int(a.clock.Elapsed()/time.Second) % int(koordinator.ReportInterval/time.Second)
	reported := false
	for i := range a.byNode {
		if agent := &a.byNode[i]; agent.second == second {
			a.reports[agent.machine.Name] = agent.report(a.clock)
			reported = true
		}
	}
	if reported {
		queue.RetryRejectedBy(koordinator.Name)
	}
}

// report returns the means of the last five minutes, or of as long as the
// machine has been there.
func (a *agent) report(clock *world.Clock) *koordinator.Report {
	m := a.machine
	m.Advance(clock.Elapsed())
	to := m.Counters()
	a.minutes.Add(to)
	from, ok := a.minutes.Back(int(koordinator.ReportWindow / koordinator.ReportInterval))
	if !ok {
		from = world.Counters{}
	}
	report := &koordinator.Report{Time: clock.Now(), Pods: make(map[types.UID]koordinator.Amounts, len(m.Running()))}
	if span := (to.At - from.At).Seconds(); span > 0 {
		report.Node.CPU = 1000 * (to.Given - from.Given) / span
	}
	report.Node.Memory = float64(to.Memory)
	given := world.MetShare(from, to)
	for _, task := range m.Running() {
		// A pod's mean is over the whole window, too: before its start it used nothing.
		begin := max(from.At, task.StartedAt())
		share := 0.0
		if to.At > from.At {
			share = float64(to.At-begin) / float64(to.At-from.At)
		}
		report.Pods[task.UID] = koordinator.Amounts{
			CPU:    1000 * task.Use.MeanCPU(begin, to.At) * given * share,
			Memory: float64(task.MemoryAt(to.At)),
		}
	}
	return report
}
