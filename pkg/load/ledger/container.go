package ledger

import (
	"slices"
	"time"

	v1 "k8s.io/api/core/v1"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load/history"
)

// Patience is how long a container that does not run any more counts as one that
// is about to: after that a container that fails again and again counts only
// while it runs.
const Patience = 5 * time.Minute

// maxRuns is how many runs of a container are kept: the present one, two that samples
// of the last minutes may show, and the one in which it was last seen at its best.
const maxRuns = 4

// run is a time in which a container ran, by the node's clock. to is zero while
// it runs. told says that a status told of the end: else the run ended then at the
// latest.
type run struct {
	from, to instant
	told     bool
}

// isIn reports whether the sample's window has some of the run.
func (r *run) isIn(s *history.Sample) bool {
	return r.from.Before(s.Timestamp) && (r.to.IsZero() || r.to.After(s.Start()))
}

// container is what is known of a container of a pod.
type container struct {
	// share is the part of what the pod is expected to use that is this
	// container's.
	share amount.Vector
	// runs are those that samples may show, oldest first.
	runs []run
	// failing is since when it has not run for as long as the warm-up; zero while
	// nothing is wrong with it.
	failing instant
	// ended: it does not run and is not to run again.
	ended bool
}

// State is what a pod's status says of a container.
type State struct {
	Share amount.Vector
	// Since is when the present run began, zero if it does not run.
	Since time.Time
	// Before is the run before that, or the last one; zero if there was none.
	Before Interval
	// Ended: it does not run and is not to run again.
	Ended bool
}

// Interval is a time from one moment to another.
type Interval struct{ From, To time.Time }

// latest returns the latest time that the state tells of, zero if it tells of none.
func (s *State) latest() time.Time {
	return slices.MaxFunc([]time.Time{s.Since, s.Before.From, s.Before.To}, time.Time.Compare)
}

// last returns the last run, nil if there was none.
func (c *container) last() *run {
	if len(c.runs) == 0 {
		return nil
	}
	return &c.runs[len(c.runs)-1]
}

// knownSince returns since when all runs are remembered, zero if none is forgotten. The
// first of those that are kept may have been kept while later ones were dropped.
func (c *container) knownSince() instant {
	if len(c.runs) < maxRuns {
		return 0
	}
	return c.runs[1].from
}

// running returns the present run, nil if the container does not run.
func (c *container) running() *run {
	if last := c.last(); last != nil && last.to.IsZero() {
		return last
	}
	return nil
}

// since returns when the present run began, zero if the container does not run.
func (c *container) since() instant {
	if open := c.running(); open != nil {
		return open.from
	}
	return 0
}

// observe takes in a state. interrupted says that a run has ended that was not
// known to have.
func (c *container) observe(s State, now time.Time, warmUp time.Duration) (interrupted bool) {
	c.share = s.Share
	if c.isAhead(&s, now) {
		return false
	}
	c.ended = s.Ended
	if open := c.running(); open != nil && !open.from.Equal(s.Since) {
		end, told := open.endBy(&s, now)
		c.stop(open, end, told, warmUp)
		interrupted = !s.Ended
	}
	if before := s.Before; !before.From.IsZero() && (len(c.runs) == 0 || c.last().from.Before(before.From)) && (s.Since.IsZero() || before.From.Before(s.Since)) {
		c.start(before.From)
		c.stop(c.running(), before.To, true, warmUp)
	}
	if !s.Since.IsZero() && c.running() == nil {
		c.start(s.Since)
	}
	return interrupted
}

// isAhead reports whether more is known than the state says, which is a late one: a
// run that began after all that it tells of, or the end of the run that goes on by
// it. A run that has not begun by the node's clock says that the clock was set back.
func (c *container) isAhead(s *State, now time.Time) bool {
	last, latest := c.last(), s.latest()
	if last == nil || latest.IsZero() || last.from.After(now) {
		return false
	}
	return last.from.After(latest) || last.told && last.from.Equal(s.Since) && !last.from.Equal(s.Before.From)
}

// endBy returns when the run ended that the state does not say goes on, or until
// when at the latest, and whether it tells which: a run ends before the next begins.
func (r *run) endBy(s *State, now time.Time) (end time.Time, told bool) {
	switch before := s.Before; {
	case r.from.Equal(before.From):
		return before.To, true
	case r.from.Before(before.From):
		return before.From, false
	case r.from.Before(before.To):
		return before.To, false
	case !s.Since.IsZero():
		return s.Since, false
	}
	return now, false
}

