package load

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/klog/v2"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/line"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load/workload"
)

// fakePodSource also answers for pods, over the window that ends now, with
// what a test says that they use, in cores.
type fakePodSource struct {
	fakeSource
	f     *fixture
	cores map[string]float64
	err   error
	asked []types.NamespacedName // in the last poll
}

// hasAsked reports whether the pod was asked for in the last poll.
func (s *fakePodSource) hasAsked(name string) bool {
	return slices.Contains(s.asked, types.NamespacedName{Name: name})
}

func (s *fakePodSource) PollPods(_ context.Context, pods []types.NamespacedName) ([]PodReading, error) {
	s.asked = slices.Clone(pods)
	var readings []PodReading
	for _, pod := range pods {
		if cores, ok := s.cores[pod.Name]; ok {
			readings = append(readings, PodReading{Pod: pod, Reading: Reading{
				Timestamp: s.f.now.Now(), Window: window, Usage: [amount.NumResources]float64{cores, 1 << 30},
			}})
		}
	}
	return readings, s.err
}

func newPodFixture(t *testing.T) (*fixture, *fakePodSource) {
	f := newFixture(t)
	pods := &fakePodSource{f: f, cores: map[string]float64{}}
	f.source = &pods.fakeSource
	config := f.config
	config.Learn, config.Window = true, 5*time.Minute
	f.Model = NewModel(config, pods)
	f.SetNode("n", amount.Vector{64000, 1 << 40}, line.Own{})
	return f, pods
}

func TestWhatAPodIsSeenToUseIsNotCountedTwice(t *testing.T) {
	f, pods := newPodFixture(t)
	f.sample("n", 1)
	pod := boundPod("p", "n") // estimated at one core
	f.SetPod(pod)
	f.SetPod(running(pod, f.now.Now()))
	f.now.Step(2 * window)
	pods.cores["p"] = 0.4
	f.sample("n", 1.4)
	if n, _ := f.node("n"); n.Predicted[Latest][amount.CPU] != 2000 {
		t.Errorf("1.4 cores measured, 0.4 of them the pod's: predicted %v, want 2000", n.Predicted[Latest])
	}
	f.now.Step(window)
	pods.cores["p"] = 1.5 // more than its estimate
	f.sample("n", 2.5)
	if n, _ := f.node("n"); n.Predicted[Latest][amount.CPU] != 2500 {
		t.Errorf("2.5 cores measured, 1.5 of them the pod's: predicted %v, want 2500", n.Predicted[Latest])
	}
	f.now.Step(warmUp)
	pods.cores["p"] = 0.5
	f.sample("n", 1.5)
	if n, _ := f.node("n"); n.Predicted[Latest][amount.CPU] != 1500 {
		t.Errorf("warmed up: predicted %v, want 1500", n.Predicted[Latest])
	}
}

// metrics-server may scrape between the node's sample and the pod's: what the
// pod used after the sample is not in it.
func TestWhatAPodUsedAfterTheSampleIsNotTakenOffIt(t *testing.T) {
	for _, test := range []struct {
		later time.Duration // the pod's reading, than the node's sample
		want  int64
	}{{window, 2000}, {window / 3, 2000 - 267}, {0, 2000 - 400}} {
		f, _ := newPodFixture(t)
		f.sample("n", 1)
		f.SetPod(running(boundPod("p", "n"), f.now.Now()))
		f.now.Step(window)
		f.sample("n", 1)
		f.observePods(klog.Background(), []PodReading{{Pod: types.NamespacedName{Name: "p"}, Reading: Reading{
			Timestamp: f.now.Now().Add(test.later), Window: window, Usage: [amount.NumResources]float64{0.4, 0},
		}}})
		if n, _ := f.node("n"); n.Predicted[Latest][amount.CPU] < test.want-1 || n.Predicted[Latest][amount.CPU] > test.want+1 {
			t.Errorf("read %v after the sample: predicted %v, want %d", test.later, n.Predicted[Latest], test.want)
		}
	}
}

