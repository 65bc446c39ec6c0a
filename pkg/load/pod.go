package load

import (
	"slices"
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
	uid   types.UID
	name  types.NamespacedName
	node  *node
	index int // in node.pods
	// heard is how many samples of the node had arrived when it was last told that a
	// container began.
	heard    uint64
	namesake *pod                     // another of the same name, nil if there is none
	workload *workload.Workload[*pod] // nil while it does not run, or has none
	// own is what it is expected to use, as a distribution, if that is not what its workload
	// says: see Model.setDemand.
	own *demand.Demand
	// asked is larger the later it was asked for, 0 before.
	asked  uint64
	stamps *stamps // nil if there are none
}

func nameOf(object *v1.Pod) types.NamespacedName {
	return types.NamespacedName{Namespace: object.Namespace, Name: object.Name}
}

// pods are the pods that are known, by name. A pod may be seen before its predecessor
// of the same name is known to be gone, and events of the one may come after those of
// the other: each is known by its UID, whatever is told of the other.
type pods map[types.NamespacedName]*pod

// find returns the pod, nil if it is not known.
func (ps pods) find(object *v1.Pod) *pod {
	p := ps[nameOf(object)]
	for p != nil && p.uid != object.UID {
		p = p.namesake
	}
	return p
}

// only returns the pod of the name, nil if there is none, or several: what is told of
// the name alone may then be of either.
func (ps pods) only(name types.NamespacedName) *pod {
	if p := ps[name]; p != nil && p.namesake == nil {
		return p
	}
	return nil
}

func (ps pods) add(p *pod) { p.namesake, ps[p.name] = ps[p.name], p }

func (ps pods) drop(p *pod) {
	switch first := ps[p.name]; {
	case first != p:
		for first.namesake != p {
			first = first.namesake
		}
		first.namesake = p.namesake
	case p.namesake == nil:
		delete(ps, p.name)
	default:
		ps[p.name] = p.namesake
	}
}

// all calls yield for each pod, in no order, until it returns false.
func (ps pods) all(yield func(*pod) bool) {
	for _, p := range ps {
		for ; p != nil; p = p.namesake {
			if !yield(p) {
				return
			}
		}
	}
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
		state, reported := stateOf(pod.Status.InitContainerStatuses, c, policy, shares[i])
		if !reported && pod.Status.Phase == v1.PodRunning { // a kubelet that reports none
			if state.Ended = !estimate.IsSidecar(c); !state.Ended {
				state.Since = runningSince(pod)
			}
		}
		states = append(states, state)
	}
	for i := range spec.Containers {
		c := &spec.Containers[i]
		policy := spec.RestartPolicy
		if c.RestartPolicy != nil {
			policy = v1.RestartPolicy(*c.RestartPolicy)
		}
		state, _ := stateOf(pod.Status.ContainerStatuses, c, policy, shares[len(spec.InitContainers)+i])
		if len(pod.Status.ContainerStatuses) == 0 && pod.Status.Phase == v1.PodRunning {
			state.Since = runningSince(pod) // a kubelet that reports no container
		}
		states = append(states, state)
	}
	if isRestarting(pod) {
		for i := range states {
			states[i].Ended = false
		}
	}
	if pod.DeletionTimestamp != nil {
		for i := range states { // the kubelet starts nothing any more
			states[i].Ended = states[i].Ended || states[i].Since.IsZero()
		}
	}
	return states
}

// runningSince returns since when a pod runs, as far as it says: since its first
// container was started, or else since it came to its node. It is zero if neither is
// said.
func runningSince(pod *v1.Pod) (since time.Time) {
	for i := range pod.Status.ContainerStatuses {
		if runs := pod.Status.ContainerStatuses[i].State.Running; runs != nil && (since.IsZero() || runs.StartedAt.Time.Before(since)) {
			since = runs.StartedAt.Time
		}
	}
	if since.IsZero() && pod.Status.StartTime != nil {
		since = pod.Status.StartTime.Time
	}
	return since
}

