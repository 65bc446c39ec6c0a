package config

import (
	"maps"
	"math"
	"path"
	"slices"
	"strings"

	resourceapi "k8s.io/api/resource/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

var resources = []string{CPU, Memory}

// Validate returns every value of a that is out of range.
func (a *NodeLoadArgs) Validate(fld *field.Path) field.ErrorList {
	source, filter, score, estimate := fld.Child("source"), fld.Child("filter"), fld.Child("score"), fld.Child("estimate")
	var errs field.ErrorList
	errs = append(errs, a.Source.validateType(source)...)
	errs = append(errs, a.validateDurations(fld)...)
	errs = append(errs, oneOf(fld.Child("stalePolicy"), a.StalePolicy, UseRequests, Ignore, Reject)...)

	errs = append(errs, oneOf(filter.Child("whenUnsatisfiable"), a.Filter.WhenUnsatisfiable, DoNotSchedule, ScheduleAnyway)...)
	errs = append(errs, statistic(filter.Child("statistic"), a.Filter.Statistic)...)
	errs = append(errs, byResource(filter.Child("thresholds"), a.Filter.Thresholds, intIn(0, 100))...)
	for i := range a.Bands {
		errs = append(errs, a.Bands[i].validate(fld.Child("bands").Index(i))...)
	}

	errs = append(errs, oneOf(score.Child("strategy"), a.Score.Strategy, LeastExpectedLoss, MostHeadroom)...)
	if a.Score.Strategy == LeastExpectedLoss && a.Score.forHeadroom() {
		errs = append(errs, field.Forbidden(score.Child("strategy"),
			"worstResourceWeight and riskAversion would be ignored: they are for MostHeadroom, which is the strategy if only they are given"))
	}
	errs = append(errs, statistic(score.Child("statistic"), a.Score.Statistic)...)
	if a.Score.RiskAversion < 0 || a.Score.RiskAversion > 10 {
		errs = append(errs, field.Invalid(score.Child("riskAversion"), a.Score.RiskAversion, between(0, 10)))
	}
	errs = append(errs, byResource(score.Child("weights"), a.Score.Weights, intIn(0, 100))...)
	if a.Score.Weights[CPU] == 0 && a.Score.Weights[Memory] == 0 {
		errs = append(errs, field.Invalid(score.Child("weights"), a.Score.Weights, "at least one weight must be above 0"))
	}
	errs = append(errs, intIn(0, 100)(score.Child("worstResourceWeight"), a.Score.WorstResourceWeight)...)

	errs = append(errs, byResource(estimate.Child("factors"), a.Estimate.Factors, intIn(0, 1000))...)
	errs = append(errs, byResource(estimate.Child("defaults"), a.Estimate.Defaults, notNegative)...)
	return append(errs, a.Overrides.validate(fld.Child("overrides"))...)
}

func (o *Overrides) validate(fld *field.Path) field.ErrorList {
	errs := oneOf(fld.Child("whenUnsatisfiable"), o.WhenUnsatisfiable, AllowOverride, TightenOverride, IgnoreOverride)
	return append(errs, byResource(fld.Child("estimate", "minPercent"), o.Estimate.MinPercent, intIn(0, 100))...)
}

// validateType checks the type and what belongs to it.
func (s *Source) validateType(fld *field.Path) field.ErrorList {
	errs := oneOf(fld.Child("type"), s.Type, MetricsServer, PrometheusServer)
	own := fld.Child("prometheus")
	switch {
	case s.Type != PrometheusServer && s.Prometheus != nil:
		errs = append(errs, field.Forbidden(own, "is for type: Prometheus, and the type is "+string(s.Type)))
	case s.Type == PrometheusServer && s.Prometheus == nil:
		errs = append(errs, address(own.Child("address"), "")...)
	case s.Type == PrometheusServer:
		errs = append(errs, s.Prometheus.validate(own)...)
	}
	return errs
}

func (b *Band) validate(fld *field.Path) field.ErrorList {
	errs := byResource(fld.Child("thresholds"), b.Thresholds, intIn(0, 100))
	if len(b.Thresholds) == 0 {
		errs = append(errs, field.Required(fld.Child("thresholds"), "the threshold of at least one resource"))
	}
	for name, priority := range map[string]*int64{"minPriority": b.MinPriority, "maxPriority": b.MaxPriority} {
		if priority != nil {
			errs = append(errs, intIn(math.MinInt32, math.MaxInt32)(fld.Child(name), *priority)...)
		}
	}
	if b.MinPriority != nil && b.MaxPriority != nil && *b.MinPriority > *b.MaxPriority {
		errs = append(errs, field.Invalid(fld.Child("maxPriority"), *b.MaxPriority, "must be at least minPriority"))
	}
	return errs
}

func statistic(fld *field.Path, value Statistic) field.ErrorList {
	return oneOf(fld, value, Latest, Average, P50, P90, P95, P99, Peak)
}

// Validate returns every value of a that is out of range.
func (a *DeviceFitArgs) Validate(fld *field.Path) field.ErrorList {
	var errs field.ErrorList
	errs = append(errs, resourcePatterns(fld.Child("resources"), a.Resources)...)
	errs = append(errs, oneOf(fld.Child("strategy"), a.Strategy, LeastFragmentation, MostAllocated, LeastAllocated)...)
	weights := fld.Child("weights")
	for _, name := range slices.Sorted(maps.Keys(a.Weights)) {
		if !isResourcePattern(name) || strings.ContainsAny(name, `*?[\`) {
			errs = append(errs, field.Invalid(weights.Key(name), a.Weights[name],
				`the key must be the name of an extended resource, such as "nvidia.com/gpu", or of a device class, such as "`+resourceapi.ResourceDeviceClassPrefix+`gpu.nvidia.com"`))
			continue
		}
		errs = append(errs, intIn(0, 100)(weights.Key(name), a.Weights[name])...)
	}
	errs = append(errs, byResource(fld.Child("headroomPerDevice"), a.HeadroomPerDevice, notNegative)...)
	return errs
}

// resourcePatterns checks the patterns that say which resources are devices. One
// that begins with "!" excludes resources; there is another one that does not.
func resourcePatterns(fld *field.Path, patterns []string) field.ErrorList {
	var errs field.ErrorList
	included := slices.DeleteFunc(slices.Clone(patterns), func(pattern string) bool { return strings.HasPrefix(pattern, "!") })
	if len(included) == 0 {
		errs = append(errs, field.Required(fld, `at least one name or pattern that does not begin with "!", such as "*" or "nvidia.com/*"`))
	}
	for i, pattern := range patterns {
		text, excludes := strings.CutPrefix(pattern, "!")
		switch {
		case !isResourcePattern(text):
			errs = append(errs, field.Invalid(fld.Index(i), pattern,
				`must be "*", or a name or pattern of extended resources with a domain other than kubernetes.io, such as "nvidia.com/gpu" or "nvidia.com/*", or of device classes, such as "`+resourceapi.ResourceDeviceClassPrefix+`*"; with "!" before it, it excludes what it matches`))
		case excludes && (text == "*" || text == "*/*"):
			errs = append(errs, field.Invalid(fld.Index(i), pattern, `excludes all resources; must exclude some, such as "!virt.example.com/*"`))
		case excludes && slices.Contains(included, text):
			errs = append(errs, field.Invalid(fld.Index(i), pattern, "excludes what "+fld.Index(slices.Index(patterns, text)).String()+" names; must be one or the other"))
		}
	}
	return errs
}

// isResourcePattern reports whether the pattern is well-formed and can match an
// extended resource or a device class at all. An extended resource has a domain
// that is not Kubernetes' own; classes have one that is.
func isResourcePattern(pattern string) bool {
	if pattern == "*" {
		return true
	}
	domain, name, found := strings.Cut(pattern, "/")
	if !found || domain == "" || name == "" || strings.Contains(name, "/") || strings.ContainsAny(pattern, "! \t\r\n") ||
		strings.HasSuffix(domain, "kubernetes.io") && domain+"/" != resourceapi.ResourceDeviceClassPrefix {
		return false
	}
	for _, side := range []string{domain, name} {
		if _, err := path.Match(side, ""); err != nil {
			return false
		}
	}
	return true
}

func oneOf[T ~string](fld *field.Path, value T, allowed ...T) field.ErrorList {
	if slices.Contains(allowed, value) {
		return nil
	}
	return field.ErrorList{field.NotSupported(fld, value, allowed)}
}

// byResource checks each value of values, and that the load model knows its key.
func byResource[T any](fld *field.Path, values map[string]T, check func(*field.Path, T) field.ErrorList) field.ErrorList {
	var errs field.ErrorList
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if !slices.Contains(resources, name) {
			errs = append(errs, field.Invalid(fld.Key(name), values[name], "no source reports this resource; must be one of cpu, memory"))
			continue
		}
		errs = append(errs, check(fld.Key(name), values[name])...)
	}
	return errs
}

func intIn(low, high int64) func(*field.Path, int64) field.ErrorList {
	return func(fld *field.Path, value int64) field.ErrorList {
		if value >= low && value <= high {
			return nil
		}
		return field.ErrorList{field.Invalid(fld, value, between(low, high))}
	}
}

func notNegative(fld *field.Path, value resource.Quantity) field.ErrorList {
	if value.Sign() >= 0 {
		return nil
	}
	return field.ErrorList{field.Invalid(fld, value.String(), "must not be negative")}
}