func TestPodMadeAgainUnderTheSameNameInheritsNothing(t *testing.T) {
	f, pods := newPodFixture(t)
	f.sample("n", 1)
	old := boundPod("p", "n")
	f.SetPod(running(old, f.now.Now()))
	f.now.Step(window)
	next := old.DeepCopy()
	next.UID = "next"
	f.podHandler().OnUpdate(old, running(next, f.now.Now()))
	f.now.Step(1)
	pods.cores["p"] = 0.7 // over a window that began before the new pod
	f.sample("n", 1)
	if n, _ := f.node("n"); n.Predicted[Latest][amount.CPU] != 2000 {
		t.Errorf("predicted %v: the old pod's use was taken for the new one's", n.Predicted[Latest])
	}
	if len(f.pods) != 1 {
		t.Errorf("%d pods, want one", len(f.pods))
	}
}

func TestFailureToMeasurePodsLeavesNodesAsTheyAre(t *testing.T) {
	f, pods := newPodFixture(t)
	f.sample("n", 1)
	f.SetPod(running(boundPod("p", "n"), f.now.Now()))
	f.now.Step(window)
	pods.err = errors.New("no pod metrics")
	f.sample("n", 1.4)
	if n, state := f.node("n"); state != Fresh || n.Predicted[Latest][amount.CPU] != 2400 {
		t.Errorf("state %v, predicted %v, want the full estimate on top", state, n.Predicted[Latest])
	}
}

// replica is a pod of a Deployment, of the given revision of its template.
func replica(name, deployment, revision string) *v1.Pod {
	pod := boundPod(name, "n")
	pod.Labels = map[string]string{appsv1.DefaultDeploymentUniqueLabelKey: revision}
	replicaSet := deployment + "-" + revision
	pod.OwnerReferences = []metav1.OwnerReference{{Kind: "ReplicaSet", Name: replicaSet, UID: types.UID(replicaSet), Controller: new(true)}}
	return pod
}

// runFor lets polls pass.
func (f *fixture) runFor(duration time.Duration) { f.runForAt(duration, 1) }

func TestEstimatesAreLearned(t *testing.T) {
	f, pods := newPodFixture(t)
	f.SetPod(running(replica("a", "web", "1"), f.now.Now()))
	pods.cores["a"] = 2
	f.runFor(warmUp)
	next := replica("next", "web", "1")
	if got := f.Estimate(next); got[amount.CPU] != 1000 {
		t.Fatalf("estimate %v before the first pod has warmed up, want that of its request", got)
	}
	f.runFor(2 * window)
	if got := f.Estimate(next)[amount.CPU]; got < 1700 || got > 2000 {
		t.Fatalf("estimate %dm, want nearly 2000m: more use than requested is believed at once", got)
	}
	otherRequest := replica("x", "web", "1")
	otherRequest.Spec.Containers[0].Resources.Requests = requests("3", "1Gi")
	noController := boundPod("x", "n")
	elsewhere := replica("x", "web", "1")
	elsewhere.Namespace = "another"
	for name, test := range map[string]struct {
		pod  *v1.Pod
		want int64
	}{
		"another workload":  {replica("x", "db", "1"), 1000},
		"another namespace": {elsewhere, 1000},
		"other requests":    {otherRequest, 3000},
		"no controller":     {noController, 1000},
	} {
		if got := f.Estimate(test.pod)[amount.CPU]; got != test.want {
			t.Errorf("%s: estimate %dm, want %dm", name, got, test.want)
		}
	}
	if got, want := f.Estimate(replica("x", "web", "2")), f.Estimate(next); got != want {
		t.Errorf("estimate %v after a rollout, want %v as before", got, want)
	}

	f.RemovePod(replica("a", "web", "1"))
	f.now.Step(workload.Grace)
	if got := f.Estimate(next)[amount.CPU]; got < 1700 {
		t.Errorf("estimate %dm when it comes back after a long weekend", got)
	}
	f.runFor(2 * window)
	if got := f.Estimate(next)[amount.CPU]; got != 1000 || f.workloads.Len()+len(f.pods) != 0 {
		t.Errorf("estimate %dm, %d workloads and %d pods remembered after the workload is gone", got, f.workloads.Len(), len(f.pods))
	}
}

