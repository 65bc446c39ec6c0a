// Package fit tries where pods would go, and how many, on a copy of a cluster: with
// kube-scheduler's own code and the plugins that run in production, in this process.
// Nothing is written to the cluster that was copied.
package fit

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	schedconfig "k8s.io/kubernetes/pkg/scheduler/apis/config"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/plimsoll-scheduler/plimsoll/pkg/apis/config"
	"github.com/plimsoll-scheduler/plimsoll/pkg/device/dra"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load"
	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/kube"
)

// Cluster is a cluster as it was at a moment. Its objects are not changed.
type Cluster struct {
	Nodes []*v1.Node
	Pods  []*v1.Pod
	// Readings are what nodes were measured to use, and PodReadings what pods were.
	Readings    []load.Reading
	PodReadings []load.PodReading
	// Objects are volumes, resource slices and all else that pods refer to (see
	// kube.Cluster's Add). Where there are none, a pod with a volume or a claim fits
	// nowhere.
	Objects []runtime.Object
	Now     time.Time
}

// Question is what is to be tried.
type Question struct {
	// Profile decides.
	Profile *schedconfig.KubeSchedulerProfile
	// Pod is what is tried: it need not exist, and is tried as if it had no node.
	Pod *v1.Pod
	// Own is what each has of its own.
	Own Own
	// Limit is how many are tried at the most, at least 1.
	Limit int
}

// Answer is what came of it.
type Answer struct {
	// Estimate is what one is expected to use: cores and bytes.
	Estimate Amounts `json:"estimate"`
	// Nodes are those that take at least one, in the order of the first that they take.
	Nodes []Node `json:"nodes"`
	// Fit is how many fit, and ByRequests how many would if no node were kept below its
	// line. Limited says that there may be more: Question.Limit was reached.
	Fit        int  `json:"fit"`
	ByRequests int  `json:"byRequests"`
	Limited    bool `json:"limited,omitempty"`
	// Blocked is what the scheduler says of the next one; empty if Limited.
	Blocked string `json:"blocked,omitempty"`
	// Reasons is how many nodes do not take the next one for which reason.
	Reasons map[string]int `json:"reasons,omitempty"`
	// Waiting is how many pods of the cluster have no node. They are not counted, and
	// may come first.
	Waiting int `json:"waiting"`
}

// Node is a node that takes some.
type Node struct {
	Name string `json:"name"`
	// Order are the numbers of those that it takes, counted from 1.
	Order []int `json:"order"`
}

// Amounts are of CPU, in cores, and of memory, in bytes.
type Amounts struct {
	CPU    float64 `json:"cpu"`
	Memory float64 `json:"memory"`
}

// warmUp is for how long the copy runs before anything is tried: longer than a load
// model that has just begun waits for a node's first sample.
const warmUp = 10 * time.Minute

// Try tries it.
func Try(ctx context.Context, from *Cluster, q *Question) (*Answer, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // what the scheduler has started ends here
	t := &trial{question: q, answer: &Answer{Nodes: []Node{}}}
	if err := t.copy(ctx, from); err != nil {
		return nil, err
	}
	blocked, err := t.fill(ctx, false)
	if err != nil {
		return nil, err
	}
	a := t.answer
	a.Fit, a.ByRequests = t.placed, t.placed
	if blocked == nil {
		a.Limited = true
		return a, nil
	}
	a.Blocked, _, _ = strings.Cut(blocked.Status.Message(), " preemption:") // none is tried
	a.Reasons = reasonsOf(blocked)
	if _, err = t.fill(ctx, true); err != nil {
		return nil, err
	}
	a.ByRequests, a.Limited = t.placed, t.placed >= q.Limit
	return a, nil
}

// trial is a copy of a cluster in which pods are tried.
type trial struct {
	question *Question
	cluster  *kube.Cluster
	clock    *clocktesting.FakeClock
	answer   *Answer
	placed   int
	tried    int
}

