package nodeload

import (
	"maps"
	"math"
	"time"

	v1 "k8s.io/api/core/v1"
	corev1helpers "k8s.io/component-helpers/scheduling/corev1"
	fwk "k8s.io/kube-scheduler/framework"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/annotation"
	"github.com/plimsoll-scheduler/plimsoll/pkg/apis/config"
	"github.com/plimsoll-scheduler/plimsoll/pkg/line"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load"
	"github.com/plimsoll-scheduler/plimsoll/pkg/waiting"
)

// policy is NodeLoad's arguments in the form that decides fastest.
type policy struct {
	filterBy, scoreBy load.Statistic
	// general is the rule for a pod in no band.
	general      line.Rule
	bands        []band
	weights      amount.Vector
	worstWeight  int64
	riskAversion float64
	stale        config.StalePolicy
	// soft: a node over the line is ranked last, not rejected.
	soft bool
	// maxWait is how long a pod waits for load; 0 is for as long as it takes.
	maxWait time.Duration
	// overrides says which annotations of pods count.
	overrides *annotation.Overrides
}

// band is the rule for the pods of a range of priorities.
type band struct {
	low, high int64
	rule      line.Rule
}

func newPolicy(args *config.NodeLoadArgs) policy {
	p := policy{
		filterBy:     load.StatisticOf(args.Filter.Statistic),
		scoreBy:      load.StatisticOf(args.Score.Statistic),
		general:      line.Rule{Percent: byResource(args.Filter.Thresholds)},
		weights:      byResource(args.Score.Weights),
		worstWeight:  args.Score.WorstResourceWeight,
		riskAversion: args.Score.RiskAversion,
		stale:        args.StalePolicy,
		soft:         args.Filter.WhenUnsatisfiable == config.ScheduleAnyway,
		maxWait:      args.Filter.MaxWait,
		overrides:    annotation.OverridesOf(args),
	}
	for _, b := range args.Bands {
		p.bands = append(p.bands, band{
			low:  valueOr(b.MinPriority, math.MinInt32),
			high: valueOr(b.MaxPriority, math.MaxInt32),
			rule: line.Rule{Percent: byResource(withDefaults(b.Thresholds, args.Filter.Thresholds)), Band: true},
		})
	}
	return p
}

func valueOr(value *int64, otherwise int64) int64 {
	if value == nil {
		return otherwise
	}
	return *value
}

func withDefaults(values, defaults map[string]int64) map[string]int64 {
	all := maps.Clone(defaults)
	maps.Copy(all, values)
	return all
}

// ruleFor returns the rule of the first band that the pod is in, or the one for
// pods in none.
func (p *policy) ruleFor(pod *v1.Pod) line.Rule {
	priority := int64(corev1helpers.PodPriority(pod))
	for i := range p.bands {
		if b := &p.bands[i]; b.low <= priority && priority <= b.high {
			return b.rule
		}
	}
	return p.general
}