// What a workload is known by is what its template says, not what counts of that now: a
// pod whose init container has ended is of the same workload as its next one.
func TestAnInitContainerThatHasEndedLeavesTheWorkloadAsItWas(t *testing.T) {
	f, pods := newPodFixture(t)
	with := func(name string) *v1.Pod {
		pod := replica(name, "web", "1")
		pod.Spec.InitContainers = []v1.Container{named("init", container("4", "1Gi"))}
		return pod
	}
	pod := running(with("a"), f.now.Now())
	pod.Status.InitContainerStatuses = []v1.ContainerStatus{ended("init", 0, f.now.Now())}
	f.SetPod(pod)
	pods.cores["a"] = 6
	f.runFor(time.Hour)
	if got := f.Estimate(with("next"))[amount.CPU]; got < 5000 {
		t.Errorf("estimate %dm, want nearly 6000m", got)
	}
}

// The requests of a pod whose init container has ended are those of its containers,
// as long as nothing was learned of it.
func TestNothingLearnedLeavesTheRequestsOfNow(t *testing.T) {
	f, _ := newPodFixture(t)
	f.SetPod(running(replica("a", "another", "1"), f.now.Now())) // some workload is known
	pod := replica("b", "web", "1")
	pod.Spec.InitContainers = []v1.Container{named("init", container("4", "1Gi"))}
	if got := f.Estimate(pod)[amount.CPU]; got != 4000 {
		t.Errorf("estimate %dm before it has run, want 4000m", got)
	}
	pod.Status.InitContainerStatuses = []v1.ContainerStatus{ended("init", 0, f.now.Now())}
	if got := f.Estimate(pod)[amount.CPU]; got != 1000 {
		t.Errorf("estimate %dm, want 1000m: its init container has ended", got)
	}
}

// What a pod uses that was resized in place teaches nothing of those that are made
// as its owner says.
func TestAPodThatWasResizedTeachesNothingOfItsTemplate(t *testing.T) {
	f, pods := newPodFixture(t)
	pod := running(replica("a", "web", "1"), f.now.Now())
	f.SetPod(pod)
	pods.cores["a"] = 1
	f.runFor(20 * time.Minute)
	pod.Spec.Containers[0].Resources.Requests = requests("8", "1Gi")
	f.SetPod(pod)
	pods.cores["a"] = 8
	f.runForAt(20*time.Minute, 9)
	if got := f.Estimate(replica("next", "web", "1"))[amount.CPU]; got > 1100 {
		t.Errorf("estimate %dm, want 1000m as before the other was resized", got)
	}
	if f.workloads.Len() != 2 {
		t.Errorf("%d workloads, want that of the template and that of what was resized", f.workloads.Len())
	}
	f.RemovePod(pod)
	f.now.Step(workload.Grace + 1)
	if f.sample("n", 1); f.workloads.Len() != 0 {
		t.Errorf("%d workloads are left without pods", f.workloads.Len())
	}
}

// What a pod uses on a node that is short of CPU teaches nothing of how little its
// workload needs.
func TestAThrottledPodTeachesNoLowUse(t *testing.T) {
	f, pods := newPodFixture(t)
	f.SetPod(running(replica("a", "web", "1"), f.now.Now()))
	pods.cores["a"] = 0.2 // of one core that it requests
	f.runForAt(warmUp+4*window, 64)
	if got := f.Estimate(replica("next", "web", "1"))[amount.CPU]; got != 1000 {
		t.Errorf("estimate %dm, learned while the node was at 100 %%", got)
	}
	f.runForAt(10*time.Minute, 10)
	if got := f.Estimate(replica("next", "web", "1"))[amount.CPU]; got > 500 {
		t.Errorf("estimate %dm, after ten minutes of 200m", got)
	}
}

func TestPodsAreMeasuredWithinTheBudgetAndInTurn(t *testing.T) {
	f, pods := newPodFixture(t)
	for i := range 3 * podBudget {
		name := fmt.Sprint("p", i)
		f.SetPod(running(replica(name, fmt.Sprint("w", i), "1"), f.now.Now().Add(-time.Hour)))
		pods.cores[name] = 1
	}
	for range 3 {
		f.now.Step(window)
		f.sample("n", 1)
		if len(pods.asked) != podBudget {
			t.Fatalf("asked for %d pods, want %d", len(pods.asked), podBudget)
		}
	}
	for name, p := range f.pods {
		if p.LastRead().IsZero() {
			t.Fatalf("pod %s was not measured in three polls", name)
		}
	}
}

