package why

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"

	"github.com/plimsoll-scheduler/plimsoll/pkg/cli/cluster"
	"github.com/plimsoll-scheduler/plimsoll/pkg/cli/leader"
	"github.com/plimsoll-scheduler/plimsoll/pkg/compat"
	"github.com/plimsoll-scheduler/plimsoll/pkg/explain"
)

// Members is how many pods of a group there are.
type Members struct {
	All    int `json:"all"`
	Placed int `json:"placed"`
	// AtOnce is how many of them get nodes at once, or none does; 0 if that is not so, or
	// not known.
	AtOnce int `json:"atOnce,omitempty"`
	// Waiting is one that finds no node, as namespace/name, and WaitsFor what for.
	Waiting  string `json:"waiting,omitempty"`
	WaitsFor string `json:"waitsFor,omitempty"`
}

// group tells of the pod's group, if it has one.
func (a *asker) group(ctx context.Context, pod *v1.Pod, answer *Answer) error {
	group := compat.PodGroupOf(pod)
	if group == "" {
		return nil
	}
	answer.Group, answer.Members = pod.Namespace+"/"+group, &Members{}
	members := map[string]bool{}
	err := cluster.Each(ctx, a.kube.CoreV1().Pods(pod.Namespace).List, func(other *v1.Pod) {
		if compat.PodGroupOf(other) != group {
			return
		}
		answer.Members.All++
		if other.Spec.NodeName != "" {
			answer.Members.Placed++
		} else {
			members[other.Namespace+"/"+other.Name] = true
		}
	})
	if err != nil {
		return cluster.Lacking(fmt.Errorf("find the pods of the group %s: %w", answer.Group, err), a.namespace, cluster.Rule{Resources: "pods", Verbs: "get, list"})
	}
	if atOnce, err := compat.GangSize(ctx, a.kube, pod); err == nil { // else it is not said
		answer.Members.AtOnce = atOnce
	}
	if pod.Spec.NodeName != "" {
		return nil
	}
	return a.blocking(ctx, answer.Members, members)
}

// blocking finds a member of a group that finds no node, for which all of the group wait.
func (a *asker) blocking(ctx context.Context, group *Members, waiting map[string]bool) error {
	var all struct {
		Decisions []explain.Summary `json:"decisions"`
	}
	if err := a.leader.Get(ctx, explain.Path, nil, &all); err != nil {
		return err
	}
	for i := range all.Decisions {
		if d := &all.Decisions[i]; waiting[d.Pod] && d.Result == explain.Waits && d.WaitsFor != "" {
			group.Waiting, group.WaitsFor = d.Pod, d.WaitsFor
			return nil
		}
	}
	return nil
}

// decisive returns the decision that says why the pod waits: its own, or that on the
// member of its group that finds no node.
func (a *asker) decisive(ctx context.Context, answer *Answer) (*explain.Decision, error) {
	if answer.Members == nil || answer.Members.Waiting == "" || answer.Members.Waiting == answer.Pod {
		return answer.Decision, nil
	}
	decision := &explain.Decision{}
	err := a.leader.Get(ctx, explain.Path, url.Values{"pod": {answer.Members.Waiting}}, decision)
	if errors.Is(err, leader.ErrNotFound) { // it has ended meanwhile
		return answer.Decision, nil
	}
	return decision, err
}

// leaving finds the pods on the node that the pod is nominated to that are about to be
// gone. The user may see pods of this namespace alone: then they are not known.
func (a *asker) leaving(ctx context.Context, answer *Answer) error {
	if answer.Nominated == "" {
		return nil
	}
	list, err := a.kube.CoreV1().Pods(metav1.NamespaceAll).List(ctx, metav1.ListOptions{
		FieldSelector: fields.OneTermEqualSelector("spec.nodeName", answer.Nominated).String(),
	})
	if cluster.IsLacking(err) {
		answer.LeavingUnknown = true
		return nil
	}
	if err != nil {
		return fmt.Errorf("find the pods on the node %s that are preempted: %w", answer.Nominated, err)
	}
	for i := range list.Items {
		if other := &list.Items[i]; other.DeletionTimestamp != nil || evicted(other) != "" {
			answer.Leaving = append(answer.Leaving, other.Namespace+"/"+other.Name)
		}
	}
	return nil
}

