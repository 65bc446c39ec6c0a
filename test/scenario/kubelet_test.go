package scenario

import (
	"fmt"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// The methods below are what a kubelet does with the containers of a pod. They
// change what is true; tell says so to the API server.

// now returns what the clock of the pod's node shows.
func (p *pod) now(w *world) metav1.Time {
	if p.machine == nil {
		return metav1.NewTime(w.clock.Time(time.Duration(w.second()) * time.Second))
	}
	return metav1.NewTime(w.on(p.machine, w.second()))
}

// chosen returns the containers of the names, all that ok holds for if there are
// none.
func (p *pod) chosen(names []string, ok func(*container) bool) (chosen []*container, err error) {
	for _, name := range names {
		c := p.container(name)
		if c == nil || !ok(c) {
			return nil, fmt.Errorf("pod %s has no such container %s, or it is in no such state", p.name, name)
		}
		chosen = append(chosen, c)
	}
	if len(names) > 0 {
		return chosen, nil
	}
	for _, c := range p.containers {
		if ok(c) {
			chosen = append(chosen, c)
		}
	}
	return chosen, nil
}

func runs(c *container) bool  { return c.state.Running != nil }
func rests(c *container) bool { return c.state.Running == nil }

// start has a container run. ago is for how long it has.
func (c *container) start(now metav1.Time, second int, ago time.Duration) {
	if ended := c.state.Terminated; ended != nil {
		c.last = v1.ContainerState{Terminated: ended}
	}
	if c.last.Terminated != nil {
		c.restarts++
	}
	c.startedAt, c.used = second-int(ago/time.Second), 0
	c.state = v1.ContainerState{Running: &v1.ContainerStateRunning{StartedAt: metav1.NewTime(now.Add(-ago))}}
}

// stop has a container run no more.
func (c *container) stop(now metav1.Time, exitCode int32, reason string) {
	if reason == "" {
		reason = map[bool]string{true: "Completed", false: "Error"}[exitCode == 0]
	}
	c.state = v1.ContainerState{Terminated: &v1.ContainerStateTerminated{
		ExitCode: exitCode, Reason: reason, StartedAt: c.state.Running.StartedAt, FinishedAt: now,
	}}
}

// backOff has a container that has ended wait until it is started again.
func (c *container) backOff() {
	c.last = v1.ContainerState{Terminated: c.state.Terminated}
	c.state = v1.ContainerState{Waiting: &v1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}}
}

// start has containers of the pod run: those of the names, or all that do not.
// What is to be done before, has been.
func (p *pod) start(w *world, names []string, ago time.Duration) error {
	if p.machine == nil {
		return fmt.Errorf("pod %s is on no node", p.name)
	}
	now := p.now(w)
	chosen, err := p.chosen(names, func(c *container) bool {
		return rests(c) && (len(names) > 0 || c.kind != initial)
	})
	if err != nil {
		return err
	}
	for _, c := range p.containers {
		if len(names) == 0 && c.kind == initial && c.state.Waiting != nil {
			c.state.Running = &v1.ContainerStateRunning{StartedAt: now}
			c.stop(now, 0, "")
		}
	}
	for _, c := range chosen {
		c.start(now, w.second(), ago)
	}
	return nil
}

// stop ends containers of the pod, and all if those that decide on it have ended.
func (p *pod) stop(w *world, names []string, exitCode int32, reason string) ([]*container, error) {
	chosen, err := p.chosen(names, runs)
	if err != nil {
		return nil, err
	}
	for _, c := range chosen {
		c.stop(p.now(w), exitCode, reason)
	}
	if phase := p.phase(); phase == v1.PodSucceeded || phase == v1.PodFailed {
		for _, c := range p.containers {
			if runs(c) {
				c.stop(p.now(w), 0, "")
			}
		}
	}
	return chosen, nil
}

// phase returns what the pod's containers make of it.
func (p *pod) phase() v1.PodPhase {
	ended, failed, began := true, false, false
	for _, c := range p.containers {
		began = began || c.state.Waiting == nil || c.last.Terminated != nil
		end := c.state.Terminated
		if c.kind == regular {
			ended = ended && end != nil && !c.runsAgain(end.ExitCode)
			failed = failed || end != nil && end.ExitCode != 0
		}
	}
	switch {
	case ended && failed:
		return v1.PodFailed
	case ended:
		return v1.PodSucceeded
	case began && p.initialized():
		return v1.PodRunning
	}
	return v1.PodPending
}

// initialized reports whether all that is to be done first has been.
func (p *pod) initialized() bool {
	for _, c := range p.containers {
		if c.kind == initial && (c.state.Terminated == nil || c.state.Terminated.ExitCode != 0) {
			return false
		}
	}
	return true
}

// status returns what the kubelet says of the pod.
func (p *pod) status(before *v1.PodStatus) v1.PodStatus {
	status := v1.PodStatus{Phase: p.phase(), StartTime: before.StartTime, NominatedNodeName: before.NominatedNodeName}
	ready := v1.ConditionTrue
	for _, c := range p.containers {
		s := v1.ContainerStatus{Name: c.name, Ready: runs(c), RestartCount: c.restarts, State: c.state, LastTerminationState: c.last}
		if c.kind == regular {
			status.ContainerStatuses = append(status.ContainerStatuses, s)
		} else {
			status.InitContainerStatuses = append(status.InitContainerStatuses, s)
		}
		if run := c.state.Running; run != nil && (status.StartTime == nil || run.StartedAt.Before(status.StartTime)) {
			status.StartTime = &run.StartedAt
		}
		if c.kind != initial && !runs(c) {
			ready = v1.ConditionFalse
		}
	}
	status.Conditions = append([]v1.PodCondition{
		{Type: v1.PodScheduled, Status: v1.ConditionTrue}, {Type: v1.PodReady, Status: ready},
	}, p.conditions...)
	return status
}