// warmPod is on the node and known to use cores.
func (f *fixture) warmPod(pods *fakePodSource, name string, cores float64) *v1.Pod {
	pod := running(replica(name, name, "1"), f.now.Now().Add(-time.Hour))
	f.SetPod(pod)
	pods.cores[name] = cores
	return pod
}

func TestAPodThatLeavesIsTakenOffTheSamplesThatShowIt(t *testing.T) {
	f, pods := newPodFixture(t)
	gone := f.warmPod(pods, "gone", 3)
	f.runForAt(5*time.Minute, 4) // 3 cores of it are the pod's
	f.RemovePod(gone)
	for i := range 40 {
		n, _ := f.node("n")
		for _, s := range []Statistic{Latest, Average, Peak} {
			if got := n.Predicted[s][amount.CPU]; got < 990 || got > 1010 {
				t.Fatalf("%v after it left: statistic %d predicts %dm, want 1000m", time.Duration(i)*window, s, got)
			}
		}
		f.now.Step(window)
		f.sample("n", 1)
	}
	if n := f.nodes.get("n"); len(n.departed) != 0 {
		t.Errorf("%d departures are remembered that no sample shows", len(n.departed))
	}
}

// A pod that leaves in the middle of a sample's window is taken off in part.
func TestAPodThatLeavesWithinAWindow(t *testing.T) {
	f, pods := newPodFixture(t)
	gone := f.warmPod(pods, "gone", 3)
	f.runForAt(5*time.Minute, 4)
	f.now.Step(window / 3)
	f.RemovePod(gone)
	f.now.Step(2 * window / 3)
	f.sample("n", 2) // a third of the window at 4, the rest at 1
	if n, _ := f.node("n"); n.Predicted[Latest][amount.CPU] != 1000 {
		t.Errorf("predicted %v, want 1000", n.Predicted[Latest])
	}
}

// What a pod has used ends with its last container, or when it was told to end:
// its deletion is seen later.
func TestUsedUntil(t *testing.T) {
	now := epoch.Add(time.Hour)
	at := func(ago time.Duration) metav1.Time { return metav1.NewTime(now.Add(-ago)) }
	ended := func(ago ...time.Duration) (statuses []v1.ContainerStatus) {
		for _, a := range ago {
			statuses = append(statuses, v1.ContainerStatus{State: v1.ContainerState{
				Terminated: &v1.ContainerStateTerminated{FinishedAt: at(a)},
			}})
		}
		return statuses
	}
	failed := func(ago time.Duration) v1.ContainerStatus {
		s := status("", time.Time{})
		s.LastTerminationState.Terminated = &v1.ContainerStateTerminated{FinishedAt: at(ago)}
		return s
	}
	runs := v1.ContainerStatus{State: v1.ContainerState{Running: &v1.ContainerStateRunning{StartedAt: at(time.Hour)}}}
	deadline := func(ago time.Duration) *metav1.Time { d := at(ago); return &d }
	grace := int64(30)
	for name, test := range map[string]struct {
		pod  v1.Pod
		want time.Duration // ago
	}{
		"nothing is known":          {pod: v1.Pod{}, want: 0},
		"deleted without grace":     {pod: v1.Pod{Status: v1.PodStatus{ContainerStatuses: []v1.ContainerStatus{runs}}}, want: 0},
		"the last container counts": {pod: v1.Pod{Status: v1.PodStatus{ContainerStatuses: ended(9*time.Second, 4*time.Second, 7*time.Second)}}, want: 4 * time.Second},
		"a container that never ran did not use it": {
			pod:  v1.Pod{Status: v1.PodStatus{ContainerStatuses: append(ended(20*time.Second), status("never ran", time.Time{}))}},
			want: 20 * time.Second,
		},
		"one that waits to be started again used it until it ended": {
			pod:  v1.Pod{Status: v1.PodStatus{ContainerStatuses: append(ended(20*time.Second), failed(8*time.Second))}},
			want: 8 * time.Second,
		},
		"none has run": {pod: v1.Pod{Status: v1.PodStatus{ContainerStatuses: []v1.ContainerStatus{status("never ran", time.Time{})}}}, want: 0},
		"told to end 12 s ago, may take until in 18 s": {
			pod: v1.Pod{
				ObjectMeta: metav1.ObjectMeta{DeletionTimestamp: deadline(-18 * time.Second), DeletionGracePeriodSeconds: &grace},
				Status:     v1.PodStatus{ContainerStatuses: append(ended(time.Second), runs)},
			},
			want: 12 * time.Second,
		},
		"told to end, and ended": {
			pod: v1.Pod{
				ObjectMeta: metav1.ObjectMeta{DeletionTimestamp: deadline(-18 * time.Second), DeletionGracePeriodSeconds: &grace},
				Status:     v1.PodStatus{ContainerStatuses: ended(5 * time.Second)},
			},
			want: 5 * time.Second,
		},
		"a clock that is ahead": {pod: v1.Pod{Status: v1.PodStatus{ContainerStatuses: ended(-time.Minute)}}, want: 0},
	} {
		p := &pod{node: &node{}}
		if got := now.Sub(p.usedUntil(&test.pod, now)); got != test.want {
			t.Errorf("%s: used its node until %v ago, want %v", name, got, test.want)
		}
	}
}

