package dashboard

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/kubernetes"

	"github.com/plimsoll-scheduler/plimsoll/pkg/cli/show"
	"github.com/plimsoll-scheduler/plimsoll/pkg/explain"
)

const (
	// maxListed is how many waiting pods are asked for, and maxWaiting how many of
	// them the page shows.
	maxListed  = 1000
	maxWaiting = 200
)

// addWaiting adds the pods that wait. The API server knows which do, and the decisions
// why. Who may not list pods gets those that were decided on.
func (s *State) addWaiting(ctx context.Context, kube kubernetes.Interface, decisions []explain.Summary) error {
	pods, err := kube.CoreV1().Pods(metav1.NamespaceAll).List(ctx, metav1.ListOptions{Limit: maxListed, FieldSelector: fields.Set{
		"spec.schedulerName": s.Profile, "spec.nodeName": "", "status.phase": string(v1.PodPending),
	}.String()})
	switch {
	case apierrors.IsForbidden(err):
		s.Waiting = decidedOn(decisions, s.Profile)
		s.WaitingNote = "These are the pods whose last decision was to wait. You may not list pods of all namespaces, so pods that Plimsoll has not tried are not among them, and some may be gone."
	case err != nil:
		return fmt.Errorf("list the pods that wait: %w", err)
	default:
		s.Waiting, s.WaitingMore = listed(pods.Items, decisions), pods.Continue != ""
	}
	slices.SortFunc(s.Waiting, func(a, b Waiting) int {
		return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.Pod, b.Pod))
	})
	s.WaitingTotal = len(s.Waiting)
	s.Waiting = s.Waiting[:min(len(s.Waiting), maxWaiting)]
	return nil
}

// listed returns the pods, with what the decisions say of them.
func listed(pods []v1.Pod, decisions []explain.Summary) []Waiting {
	byPod := map[string]*explain.Summary{}
	for i := range decisions {
		byPod[decisions[i].Pod] = &decisions[i]
	}
	waiting := make([]Waiting, 0, len(pods))
	for i := range pods {
		pod := &pods[i]
		w := Waiting{Pod: pod.Namespace + "/" + pod.Name, Since: pod.CreationTimestamp.Time}
		if d := byPod[w.Pod]; d != nil && d.UID == pod.UID {
			w.explain(d)
		}
		if w.Reason == "" {
			w.Reason = cmp.Or(scheduledMessage(pod), "not tried yet")
		}
		waiting = append(waiting, w)
	}
	return waiting
}

// decidedOn returns the pods of the profile whose last decision is that they wait.
func decidedOn(decisions []explain.Summary, profile string) []Waiting {
	waiting := []Waiting{}
	for i := range decisions {
		if d := &decisions[i]; d.Result == explain.Waits && d.Profile == profile {
			w := Waiting{Pod: d.Pod, Since: d.Time}
			w.explain(d)
			w.Reason = cmp.Or(w.Reason, "rejected by other plugins than Plimsoll's")
			waiting = append(waiting, w)
		}
	}
	return waiting
}

// explain fills in what the decision says.
func (w *Waiting) explain(d *explain.Summary) {
	if d.WaitsSince != nil {
		w.Since = *d.WaitsSince
	}
	w.Reason, w.For = show.Counts(d.Rejected), d.WaitsFor
	if d.Result == explain.Placed {
		w.Reason = "given to " + d.Node + ", and being bound"
	}
}

// scheduledMessage returns what the scheduler says of the pod.
func scheduledMessage(pod *v1.Pod) string {
	for i := range pod.Status.Conditions {
		if c := &pod.Status.Conditions[i]; c.Type == v1.PodScheduled {
			return c.Message
		}
	}
	return ""
}
