package load

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load/estimate"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load/ledger"
)

// named returns the container under a name.
func named(name string, c v1.Container) v1.Container {
	c.Name = name
	return c
}

// sidecar returns an init container that runs on.
func sidecar(name string, c v1.Container) v1.Container {
	c = named(name, c)
	c.RestartPolicy = new(v1.ContainerRestartPolicyAlways)
	return c
}

// status says that the container runs since then, or does not if that is zero.
func status(name string, since time.Time) v1.ContainerStatus {
	s := v1.ContainerStatus{Name: name}
	if since.IsZero() {
		s.State.Waiting = &v1.ContainerStateWaiting{Reason: "ContainerCreating"}
		return s
	}
	s.State.Running = &v1.ContainerStateRunning{StartedAt: metav1.NewTime(since)}
	return s
}

// ended says that it ran for a minute until then.
func ended(name string, exitCode int32, at time.Time) v1.ContainerStatus {
	return v1.ContainerStatus{Name: name, State: v1.ContainerState{Terminated: &v1.ContainerStateTerminated{
		ExitCode: exitCode, StartedAt: metav1.NewTime(at.Add(-time.Minute)), FinishedAt: metav1.NewTime(at),
	}}}
}

// What the status of a pod with an init container, a sidecar, and two containers
// says of each.
func TestStatesOf(t *testing.T) {
	spec := v1.PodSpec{
		RestartPolicy:  v1.RestartPolicyNever,
		InitContainers: []v1.Container{named("init", container("1", "1Gi")), sidecar("proxy", container("1", "1Gi"))},
		Containers:     []v1.Container{named("a", container("1", "1Gi")), named("b", container("1", "1Gi"))},
	}
	later := epoch.Add(time.Hour)
	started := metav1.NewTime(epoch.Add(-time.Hour))
	hasRun := func(until time.Time) ledger.Interval {
		return ledger.Interval{From: until.Add(-time.Minute), To: until}
	}
	for name, test := range map[string]struct {
		status v1.PodStatus
		change func(*v1.PodSpec)
		want   [4]ledger.State // without shares
	}{
		"nothing is reported": {},
		"it starts": {
			status: v1.PodStatus{
				InitContainerStatuses: []v1.ContainerStatus{ended("init", 0, epoch), status("proxy", epoch)},
				ContainerStatuses:     []v1.ContainerStatus{status("a", later), status("b", time.Time{})},
			},
			want: [4]ledger.State{{Before: hasRun(epoch), Ended: true}, {Since: epoch}, {Since: later}, {}},
		},
		"all are started again by a rule": {
			status: v1.PodStatus{
				Conditions:            []v1.PodCondition{{Type: v1.AllContainersRestarting, Status: v1.ConditionTrue}},
				InitContainerStatuses: []v1.ContainerStatus{ended("init", 0, epoch)},
				ContainerStatuses:     []v1.ContainerStatus{ended("a", 42, epoch), ended("b", 137, epoch)},
			},
			want: [4]ledger.State{{Before: hasRun(epoch)}, {}, {Before: hasRun(epoch)}, {Before: hasRun(epoch)}},
		},
		"an init container that fails is to run again, whatever the pod's policy": {
			status: v1.PodStatus{InitContainerStatuses: []v1.ContainerStatus{ended("init", 1, epoch)}},
			want:   [4]ledger.State{{Before: hasRun(epoch)}},
		},
		"so is a sidecar that ends": {
			status: v1.PodStatus{InitContainerStatuses: []v1.ContainerStatus{ended("proxy", 0, epoch)}},
			want:   [4]ledger.State{1: {Before: hasRun(epoch)}},
		},
		"by the pod's policy, a container is not": {
			status: v1.PodStatus{ContainerStatuses: []v1.ContainerStatus{ended("a", 1, epoch)}},
			want:   [4]ledger.State{2: {Before: hasRun(epoch), Ended: true}},
		},
		"by the container's own policy it is": {
			change: func(s *v1.PodSpec) { s.Containers[0].RestartPolicy = new(v1.ContainerRestartPolicyOnFailure) },
			status: v1.PodStatus{ContainerStatuses: []v1.ContainerStatus{ended("a", 1, epoch)}},
			want:   [4]ledger.State{2: {Before: hasRun(epoch)}},
		},
		"by its rules it is": {
			change: func(s *v1.PodSpec) {
				s.Containers[0].RestartPolicy = new(v1.ContainerRestartPolicyNever)
				s.Containers[0].RestartPolicyRules = []v1.ContainerRestartRule{{
					Action:    v1.ContainerRestartRuleActionRestart,
					ExitCodes: &v1.ContainerRestartRuleOnExitCodes{Operator: v1.ContainerRestartRuleOnExitCodesOpIn, Values: []int32{42}},
				}}
			},
			status: v1.PodStatus{ContainerStatuses: []v1.ContainerStatus{ended("a", 42, epoch), ended("b", 42, epoch)}},
			want:   [4]ledger.State{2: {Before: hasRun(epoch)}, 3: {Before: hasRun(epoch), Ended: true}},
		},
		"statuses in another order, and of a container that is not in the pod": {
			status: v1.PodStatus{ContainerStatuses: []v1.ContainerStatus{status("b", later), status("x", epoch), status("a", epoch)}},
			want:   [4]ledger.State{2: {Since: epoch}, 3: {Since: later}},
		},
		"a kubelet that reports no container: the pod's start is the best it says": {
			change: func(s *v1.PodSpec) { s.InitContainers = nil },
			status: v1.PodStatus{Phase: v1.PodRunning, StartTime: &started},
			want:   [4]ledger.State{2: {Since: started.Time}, 3: {Since: started.Time}},
		},
		"which says nothing of a pod that is pending": {status: v1.PodStatus{Phase: v1.PodPending, StartTime: &started}},
		"nor of one container that is not reported": {
			status: v1.PodStatus{Phase: v1.PodRunning, StartTime: &started, ContainerStatuses: []v1.ContainerStatus{status("a", later)}},
			want:   [4]ledger.State{{Ended: true}, {Since: later}, {Since: later}},
		},
		"nor if it does not say when": {
			status: v1.PodStatus{Phase: v1.PodRunning},
			want:   [4]ledger.State{{Ended: true}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			pod := &v1.Pod{Spec: *spec.DeepCopy(), Status: test.status}
			if test.change != nil {
				test.change(&pod.Spec)
			}
			estimator, estimated := &estimate.Estimator{Factors: [amount.NumResources]int64{100, 100}}, amount.Vector{3000, 3 << 30}
			shares := sharesOf(pod, estimator, estimated)
			states := statesOf(pod, estimator, estimated)
			for i := range states {
				if states[i].Share != shares[i] {
					t.Errorf("container %d has a share of %v, want %v", i, states[i].Share, shares[i])
				}
				states[i].Share = amount.Vector{}
			}
			if !slices.Equal(states, test.want[len(test.want)-len(states):]) {
				t.Errorf("%+v\nwant %+v", states, test.want)
			}
		})
	}
}