// evicted returns what the API server says of a pod that is evicted, empty if it is not.
func evicted(pod *v1.Pod) string {
	for i := range pod.Status.Conditions {
		if c := &pod.Status.Conditions[i]; c.Type == v1.DisruptionTarget && c.Status == v1.ConditionTrue {
			return c.Reason + ": " + c.Message
		}
	}
	return ""
}

// preemptedBy returns when a pod was preempted, and what the event of it says; ok is false
// if there is none, or the user may not see it.
func (a *asker) preemptedBy(ctx context.Context, uid string) (at time.Time, text string, ok bool) {
	list, err := a.kube.CoreV1().Events(a.namespace).List(ctx, metav1.ListOptions{FieldSelector: fields.AndSelectors(
		fields.OneTermEqualSelector("involvedObject.kind", "Pod"), fields.OneTermEqualSelector("involvedObject.name", a.name),
		fields.OneTermEqualSelector("reason", "Preempted"),
	).String()})
	if err != nil {
		return at, "", false
	}
	for i := range list.Items {
		event := &list.Items[i]
		when := event.EventTime.Time
		if when.IsZero() {
			when = event.LastTimestamp.Time
		}
		if uid != "" && string(event.InvolvedObject.UID) != uid || ok && when.Before(at) {
			continue
		}
		at, text, ok = when, event.Message, true
	}
	return at, a.named(ctx, strings.TrimPrefix(text, "Preempted ")), ok
}

// byPod is how the event tells which pod preempted another: by its UID, and the node.
var byPod = regexp.MustCompile(`pod ([0-9a-f-]{36}) on node (\S+)`)

// named returns the text with the name of the pod instead of its UID, if it is found: on
// the node, or in the namespace of the pod that was preempted.
func (a *asker) named(ctx context.Context, text string) string {
	found := byPod.FindStringSubmatch(text)
	if found == nil {
		return text
	}
	name := ""
	look := func(pod *v1.Pod) {
		if string(pod.UID) == found[1] {
			name = pod.Namespace + "/" + pod.Name
		}
	}
	on, err := a.kube.CoreV1().Pods(metav1.NamespaceAll).List(ctx, metav1.ListOptions{FieldSelector: fields.OneTermEqualSelector("spec.nodeName", found[2]).String()})
	if err == nil { // else the user may not see them
		for i := range on.Items {
			look(&on.Items[i])
		}
	}
	if name == "" {
		_ = cluster.Each(ctx, a.kube.CoreV1().Pods(a.namespace).List, look) // the UID is said if it fails
	}
	if name == "" {
		return text
	}
	return strings.Replace(text, found[1], name, 1)
}

// noPod says that there is no pod, and why if it was preempted.
func (a *asker) noPod(ctx context.Context) error {
	if at, by, ok := a.preemptedBy(ctx, ""); ok {
		return fmt.Errorf("%w %s in the namespace %s any more: it was preempted %s ago %s", ErrNoPod, a.name, a.namespace, ago(at), by)
	}
	return fmt.Errorf("%w %s in the namespace %s", ErrNoPod, a.name, a.namespace)
}

// going tells of a pod that is being deleted.
func (a *asker) going(ctx context.Context, pod *v1.Pod, answer *Answer) {
	answer.Finalizers = slices.Clone(pod.Finalizers)
	if pod.DeletionTimestamp != nil {
		answer.Deleted = new(pod.DeletionTimestamp.Time)
	}
	if answer.Preempted = evicted(pod); answer.Preempted != "" {
		if _, by, ok := a.preemptedBy(ctx, string(pod.UID)); ok {
			answer.PreemptedBy = by
		}
	}
}