func (f *fixture) runForAt(duration time.Duration, cores float64) {
	f.sampleTimes(int(duration/window), 0, cores)
}

func TestReliefIsWhatThePredictionFallsBy(t *testing.T) {
	f, pods := newPodFixture(t)
	f.config.Learn = false // so that only what is asked for is measured
	unseen := boundPod("unseen", "n")
	f.Reserve(unseen, "n")
	old := f.warmPod(pods, "old", 3)
	f.runForAt(time.Minute, 4)
	f.Want(old)
	f.runForAt(window, 4)
	stranger := boundPod("stranger", "n")
	if f.Try("n").Remove(stranger) {
		t.Error("the relief of an unknown pod is known")
	}
	for _, pod := range []*v1.Pod{unseen, old} {
		trial := f.Try("n")
		if !trial.Remove(pod) {
			t.Fatalf("%s: it is not known what it uses", pod.Name)
		}
		before, _ := f.node("n")
		promised := trial.Predicted(Latest)
		f.RemovePod(pod)
		after, _ := f.node("n")
		if promised != after.Predicted[Latest] || promised[amount.CPU] >= before.Predicted[Latest][amount.CPU] {
			t.Errorf("%s: from %v the prediction fell to %v, promised was %v", pod.Name, before.Predicted[Latest], after.Predicted[Latest], promised)
		}
	}
}

// One reading that fails leaves the others as they are.
func TestWhatCouldBeReadOfPodsIsKept(t *testing.T) {
	f, pods := newPodFixture(t)
	f.sample("n", 1)
	f.SetPod(running(boundPod("p", "n"), f.now.Now()))
	f.SetPod(running(boundPod("unread", "n"), f.now.Now()))
	f.now.Step(window)
	pods.cores["p"], pods.err = 0.4, errors.New("get PodMetrics /unread: timeout")
	f.sample("n", 1.4)
	if n, _ := f.node("n"); n.Predicted[Latest][amount.CPU] != 3000 {
		t.Errorf("1.4 cores measured, 0.4 of them of a pod of one core, another not read: predicted %v, want 3000", n.Predicted[Latest])
	}
}

// The removal of a pod that was never read is no relief until it is.
func TestAPodThatPreemptionAsksAboutIsMeasuredNext(t *testing.T) {
	f, pods := newPodFixture(t)
	f.config.Learn = false
	old := f.warmPod(pods, "old", 3)
	pods.cores = nil // it cannot be read yet
	f.runForAt(time.Minute, 4)
	trial := f.Try("n")
	if trial.Remove(old) || trial.Predicted(Latest)[amount.CPU] != 4000 {
		t.Fatal("the relief of a pod that was never measured is known")
	}
	if !trial.Restore(old) || trial.Restore(old) {
		t.Error("a pod is restored once")
	}
	pods.cores = map[string]float64{"old": 3}
	f.runForAt(window, 4)
	trial = f.Try("n")
	if !trial.Remove(old) || trial.Predicted(Latest)[amount.CPU] != 1000 {
		t.Errorf("3 of 4 cores are the pod's, and without it %v are predicted", trial.Predicted(Latest))
	}
	if trial.Restore(old); trial.Predicted(Latest)[amount.CPU] != 4000 {
		t.Errorf("restored, %v are predicted", trial.Predicted(Latest))
	}
}
