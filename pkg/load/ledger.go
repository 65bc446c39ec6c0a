package load

import (
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// inFlight is a pod of the ledger: assigned to a node whose samples cannot
// show its use yet.
type inFlight struct {
	node     *node
	estimate Amounts
	// reserved: a scheduling cycle of this process holds the pod on the node.
	// assigned: the API server says that the pod is bound to the node. A pod is
	// in flight for as long as either holds.
	reserved, assigned bool
	// runningSince is when the last container started, by the node's clock;
	// zero while any is not running.
	runningSince time.Time
}

// visibleIn reports whether sample shows the pod's full use: it began after
// the pod had been running for warmUp. Both times are from the node's clock.
func (p *inFlight) visibleIn(sample Sample, warmUp time.Duration) bool {
	return p.assigned && !p.runningSince.IsZero() && !sample.Start().Before(p.runningSince.Add(warmUp))
}

// Reserve counts pod on the node from now on, before the API server knows. It
// may be repeated.
func (m *Model) Reserve(pod *v1.Pod, nodeName string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.track(pod, nodeName).reserved = true
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
		m.RemovePod(pod.UID)
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, known := m.pods[pod.UID]; !known && !isNew {
		return // it has left the ledger already
	}
	p := m.track(pod, pod.Spec.NodeName)
	p.assigned = true
	p.runningSince = runningSince(pod)
	if n := p.node; n.sampled && p.visibleIn(n.sample, m.config.WarmUp) {
		m.forget(pod.UID, p)
	}
}

// RemovePod tells the model that the pod is gone, or will use nothing more.
func (m *Model) RemovePod(uid types.UID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if pod, ok := m.pods[uid]; ok {
		m.forget(uid, pod)
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
		p = &inFlight{node: m.node(nodeName)}
		m.pods[pod.UID] = p
		p.node.pods[pod.UID] = p
	}
	// The estimate is taken anew each time: a pod may be resized while it starts.
	estimate := m.Estimate(pod)
	p.node.inFlight = p.node.inFlight.Sub(p.estimate).Add(estimate)
	p.estimate = estimate
	m.dirty[p.node] = true
	return p
}

func (m *Model) forget(uid types.UID, p *inFlight) {
	delete(m.pods, uid)
	delete(p.node.pods, uid)
	p.node.inFlight = p.node.inFlight.Sub(p.estimate)
	m.dirty[p.node] = true
	m.dropIfUnused(p.node)
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