// A kubelet that reports no init containers: what has to run before a container has
// run when that does, and a sidecar runs as long.
func TestAKubeletThatReportsNoInitContainers(t *testing.T) {
	f := newNodeFixture(t)
	pod := boundPod("p", "n")
	pod.Spec.InitContainers = []v1.Container{named("init", container("4", "1Gi")), sidecar("proxy", container("1", "1Gi"))}
	f.SetPod(pod)
	f.sample("n", 0)
	f.wantCPU(4000, "it waits, and its init container has not run")
	f.SetPod(running(pod, f.now.Now().Add(-time.Hour)))
	f.now.Step(window)
	f.sample("n", 1)
	f.wantCPU(1000, "its container has run for an hour")
	if n, _ := f.node("n"); n.Requested[amount.CPU] != 2000 {
		t.Errorf("%v is requested, want 2000m of the sidecar and the container", n.Requested)
	}
}

// Since when a pod runs as a whole, by its status.
func TestRunningSince(t *testing.T) {
	minute := epoch.Add(time.Minute)
	started := metav1.NewTime(epoch.Add(-time.Hour))
	for name, test := range map[string]struct {
		phase    v1.PodPhase
		policy   v1.RestartPolicy
		statuses []v1.ContainerStatus
		want     time.Time
	}{
		"the last container's start counts":   {v1.PodRunning, v1.RestartPolicyAlways, []v1.ContainerStatus{status("a", minute), status("b", epoch)}, minute},
		"a container waits":                   {v1.PodRunning, v1.RestartPolicyAlways, []v1.ContainerStatus{status("a", epoch), status("b", time.Time{})}, time.Time{}},
		"a container restarts":                {v1.PodRunning, v1.RestartPolicyAlways, []v1.ContainerStatus{status("a", epoch), ended("b", 0, minute)}, time.Time{}},
		"a container has ended for good":      {v1.PodRunning, v1.RestartPolicyNever, []v1.ContainerStatus{status("a", epoch), ended("b", 1, minute)}, epoch},
		"the pod is pending, for a container": {v1.PodPending, v1.RestartPolicyAlways, []v1.ContainerStatus{status("a", epoch)}, time.Time{}},
		"no container is reported":            {v1.PodRunning, v1.RestartPolicyAlways, nil, started.Time},
	} {
		pod := &v1.Pod{
			Spec:   v1.PodSpec{RestartPolicy: test.policy, Containers: []v1.Container{named("a", container("1", "1Gi")), named("b", container("1", "1Gi"))}},
			Status: v1.PodStatus{Phase: test.phase, StartTime: &started, ContainerStatuses: test.statuses},
		}
		var r ledger.Record
		r.Observe(statesOf(pod, &estimate.Estimator{}, amount.Vector{}), minute, warmUp)
		if got := r.RunningSince(minute.Add(time.Minute)); !got.Equal(test.want) {
			t.Errorf("%s: running since %v, want %v", name, got, test.want)
		}
	}
}

