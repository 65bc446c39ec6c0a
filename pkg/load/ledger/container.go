package ledger

import (
	"time"

	v1 "k8s.io/api/core/v1"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load/history"
)

// Patience is how long a container that does not run any more counts as one that
// is about to: after that a container that fails again and again counts only
// while it runs.
const Patience = 5 * time.Minute

// maxRuns is how many runs of a container are kept: the present one, and those
// that samples of the last minutes may show.
const maxRuns = 3

// run is a time in which a container ran, by the node's clock. to is zero while
// it runs. share is what it was expected to use; outgrown, that it was resized at
// the end of the run, and is expected to use more now.
type run struct {
	from, to time.Time
	share    amount.Vector
	outgrown bool
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
	failing time.Time
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

// running returns the present run, nil if the container does not run.
func (c *container) running() *run {
	if last := len(c.runs) - 1; last >= 0 && c.runs[last].to.IsZero() {
		return &c.runs[last]
	}
	return nil
}

// observe takes in a state. interrupted says that a run has ended that was not
// known to have, or that the container is expected to use more than before.
func (c *container) observe(s State, now time.Time, warmUp time.Duration) (interrupted bool) {
	c.ended = s.Ended
	if open := c.running(); open != nil && !c.goesOn(open, s.Since) {
		end := now
		if s.Before.From.Equal(open.from) || s.Before.To.After(open.from) {
			end = s.Before.To
		} else if !s.Since.IsZero() {
			end = s.Since
		}
		c.stop(open, end, warmUp)
		interrupted = !s.Ended
	}
	if before := s.Before; !before.From.IsZero() && (len(c.runs) == 0 || before.From.After(c.runs[len(c.runs)-1].from)) && (s.Since.IsZero() || before.From.Before(s.Since)) {
		c.start(before.From, s.Share)
		c.stop(c.running(), before.To, warmUp)
	}
	if !s.Since.IsZero() && c.running() == nil {
		c.start(s.Since, s.Share)
	}
	c.share = s.Share
	return interrupted
}

// goesOn reports whether the open run is the one that began then: itself, or one
// that a resize has divided.
func (c *container) goesOn(open *run, since time.Time) bool {
	for i := len(c.runs) - 1; i > 0 && !open.from.Equal(since) && c.runs[i-1].outgrown && c.runs[i-1].to.Equal(open.from); i-- {
		open = &c.runs[i-1]
	}
	return open.from.Equal(since)
}

func (c *container) start(from time.Time, share amount.Vector) {
	if len(c.runs) == maxRuns {
		copy(c.runs, c.runs[1:])
		c.runs = c.runs[:maxRuns-1]
	}
	c.runs = append(c.runs, run{from: from, share: share})
}

func (c *container) stop(r *run, at time.Time, warmUp time.Duration) {
	if at.Before(r.from) {
		at = r.from
	}
	r.to = at
	if c.failing.IsZero() || at.Sub(r.from) >= warmUp {
		c.failing = at
	}
}

// outgrow has the container be expected to use its present share from now on:
// what it was measured to use before says little of that.
func (c *container) outgrow(now time.Time) {
	if open := c.running(); open != nil {
		open.to, open.outgrown = now, true
		c.start(now, c.share)
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
	return now.Before(c.failing.Add(Patience))
}

// shownBy returns the run whose full use the sample shows: one that had lasted for
// the warm-up when the sample's window began, and that lasted until its end. It
// is nil if there is none.
func (c *container) shownBy(s *history.Sample, warmUp time.Duration) *run {
	for i := range c.runs {
		r := &c.runs[i]
		if !s.Start().Before(r.from.Add(warmUp)) && (r.to.IsZero() || !r.to.Before(s.Timestamp)) {
			return r
		}
	}
	return nil
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