func byResource(values map[string]int64) amount.Vector {
	var a amount.Vector
	for r := range amount.NumResources {
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

// newStatus returns the status to reject a node with for a verdict. Preemption
// may free a node that is over the line, but cannot make metrics fresh.
func newStatus(v int) *fwk.Status {
	if v := verdict(v); v == staleMetrics {
		return fwk.NewStatus(fwk.UnschedulableAndUnresolvable, v.reason())
	}
	return fwk.NewStatus(fwk.Unschedulable, verdict(v).reason())
}

// ask is what a pod asks of a node.
type ask struct {
	// estimate is of the pod, and beside of what else is to be counted on the
	// node with it, which is negative if that leaves.
	estimate, beside amount.Vector
	// rule decides on the load line of each node.
	rule line.Rule
	// soft: a node over the line is ranked last, not rejected.
	soft bool
	// maxWait is after which time of waiting the pod asks softly; 0 is never.
	maxWait time.Duration
}

func (p *policy) askOf(pod *v1.Pod, estimate amount.Vector) ask {
	a := ask{estimate: estimate, rule: p.ruleFor(pod), soft: p.soft, maxWait: p.maxWait}
	if a.rule.Band {
		a.maxWait = 0 // a band is a promise to the pods above it
	}
	if said, counts := p.overrides.WhenUnsatisfiable(pod); counts {
		a.soft, a.maxWait = said == config.ScheduleAnyway, 0
	}
	return a
}

// askIn is askOf with all that depends on what nodes there are, and on what the
// attempts before have left.
func (p *policy) askIn(view *load.View, pod *v1.Pod, estimate amount.Vector, before waiting.History) ask {
	a := p.askOf(pod, estimate)
	a.rule.Largest = view.Largest()
	if before.Rejected() {
		// Where the pod may only run on small nodes, the largest of those is what
		// counts, or it would wait for ever.
		a.rule.Largest = a.rule.Largest.Min(before.Largest)
		a.soft = a.soft || a.overdue(before.Since, view.Now)
	}
	return a
}

// overdue reports whether a pod that waits since then has waited enough.
func (a *ask) overdue(since, now time.Time) bool {
	return a.maxWait > 0 && now.Sub(since) >= a.maxWait
}

// rejects reports whether there is a node that the policy would reject for the pod.
func (p *policy) rejects(a ask) bool { return p.stale == config.Reject || !a.soft }

// use returns the use by which a node, which may be nil, is judged, and whether
// there is one.
func (p *policy) use(view *load.View, node *load.Node, by load.Statistic) (amount.Vector, bool) {
	if p.stale == config.Ignore && view.State(node) != load.Fresh {
		return amount.Vector{}, false
	}
	return view.Use(node, by)
}

// verdict decides whether a node, which is nil if the view does not have it, takes
// a pod that asks for a.
func (p *policy) verdict(view *load.View, node *load.Node, allocatable amount.Vector, a ask) verdict {
	if p.stale == config.Reject && view.State(node) != load.Fresh {
		return staleMetrics
	}
	if a.soft {
		return fits
	}
	use, known := p.use(view, node, p.filterBy)
	if !known {
		return fits // whether the requests fit is NodeResourcesFit's to say
	}
	l := a.rule.On(&node.Own, allocatable)
	if r, over := l.Over(a.on(&l, use)); over {
		return [amount.NumResources]verdict{amount.CPU: overCPU, amount.Memory: overMemory}[r]
	}
	return fits
}

// on returns the use of a node with what is asked for, as it counts against its
// line.
func (a *ask) on(l *line.Line, predicted amount.Vector) amount.Vector {
	return l.With(predicted.Add(a.beside), a.estimate)
}

const (
	// neutralScore neither attracts nor repels.
	neutralScore = (fwk.MaxScore + fwk.MinScore) / 2
	// softBand is the part of the scores that ScheduleAnyway sets apart for
	// nodes over the line.
	softBand = 10
)

// cautious returns the use that a node of this use is ranked by: riskAversion
// standard deviations on top.
func (p *policy) cautious(node *load.Node, use amount.Vector) amount.Vector {
	if p.riskAversion > 0 {
		for r, deviation := range node.Deviation {
			use[r] += int64(p.riskAversion * float64(deviation))
		}
	}
	return use
}

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
func (p *policy) score(predicted, allocatable amount.Vector, own *line.Own, a ask) int64 {
	sum, weights := 0.0, 0.0
	worst := float64(fwk.MaxScore)
	excess := 0.0 // how far past the line, as a part of it
	l := a.rule.On(own, allocatable)
	for r := range amount.NumResources {
		limit := float64(l.Limit[r])
		if a.soft && l.Percent[r] > 0 {
			excess = max(excess, ratio(float64(predicted[r])-limit, limit))
		}
		if p.weights[r] == 0 {
			continue
		}
		s := float64(fwk.MaxScore) * max(0, 1-ratio(float64(predicted[r]), limit))
		sum += float64(p.weights[r]) * s
		weights += float64(p.weights[r])
		worst = min(worst, s)
	}
	score := (sum + float64(p.worstWeight)*worst) / (weights + float64(p.worstWeight))
	switch {
	case !a.soft:
		return int64(math.Round(score))
	case excess > 0:
		return int64((softBand - 1) * max(0, 1-excess))
	default:
		return int64(math.Round(softBand + score*float64(fwk.MaxScore-softBand)/float64(fwk.MaxScore)))
	}
}

// ratio returns a/b; a node that can allocate nothing is full.
func ratio(a, b float64) float64 {
	if b <= 0 {
		return 1
	}
	return a / b
}
