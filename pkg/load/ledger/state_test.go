package ledger

import (
	"testing"

	v1 "k8s.io/api/core/v1"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
)

func terminated(exitCode int32, from, to int) v1.ContainerState {
	ended := &v1.ContainerStateTerminated{ExitCode: exitCode}
	ended.StartedAt.Time, ended.FinishedAt.Time = at(from), at(to)
	return v1.ContainerState{Terminated: ended}
}

func runningSince(second int) v1.ContainerState {
	runs := &v1.ContainerStateRunning{}
	runs.StartedAt.Time = at(second)
	return v1.ContainerState{Running: runs}
}

func TestStateOf(t *testing.T) {
	waiting := v1.ContainerState{Waiting: &v1.ContainerStateWaiting{}}
	for name, test := range map[string]struct {
		status v1.ContainerStatus
		policy v1.RestartPolicy
		want   State
	}{
		"nothing is known":     {v1.ContainerStatus{}, v1.RestartPolicyAlways, State{}},
		"waits to start":       {v1.ContainerStatus{State: waiting}, v1.RestartPolicyAlways, State{}},
		"runs":                 {v1.ContainerStatus{State: runningSince(10)}, v1.RestartPolicyAlways, State{Since: at(10)}},
		"runs again":           {v1.ContainerStatus{State: runningSince(130), LastTerminationState: terminated(1, 10, 100)}, v1.RestartPolicyAlways, State{Since: at(130), Before: ran(10, 100)}},
		"waits to start again": {v1.ContainerStatus{State: waiting, LastTerminationState: terminated(1, 10, 100)}, v1.RestartPolicyAlways, State{Before: ran(10, 100)}},
		"has just failed": {
			v1.ContainerStatus{State: terminated(1, 130, 140), LastTerminationState: terminated(1, 10, 100)}, v1.RestartPolicyAlways, State{Before: ran(130, 140)},
		},
		"could not be started":  {v1.ContainerStatus{State: waiting, LastTerminationState: terminated(128, -int(epoch.Unix()), 100)}, v1.RestartPolicyAlways, State{Before: ran(100, 100)}},
		"nobody knows its end":  {v1.ContainerStatus{State: waiting, LastTerminationState: v1.ContainerState{Terminated: &v1.ContainerStateTerminated{ExitCode: 137}}}, v1.RestartPolicyAlways, State{}},
		"has done its work":     {v1.ContainerStatus{State: terminated(0, 10, 100)}, v1.RestartPolicyOnFailure, State{Before: ran(10, 100), Ended: true}},
		"has failed for good":   {v1.ContainerStatus{State: terminated(1, 10, 100)}, v1.RestartPolicyNever, State{Before: ran(10, 100), Ended: true}},
		"failed, for good next": {v1.ContainerStatus{State: waiting, LastTerminationState: terminated(1, 10, 100)}, v1.RestartPolicyNever, State{Before: ran(10, 100)}},
	} {
		test.want.Share = both(7)
		if got := StateOf(&test.status, both(7), test.policy, nil); got != test.want {
			t.Errorf("%s: %+v, want %+v", name, got, test.want)
		}
	}
}

func TestAfterWhichExitsAContainerRunsAgain(t *testing.T) {
	rule := func(operator v1.ContainerRestartRuleOnExitCodesOperator, action v1.ContainerRestartRuleAction, codes ...int32) v1.ContainerRestartRule {
		return v1.ContainerRestartRule{Action: action, ExitCodes: &v1.ContainerRestartRuleOnExitCodes{Operator: operator, Values: codes}}
	}
	const (
		in, notIn, restart = v1.ContainerRestartRuleOnExitCodesOpIn, v1.ContainerRestartRuleOnExitCodesOpNotIn, v1.ContainerRestartRuleActionRestart
		restartAll         = v1.ContainerRestartRuleActionRestartAllContainers
		nothing            = v1.ContainerRestartRuleAction("Nothing")
	)
	for name, test := range map[string]struct {
		policy v1.RestartPolicy
		rules  []v1.ContainerRestartRule
		want   map[int32]bool
	}{
		"always":                      {v1.RestartPolicyAlways, nil, map[int32]bool{0: true, 1: true}},
		"without a policy":            {"", nil, map[int32]bool{0: true, 1: true}},
		"on failure":                  {v1.RestartPolicyOnFailure, nil, map[int32]bool{0: false, 1: true}},
		"never":                       {v1.RestartPolicyNever, nil, map[int32]bool{0: false, 1: false}},
		"a rule for the code":         {v1.RestartPolicyNever, []v1.ContainerRestartRule{rule(in, restart, 7, 42)}, map[int32]bool{0: false, 7: true, 42: true, 43: false}},
		"a rule for all other codes":  {v1.RestartPolicyNever, []v1.ContainerRestartRule{rule(notIn, restart, 0, 42)}, map[int32]bool{0: false, 7: true, 42: false}},
		"a rule that restarts all":    {v1.RestartPolicyNever, []v1.ContainerRestartRule{rule(in, restartAll, 42)}, map[int32]bool{0: false, 42: true}},
		"the first rule that matches": {v1.RestartPolicyAlways, []v1.ContainerRestartRule{rule(in, nothing, 7), rule(in, restart, 7)}, map[int32]bool{7: false, 8: true}},
		"a rule without exit codes":   {v1.RestartPolicyOnFailure, []v1.ContainerRestartRule{{Action: restart}}, map[int32]bool{0: false, 1: true}},
	} {
		for code, want := range test.want {
			status := &v1.ContainerStatus{State: terminated(code, 10, 100)}
			if got := !StateOf(status, amount.Vector{}, test.policy, test.rules).Ended; got != want {
				t.Errorf("%s: runs again after exit code %d: %t, want %t", name, code, got, want)
			}
		}
	}
}
