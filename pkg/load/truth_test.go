package load

import (
	"math"
	"slices"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
)

// What follows is a cluster as it truly is, second by second of the scheduler's
// clock. It is written for clarity alone.

const (
	never         = math.MaxInt
	warmUpSeconds = int(warmUp / time.Second)
	windowSeconds = int(window / time.Second)
)

// trueRun is when a container truly ran, to never while it does, and which times
// its node writes down for that.
type trueRun struct {
	from, to              int
	fromStamp, untilStamp metav1.Time
}

type trueContainer struct {
	name  string
	init  bool
	asks  int64 // requests, of each resource
	runs  []trueRun
	ended bool // has done its work
}

// running returns its present run, nil if there is none.
func (c *trueContainer) running() *trueRun {
	if last := len(c.runs) - 1; last >= 0 && c.runs[last].to == never {
		return &c.runs[last]
	}
	return nil
}

// truePod uses uses halves of what it asks for, and while a container warms up,
// early halves of that, if heaps of memory as well.
type truePod struct {
	name        string
	uid         types.UID
	node        *trueNode
	containers  []*trueContainer
	uses, early int64
	onFailure   bool // its containers run again only if they fail
	heaps       bool
	gone        bool
}

// expected returns what it is to use at the most by what it requests, and what its
// containers request together.
func (p *truePod) expected() (expected, asks int64) {
	for _, c := range p.containers {
		switch {
		case !c.init:
			asks += c.asks
		case !c.ended:
			expected = max(expected, c.asks)
		}
	}
	return max(expected, asks), asks
}

// warmAt reports whether all containers of the pod run that are to, and had warmed
// up at the second.
func (p *truePod) warmAt(second int) bool {
	for _, c := range p.containers {
		if run := c.running(); !c.ended && (run == nil || run.from+warmUpSeconds > second) {
			return false
		}
	}
	return true
}

// hasSucceeded reports whether all of it has done its work.
func (p *truePod) hasSucceeded() bool {
	for _, c := range p.containers {
		if !c.ended {
			return false
		}
	}
	return true
}

// share returns what the container uses once it has warmed up.
func (p *truePod) share(c *trueContainer) int64 { return c.asks * p.uses / 2 }

// useAt returns what the pod uses in the second.
func (p *truePod) useAt(second int) (use amount.Vector) {
	for _, c := range p.containers {
		for _, run := range c.runs {
			if second < run.from || second >= run.to {
				continue
			}
			part := amount.Vector{p.share(c), p.share(c)}
			if second < run.from+warmUpSeconds {
				part[amount.CPU] = part[amount.CPU] * p.early / 2
				if p.heaps {
					part[amount.Memory] = part[amount.CPU]
				}
			}
			use = use.Add(part)
		}
	}
	return use
}

// scrape is what was measured of a node and its pods in the window that ended at a
// second: CPU is the mean of that time, memory what was in use in the last second.
// A pod that does not run then has no reading, but its use is in that of the node.
type scrape struct {
	end       int
	timestamp time.Time // by the node's clock
	usage     amount.Vector
	parts     map[types.UID]amount.Vector
	byName    map[string]types.UID
}

func (s *scrape) start() int { return s.end - windowSeconds }

// trueNode is a machine.
type trueNode struct {
	name    string
	base    int64 // what it uses itself
	born    int
	ahead   int   // its clock, in seconds
	jumps   []int // the seconds in which that was set
	offset  int   // of its scrapes
	pods    map[types.UID]*truePod
	scrapes []*scrape // oldest first
}

// stamp returns what the node's clock shows at the second.
func (n *trueNode) stamp(second int) time.Time {
	return epoch.Add(time.Duration(second+n.ahead) * time.Second)
}

// clouded is for how many seconds before and after a clock was set what begins and ends
// may be taken to be earlier or later than it is: as much as a change of the clock may
// be taken for a delay, or is not seen for, and as much as makes a container warm.
const clouded = warmUpSeconds + 2*int(maxClockSkew/time.Second)

// isClouded reports whether something of the pod began or ended near a time in which the
// clock of its node was set: then the model may be wrong about it.
func (p *truePod) isClouded() bool {
	for _, jump := range p.node.jumps {
		for _, c := range p.containers {
			for _, run := range c.runs {
				for _, second := range [...]int{run.from, run.to} {
					if second >= jump-clouded && second <= jump+clouded {
						return true
					}
				}
			}
		}
	}
	return false
}