// stateOf returns what the statuses say of the container, and whether it is among them.
func stateOf(statuses []v1.ContainerStatus, c *v1.Container, policy v1.RestartPolicy, share amount.Vector) (state ledger.State, reported bool) {
	for i := range statuses {
		if statuses[i].Name == c.Name {
			return ledger.StateOf(&statuses[i], share, policy, c.RestartPolicyRules), true
		}
	}
	return ledger.State{Share: share}, false
}

// isRestarting reports whether all containers of the pod are started again in place,
// also those that would not be after they were ended for that.
func isRestarting(pod *v1.Pod) bool {
	return slices.ContainsFunc(pod.Status.Conditions, func(c v1.PodCondition) bool {
		return c.Type == v1.AllContainersRestarting && c.Status == v1.ConditionTrue
	})
}

// sharesOf divides what the pod is estimated to use among its containers, in the
// proportion of their own estimates; equally among those that run together if those
// are zero, with as much for each that runs before them.
func sharesOf(pod *v1.Pod, estimator *estimate.Estimator, estimated amount.Vector) []amount.Vector {
	spec := &pod.Spec
	shares := make([]amount.Vector, 0, len(spec.InitContainers)+len(spec.Containers))
	for i := range spec.InitContainers {
		shares = append(shares, estimator.Container(&spec.InitContainers[i]))
	}
	for i := range spec.Containers {
		shares = append(shares, estimator.Container(&spec.Containers[i]))
	}
	whole, together := estimator.Pod(pod), len(spec.Containers)
	for i := range spec.InitContainers {
		if estimate.IsSidecar(&spec.InitContainers[i]) {
			together++
		}
	}
	for r := range estimated {
		for i := range shares {
			if whole[r] > 0 {
				shares[i][r] = int64(float64(shares[i][r]) / float64(whole[r]) * float64(estimated[r]))
			} else {
				shares[i][r] = estimated[r] / int64(max(1, together))
			}
		}
	}
	return shares
}

// usedUntil returns until when a pod that is gone now surely used its node: its
// last container's end, or else the moment in which it was told to end, which is by
// the API server's clock, and that is taken to be ours. A kubelet takes a while to
// report an end; if that while were taken for use, it would be taken off samples that
// do not show it.
func (p *pod) usedUntil(object *v1.Pod, ours time.Time) time.Time {
	clock := &p.node.clock
	now, ended := clock.now(ours), lastEnd(object)
	switch {
	case ended.IsZero():
		if told := toldToEnd(object); !told.IsZero() && told.Before(ours) {
			return now.Add(-ours.Sub(told))
		}
		return now
	case p.stamps.find(ended) != nil:
		ended = p.stamps.find(ended).at
	default:
		ended = clock.at(ended)
	}
	if ended.After(clock.latest(ours)) {
		return now
	}
	return ended
}

// toldToEnd returns when the pod was told to end, by the API server's clock; zero if it
// was not.
func toldToEnd(pod *v1.Pod) time.Time {
	if pod.DeletionTimestamp == nil {
		return time.Time{}
	}
	told := pod.DeletionTimestamp.Time
	if grace := pod.DeletionGracePeriodSeconds; grace != nil {
		told = told.Add(-time.Duration(*grace) * time.Second)
	}
	return told
}

// lastEnd returns when the last of the pod's containers that have run ended; zero if
// none has, or one runs.
func lastEnd(pod *v1.Pod) (last time.Time) {
	for i := range pod.Status.ContainerStatuses {
		status := &pod.Status.ContainerStatuses[i]
		if status.State.Running != nil {
			return time.Time{}
		}
		for _, ended := range [...]*v1.ContainerStateTerminated{status.State.Terminated, status.LastTerminationState.Terminated} {
			if ended != nil && ended.FinishedAt.After(last) {
				last = ended.FinishedAt.Time
			}
		}
	}
	return last
}
