package config

import (
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Annotations by which objects override the arguments for themselves. Which of
// those of pods count is in NodeLoadArgs.Overrides; package annotation goes by it.
const (
	// ThresholdsAnnotation, on a node, is the node's own thresholds, as
	// filter.thresholds, in JSON: {"cpu": 60}.
	ThresholdsAnnotation = "plimsoll.io/thresholds"
	// EstimateAnnotation, on a pod, is what the pod will use, in JSON:
	// {"cpu": "3", "memory": "4Gi"}. It wins over what was learned.
	EstimateAnnotation = "plimsoll.io/estimate"
	// WhenUnsatisfiableAnnotation, on a pod, is filter.whenUnsatisfiable for it.
	WhenUnsatisfiableAnnotation = "plimsoll.io/when-unsatisfiable"
	// ScheduleAnnotation, on a pod, is for the admission policies alone: disabled leaves
	// it to the scheduler that it names.
	ScheduleAnnotation = "plimsoll.io/schedule"
	// IsolatedAnnotation, on a pod without a controller, has it spared by preemption.
	// kubectl plimsoll isolate sets it, and remembers in it what is to be restored.
	IsolatedAnnotation = "plimsoll.io/isolated"
	// AnnotationPrefix is what all of them begin with.
	AnnotationPrefix = "plimsoll.io/"
)

// ParseThresholds returns the value of ThresholdsAnnotation: percent of
// allocatable, by resource.
func ParseThresholds(value string) (map[string]int64, error) {
	return parseAnnotation(ThresholdsAnnotation, value, intIn(0, 100))
}

// ParseEstimate returns the value of EstimateAnnotation, by resource.
func ParseEstimate(value string) (map[string]resource.Quantity, error) {
	return parseAnnotation(EstimateAnnotation, value, notNegative)
}

// ParseWhenUnsatisfiable returns the value of WhenUnsatisfiableAnnotation.
func ParseWhenUnsatisfiable(value string) (UnsatisfiablePolicy, error) {
	policy := UnsatisfiablePolicy(value)
	fld := field.NewPath("metadata", "annotations").Key(WhenUnsatisfiableAnnotation)
	if policy != DoNotSchedule && policy != ScheduleAnyway {
		return "", field.NotSupported(fld, brief(value), []UnsatisfiablePolicy{DoNotSchedule, ScheduleAnyway})
	}
	return policy, nil
}

// parseAnnotation decodes and checks an object of values by resource. The
// error names every fault.
func parseAnnotation[T any](name, value string, check func(*field.Path, T) field.ErrorList) (map[string]T, error) {
	fld := field.NewPath("metadata", "annotations").Key(name)
	values := map[string]T{}
	errs := decode([]byte(value), fld, &values)
	errs = append(errs, validateUnless(errs, byResource(fld, values, check))...)
	if len(errs) == 0 && len(values) == 0 {
		errs = append(errs, field.Invalid(fld, value, `must name cpu, memory or both, as in {"cpu": ...}`))
	}
	return values, errs.ToAggregate()
}
