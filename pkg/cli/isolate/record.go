package isolate

import (
	"encoding/json"
	"fmt"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/plimsoll-scheduler/plimsoll/pkg/apis/config"
)

// Record is what is remembered of an isolation, as JSON in the pod's annotation
// plimsoll.io/isolated.
type Record struct {
	// Labels are those that were taken off the pod.
	Labels map[string]string `json:"labels"`
	// Annotations are those that were changed, with their values before: null for none.
	Annotations map[string]*string `json:"annotations"`
	// Controller is what the pod belonged to; nil for nothing.
	Controller *Controller `json:"controller,omitempty"`
	// Reason is why it was isolated, in the words of who did it.
	Reason string `json:"reason,omitempty"`
	// By is the user name, empty if the API server did not tell.
	By string `json:"by,omitempty"`
	// Since is when it was isolated, and Until how long that is meant to last; nil is
	// until it is undone.
	Since time.Time  `json:"since"`
	Until *time.Time `json:"until,omitempty"`
}

// Controller is the controller of a pod.
type Controller struct {
	Kind string    `json:"kind"`
	Name string    `json:"name"`
	UID  types.UID `json:"uid"`
}

func (c *Controller) String() string { return c.Kind + " " + c.Name }

// Overdue reports whether the isolation was meant to have ended by now.
func (r *Record) Overdue(now time.Time) bool { return r.Until != nil && now.After(*r.Until) }

// isolated reports whether the pod has a record.
func isolated(pod *v1.Pod) bool {
	_, marked := pod.Annotations[config.IsolatedAnnotation]
	return marked
}

// recordOf returns what the pod's annotation remembers.
func recordOf(pod *v1.Pod) (*Record, error) {
	record := &Record{}
	if err := json.Unmarshal([]byte(pod.Annotations[config.IsolatedAnnotation]), record); err != nil {
		return nil, fmt.Errorf("pod %s: metadata.annotations[%s] cannot be read: %w; it must be as kubectl plimsoll isolate wrote it: put the pod's labels back with kubectl label, and remove the annotation",
			nameOf(pod), config.IsolatedAnnotation, err)
	}
	return record, nil
}

func nameOf(pod *v1.Pod) string { return pod.Namespace + "/" + pod.Name }

// guards are the annotations by which others that move pods leave one alone. A value of
// nil is no annotation.
func guards() map[string]*string {
	return map[string]*string{
		"descheduler.alpha.kubernetes.io/prefer-no-eviction": new("true"),
		"descheduler.alpha.kubernetes.io/evict":              nil, // it would outweigh the other
		"cluster-autoscaler.kubernetes.io/safe-to-evict":     new("false"),
		"karpenter.sh/do-not-disrupt":                        new("true"),
	}
}

// set gives the annotations these values, and returns those before.
func set(annotations map[string]string, values map[string]*string) (before map[string]*string) {
	before = map[string]*string{}
	for name, value := range values {
		old, had := annotations[name]
		switch {
		case had && value != nil && old == *value, !had && value == nil:
			continue
		case had:
			before[name] = &old
		default:
			before[name] = nil
		}
		if value == nil {
			delete(annotations, name)
		} else {
			annotations[name] = *value
		}
	}
	return before
}
