package sim_test

import (
	"math"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/plimsoll-scheduler/plimsoll/pkg/sim"
)

// ownedBy has the pod be one of a controller.
func ownedBy(p sim.Pod, kind, name string, labels map[string]string) sim.Pod {
	isController := true
	p.Object.Labels = labels
	p.Object.OwnerReferences = []metav1.OwnerReference{{Kind: kind, Name: name, UID: types.UID(kind + name), Controller: &isController}}
	return p
}

// estimates returns the errors by kind of workload.
func estimates(t *testing.T, policy string, pods ...sim.Pod) map[sim.Kind]sim.EstimateErrors {
	t.Helper()
	s := scenario([]*v1.Node{node("a", 100, 0), node("b", 100, 0)}, pods...)
	result, err := sim.Run(t.Context(), s, named(t, policy), sim.Options{Estimates: true})
	if err != nil {
		t.Fatal(err)
	}
	byKind := map[sim.Kind]sim.EstimateErrors{}
	for _, e := range result.Policies[0].Estimates {
		byKind[e.Kind] = e
	}
	return byKind
}

func TestRequestsAreComparedWithWhatPodsUseAtFirst(t *testing.T) {
	over, under := pod("over", 4, 1, 0), pod("under", 2, 5, 0)
	// A third of its life of 15 minutes it uses 8 cores more.
	peak := pod("peak", 4, 1, 0)
	peak.Use.CPU, peak.Use.Scale, peak.Use.Step = []float64{1, 0, 0}, 8, 5*time.Minute
	peak.Arrival = 15*time.Minute - 5*time.Millisecond
	// It lives for a minute, in the peak.
	brief := peak
	brief.Object = pod("brief", 4, 1, 0).Object
	brief.Lifetime = time.Minute
	got := estimates(t, "plimsoll", over, under, peak, brief)[sim.Single]
	// 4 - 1, 2 - 5, 4 - (9 + 1 + 1)/3, 4 - 9
	want := sim.EstimateError{ErrorCores: (3 + 3 + 1.0/3 + 5) / 4, BiasCores: (1.0/3 - 5) / 4, ErrorPercent: (75 + 150 + 100.0/12 + 125) / 4, BiasPercent: (75 - 150 + 100.0/12 - 125) / 4}
	if got.Pods != 4 || !near(got.Request, want) || got.Learned != got.Request || got.ByUID != got.Request {
		t.Errorf("of 4 pods that nobody owns: %+v, want %+v of each", got, want)
	}
}

func near(a, b sim.EstimateError) bool {
	return math.Abs(a.ErrorCores-b.ErrorCores) < 0.01 && math.Abs(a.BiasCores-b.BiasCores) < 0.01 &&
		math.Abs(a.ErrorPercent-b.ErrorPercent) < 1 && math.Abs(a.BiasPercent-b.BiasPercent) < 1
}

// What stays of a workload is what the estimates learned by UID forget.
func TestEstimatesByUIDForgetAtARollout(t *testing.T) {
	revision := func(hash, name string, arrival time.Duration) sim.Pod {
		p := ownedBy(pod(name, 1, 6, 0), "ReplicaSet", "web-"+hash, map[string]string{"pod-template-hash": hash})
		p.Arrival = arrival
		return p
	}
	got := estimates(t, "plimsoll", revision("a", "first", 0), revision("b", "second", 30*time.Minute))[sim.Service]
	// The first is estimated by its request of 1; the second by what the first uses.
	if got.Pods != 2 || got.Request.ErrorCores < 4.99 || got.ByUID.ErrorCores < 4.99 || got.Learned.ErrorCores > 2.6 {
		t.Errorf("%+v: want an error of 5 cores by request and by UID, of half of that learned", got)
	}
	got = estimates(t, "plimsoll", revision("a", "first", 0), revision("a", "second", 30*time.Minute))[sim.Service]
	if got.ByUID != got.Learned || got.Learned.ErrorCores > 2.6 {
		t.Errorf("%+v: want what is learned by UID to be the same within a revision", got)
	}
}

func TestKindsOfWorkloads(t *testing.T) {
	for want, p := range map[sim.Kind]sim.Pod{
		sim.Single:  pod("a", 1, 1, 0),
		sim.Service: ownedBy(pod("b", 1, 1, 0), "ReplicaSet", "web-12345678", nil),
		sim.Job:     ownedBy(pod("c", 1, 1, 0), "Job", "train-1", nil),
		sim.CronJob: ownedBy(pod("d", 1, 1, 0), "Job", "report-29000000", nil),
	} {
		if got := sim.KindOf(p.Object); got != want {
			t.Errorf("the pod of %+v is of a %s, want %s", p.Object.OwnerReferences, got, want)
		}
	}
	for _, name := range []string{"29000000", "report-290000000", "report-2900000a", "r-9000000"} {
		if got := sim.KindOf(ownedBy(pod("p", 1, 1, 0), "Job", name, nil).Object); got != sim.Job {
			t.Errorf("the pod of Job %s is of a %s, want job", name, got)
		}
	}
}

func TestWhoEstimatesNothingIsNotJudged(t *testing.T) {
	if got := estimates(t, "stock", pod("p", 1, 1, 0)); len(got) != 0 {
		t.Errorf("stock has estimates: %+v", got)
	}
}