// copy makes the copy.
func (t *trial) copy(ctx context.Context, from *Cluster) (err error) {
	t.clock = clocktesting.NewFakeClock(from.Now.Add(-warmUp))
	source := &readings{}
	t.cluster, err = kube.New(ctx, kube.Options{
		Clock: t.clock, Profiles: []schedconfig.KubeSchedulerProfile{*withoutBinding(t.question.Profile)}, Source: source,
		Inventory: dra.Shared(utilfeature.DefaultFeatureGate), // by the gates that kube-scheduler's plugins go by here
	})
	if err != nil {
		return err
	}
	for _, object := range from.Objects {
		if err := t.cluster.Add(object.DeepCopyObject()); err != nil {
			return err
		}
	}
	for _, node := range from.Nodes {
		if err := t.cluster.AddNode(node.DeepCopy()); err != nil {
			return err
		}
	}
	t.cluster.Poll(ctx)
	t.clock.SetTime(from.Now)
	for _, pod := range from.Pods {
		switch {
		case pod.Status.Phase == v1.PodSucceeded || pod.Status.Phase == v1.PodFailed:
			continue
		case pod.Spec.NodeName == "":
			t.answer.Waiting++
			continue
		}
		if err := t.cluster.AddPod(pod.DeepCopy()); err != nil {
			return err
		}
	}
	source.nodes, source.pods = from.Readings, map[types.NamespacedName]load.PodReading{}
	for _, reading := range from.PodReadings {
		source.pods[reading.Pod] = reading
	}
	t.cluster.Poll(ctx)
	return nil
}

// fill places pods until one is not taken, which it returns, or there are as many as are
// wanted. soft has no node rejected because of its load.
func (t *trial) fill(ctx context.Context, soft bool) (*kube.Decision, error) {
	for t.placed < t.question.Limit {
		pod := t.pod(soft)
		for _, own := range t.question.Own.of(pod) {
			if err := t.cluster.Add(own); err != nil {
				return nil, err
			}
		}
		if err := t.cluster.AddPod(pod); err != nil {
			return nil, err
		}
		if t.tried == 1 && t.cluster.Model() != nil {
			estimate := t.cluster.Model().Estimate(pod)
			t.answer.Estimate = amountsOf(estimate)
		}
		decision, err := t.cluster.ScheduleOne(ctx)
		if err != nil {
			return nil, err
		}
		name := types.NamespacedName{Namespace: pod.Namespace, Name: pod.Name}
		if decision.Node == "" {
			if decision.Status == nil {
				return nil, fmt.Errorf("the scheduler does not try pod %s", name)
			}
			return &decision, t.cluster.DeletePod(name)
		}
		if err := t.cluster.Bind(name, decision.Node); err != nil {
			return nil, err
		}
		t.placed++
		if !soft {
			t.note(decision.Node)
		}
	}
	return nil, nil
}

// pod returns the next pod to try.
func (t *trial) pod(soft bool) *v1.Pod {
	t.tried++
	pod := t.question.Pod.DeepCopy()
	pod.Name = fmt.Sprintf("fit-%d", t.tried)
	if pod.Namespace == "" {
		pod.Namespace = v1.NamespaceDefault
	}
	pod.UID = types.UID("plimsoll.io/" + pod.Name)
	pod.CreationTimestamp.Time = t.clock.Now()
	pod.DeletionTimestamp = nil
	pod.Spec.SchedulerName, pod.Spec.NodeName, pod.Spec.SchedulingGates = t.question.Profile.SchedulerName, "", nil
	pod.Status = v1.PodStatus{Phase: v1.PodPending}
	if soft {
		if pod.Annotations == nil {
			pod.Annotations = map[string]string{}
		}
		pod.Annotations[config.WhenUnsatisfiableAnnotation] = string(config.ScheduleAnyway)
	}
	return pod
}

// note notes that the node takes one.
func (t *trial) note(node string) {
	i := slices.IndexFunc(t.answer.Nodes, func(n Node) bool { return n.Name == node })
	if i < 0 {
		i = len(t.answer.Nodes)
		t.answer.Nodes = append(t.answer.Nodes, Node{Name: node})
	}
	t.answer.Nodes[i].Order = append(t.answer.Nodes[i].Order, t.placed)
}

// reasonsOf counts the nodes by the reasons for which they do not take a pod. A node may
// have several.
func reasonsOf(d *kube.Decision) map[string]int {
	reasons := map[string]int{}
	for _, status := range maps.All(d.Rejections()) {
		for _, reason := range status.Reasons() {
			reasons[reason]++
		}
	}
	return reasons
}
