package sim

import (
	"context"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework"

	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/koordinator"
)

// reports plays the agents of Koordinator: each node reports once a minute, at
// its own second, the mean use of the last five minutes.
type reports struct {
	byNode map[string]*koordinator.Report
	second []int // of the minute, by node
	plugin *koordinator.LoadAware
}

func (s *scheduler) koordinator(e *engine) func(context.Context, runtime.Object, fwk.Handle) (fwk.Plugin, error) {
	return func(ctx context.Context, args runtime.Object, handle fwk.Handle) (fwk.Plugin, error) {
		r := &reports{byNode: map[string]*koordinator.Report{}}
		for i := range e.machines {
			r.second = append(r.second, int(chance(e.scenario.Seed, uint64(i), 1)*koordinator.ReportInterval.Seconds()))
		}
		find := func(node string) (*koordinator.Report, bool) {
			report, ok := r.byNode[node]
			return report, ok
		}
		plugin, err := koordinator.Factory(find, e.clock)(ctx, args, handle)
		if err != nil {
			return nil, err
		}
		r.plugin = plugin.(*koordinator.LoadAware)
		s.reports = r
		_, err = handle.SharedInformerFactory().Core().V1().Pods().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
			DeleteFunc: func(obj any) {
				if pod, ok := obj.(*v1.Pod); ok {
					r.plugin.Forget(pod.UID, pod.Spec.NodeName)
				}
			},
		})
		return plugin, err
	}
}

// report has those nodes report whose second it is. Each report wakes all pods
// that the plugin has rejected; here once a second.
func (s *scheduler) report(e *engine) {
	second := int(e.now/time.Second) % int(koordinator.ReportInterval/time.Second)
	reported := false
	for i, m := range e.machines {
		if s.reports.second[i] == second {
			s.reports.byNode[m.name] = e.reportOf(m)
			reported = true
		}
	}
	if !reported {
		return
	}
	s.SchedulingQueue.MoveAllToActiveOrBackoffQueue(s.logger, framework.EventUnschedulableTimeout, nil, nil, func(pod *v1.Pod) bool {
		return s.failed[pod.UID].rejectedBy[koordinator.Name]
	})
}

// reportOf returns the means of the last five minutes, or of as long as the
// node has been there.
func (e *engine) reportOf(m *machine) *koordinator.Report {
	e.settle(m, e.now)
	m.minutes.add(m.point())
	to := m.point()
	from, ok := m.minutes.back(int(koordinator.ReportWindow / koordinator.ReportInterval))
	if !ok {
		from = point{}
	}
	report := &koordinator.Report{Time: e.timeOf(e.now), Pods: make(map[types.UID]koordinator.Amounts, len(m.running))}
	if span := (to.at - from.at).Seconds(); span > 0 {
		report.Node.CPU = 1000 * (to.given - from.given) / span
	}
	report.Node.Memory = float64(to.memory)
	given := throttle(from, to)
	for _, pod := range m.running {
		// A pod's mean is over the whole window, too: before its start it used nothing.
		begin := max(from.at, pod.startedAt)
		share := 0.0
		if to.at > from.at {
			share = float64(to.at-begin) / float64(to.at-from.at)
		}
		report.Pods[pod.object.UID] = koordinator.Amounts{
			CPU:    1000 * pod.spec.Use.meanCPU(begin, to.at) * given * share,
			Memory: float64(pod.spec.Use.Memory),
		}
	}
	return report
}
