package waiting

import (
	"cmp"
	"context"
	"slices"
	"time"

	v1 "k8s.io/api/core/v1"
	corev1helpers "k8s.io/component-helpers/scheduling/corev1"
	"k8s.io/klog/v2"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load"
)

const (
	// holdsRoom is for how long a pod that was woken is taken to be on its way to a
	// node, so that no other pod is woken for the same room.
	holdsRoom = 10 * time.Second
	// wakesAgain is after which time a pod that was woken is woken again if it was
	// not tried since: another plugin may have held it back, such as DefaultPreemption
	// one whose victims are not all evicted yet. It doubles each time, up to
	// mostWakesAgain, after which the queue itself retries a pod.
	wakesAgain     = retellDelay
	mostWakesAgain = 5 * time.Minute
	// rests is for how long a pod rests from its last attempt if that came of waking
	// it, and was in vain: what rejected it may not be what the rounds know, such as a
	// pod that is nominated to the node. It doubles with each, up to mostRests.
	rests     = time.Second
	mostRests = 10 * time.Second
	// asksAgain is for how long what a pod needs is taken to be the same.
	asksAgain = time.Minute
)

// Wake wakes the pods that a node would take now which rejected them in their last
// attempt, or which that attempt did not know; and those of which preemption knows
// more by now. Calls are made one at a time. It returns the view that it went by.
func (s *Set[Class]) Wake(ctx context.Context) *load.View {
	s.rounds.Add(1) // before the view is taken: see the package's doc
	view := s.config.View()
	if pods := s.wake(&view); len(pods) > 0 {
		logger := klog.FromContext(ctx)
		logger.V(3).Info("Retrying pods that nodes rejected for load", "profile", s.config.Handle.ProfileName(), "pods", len(pods))
		s.config.Handle.Activate(logger, pods)
		s.retell() // to see that they are tried
	}
	return &view
}

// wake returns the pods to put back into the queue, in the form in which it takes
// them.
func (s *Set[Class]) wake(view *load.View) map[string]*v1.Pod {
	nodes := newRooms(view, s.config.Rules)
	candidates, groups := s.candidates(view, nodes)
	if len(candidates) == 0 {
		return nil
	}
	slices.SortFunc(candidates, inOrder)
	groups.join(candidates)
	nodes.findYoung(candidates)
	pods := map[string]*v1.Pod{}
	wake := func(c *candidate) {
		if !c.onItsWay && s.note(c.attempt, view.Now) {
			pods[c.attempt.key] = c.pod
		}
	}
	for i := range candidates {
		c := &candidates[i]
		switch group := groups[c.attempt.group]; {
		case c.resting:
			s.retell()
		case c.granted:
			wake(c)
		case group == nil:
			if _, ok := nodes.take(c); ok {
				wake(c)
			}
		case group.isFirst(c) && view.Now.Sub(group.tried) < retellDelay:
			s.retell()
		case group.isFirst(c) && takeAll(nodes, group):
			for _, member := range group.members {
				wake(member)
			}
		}
	}
	return pods
}

// candidate is a pod that may be woken.
type candidate struct {
	attempt  *Attempt
	pod      *v1.Pod // as it is now
	priority int32
	since    time.Time
	rooms    *classRooms // of its class
	need     amount.Vector
	// granted: it is woken whatever room there is.
	granted bool
	// onItsWay: it was woken, and only holds its room. resting: it is too early to
	// wake it again.
	onItsWay, resting bool
}

// inOrder compares pods as the queue does: by priority, then by how long they have
// waited.
func inOrder(a, b candidate) int {
	return cmp.Or(
		cmp.Compare(b.priority, a.priority),
		a.since.Compare(b.since),
		cmp.Compare(a.pod.UID, b.pod.UID))
}

// candidates returns the pods that may be woken: all but those that no node has
// room for. It forgets pods that no longer wait, and counts those that do.
func (s *Set[Class]) candidates(view *load.View, nodes *rooms[Class]) (candidates []candidate, groups groups) {
	groups = map[string]*group{}
	waiting := census{}
	defer func() { s.counters.show(&waiting, view.Now) }()
	for _, w := range s.snapshot(view.Now) {
		pod := s.present(w.attempt)
		if pod == nil {
			s.forget(w.attempt)
			continue
		}
		if !w.reserved && w.attempt.rejected.Load() {
			waiting.add(w.attempt)
		}
		if w.attempt.group != "" && groups.add(w, s.need(w.attempt, pod, view.Now)) {
			continue
		}
		if !w.counts || !w.attempt.rejected.Load() {
			continue
		}
		before, granted := w.attempt.history(), w.attempt.granted(view.PodPolls)
		rooms, need := nodes.of(s.config.Rules.Class(view, pod, before)), s.need(w.attempt, pod, view.Now)
		if granted || rooms.mayTake(need) {
			candidates = append(candidates, candidate{
				attempt: w.attempt, pod: pod, priority: corev1helpers.PodPriority(pod), since: before.Since,
				rooms: rooms, need: need, granted: granted, onItsWay: w.onItsWay, resting: w.resting,
			})
		}
	}
	return candidates, groups
}

// need returns how much the pod needs, which is asked when it has changed, and now
// and then: it may depend on more than the pod.
func (s *Set[Class]) need(a *Attempt, pod *v1.Pod, now time.Time) amount.Vector {
	if a.asked != pod || now.Sub(a.askedAt) >= asksAgain {
		a.need, a.asked, a.askedAt = s.config.Rules.Need(pod), pod, now
	}
	return a.need
}

// remembered is a pod of the set.
type remembered struct {
	attempt *Attempt
	// counts is false if it is neither to be woken nor holds room.
	counts            bool
	onItsWay, resting bool
	// reserved: it has a node. placed is the slot of that which it had last, below 0
	// if it had none.
	reserved bool
	placed   int
}

func (s *Set[Class]) snapshot(now time.Time) []remembered {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]remembered, 0, len(s.entries))
	for _, e := range s.entries {
		r := remembered{attempt: e.attempt, counts: !e.reserved, reserved: e.reserved, placed: e.attempt.placed}
		if vain := e.attempt.vain; vain > 0 {
			r.resting = now.Sub(e.attempt.now) < min(rests<<(vain-1), mostRests)
		}
		if e.attempt.wakes > 0 {
			ago := now.Sub(e.attempt.wokenAt)
			r.onItsWay = ago < min(wakesAgain<<(e.attempt.wakes-1), mostWakesAgain)
			r.counts = r.counts && (!r.onItsWay || ago < holdsRoom)
		}
		all = append(all, r)
	}
	return all
}

// note notes that the pod is woken. It is false if the pod is tried anew, or
// placed, since the round looked at it.
func (s *Set[Class]) note(a *Attempt, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e, ok := s.entries[a.pod.UID]; !ok || e.attempt != a || e.reserved {
		return false
	}
	if a.wakes == 0 {
		s.counters.wake(now.Sub(a.history().Since))
	}
	a.wakes = min(a.wakes+1, maxWakes)
	a.wokenAt = now
	return true
}

// maxWakes is more wakes of an attempt than it takes for mostWakesAgain.
const maxWakes = 10
