package ledger

import (
	"slices"
	"time"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load/history"
)

// Record is all that is known of a pod's use of its node. The zero value is a pod
// that is not on a node. Times are by the node's clock.
//
// What it adds to each sample of the node, to make it what it would have been
// had the pod been running all along, depends on the phase (Missing):
//
//	Reserved, Assigned, Starting   all that the pod is expected to use
//	PartlyMeasured, Remeasuring    of that, what the sample does not show
//	Measured                       likewise, which is nothing of newer samples
//	Departing                      less what the sample shows of it (UsedIn)
//
// What a pod is expected to use is its estimate, and once it was seen to run by
// itself, what it was seen to use.
type Record struct {
	Phase Phase
	// Estimate is what the pod is expected to use before that can be measured.
	Estimate amount.Vector
	// Requested is what its requests suggest that it uses: see Resize.
	Requested amount.Vector

	containers []container
	readings   []history.Sample // oldest first
	sizes      []size           // those before the present one, oldest first
	// first is when it ran first: of several restarts only the last are remembered.
	// left is when it left its node.
	first, left instant
}

// On has the record take in an event that carries no facts.
func (r *Record) On(e Event) { r.Phase = r.Phase.Next(e) }

// Observe takes in that the pod is bound to its node and what its status says of
// its containers. A pod always has the same number of them. It reports whether one of
// them began a run that was not known.
func (r *Record) Observe(states []State, now time.Time, warmUp time.Duration) (starts bool) {
	r.On(Bind)
	if len(r.containers) != len(states) {
		r.containers = make([]container, len(states))
	}
	interrupted := false
	for i := range states {
		c := &r.containers[i]
		before := c.since()
		interrupted = c.observe(states[i], now, warmUp) || interrupted
		starts = starts || !c.since().IsZero() && c.since() != before
	}
	r.forgetRuns(warmUp)
	if began := r.began(); !began.IsZero() {
		if r.first.IsZero() || began < r.first {
			r.first = began
		}
		r.On(Run)
	}
	if interrupted {
		r.On(Interrupt)
	}
	return starts
}

// forgetRuns drops runs of which there are more than are kept.
func (r *Record) forgetRuns(warmUp time.Duration) {
	if !slices.ContainsFunc(r.containers, func(c container) bool { return len(c.runs) > maxRuns }) {
		return
	}
	best := r.best(warmUp)
	for i := range r.containers {
		r.containers[i].forget(best)
	}
}

// Sampled takes in that the newest sample of the node is s.
func (r *Record) Sampled(s *history.Sample, now time.Time, warmUp time.Duration) {
	if r.Phase < Starting || r.Phase == Departing {
		return
	}
	switch began := r.began(); {
	case r.runsShownBy(s, now, warmUp):
		for i := range r.containers {
			if c := &r.containers[i]; c.running() != nil {
				c.failing = 0
			}
		}
		r.On(ShowAll)
	case began.Before(s.Timestamp):
		r.On(ShowPart)
	default:
		r.On(ShowNothing)
	}
}

// Depart takes in that the pod has left the node, which it used until then.
func (r *Record) Depart(until time.Time, warmUp time.Duration) {
	r.left = instantOf(until)
	r.stop(until, warmUp)
	r.On(Leave)
}

// Stop takes in that the node has stopped: nothing of the pod runs any more, and all
// that ran is to run again.
func (r *Record) Stop(at time.Time, warmUp time.Duration) {
	if r.stop(at, warmUp) {
		r.On(Interrupt)
	}
}

// stop ends the present runs, and reports whether there were any.
func (r *Record) stop(at time.Time, warmUp time.Duration) (ran bool) {
	for i := range r.containers {
		if open := r.containers[i].running(); open != nil {
			r.containers[i].stop(open, at, true, warmUp)
			ran = true
		}
	}
	return ran
}

// Runs calls yield with when each run that is remembered began and ended, zero if it
// has not, until it returns false.
func (r *Record) Runs(yield func(from, to time.Time) bool) {
	for i := range r.containers {
		for _, run := range r.containers[i].runs {
			if !yield(run.from.Time(), run.to.Time()) {
				return
			}
		}
	}
}

// Correct corrects when the present runs began.
func (r *Record) Correct(began func(from time.Time) time.Time) {
	for i := range r.containers {
		open := r.containers[i].running()
		if open == nil {
			continue
		}
		from := open.from
		if open.from = instantOf(began(from.Time())); open.from > from {
			r.On(Interrupt)
		}
		if r.first == from || open.from < r.first {
			r.first = open.from
		}
	}
}

// Left returns until when the pod used its node; zero while it is there.
func (r *Record) Left() time.Time { return r.left.Time() }

// began returns when the first run of a container began that is remembered, zero
// if none ran.
func (r *Record) began() (began instant) {
	for i := range r.containers {
		if runs := r.containers[i].runs; len(runs) > 0 && (began.IsZero() || runs[0].from < began) {
			began = runs[0].from
		}
	}
	return began
}

// RunningSince returns since when all containers run that are to, as large as they
// are now; zero if one does not run.
func (r *Record) RunningSince(now time.Time) time.Time {
	since := instant(0)
	for i := range r.containers {
		c := &r.containers[i]
		if !c.counts(now) {
			continue
		}
		open := c.running()
		if open == nil {
			return time.Time{}
		}
		since = max(since, open.from)
	}
	if !since.IsZero() {
		since = max(since, r.resized())
	}
	return since.Time()
}

// countsAtAll reports whether a container of the pod counts.
func (r *Record) countsAtAll(now time.Time) bool {
	for i := range r.containers {
		if r.containers[i].counts(now) {
			return true
		}
	}
	return false
}

// Expected returns what the pod is expected to use once all of it runs that is
// to, which is nothing if it has left, and whether that was seen rather than
// estimated.
func (r *Record) Expected(now time.Time, warmUp time.Duration) (use amount.Vector, seen bool) {
	if !r.left.IsZero() {
		return use, false
	}
	if use, seen = r.believed(r.Requested, now, warmUp); seen {
		return use, true
	}
	return r.estimated(now), false
}

// estimated returns what is estimated of the containers that count. Shares add up to
// more than the estimate if an init container has one, and to less if a part of the
// estimate is no container's.
func (r *Record) estimated(now time.Time) amount.Vector {
	var all, rest amount.Vector
	for i := range r.containers {
		c := &r.containers[i]
		all = all.Add(c.share)
		if !c.counts(now) {
			rest = rest.Add(c.share)
		}
	}
	if rest == (amount.Vector{}) {
		return r.Estimate
	}
	return r.Estimate.Sub(rest).Max(all.Sub(rest).Min(r.Estimate))
}

// Clone returns a copy that shares nothing with r.
func (r *Record) Clone() Record {
	clone := *r
	clone.readings = append([]history.Sample(nil), r.readings...)
	clone.sizes = append([]size(nil), r.sizes...)
	clone.containers = append([]container(nil), r.containers...)
	for i := range clone.containers {
		clone.containers[i].runs = append([]run(nil), clone.containers[i].runs...)
	}
	return clone
}
