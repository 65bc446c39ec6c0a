package annotation

import (
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/plimsoll-scheduler/plimsoll/pkg/apis/config"
)

// Isolated reports whether the pod is kept for analysis. A pod with a controller is
// not, whatever its annotation says: a template could have it, and isolating a pod
// takes it away from its controller.
func Isolated(pod *v1.Pod) bool {
	_, marked := pod.Annotations[config.IsolatedAnnotation]
	return marked && metav1.GetControllerOfNoCopy(pod) == nil
}
