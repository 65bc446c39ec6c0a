// Package koordinator is a re-implementation, for comparison only, of what
// Koordinator's LoadAwareScheduling plugin does, from its documented formulas
// and defaults. It is not Koordinator's code, and is part of the simulator only.
package koordinator

import (
	"context"
	"math"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	resourcehelper "k8s.io/component-helpers/resource"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/utils/clock"

	"github.com/plimsoll-scheduler/plimsoll/pkg/compat"
)

// Name is the plugin's name in a profile.
const Name = "LoadAwareScheduling"

const (
	// cpuThreshold and memoryThreshold are the percent of allocatable above
	// which a node is rejected.
	cpuThreshold, memoryThreshold = 65, 95
	// cpuFactor and memoryFactor are the percent of its request that a pod is
	// expected to use.
	cpuFactor, memoryFactor = 85, 70
	// defaultCPU (millicores) and defaultMemory (bytes) are the estimate for a
	// pod that requests nothing.
	defaultCPU, defaultMemory = 250, 200 << 20
	// expiration is the age from which a report does not count.
	expiration = 180 * time.Second
	// ReportInterval is the time between two reports of a node.
	ReportInterval = 60 * time.Second
	// ReportWindow is the time that the values of a report are the mean of.
	ReportWindow = 5 * time.Minute
)

// Amounts are CPU in millicores and memory in bytes.
type Amounts struct{ CPU, Memory float64 }

// Report is what a node's agent reports.
type Report struct {
	Time time.Time
	Node Amounts
	Pods map[types.UID]Amounts
}

// Reports returns the last report of a node, and whether there is one.
type Reports func(node string) (*Report, bool)

// LoadAware places pods by the reports of nodes.
type LoadAware struct {
	reports Reports
	clock   clock.PassiveClock
	// assigned are the pods that were assigned to each node by this scheduler,
	// and when.
	assigned map[string][]assignment
}

type assignment struct {
	uid      types.UID
	at       time.Time
	estimate Amounts
}

var (
	_ fwk.FilterPlugin      = &LoadAware{}
	_ fwk.ScorePlugin       = &LoadAware{}
	_ fwk.ReservePlugin     = &LoadAware{}
	_ fwk.EnqueueExtensions = &LoadAware{}
)

// Factory returns what makes the plugin.
func Factory(reports Reports, clock clock.PassiveClock) func(context.Context, runtime.Object, fwk.Handle) (fwk.Plugin, error) {
	return func(context.Context, runtime.Object, fwk.Handle) (fwk.Plugin, error) {
		return &LoadAware{reports: reports, clock: clock, assigned: map[string][]assignment{}}, nil
	}
}

// Name returns the name of the plugin.
func (pl *LoadAware) Name() string { return Name }

// EventsToRegister returns no event: the simulator wakes the pods that the
// plugin rejected itself, when nodes report.
func (pl *LoadAware) EventsToRegister(context.Context) ([]fwk.ClusterEventWithHint, error) {
	return []fwk.ClusterEventWithHint{{Event: fwk.ClusterEvent{Resource: fwk.Node, ActionType: fwk.Add}}}, nil
}

// Filter rejects a node above a threshold, and one whose report has expired.
func (pl *LoadAware) Filter(_ context.Context, _ fwk.CycleState, pod *v1.Pod, nodeInfo fwk.NodeInfo) *fwk.Status {
	node := nodeInfo.Node().Name
	report, ok := pl.reports(node)
	if !ok {
		return nil
	}
	if pl.clock.Since(report.Time) > expiration {
		return fwk.NewStatus(fwk.Unschedulable, "node(s) nodeMetric expired")
	}
	used, allocatable := pl.used(report, node, pod), allocatableOf(nodeInfo)
	if used.CPU > allocatable.CPU*cpuThreshold/100 {
		return fwk.NewStatus(fwk.Unschedulable, "node(s) cpu usage exceed threshold")
	}
	if used.Memory > allocatable.Memory*memoryThreshold/100 {
		return fwk.NewStatus(fwk.Unschedulable, "node(s) memory usage exceed threshold")
	}
	return nil
}

