package nodeload

import (
	"maps"
	"math"
	"time"

	v1 "k8s.io/api/core/v1"
	corev1helpers "k8s.io/component-helpers/scheduling/corev1"

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
	general line.Rule
	bands   []band
	// prices are the weights, the largest being 1, by which the expected loss counts;
	// nil if nodes are ranked by headroom.
	prices       *[amount.NumResources]float64
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
	if args.Score.Strategy == config.LeastExpectedLoss {
		p.prices = pricesOf(p.weights)
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

func pricesOf(weights amount.Vector) *[amount.NumResources]float64 {
	largest := 1.
	for _, weight := range weights {
		largest = max(largest, float64(weight))
	}
	var prices [amount.NumResources]float64
	for r, weight := range weights {
		prices[r] = float64(weight) / largest
	}
	return &prices
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

// rejects reports whether there is a node that the policy would reject for the pod.
func (p *policy) rejects(a ask) bool { return p.stale == config.Reject || !a.soft }

// lacksSample reports whether a node, which may be nil, is rejected whatever its
// use, because no fresh sample of it is known.
func (p *policy) lacksSample(view *load.View, node *load.Node) bool {
	return p.stale == config.Reject && view.State(node) != load.Fresh
}

// awaits reports whether a node, which may be nil, takes no pod before its first
// sample, which may yet come.
func (p *policy) awaits(view *load.View, node *load.Node) bool {
	return p.stale != config.Ignore && view.Awaits(node)
}

// use returns the use by which a node, which may be nil, is judged, and whether
// there is one.
func (p *policy) use(view *load.View, node *load.Node, by load.Statistic) (amount.Vector, bool) {
	if p.stale == config.Ignore && view.State(node) != load.Fresh {
		return amount.Vector{}, false
	}
	return view.Use(node, by)
}

// ask is what a pod asks of a node.
type ask struct {
	estimate amount.Vector
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
