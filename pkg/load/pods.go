package load

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/klog/v2"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
)

// PodSource is a Source that also reports what single pods use.
type PodSource interface {
	Source
	// PollPods returns the newest reading of each of the pods that the source
	// has one of. A pod that it does not know is no error. What could be read is
	// returned together with the error for the rest: one pod that cannot be read
	// costs no other its reading. When ctx ends, so does all that is still
	// being read.
	PollPods(ctx context.Context, pods []types.NamespacedName) ([]PodReading, error)
}

// PodReading is what a source says of one pod, not checked yet. Reading.Node is
// not used.
type PodReading struct {
	Pod types.NamespacedName
	Reading
}

// podBudget is how many pods are asked for in one poll: at one request each, 100
// requests in 15 s, whatever the size of the cluster.
const podBudget = 100

// subject is a running pod whose use is worth knowing.
type subject struct {
	uid          types.UID
	runningSince time.Time
	workload     *workload // nil if it has none, or nothing is learned
	// measured is the timestamp of the newest reading that was used, and use
	// what it said; warm, that the pod had been running for warmUp by then.
	measured time.Time
	use      amount.Vector
	warm     bool
}

// useExpiration is the age from which what a pod was seen to use is not
// believed any more.
const useExpiration = 5 * time.Minute

// known reports whether it is known what the pod uses.
func (s *subject) known(now time.Time) bool {
	return s.warm && now.Sub(s.measured) <= useExpiration
}

// maxWanted bounds the pods that are asked for by Relief.
const maxWanted = 10 * podBudget

// pollPods asks the source for the use of the pods that need it: first those
// that the samples show in part, so that this part is not counted twice, then
// those that preemption wants to know of, then those that workloads are
// learned from, the longest unmeasured first.
func (m *Model) pollPods(ctx context.Context) {
	if m.podSource == nil {
		return
	}
	pods := m.podsToMeasure()
	if len(pods) == 0 {
		return
	}
	readings, err := m.podSource.PollPods(ctx, pods)
	if errors.Is(ctx.Err(), context.Canceled) {
		return // we are being stopped: that is no failure of the source
	}
	m.reportPodPoll(ctx, err)
	if err != nil {
		return
	}
	m.observePods(klog.FromContext(ctx), readings)
	m.notify(ctx) // what a pod uses already no longer counts twice
}

func (m *Model) podsToMeasure() []types.NamespacedName {
	m.mu.Lock()
	defer m.mu.Unlock()
	pods := m.partlyShownPods()
	for _, name := range slices.SortedFunc(maps.Keys(m.wanted), compareNames) {
		if len(pods) == podBudget {
			break
		}
		delete(m.wanted, name)
		if m.subjects[name] != nil {
			pods = append(pods, name)
		}
	}
	if len(pods) == podBudget || !m.config.Learn {
		return pods
	}
	for _, w := range m.workloadsByAge() {
		if len(pods) == podBudget {
			break
		}
		if name, ok := w.nextToMeasure(m); ok {
			w.asked = m.clock.Now()
			pods = append(pods, name)
		}
	}
	return pods
}

// partlyShownPods returns the pods that the samples show in part, those that
// have been running for the longest first, at most podBudget.
func (m *Model) partlyShownPods() []types.NamespacedName {
	var starting []*inFlight
	for _, p := range m.pods {
		if !p.warm && p.partlyShown() {
			starting = append(starting, p)
		}
	}
	slices.SortFunc(starting, func(a, b *inFlight) int {
		return cmp.Or(a.runningSince.Compare(b.runningSince), compareNames(a.name, b.name))
	})
	pods := make([]types.NamespacedName, 0, podBudget)
	for _, p := range starting[:min(len(starting), podBudget)] {
		pods = append(pods, p.name)
	}
	return pods
}

func compareNames(a, b types.NamespacedName) int {
	return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
}

// workloadsByAge returns the workloads, the one that has not been asked for
// the longest first.
func (m *Model) workloadsByAge() []*workload {
	keys := slices.SortedFunc(maps.Keys(m.workloads), func(a, b workloadKey) int {
		return cmp.Or(m.workloads[a].asked.Compare(m.workloads[b].asked), a.compare(b))
	})
	all := make([]*workload, len(keys))
	for i, key := range keys {
		all[i] = m.workloads[key]
	}
	return all
}

// observePods takes in what single pods use.
func (m *Model) observePods(logger klog.Logger, readings []PodReading) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.podPolls++
	now := m.clock.Now()
	for i := range readings {
		s, known := m.subjects[readings[i].Pod]
		if !known {
			continue // gone since it was asked for
		}
		sample, reason := readings[i].check(now)
		if reason != "" {
			m.metrics.dropped(reason)
			logger.V(5).Info("Dropped a load reading", "pod", readings[i].Pod, "reason", string(reason))
			continue
		}
		// A pod made again under the same name must not inherit the old one's use.
		if sample.Start().Before(s.runningSince) || !sample.Timestamp.After(s.measured) {
			continue
		}
		s.measured = sample.Timestamp
		m.seePod(s, sample)
	}
}

// seePod takes in a sample of one pod.
func (m *Model) seePod(s *subject, sample Sample) {
	warm := !sample.Start().Before(s.runningSince.Add(m.config.WarmUp))
	s.use, s.warm = sample.Usage, warm
	if warm && s.workload != nil {
		s.workload.learn(sample)
	}
	if p, inLedger := m.pods[s.uid]; inLedger {
		if warm && !p.warm {
			m.metrics.predicted(p.estimate, sample.Usage)
		}
		p.seen, p.seenSince, p.warm = sample.Usage, sample.Start(), warm
		m.recompute(p.node)
	}
}

// Relief returns by how much the predicted use of its node would fall at once
// if the pod were removed, and whether that is known. If it is not, the pod is
// among the first to be measured at the next poll.
func (m *Model) Relief(pod *v1.Pod) (amount.Vector, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	name := types.NamespacedName{Namespace: pod.Namespace, Name: pod.Name}
	if p, ok := m.pods[pod.UID]; ok && !p.warm {
		newest, sampled := p.node.history.newest()
		if !sampled {
			return p.estimate, true
		}
		return p.missingFrom(newest, m.config.WarmUp).Add(p.partOf(newest)), true
	}
	s := m.subjects[name]
	if s == nil || s.uid != pod.UID {
		return amount.Vector{}, false
	}
	if s.known(m.clock.Now()) {
		return s.use, true
	}
	if len(m.wanted) < maxWanted {
		m.wanted[name] = true
	}
	return amount.Vector{}, false
}

// follow keeps the record of a running pod.
func (m *Model) follow(pod *v1.Pod) {
	if m.podSource == nil {
		return
	}
	name := types.NamespacedName{Namespace: pod.Namespace, Name: pod.Name}
	since := runningSince(pod)
	s, known := m.subjects[name]
	if known && (s.uid != pod.UID || since.IsZero()) {
		m.unfollow(name, s)
		known = false
	}
	if since.IsZero() {
		return
	}
	if !known {
		s = &subject{uid: pod.UID}
		m.subjects[name] = s
		if m.config.Learn {
			s.workload = m.join(pod, name)
		}
	}
	s.runningSince = since
}

// unfollow drops the record of a pod that no longer runs.
func (m *Model) unfollow(name types.NamespacedName, s *subject) {
	delete(m.subjects, name)
	if s.workload != nil {
		m.leave(s.workload, name)
	}
}
