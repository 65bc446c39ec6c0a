package annotation

import (
	v1 "k8s.io/api/core/v1"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/apis/config"
)

// Overrides says which annotations of pods count, and for how much. It is made of
// NodeLoad's arguments, and is all that applies them: what decides on pods asks it.
// It is immutable.
type Overrides struct {
	whenUnsatisfiable config.Override
	// otherwise is what holds for a pod without an annotation.
	otherwise config.UnsatisfiablePolicy
	// estimate says that estimates count, and least the least that they do, in
	// percent.
	estimate bool
	least    amount.Vector
}

// OverridesOf returns what args say of a profile's pods. Of estimates that is for
// all pods: it is the same in all profiles.
func OverridesOf(args *config.NodeLoadArgs) *Overrides {
	o := &Overrides{
		whenUnsatisfiable: args.Overrides.WhenUnsatisfiable,
		otherwise:         args.Filter.WhenUnsatisfiable,
		estimate:          args.Overrides.Estimate.Allow,
	}
	for r := range amount.NumResources {
		o.least[r] = args.Overrides.Estimate.MinPercent[string(r.Name())]
	}
	return o
}

// DefaultOverrides returns what NodeLoad's default arguments say.
func DefaultOverrides() *Overrides { return OverridesOf(config.DefaultNodeLoadArgs()) }

// WhenUnsatisfiable returns what the pod's annotation says, and whether there is one
// that is valid and counts.
func (o *Overrides) WhenUnsatisfiable(pod *v1.Pod) (said config.UnsatisfiablePolicy, counts bool) {
	value, given := pod.Annotations[config.WhenUnsatisfiableAnnotation]
	if !given {
		return "", false
	}
	said, err := config.ParseWhenUnsatisfiable(value)
	return said, err == nil && o.allows(said)
}

func (o *Overrides) allows(said config.UnsatisfiablePolicy) bool {
	switch o.whenUnsatisfiable {
	case config.AllowOverride:
		return true
	case config.TightenOverride:
		return said == config.DoNotSchedule || said == o.otherwise
	default:
		return false
	}
}

// Estimate returns what a pod counts as whose annotation says so, and which would
// count as use without it:
//
//	max(said, least / 100 x use)
//
// for each resource that the annotation names, rounded up.
func (o *Overrides) Estimate(said *Estimate, use amount.Vector) amount.Vector {
	if !o.estimate {
		return use
	}
	counted := said.Over(use)
	for r := range counted {
		if said.Set[r] {
			counted[r] = max(counted[r], percentOf(use[r], o.least[r]))
		}
	}
	return counted
}

// percentOf returns so many percent of a, rounded up. a is at most amount.Limit.
func percentOf(a, percent int64) int64 { return (a*percent + 99) / 100 }
