package annotation

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"

	"github.com/plimsoll-scheduler/plimsoll/pkg/apis/config"
)

// Invalid is the reason of what Watch reports.
const Invalid = "InvalidAnnotation"

// Watch has the annotations of all nodes and pods checked, and those that are not
// valid reported, each once. Call it before the informers start.
func Watch(factory informers.SharedInformerFactory, report func(object runtime.Object, reason, message string)) error {
	invalid := func(object runtime.Object, faults []error) {
		for _, fault := range faults {
			report(object, Invalid, brief(fault.Error())+ignored)
		}
	}
	if _, err := factory.Core().V1().Nodes().Informer().AddEventHandler(handler(func(before, node *v1.Node) {
		invalid(node, checkNode(before, node))
	})); err != nil {
		return fmt.Errorf("watch nodes: %w", err)
	}
	if _, err := factory.Core().V1().Pods().Informer().AddEventHandler(handler(func(before, pod *v1.Pod) {
		invalid(pod, checkPod(before, pod))
	})); err != nil {
		return fmt.Errorf("watch pods: %w", err)
	}
	return nil
}

// CheckNode returns what is wrong with the node's annotations.
func CheckNode(node *v1.Node) []error { return checkNode(nil, node) }

// CheckPod returns what is wrong with the pod's annotations.
func CheckPod(pod *v1.Pod) []error { return checkPod(nil, pod) }

// maxMessage is how long a message may be. With more than 1,024 letters the API
// server takes no event.
const maxMessage = 900

// ignored ends the message of an annotation that does not count at all.
const ignored = "; the annotation is ignored"

// brief returns as much of a message as an event can say.
func brief(message string) string {
	if len(message) <= maxMessage {
		return message
	}
	return strings.ToValidUTF8(message[:maxMessage], "") + " ..."
}

// checkNode returns what is wrong with the annotations that the node had not before.
func checkNode(before, node *v1.Node) (faults []error) {
	if changed(before, node, config.ThresholdsAnnotation) {
		if _, err := Thresholds(node); err != nil {
			faults = append(faults, err)
		}
	}
	return append(faults, checkNames(before, node, "node", ofNodes)...)
}

// checkPod is as checkNode for pods.
func checkPod(before, pod *v1.Pod) (faults []error) {
	if changed(before, pod, config.EstimateAnnotation) {
		if _, err := config.ParseEstimate(pod.Annotations[config.EstimateAnnotation]); err != nil {
			faults = append(faults, err)
		}
	}
	if changed(before, pod, config.WhenUnsatisfiableAnnotation) {
		if _, err := config.ParseWhenUnsatisfiable(pod.Annotations[config.WhenUnsatisfiableAnnotation]); err != nil {
			faults = append(faults, err)
		}
	}
	return append(faults, checkNames(before, pod, "pod", ofPods)...)
}

// ofNodes and ofPods are all annotations that nodes and pods may have.
var (
	ofNodes = []string{config.ThresholdsAnnotation}
	ofPods  = []string{config.EstimateAnnotation, config.IsolatedAnnotation, config.ScheduleAnnotation, config.WhenUnsatisfiableAnnotation}
)

// checkNames returns faults of annotations that look like ours, and that nobody reads.
func checkNames[T any, P object[T]](before, after P, kind string, known []string) (faults []error) {
	for _, name := range slices.Sorted(maps.Keys(after.GetAnnotations())) {
		if strings.HasPrefix(name, config.AnnotationPrefix) && !slices.Contains(known, name) && changed(before, after, name) {
			faults = append(faults, field.Forbidden(annotationPath(name), fmt.Sprintf("there is no such annotation of a %s; known here: %s", kind, strings.Join(known, ", "))))
		}
	}
	return faults
}

// object is a pointer to an API object.
type object[T any] interface {
	*T
	metav1.Object
	runtime.Object
}

// changed reports whether the object has the annotation, and had not the same one
// before.
func changed[T any, P object[T]](before, after P, annotation string) bool {
	value, given := after.GetAnnotations()[annotation]
	return given && (before == nil || before.GetUID() != after.GetUID() || before.GetAnnotations()[annotation] != value)
}

// handler calls check with each object that is new or has changed, and with what
// it was before, which is nil for a new one.
func handler[T any, P object[T]](check func(before, after P)) cache.ResourceEventHandler {
	return cache.ResourceEventHandlerFuncs{
		AddFunc: func(obj any) {
			if after, ok := obj.(P); ok {
				check(nil, after)
			}
		},
		UpdateFunc: func(oldObj, newObj any) {
			before, wasObject := oldObj.(P)
			if after, ok := newObj.(P); ok && wasObject {
				check(before, after)
			}
		},
	}
}
