package load

import (
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/demand"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load/estimate"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load/ledger"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load/workload"
)

// pod is a pod on a node. There is one for each pod that is reserved or bound and
// has not ended.
type pod struct {
	ledger.Record
	uid      types.UID
	name     types.NamespacedName
	node     *node
	index    int                      // in node.pods
	workload *workload.Workload[*pod] // nil while it does not run, or has none
	demand   demand.Demand            // what it is expected to use, as a distribution
	// asked is when it was last asked for.
	asked time.Time
}

func nameOf(object *v1.Pod) types.NamespacedName {
	return types.NamespacedName{Namespace: object.Namespace, Name: object.Name}
}

func isTerminal(pod *v1.Pod) bool {
	return pod.Status.Phase == v1.PodSucceeded || pod.Status.Phase == v1.PodFailed
}

// statesOf returns what the pod's status says of its containers, init containers
// first. Each has a share of what the pod is estimated to use, by what it requests.
func statesOf(pod *v1.Pod, estimator *estimate.Estimator, estimated amount.Vector) []ledger.State {
	spec := &pod.Spec
	shares := sharesOf(pod, estimator, estimated)
	states := make([]ledger.State, 0, len(shares))
	for i := range spec.InitContainers {
		c := &spec.InitContainers[i]
		policy := v1.RestartPolicyOnFailure // until it succeeds
		if estimate.IsSidecar(c) {
			policy = v1.RestartPolicyAlways
		}
		states = append(states, stateOf(pod.Status.InitContainerStatuses, c, policy, shares[i]))
	}
	for i := range spec.Containers {
		c := &spec.Containers[i]
		policy := spec.RestartPolicy
		if c.RestartPolicy != nil {
			policy = v1.RestartPolicy(*c.RestartPolicy)
		}
		state := stateOf(pod.Status.ContainerStatuses, c, policy, shares[len(spec.InitContainers)+i])
		if len(pod.Status.ContainerStatuses) == 0 && pod.Status.Phase == v1.PodRunning && pod.Status.StartTime != nil {
			state.Since = pod.Status.StartTime.Time // a kubelet that reports no container
		}
		states = append(states, state)
	}
	if pod.DeletionTimestamp != nil {
		for i := range states { // the kubelet starts nothing any more
			states[i].Ended = states[i].Ended || states[i].Since.IsZero()
		}
	}
	return states
}

func stateOf(statuses []v1.ContainerStatus, c *v1.Container, policy v1.RestartPolicy, share amount.Vector) ledger.State {
	for i := range statuses {
		if statuses[i].Name == c.Name {
			return ledger.StateOf(&statuses[i], share, policy, c.RestartPolicyRules)
		}
	}
	return ledger.State{Share: share}
}

// sharesOf divides what the pod is estimated to use among its containers, in the
// proportion of their own estimates; equally if those are zero.
func sharesOf(pod *v1.Pod, estimator *estimate.Estimator, estimated amount.Vector) []amount.Vector {
	spec := &pod.Spec
	shares := make([]amount.Vector, 0, len(spec.InitContainers)+len(spec.Containers))
	for i := range spec.InitContainers {
		shares = append(shares, estimator.Container(&spec.InitContainers[i]))
	}
	for i := range spec.Containers {
		shares = append(shares, estimator.Container(&spec.Containers[i]))
	}
	whole := estimator.Pod(pod)
	for r := range estimated {
		for i := range shares {
			if whole[r] > 0 {
				shares[i][r] = int64(float64(shares[i][r]) / float64(whole[r]) * float64(estimated[r]))
			} else {
				shares[i][r] = estimated[r] / int64(len(shares))
			}
		}
	}
	return shares
}

// usedUntil returns until when a pod that is gone now surely used its node: its
// last container's end, or else the moment in which it was told to end. A
// kubelet takes a while to report an end; if that while were taken for use, it
// would be taken off samples that do not show it.
func usedUntil(pod *v1.Pod, now time.Time) time.Time {
	var ended time.Time
	for i := range pod.Status.ContainerStatuses {
		terminated := pod.Status.ContainerStatuses[i].State.Terminated
		if terminated == nil {
			ended = time.Time{}
			break
		}
		if terminated.FinishedAt.After(ended) {
			ended = terminated.FinishedAt.Time
		}
	}
	if ended.IsZero() && pod.DeletionTimestamp != nil {
		ended = pod.DeletionTimestamp.Time
		if grace := pod.DeletionGracePeriodSeconds; grace != nil {
			ended = ended.Add(-time.Duration(*grace) * time.Second)
		}
	}
	if ended.IsZero() || ended.After(now) {
		return now
	}
	return ended
}