// wasJustSet reports whether the node's clock was set shortly before the scrape.
func (n *trueNode) wasJustSet(s *scrape) bool {
	return slices.ContainsFunc(n.jumps, func(jump int) bool { return jump <= s.end && jump > s.end-4*windowSeconds })
}

// runsAt reports whether a container of the pod runs in the second.
func (p *truePod) runsAt(second int) bool {
	for _, c := range p.containers {
		for _, run := range c.runs {
			if run.from <= second && second < run.to {
				return true
			}
		}
	}
	return false
}

// scrape measures the node if that is due. Pods that are gone are in it if they were
// there in its window.
func (n *trueNode) scrape(end int) {
	if end%windowSeconds != n.offset || end-windowSeconds < n.born {
		return
	}
	s := &scrape{
		end: end, timestamp: n.stamp(end), usage: amount.Vector{n.base, n.base},
		parts: map[types.UID]amount.Vector{}, byName: map[string]types.UID{},
	}
	for uid, p := range n.pods {
		var part amount.Vector
		for second := s.start(); second < end; second++ {
			part[amount.CPU] += p.useAt(second)[amount.CPU]
		}
		part[amount.CPU] /= int64(windowSeconds)
		part[amount.Memory] = p.useAt(end - 1)[amount.Memory]
		s.parts[uid] = part
		s.usage = s.usage.Add(part)
		if p.runsAt(end - 1) {
			s.byName[p.name] = uid
		}
	}
	n.scrapes = append(n.scrapes[max(0, len(n.scrapes)-100):], s)
}

// object returns the pod as the API server has it if its kubelet has told all.
func (p *truePod) object() *v1.Pod {
	pod := &v1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: p.name, UID: p.uid, OwnerReferences: []metav1.OwnerReference{
			{Kind: "StatefulSet", Name: "of-" + p.name, Controller: new(true)},
		}},
		Spec:   v1.PodSpec{NodeName: p.node.name},
		Status: v1.PodStatus{Phase: v1.PodPending},
	}
	if p.onFailure {
		pod.Spec.RestartPolicy = v1.RestartPolicyOnFailure
	}
	if p.hasSucceeded() {
		pod.Status.Phase = v1.PodSucceeded
	}
	for _, c := range p.containers {
		quantity := resource.NewMilliQuantity(c.asks, resource.DecimalSI)
		spec := named(c.name, v1.Container{Resources: v1.ResourceRequirements{Requests: v1.ResourceList{
			v1.ResourceCPU: *quantity, v1.ResourceMemory: *resource.NewQuantity(c.asks, resource.DecimalSI),
		}}})
		if c.init {
			pod.Spec.InitContainers = append(pod.Spec.InitContainers, spec)
			pod.Status.InitContainerStatuses = append(pod.Status.InitContainerStatuses, c.status(p.gone))
			continue
		}
		if c.running() != nil {
			pod.Status.Phase = v1.PodRunning
		}
		pod.Spec.Containers = append(pod.Spec.Containers, spec)
		pod.Status.ContainerStatuses = append(pod.Status.ContainerStatuses, c.status(p.gone))
	}
	return pod
}

func (c *trueContainer) status(gone bool) v1.ContainerStatus {
	s := v1.ContainerStatus{Name: c.name}
	past := c.runs
	if run := c.running(); run != nil {
		s.State.Running = &v1.ContainerStateRunning{StartedAt: run.fromStamp}
		past = past[:len(past)-1]
	}
	if len(past) == 0 {
		if gone {
			s.State.Terminated = &v1.ContainerStateTerminated{ExitCode: 137} // it was never located
		}
		return s
	}
	last := &v1.ContainerStateTerminated{ExitCode: 1, StartedAt: past[len(past)-1].fromStamp, FinishedAt: past[len(past)-1].untilStamp}
	switch {
	case c.ended:
		last.ExitCode = 0
		s.State.Terminated = last
	case gone:
		s.State.Terminated = last
	default:
		s.LastTerminationState.Terminated = last
	}
	return s
}
