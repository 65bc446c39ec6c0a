package why

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	v1 "k8s.io/api/core/v1"
	resourcehelper "k8s.io/component-helpers/resource"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/apis/config"
	"github.com/plimsoll-scheduler/plimsoll/pkg/explain"
)

// closest is how many nodes are named whose load would have to fall.
const closest = 3

// help returns what would help a pod that waits, by a decision that says why it does; nil
// if there is none. args are NodeLoad's, nil if they are not known.
func help(pod *v1.Pod, decision *explain.Decision, args *config.NodeLoadArgs) []string {
	if decision == nil {
		return nil
	}
	over := overLine(decision.Nodes)
	if len(over) == 0 {
		return nil
	}
	var lines []string
	for _, node := range over[:min(len(over), closest)] {
		if !isTooSmall(node.Load) {
			lines = append(lines, fmt.Sprintf("the load of %s falling by %s", node.Name, excess(node)))
		}
	}
	lines = append(lines, newNode(pod, over[0].Load))
	return append(lines, annotations(pod, over[0].Load, args)...)
}

// isTooSmall reports whether the pod would be above the node's line if nothing else used it.
// (A large pod may get such a node all the same: see line.Line.Cap.)
func isTooSmall(loads *explain.Loads) bool {
	for _, l := range []*explain.Load{&loads.CPU, &loads.Memory} {
		if above(l) > 0 && l.Predicted-l.Estimate-above(l) < 0 {
			return true
		}
	}
	return false
}

// overLine returns the nodes whose predicted use with the pod is above a line, the one
// that is the least above it first.
func overLine(nodes []explain.Node) (over []*explain.Node) {
	for i := range nodes {
		if n := &nodes[i]; n.NodeLoad.Rejected != "" && n.Load != nil && worst(n.Load) > 0 {
			over = append(over, n)
		}
	}
	slices.SortStableFunc(over, func(a, b *explain.Node) int {
		return int(math.Copysign(1, worst(a.Load)-worst(b.Load)))
	})
	return over
}

// above returns by how much a use with the pod is above the line, at least 0.
func above(l *explain.Load) float64 {
	if l.ThresholdPercent == 0 {
		return 0
	}
	return max(0, l.Predicted-l.Threshold)
}

// worst returns how far the node is above its line with the pod, in parts of the line.
func worst(loads *explain.Loads) float64 {
	return max(above(&loads.CPU)/max(loads.CPU.Threshold, 1e-9), above(&loads.Memory)/max(loads.Memory.Threshold, 1))
}

// excess writes how much less has to be used on the node.
func excess(n *explain.Node) string {
	var texts []string
	if cpu := above(&n.Load.CPU); cpu > 0 {
		texts = append(texts, fmt.Sprintf("%s cores (to %s of CPU, from %s with what is in flight)",
			amount.Cores(cpu), amount.Cores(n.Load.CPU.Predicted-n.Load.CPU.Estimate-cpu), amount.Cores(n.Load.CPU.Predicted-n.Load.CPU.Estimate)))
	}
	if memory := above(&n.Load.Memory); memory > 0 {
		texts = append(texts, fmt.Sprintf("%s of memory (to %s, from %s with what is in flight)",
			amount.Bytes(memory), amount.Bytes(n.Load.Memory.Predicted-n.Load.Memory.Estimate-memory), amount.Bytes(n.Load.Memory.Predicted-n.Load.Memory.Estimate)))
	}
	return strings.Join(texts, " and ")
}

// newNode says what a node that is idle would need to have.
func newNode(pod *v1.Pod, loads *explain.Loads) string {
	percent := loads.CPU.ThresholdPercent
	if percent == 0 {
		percent = 100
	}
	// On a node that is idle memory may go beyond the line, to all that is allocatable.
	needs := []string{
		amount.Cores(loads.CPU.Estimate*100/float64(percent)) + " allocatable cores",
		amount.Bytes(loads.Memory.Estimate) + " of allocatable memory",
	}
	requests := resourcehelper.PodRequests(pod, resourcehelper.PodResourcesOptions{})
	for _, name := range slices.Sorted(maps.Keys(requests)) {
		if strings.Contains(string(name), "/") {
			quantity := requests[name]
			needs = append(needs, quantity.String()+" "+string(name))
		}
	}
	return "an idle node more that the pod may run on, with at least " + strings.Join(needs, ", ")
}

// annotations says which the pod may use.
func annotations(pod *v1.Pod, loads *explain.Loads, args *config.NodeLoadArgs) (lines []string) {
	if args == nil {
		return nil
	}
	if args.Overrides.Estimate.Allow && pod.Annotations[config.EstimateAnnotation] == "" {
		lines = append(lines, fmt.Sprintf(`if it uses less than the %s cores and %s that it is expected to: the annotation %s: '{"cpu": "...", "memory": "..."}', which counts as no less than overrides.estimate.minPercent allows`,
			amount.Cores(loads.CPU.Estimate), amount.Bytes(loads.Memory.Estimate), config.EstimateAnnotation))
	}
	if args.Overrides.WhenUnsatisfiable == config.AllowOverride && args.Filter.WhenUnsatisfiable == config.DoNotSchedule {
		lines = append(lines, fmt.Sprintf("if it is to run beside busy pods all the same: the annotation %s: %s", config.WhenUnsatisfiableAnnotation, config.ScheduleAnyway))
	}
	return lines
}