// Score is the mean over CPU and memory of the part of the node that would be
// left, 0 to 100.
func (pl *LoadAware) Score(_ context.Context, _ fwk.CycleState, pod *v1.Pod, nodeInfo fwk.NodeInfo) (int64, *fwk.Status) {
	node := nodeInfo.Node().Name
	report, ok := pl.reports(node)
	if !ok || pl.clock.Since(report.Time) > expiration {
		return 0, nil
	}
	used, allocatable := pl.used(report, node, pod), allocatableOf(nodeInfo)
	left := func(used, of float64) float64 {
		if used > of || of <= 0 {
			return 0
		}
		return float64(compat.MaxScore) * (of - used) / of
	}
	return int64((left(used.CPU, allocatable.CPU) + left(used.Memory, allocatable.Memory)) / 2), nil
}

// ScoreExtensions returns nil.
func (pl *LoadAware) ScoreExtensions() fwk.ScoreExtensions { return nil }

// used returns what the node is taken to use with the pod on it:
// what was reported, and for each pod that the report does not show in full
// what its estimate exceeds its reported use by, and the pod's estimate.
func (pl *LoadAware) used(report *Report, node string, pod *v1.Pod) Amounts {
	sum := estimateOf(pod)
	sum.CPU += report.Node.CPU
	sum.Memory += report.Node.Memory
	for _, a := range pl.assigned[node] {
		seen, reported := report.Pods[a.uid]
		if reported && a.at.Before(report.Time.Add(-ReportInterval)) {
			continue
		}
		sum.CPU += math.Max(0, a.estimate.CPU-seen.CPU)
		sum.Memory += math.Max(0, a.estimate.Memory-seen.Memory)
	}
	return sum
}

// Reserve notes that the pod is assigned to the node.
func (pl *LoadAware) Reserve(_ context.Context, _ fwk.CycleState, pod *v1.Pod, node string) *fwk.Status {
	pl.assigned[node] = append(pl.assigned[node], assignment{uid: pod.UID, at: pl.clock.Now(), estimate: estimateOf(pod)})
	return nil
}

// Unreserve takes back Reserve.
func (pl *LoadAware) Unreserve(_ context.Context, _ fwk.CycleState, pod *v1.Pod, node string) {
	pl.Forget(pod.UID, node)
}

// Forget drops a pod that is gone from its node.
func (pl *LoadAware) Forget(uid types.UID, node string) {
	for i, a := range pl.assigned[node] {
		if a.uid == uid {
			pl.assigned[node] = append(pl.assigned[node][:i], pl.assigned[node][i+1:]...)
			return
		}
	}
}

// estimateOf is a factor of the larger of what the pod requests and what it is
// limited to.
func estimateOf(pod *v1.Pod) Amounts {
	requests := resourcehelper.PodRequests(pod, resourcehelper.PodResourcesOptions{})
	limits := resourcehelper.PodLimits(pod, resourcehelper.PodResourcesOptions{})
	larger := func(a, b int64) float64 { return float64(max(a, b)) }
	estimate := Amounts{
		CPU:    larger(requests.Cpu().MilliValue(), limits.Cpu().MilliValue()) * cpuFactor / 100,
		Memory: larger(requests.Memory().Value(), limits.Memory().Value()) * memoryFactor / 100,
	}
	if estimate.CPU == 0 {
		estimate.CPU = defaultCPU
	}
	if estimate.Memory == 0 {
		estimate.Memory = defaultMemory
	}
	return estimate
}

func allocatableOf(nodeInfo fwk.NodeInfo) Amounts {
	allocatable := nodeInfo.GetAllocatable()
	return Amounts{CPU: float64(allocatable.GetMilliCPU()), Memory: float64(allocatable.GetMemory())}
}
