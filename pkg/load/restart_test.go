package load

import (
	"fmt"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/line"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load/ledger"
)

// failed is the pod after its container has failed, and waits to be started again.
func failed(pod *v1.Pod, at time.Time) *v1.Pod {
	pod = pod.DeepCopy()
	status := &pod.Status.ContainerStatuses[0]
	status.LastTerminationState.Terminated = &v1.ContainerStateTerminated{
		ExitCode: 1, StartedAt: status.State.Running.StartedAt, FinishedAt: metav1.NewTime(at),
	}
	status.State = v1.ContainerState{Waiting: &v1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}}
	return pod
}

// A node boots anew: its pods stay, run no more, and are about to run again. That the
// API server still says that they run is no news.
func TestARebootIsNoRelief(t *testing.T) {
	f := newNodeFixture(t)
	pod := running(boundPod("p", "n"), f.now.Now().Add(-time.Hour))
	f.SetPod(pod)
	f.sample("n", 1)
	f.RemoveNode("n")
	f.SetNode("n", amount.Vector{8000, 1 << 34}, line.Own{})
	f.now.Step(window)
	f.sample("n", 0.1)
	f.wantCPU(1100, "booted")
	f.SetPod(pod)
	f.wantCPU(1100, "told that it runs, since before")
	f.SetPod(running(boundPod("p", "n"), f.now.Now()))
	for range 4 {
		f.wantCPU(1100, "it starts again")
		f.now.Step(window)
		f.sample("n", 0.1)
	}
	f.now.Step(window)
	f.sample("n", 1)
	f.wantCPU(1000, "it runs again")
}

// The clock of a node that boots anew may be set meanwhile.
func TestARebootThatSetsTheClock(t *testing.T) {
	for _, by := range []time.Duration{time.Hour, -time.Hour} {
		t.Run(fmt.Sprint(by), func(t *testing.T) {
			f := newNodeFixture(t)
			f.SetPod(running(boundPod("p", "n"), f.now.Now().Add(-time.Hour)))
			f.sampleTimes(4, 0, 1)
			f.RemoveNode("n")
			f.SetNode("n", amount.Vector{8000, 1 << 34}, line.Own{})
			f.SetPod(running(boundPod("p", "n"), f.now.Now().Add(by)))
			for range 4 {
				f.now.Step(window)
				f.sampleBy(by, "n", 0.1)
				f.wantCPU(1100, "it starts again")
			}
			f.sampleTimes(4, by, 1)
			f.wantCPU(1000, "it runs again")
		})
	}
}

// A container that fails leaves no room: it is about to run again. If it does not for
// as long as Patience, it counts only while it runs.
func TestARestartIsNoRelief(t *testing.T) {
	for _, read := range []bool{false, true} {
		t.Run(fmt.Sprint("read ", read), func(t *testing.T) {
			f, pods := newPodFixture(t)
			pod := running(boundPod("p", "n"), f.now.Now().Add(-time.Hour))
			if read {
				pods.cores["p"] = 1
			}
			f.SetPod(pod)
			f.runForAt(6*time.Minute, 3) // one core of it is the pod's
			want := func(cores int64, statistics ...Statistic) {
				t.Helper()
				for _, s := range statistics {
					if n, _ := f.node("n"); n.Predicted[s][amount.CPU] != 1000*cores {
						t.Fatalf("%v: statistic %d predicts %v, want %d cores", f.now.Since(epoch), s, n.Predicted[s], cores)
					}
				}
			}
			want(3, Latest, Average)
			delete(pods.cores, "p")
			f.SetPod(failed(pod, f.now.Now()))
			for passed := window; passed < ledger.Patience; passed += window {
				f.now.Step(window)
				f.sample("n", 2)
				want(3, Latest)
			}
			f.runForAt(2*window, 2)
			want(2, Latest)
			pod = running(pod, f.now.Now())
			f.SetPod(pod)
			want(3, Latest)
			f.runForAt(warmUp, 2)
			want(3, Latest)
			f.runForAt(2*window, 3)
			want(3, Latest)
		})
	}
}