func TestSharesOf(t *testing.T) {
	estimator := &estimate.Estimator{Factors: [amount.NumResources]int64{100, 50}, Defaults: amount.Vector{250, 100}}
	type amounts = []amount.Vector
	for name, test := range map[string]struct {
		spec      v1.PodSpec
		status    v1.PodStatus
		estimated amount.Vector
		want      amounts
	}{
		"one container": {
			spec:      v1.PodSpec{Containers: []v1.Container{container("1", "100")}},
			estimated: amount.Vector{700, 10}, want: amounts{{700, 10}},
		},
		"in the proportion of the requests": {
			spec:      v1.PodSpec{Containers: []v1.Container{container("3", "100"), container("1", "300")}},
			estimated: amount.Vector{400, 40}, want: amounts{{300, 10}, {100, 30}},
		},
		"a default counts as a request": {
			spec:      v1.PodSpec{Containers: []v1.Container{container("750m", "200"), {}}},
			estimated: amount.Vector{400, 40}, want: amounts{{300, 20}, {100, 20}},
		},
		"requests of zero: equally": {
			spec:      v1.PodSpec{Containers: []v1.Container{container("0", "0"), container("0", "100")}},
			estimated: amount.Vector{400, 40}, want: amounts{{200, 0}, {200, 40}},
		},
		"requests of zero: an init container runs alone": {
			spec: v1.PodSpec{
				InitContainers: []v1.Container{container("0", "0"), sidecar("proxy", container("0", "0"))},
				Containers:     []v1.Container{container("0", "100")},
			},
			estimated: amount.Vector{400, 40}, want: amounts{{200, 0}, {200, 0}, {200, 40}},
		},
		"nothing is expected": {
			spec: v1.PodSpec{Containers: []v1.Container{container("0", "100"), container("0", "100")}},
			want: amounts{{}, {}},
		},
		"a sidecar has a share": {
			spec: v1.PodSpec{
				InitContainers: []v1.Container{sidecar("proxy", container("1", "100"))},
				Containers:     []v1.Container{container("3", "300")},
			},
			estimated: amount.Vector{400, 40}, want: amounts{{100, 10}, {300, 30}},
		},
		"a smaller init container has its own, beside the containers'": {
			spec: v1.PodSpec{
				InitContainers: []v1.Container{named("init", container("1", "100"))},
				Containers:     []v1.Container{container("1", "100"), container("1", "100")},
			},
			estimated: amount.Vector{200, 20}, want: amounts{{100, 10}, {100, 10}, {100, 10}},
		},
		"a larger init container is all that is expected": {
			spec: v1.PodSpec{
				InitContainers: []v1.Container{named("init", container("4", "400"))},
				Containers:     []v1.Container{container("1", "100"), container("1", "100")},
			},
			estimated: amount.Vector{400, 40}, want: amounts{{400, 40}, {100, 10}, {100, 10}},
		},
		"until it has done its work": {
			spec: v1.PodSpec{
				InitContainers: []v1.Container{named("init", container("4", "400"))},
				Containers:     []v1.Container{container("1", "100"), container("1", "100")},
			},
			status:    v1.PodStatus{InitContainerStatuses: []v1.ContainerStatus{ended("init", 0, epoch)}},
			estimated: amount.Vector{200, 20}, want: amounts{{400, 40}, {100, 10}, {100, 10}},
		},
		"the overhead is nobody's": {
			spec:      v1.PodSpec{Overhead: requests("2", "50"), Containers: []v1.Container{container("1", "100"), container("1", "0")}},
			estimated: amount.Vector{400, 40}, want: amounts{{100, 20}, {100, 0}},
		},
		"of a request of the whole pod": {
			spec: v1.PodSpec{
				Resources:  &v1.ResourceRequirements{Requests: requests("4", "800")},
				Containers: []v1.Container{container("1", "200"), container("3", "600")},
			},
			estimated: amount.Vector{2000, 40}, want: amounts{{500, 10}, {1500, 30}},
		},
	} {
		if got := sharesOf(&v1.Pod{Spec: test.spec, Status: test.status}, estimator, test.estimated); !slices.Equal(got, test.want) {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}

// The shares of what runs together add up to what is estimated, but for rounding,
// if it is by what the containers request.
func TestSharesAddUp(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	estimator := &estimate.Estimator{Factors: [amount.NumResources]int64{70, 130}, Defaults: amount.Vector{250, 100}}
	for range 2000 {
		pod := &v1.Pod{}
		for i := range 1 + random.IntN(5) {
			c := v1.Container{}
			if random.IntN(3) > 0 {
				c = container([]string{"0", "1", "2500m"}[random.IntN(3)], []string{"0", "1Gi", "7"}[random.IntN(3)])
			}
			if i > 0 && random.IntN(3) == 0 {
				pod.Spec.InitContainers = append(pod.Spec.InitContainers, sidecar("", c))
				continue
			}
			pod.Spec.Containers = append(pod.Spec.Containers, c)
		}
		estimated := amount.Vector{random.Int64N(1 << 40), random.Int64N(amount.Limit)}
		var sum amount.Vector
		for _, share := range sharesOf(pod, estimator, estimated) {
			sum = sum.Add(share)
		}
		for r := range sum {
			// A share is rounded down, and has the precision of a float.
			if tolerance := 8 + estimated[r]>>48; sum[r] > estimated[r]+tolerance || sum[r] < estimated[r]-tolerance {
				t.Fatalf("shares of %v add up to %v: %+v", estimated, sum, pod.Spec)
			}
		}
	}
}
