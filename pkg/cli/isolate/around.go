package isolate

import (
	"context"
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	v1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/selection"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/plimsoll-scheduler/plimsoll/pkg/cli/cluster"
)

// selector is an object of the namespace that knows pods by their labels.
type selector struct {
	kind, name string
	uid        types.UID
	labels     labels.Selector
	// has and wants are how many pods it has and is to have. Of controllers only.
	has, wants int32
	// going: it is being deleted.
	going bool
	// allowed is how many pods may be evicted at present. Of budgets only.
	allowed int32
}

// replaces reports whether the controller makes another pod if it loses one.
func (s *selector) replaces() bool { return s.has <= s.wants && s.wants > 0 && !s.going }

func (s *selector) state() string { return fmt.Sprintf("%d of %d replicas", s.has, s.wants) }

func (s *selector) String() string { return s.kind + " " + s.name }

// around are the objects around a pod that may know it by its labels.
type around struct {
	services    []selector
	controllers []selector
	budgets     []selector
	policies    []selector
}

// lookAround reads the objects of a namespace.
func lookAround(ctx context.Context, client kubernetes.Interface, namespace string) (*around, error) {
	l := &looker{ctx: ctx, namespace: namespace}
	a := &around{}
	core, apps := client.CoreV1(), client.AppsV1()
	list(l, "services", core.Services(namespace).List, func(o *v1.Service) {
		if len(o.Spec.Selector) > 0 { // else it selects none
			a.services = append(a.services, l.selector("Service", o, &metav1.LabelSelector{MatchLabels: o.Spec.Selector}))
		}
	})
	controller := func(kind string, o metav1.Object, by *metav1.LabelSelector, has, wants int32) {
		s := l.selector(kind, o, by)
		s.has, s.wants, s.going = has, wants, o.GetDeletionTimestamp() != nil
		a.controllers = append(a.controllers, s)
	}
	list(l, "replicasets.apps", apps.ReplicaSets(namespace).List, func(o *appsv1.ReplicaSet) {
		controller("ReplicaSet", o, o.Spec.Selector, o.Status.Replicas, replicas(o.Spec.Replicas))
	})
	list(l, "replicationcontrollers", core.ReplicationControllers(namespace).List, func(o *v1.ReplicationController) {
		if len(o.Spec.Selector) > 0 {
			controller("ReplicationController", o, &metav1.LabelSelector{MatchLabels: o.Spec.Selector}, o.Status.Replicas, replicas(o.Spec.Replicas))
		}
	})
	list(l, "statefulsets.apps", apps.StatefulSets(namespace).List, func(o *appsv1.StatefulSet) {
		controller("StatefulSet", o, o.Spec.Selector, o.Status.Replicas, replicas(o.Spec.Replicas))
	})
	list(l, "daemonsets.apps", apps.DaemonSets(namespace).List, func(o *appsv1.DaemonSet) {
		controller("DaemonSet", o, o.Spec.Selector, o.Status.CurrentNumberScheduled, o.Status.DesiredNumberScheduled)
	})
	list(l, "jobs.batch", client.BatchV1().Jobs(namespace).List, func(o *batchv1.Job) {
		controller("Job", o, o.Spec.Selector, o.Status.Active, replicas(o.Spec.Parallelism))
	})
	list(l, "poddisruptionbudgets.policy", client.PolicyV1().PodDisruptionBudgets(namespace).List, func(o *policyv1.PodDisruptionBudget) {
		s := l.selector("PodDisruptionBudget", o, o.Spec.Selector)
		s.allowed = o.Status.DisruptionsAllowed
		a.budgets = append(a.budgets, s)
	})
	list(l, "networkpolicies.networking.k8s.io", client.NetworkingV1().NetworkPolicies(namespace).List, func(o *networkingv1.NetworkPolicy) {
		a.policies = append(a.policies, l.selector("NetworkPolicy", o, &o.Spec.PodSelector))
	})
	return a, l.err
}

// replicas is 1 where it is not said.
func replicas(count *int32) int32 {
	if count == nil {
		return 1
	}
	return *count
}

// looker reads objects until one cannot be read.
type looker struct {
	ctx       context.Context
	namespace string
	err       error
}

// list calls each with all objects of a kind.
func list[T any, L runtime.Object](l *looker, resource string, page func(context.Context, metav1.ListOptions) (L, error), each func(*T)) {
	if l.err != nil {
		return
	}
	if err := cluster.Each(l.ctx, page, each); err != nil {
		name, group, _ := strings.Cut(resource, ".")
		err = fmt.Errorf("list %s in namespace %s, any of which may select the pod: %w", resource, l.namespace, err)
		l.err = lacking(err, l.namespace, cluster.Rule{Group: group, Resources: name, Verbs: "list"})
	}
}

// selector returns the object as one that selects by labels.
func (l *looker) selector(kind string, object metav1.Object, by *metav1.LabelSelector) selector {
	compiled, err := metav1.LabelSelectorAsSelector(by)
	if err != nil && l.err == nil {
		l.err = fmt.Errorf("%s %s/%s: its selector cannot be read: %w", kind, l.namespace, object.GetName(), err)
	}
	return selector{kind: kind, name: object.GetName(), uid: object.GetUID(), labels: compiled}
}

// matching returns those of the selectors that select the labels.
func matching(all []selector, set map[string]string) (selecting []*selector) {
	for i := range all {
		if all[i].labels.Matches(labels.Set(set)) {
			selecting = append(selecting, &all[i])
		}
	}
	return selecting
}

// needs returns the labels without which the selector selects no pod.
func (s *selector) needs() (keys []string) {
	requirements, _ := s.labels.Requirements()
	for _, r := range requirements {
		switch r.Operator() {
		case selection.In, selection.Equals, selection.DoubleEquals, selection.Exists, selection.GreaterThan, selection.LessThan:
			keys = append(keys, r.Key())
		}
	}
	return keys
}
