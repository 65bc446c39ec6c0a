package load

import (
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
)

// inFlight is a pod of the ledger: assigned to a node, in whose history there
// is a sample that does not show the pod's full use.
type inFlight struct {
	name     types.NamespacedName
	node     *node
	estimate amount.Vector
	// reserved: a scheduling cycle of this process holds the pod on the node.
	// assigned: the API server says that the pod is bound to the node. A pod is
	// in the ledger only if either holds.
	reserved, assigned bool
	// runningSince is when the last container started, by the node's clock;
	// zero while any is not running.
	runningSince time.Time
	// seen is what the pod was last seen to use, by itself, over a window that
	// began at seenSince; warm, that it had been running for warmUp by then.
	seen      amount.Vector
	seenSince time.Time
	warm      bool
}

// startedBefore reports whether sample may show any of the pod's use.
func (p *inFlight) startedBefore(sample Sample) bool {
	return p.assigned && !p.runningSince.IsZero() && p.runningSince.Before(sample.Timestamp)
}

// shownBy reports whether sample shows the pod's full use: it began after the
// pod had been running for warmUp. Both times are by the node's clock.
func (p *inFlight) shownBy(sample Sample, warmUp time.Duration) bool {
	return p.assigned && !p.runningSince.IsZero() && !sample.Start().Before(p.runningSince.Add(warmUp))
}

// missingFrom returns what of the pod's use sample does not show: nothing if it
// shows all, all if the pod had not started, and else the estimate less what
// sample shows of what the pod was seen to use.
func (p *inFlight) missingFrom(sample Sample, warmUp time.Duration) amount.Vector {
	use := p.estimate
	if p.warm {
		use = p.seen
	}
	switch {
	case p.shownBy(sample, warmUp):
		return amount.Vector{}
	case !p.startedBefore(sample):
		return use
	default:
		return use.Sub(p.partOf(sample)).Max(amount.Vector{})
	}
}

// partOf returns how much of sample is the pod's use, as far as that is known:
// what it was seen to use, for that part of the sample's window that lies after
// the beginning of the window in which it was seen. A sample from before that
// shows nothing that is known.
func (p *inFlight) partOf(sample Sample) amount.Vector {
	return p.seen.Scaled(sample.shareOf(p.seenSince, sample.Timestamp))
}

// Reserve counts pod on the node from now on, before the API server knows. It
// may be repeated.
func (m *Model) Reserve(pod *v1.Pod, nodeName string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.track(pod, nodeName)
	p.reserved = true
	m.update(p, p.partlyShown())
}

// Unreserve takes back Reserve, unless the pod has turned out to be bound. It
// may be repeated, and called for a pod that was never reserved.
func (m *Model) Unreserve(uid types.UID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	pod, ok := m.pods[uid]
	if !ok {
		return
	}
	pod.reserved = false
	if !pod.assigned {
		m.forget(uid, pod)
		m.relieve()
	}
}

// SetPod tells the model of the state of a pod that the API server says is
// bound to a node; isNew, that the model may not have heard of it being bound
// before. A pod that is new and has been running for long enough counts as
// measured, so that a restart of the scheduler counts no pod twice.
func (m *Model) SetPod(pod *v1.Pod, isNew bool) {
	if pod.Spec.NodeName == "" {
		return
	}
	if isTerminal(pod) {
		m.RemovePod(pod)
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.follow(pod)
	if _, known := m.pods[pod.UID]; !known && !isNew {
		return // it has left the ledger already
	}
	p := m.track(pod, pod.Spec.NodeName)
	before := p.partlyShown()
	p.assigned = true
	p.runningSince = runningSince(pod)
	if samples := p.node.history.samples; len(samples) > 0 && p.shownBy(samples[0], m.config.WarmUp) {
		m.drop(pod.UID, p)
		m.recompute(p.node)
		m.dropIfUnused(p.node)
		return
	}
	m.update(p, before || p.partlyShown())
}

// RemovePod tells the model that the pod is gone, or will use nothing more.
func (m *Model) RemovePod(pod *v1.Pod) {
	m.mu.Lock()
	defer m.mu.Unlock()
	name := types.NamespacedName{Namespace: pod.Namespace, Name: pod.Name}
	if p, ok := m.pods[pod.UID]; ok {
		m.forget(pod.UID, p)
		m.relieve()
	}
	s, followed := m.subjects[name]
	if !followed || s.uid != pod.UID {
		return
	}
	m.unfollow(name, s)
	if n := m.nodes[pod.Spec.NodeName]; n != nil && len(n.history.samples) > 0 && s.known(m.clock.Now()) {
		m.depart(n, s.use, s.runningSince, usedUntil(pod, m.clock.Now()))
		m.relieve()
	}
}

// track returns the pod's entry in the ledger, on the given node and with its
// present estimate.
func (m *Model) track(pod *v1.Pod, nodeName string) *inFlight {
	p, ok := m.pods[pod.UID]
	if ok && p.node.name != nodeName {
		m.forget(pod.UID, p)
		ok = false
	}
	if !ok {
		p = &inFlight{node: m.node(nodeName), name: types.NamespacedName{Namespace: pod.Namespace, Name: pod.Name}}
		m.pods[pod.UID] = p
		p.node.pods[pod.UID] = p
	}
	// The estimate is taken anew each time: a pod may be resized while it starts.
	p.estimate = m.estimate(pod)
	m.dirty[p.node] = true
	return p
}

// forget drops the pod, which changes what is predicted for its node.
func (m *Model) forget(uid types.UID, p *inFlight) {
	m.drop(uid, p)
	m.update(p, p.partlyShown())
	m.dropIfUnused(p.node)
}

// partlyShown reports whether a sample of p's node may show some of its use.
func (p *inFlight) partlyShown() bool {
	newest, sampled := p.node.history.newest()
	return sampled && p.startedBefore(newest)
}

// update derives anew what p, which came, went or changed, bears upon. Only if
// a sample shows some of it, or did before the change, that is more than a sum.
func (m *Model) update(p *inFlight, partly bool) {
	if partly {
		m.recompute(p.node)
		return
	}
	m.recount(p.node)
}

func (m *Model) drop(uid types.UID, p *inFlight) {
	delete(m.pods, uid)
	delete(p.node.pods, uid)
}

func isTerminal(pod *v1.Pod) bool {
	return pod.Status.Phase == v1.PodSucceeded || pod.Status.Phase == v1.PodFailed
}

// runningSince returns since when all of the pod's containers run (but for
// those that have ended for good), or zero if they do not.
func runningSince(pod *v1.Pod) time.Time {
	if pod.Status.Phase != v1.PodRunning {
		return time.Time{}
	}
	var since time.Time
	for i := range pod.Status.ContainerStatuses {
		state := &pod.Status.ContainerStatuses[i].State
		switch {
		case state.Running != nil:
			if state.Running.StartedAt.After(since) {
				since = state.Running.StartedAt.Time
			}
		case state.Terminated != nil && pod.Spec.RestartPolicy != v1.RestartPolicyAlways:
			// Done, or to be started again after a failure; the others show the pod's use.
		default:
			return time.Time{}
		}
	}
	if since.IsZero() && pod.Status.StartTime != nil {
		// A kubelet that reports no container: the start of the pod is the best it says.
		since = pod.Status.StartTime.Time
	}
	return since
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
