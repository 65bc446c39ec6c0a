package annotation

import (
	"fmt"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/client-go/informers"
	resourcehelper "k8s.io/component-helpers/resource"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/apis/config"
)

// Forbidden is the reason of what WatchForbidden reports.
const Forbidden = "ForbiddenAnnotation"

// WatchForbidden has the annotations of all pods checked that do not count, or not
// in full, by NodeLoad's arguments in the profiles, and reports them, each once. Of
// those that are not valid Watch reports. Call it before the informers start.
func WatchForbidden(factory informers.SharedInformerFactory, profiles config.Profiles, report func(object runtime.Object, reason, message string)) error {
	c := forbiddenCheck{shared: OverridesOf(profiles.Shared()), profiles: map[string]*Overrides{}}
	for name, args := range profiles {
		c.profiles[name] = OverridesOf(args)
	}
	_, err := factory.Core().V1().Pods().Informer().AddEventHandler(handler(func(before, pod *v1.Pod) {
		for _, fault := range c.check(before, pod) {
			report(pod, Forbidden, brief(fault.Error()))
		}
	}))
	if err != nil {
		return fmt.Errorf("watch pods: %w", err)
	}
	return nil
}

// forbiddenCheck is what the profiles say of annotations. Estimates count for pods
// of other schedulers, too, as they are in shared.
type forbiddenCheck struct {
	shared   *Overrides
	profiles map[string]*Overrides // by scheduler name
}

// check returns what does not count of a pod's annotations that are new.
func (c *forbiddenCheck) check(before, pod *v1.Pod) field.ErrorList {
	var faults field.ErrorList
	if pod.Status.Phase == v1.PodSucceeded || pod.Status.Phase == v1.PodFailed {
		return nil
	}
	if own := c.profiles[pod.Spec.SchedulerName]; own != nil && pod.Spec.NodeName == "" && changed(before, pod, config.WhenUnsatisfiableAnnotation) {
		faults = append(faults, own.checkWhenUnsatisfiable(pod)...)
	}
	if changed(before, pod, config.EstimateAnnotation) {
		faults = append(faults, c.shared.checkEstimate(pod)...)
	}
	return faults
}

func (o *Overrides) checkWhenUnsatisfiable(pod *v1.Pod) field.ErrorList {
	said, err := config.ParseWhenUnsatisfiable(pod.Annotations[config.WhenUnsatisfiableAnnotation])
	if err != nil || o.allows(said) {
		return nil
	}
	why := fmt.Sprintf("NodeLoad's arguments in the profile %s say overrides.whenUnsatisfiable: %s", pod.Spec.SchedulerName, o.whenUnsatisfiable)
	if o.whenUnsatisfiable == config.TightenOverride {
		why += ", by which only " + string(config.DoNotSchedule) + " counts"
	}
	return field.ErrorList{field.Forbidden(annotationPath(config.WhenUnsatisfiableAnnotation), why+ignored)}
}

// checkEstimate compares the estimate with what the pod requests. What it would
// count as without the estimate may be another, and changes as its workload is
// learned.
func (o *Overrides) checkEstimate(pod *v1.Pod) field.ErrorList {
	quantities, err := config.ParseEstimate(pod.Annotations[config.EstimateAnnotation])
	if err != nil {
		return nil
	}
	fld := annotationPath(config.EstimateAnnotation)
	if !o.estimate {
		return field.ErrorList{field.Forbidden(fld, "NodeLoad's arguments say overrides.estimate.allow: false"+ignored)}
	}
	requested := amount.FromList(resourcehelper.PodRequests(pod, resourcehelper.PodResourcesOptions{}))
	var faults field.ErrorList
	for r := range amount.NumResources {
		name := string(r.Name())
		quantity, given := quantities[name]
		if given && amount.FromQuantity(r, quantity) < percentOf(requested[r], o.least[r]) {
			faults = append(faults, field.Forbidden(fld.Key(name), fmt.Sprintf(
				"%s is below %d %% of the request, %s; by overrides.estimate.minPercent in NodeLoad's arguments the pod counts as no less than %d %% of what it would count as without the annotation",
				quantity.String(), o.least[r], r.Format(requested[r]), o.least[r])))
		}
	}
	return faults
}

func annotationPath(name string) *field.Path {
	return field.NewPath("metadata", "annotations").Key(name)
}
