package nodeload

import (
	fwk "k8s.io/kube-scheduler/framework"

	"github.com/plimsoll-scheduler/plimsoll/pkg/apis/config"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load"
)

// policy is NodeLoad's arguments in the form that decides fastest.
type policy struct {
	// thresholds are percent of allocatable; 0 is off.
	thresholds  load.Amounts
	weights     load.Amounts
	worstWeight int64
	stale       config.StalePolicy
	// soft: a node over the line is ranked last, not rejected.
	soft bool
}

func newPolicy(args *config.NodeLoadArgs) policy {
	return policy{
		thresholds:  byResource(args.Filter.Thresholds),
		weights:     byResource(args.Score.Weights),
		worstWeight: args.Score.WorstResourceWeight,
		stale:       args.StalePolicy,
		soft:        args.Filter.WhenUnsatisfiable == config.ScheduleAnyway,
	}
}

func byResource(values map[string]int64) load.Amounts {
	var a load.Amounts
	for r := range load.NumResources {
		a[r] = values[string(r.Name())]
	}
	return a
}

// verdict says whether a node takes a pod and, if not, why.
type verdict int

const (
	fits verdict = iota
	overCPU
	overMemory
	staleMetrics
	numVerdicts
)

// reason returns the verdict as users see it in events. The scheduler counts
// nodes by it, so it holds no numbers.
func (v verdict) reason() string {
	switch v {
	case overCPU:
		return "node(s) over the cpu load line"
	case overMemory:
		return "node(s) over the memory load line"
	case staleMetrics:
		return "node(s) with stale load metrics"
	default:
		return ""
	}
}

// rejects reports whether there is a node that the policy would reject.
func (p *policy) rejects() bool {
	return p.stale == config.Reject || p.limits()
}

// limits reports whether there is a load for which the policy rejects a node.
func (p *policy) limits() bool { return !p.soft && p.thresholds != load.Amounts{} }

// verdict decides whether a node takes a pod with this estimate. node may be
// nil only if state is Missing.
func (p *policy) verdict(state load.State, node *load.Node, allocatable, estimate load.Amounts) verdict {
	if state != load.Fresh {
		if p.stale == config.Reject {
			return staleMetrics
		}
		return fits // whether the requests fit is NodeResourcesFit's to say
	}
	if p.soft {
		return fits
	}
	predicted := node.Predicted().Add(estimate)
	for r := range load.NumResources {
		if p.thresholds[r] > 0 && float64(predicted[r]) > p.line(r, allocatable) {
			return [load.NumResources]verdict{load.CPU: overCPU, load.Memory: overMemory}[r]
		}
	}
	return fits
}

// line returns the use above which a node is over the line: the threshold's
// percent of allocatable, all of it where the threshold is off.
func (p *policy) line(r load.Resource, allocatable load.Amounts) float64 {
	threshold := p.thresholds[r]
	if threshold == 0 {
		threshold = 100
	}
	return float64(threshold) * float64(allocatable[r]) / 100
}

const (
	// neutralScore neither attracts nor repels.
	neutralScore = (fwk.MaxScore + fwk.MinScore) / 2
	// softBand is the part of the scores that ScheduleAnyway sets apart for
	// nodes over the line.
	softBand = 10
)

// score ranks a node by its predicted use with the pod on it:
//
//	s_r   = 100 x (line_r - predicted_r) / line_r, at least 0
//	score = (sum of weight_r x s_r + worstWeight x min s_r) / (sum of weight_r + worstWeight)
//
// over the resources of weight above 0: 100 is idle, 0 is at or past the line.
// (The form with the extra weight of the worst resource is that of
// Koordinator's LoadAware, taken to the line instead of to all of allocatable.)
//
// With ScheduleAnyway, nodes below the line score softBand to 100, and nodes
// past it less than softBand, falling to 0 at twice the line, so that the
// least hot is taken when all are hot.
func (p *policy) score(predicted, allocatable load.Amounts) int64 {
	sum, weights := 0.0, 0.0
	worst := float64(fwk.MaxScore)
	excess := 0.0 // how far past the line, as a part of it
	for r := range load.NumResources {
		line := p.line(r, allocatable)
		if p.soft && p.thresholds[r] > 0 {
			excess = max(excess, ratio(float64(predicted[r])-line, line))
		}
		if p.weights[r] == 0 {
			continue
		}
		s := float64(fwk.MaxScore) * max(0, 1-ratio(float64(predicted[r]), line))
		sum += float64(p.weights[r]) * s
		weights += float64(p.weights[r])
		worst = min(worst, s)
	}
	score := (sum + float64(p.worstWeight)*worst) / (weights + float64(p.worstWeight))
	switch {
	case !p.soft:
		return int64(score)
	case excess > 0:
		return int64((softBand - 1) * max(0, 1-excess))
	default:
		return int64(softBand + score*float64(fwk.MaxScore-softBand)/float64(fwk.MaxScore))
	}
}

// ratio returns a/b; a node that can allocate nothing is full.
func ratio(a, b float64) float64 {
	if b <= 0 {
		return 1
	}
	return a / b
}

// growRejections sees to it that each node has its statuses.
func (pl *NodeLoad) growRejections(slots int) {
	have := *pl.rejections.Load()
	if slots <= len(have) {
		return
	}
	grown := append(make([]rejection, 0, slots), have...)
	for len(grown) < slots {
		grown = append(grown, newRejection())
	}
	pl.rejections.Store(&grown)
}

func newRejection() (r rejection) {
	for v := fits + 1; v < numVerdicts; v++ {
		r[v] = newStatus(v)
	}
	return r
}

// newStatus returns a status that tells preemption not to try the node: what
// it could evict would not lower what was measured before the next samples.
func newStatus(v verdict) *fwk.Status {
	return fwk.NewStatus(fwk.UnschedulableAndUnresolvable, v.reason())
}

func (pl *NodeLoad) reject(node *load.Node, v verdict) *fwk.Status {
	if node == nil {
		return newStatus(v) // a node that the model has not heard of yet
	}
	return (*pl.rejections.Load())[node.Slot][v]
}