// start begins a run, or goes on with one that was taken to have ended.
func (c *container) start(from time.Time) {
	if last := c.last(); last != nil && last.from.Equal(from) && !last.told {
		last.to = 0
		return
	}
	c.runs = append(c.runs, run{from: instantOf(from)})
}

// forget drops the oldest of more runs than are kept, but for the one that the reading
// shows, which may be nil.
func (c *container) forget(best *history.Sample) {
	for len(c.runs) > maxRuns {
		drop := 0
		if best != nil && c.runs[0].isIn(best) {
			drop = 1
		}
		c.runs = slices.Delete(c.runs, drop, drop+1)
	}
}

func (c *container) stop(r *run, at time.Time, told bool, warmUp time.Duration) {
	r.to, r.told = max(instantOf(at), r.from), told
	if c.failing.IsZero() || told && r.to >= r.from.Add(warmUp) {
		c.failing = r.to
	}
}

// counts reports whether the container uses something of the node, or is about
// to.
func (c *container) counts(now time.Time) bool {
	switch {
	case c.ended:
		return false
	case len(c.runs) == 0 || c.running() != nil:
		return true
	}
	return c.failing.Add(Patience).After(now)
}

// shownBy returns the run whose full use the sample shows: one that had lasted for
// the warm-up when the sample's window began, and that lasted until its end. It
// is nil if there is none.
func (c *container) shownBy(s *history.Sample, warmUp time.Duration) *run {
	latest := s.Start().Add(-warmUp)
	for i := range c.runs {
		r := &c.runs[i]
		if !r.from.After(latest) && (r.to.IsZero() || !r.to.Before(s.Timestamp)) {
			return r
		}
	}
	return nil
}

// ranIn reports whether the container ran in the sample's window.
func (c *container) ranIn(s *history.Sample) bool {
	for i := range c.runs {
		if c.runs[i].isIn(s) {
			return true
		}
	}
	return false
}

// shareOf returns for which part of the sample the container ran, 0 to 1 for each
// resource.
func (c *container) shareOf(s *history.Sample) (part [amount.NumResources]float64) {
	for i := range c.runs {
		r := &c.runs[i]
		if !r.isIn(s) {
			continue // also one that began as the sample ended
		}
		for resource, share := range s.Share(r.from.Time(), r.to.Time()) {
			part[resource] += share
		}
	}
	return part
}

// StateOf returns what the status of a container with that share says. policy and
// rules say after which exit codes it is started again.
func StateOf(status *v1.ContainerStatus, share amount.Vector, policy v1.RestartPolicy, rules []v1.ContainerRestartRule) State {
	s := State{Share: share}
	if last := status.LastTerminationState.Terminated; last != nil {
		s.Before = intervalOf(last)
	}
	switch {
	case status.State.Running != nil:
		s.Since = status.State.Running.StartedAt.Time
	case status.State.Terminated != nil:
		last := status.State.Terminated
		s.Before = intervalOf(last)
		s.Ended = !restarts(last.ExitCode, policy, rules)
	}
	return s
}

// intervalOf returns when the container ran. One that could not be started has begun
// when Unix time did, by its runtime: it ran for no time.
func intervalOf(ended *v1.ContainerStateTerminated) Interval {
	ran := Interval{From: ended.StartedAt.Time, To: ended.FinishedAt.Time}
	if ran.From.Unix() <= 0 {
		ran.From = ran.To
	}
	return ran
}

// restarts reports whether a container that has ended with the exit code is
// started again. A rule for the exit code goes before the policy.
func restarts(exitCode int32, policy v1.RestartPolicy, rules []v1.ContainerRestartRule) bool {
	for i := range rules {
		if codes := rules[i].ExitCodes; codes != nil && matches(codes, exitCode) {
			action := rules[i].Action
			return action == v1.ContainerRestartRuleActionRestart || action == v1.ContainerRestartRuleActionRestartAllContainers
		}
	}
	switch policy {
	case v1.RestartPolicyNever:
		return false
	case v1.RestartPolicyOnFailure:
		return exitCode != 0
	}
	return true
}

func matches(codes *v1.ContainerRestartRuleOnExitCodes, exitCode int32) bool {
	listed := false
	for _, code := range codes.Values {
		listed = listed || code == exitCode
	}
	return listed == (codes.Operator == v1.ContainerRestartRuleOnExitCodesOpIn)
}
