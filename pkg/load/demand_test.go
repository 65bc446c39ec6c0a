package load

import (
	"math"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/apis/config"
	"github.com/plimsoll-scheduler/plimsoll/pkg/demand"
)

// A node's demand is that of its pods, as their workloads are known, and nothing where
// nobody wants to know it.
func TestDemandOfANode(t *testing.T) {
	for _, known := range []bool{true, false} {
		f, pods := newPodFixture(t)
		if known {
			f.KnowDemands()
		}
		mean := func() float64 {
			n, _ := f.node("n")
			if n.UnseenUse != (amount.Vector{}) && known && n.Unseen == (demand.Compact{}) {
				t.Errorf("a pod in flight has no demand: %+v", n)
			}
			return n.Demand.Demand().Add(n.Unseen.Demand()).Mean[amount.CPU]
		}
		expect := func(low, high float64, when string) {
			t.Helper()
			if got := mean(); known && (got < low*(1-1e-6) || got > high*(1+1e-6)) || !known && got != 0 {
				t.Errorf("known %t, %s: %v, want %v to %v", known, when, got, low, high)
			}
		}
		first := replica("first", "web", "1")
		f.Reserve(first, "n")
		expect(500, 500, "half of what is requested of one that was never measured")
		f.SetPod(running(first, f.now.Now().Add(-time.Hour)))
		pods.cores["first"] = 4
		f.runForAt(20*time.Minute, 4)
		expect(3900, 4000, "measured for 20 minutes")
		second := replica("second", "web", "1")
		f.Reserve(second, "n")
		one := f.Demand(second)
		expect(2*one.Mean[amount.CPU], 2*one.Mean[amount.CPU], "two of them")
		if known && (math.Abs(one.Mean[amount.CPU]-4000) > 100 || one.Variance[amount.CPU] <= 0) {
			t.Errorf("the next replica: %+v, want 4 cores and a variance", one)
		}
		f.RemovePod(running(first, f.now.Now().Add(-time.Hour)))
		f.Unreserve(second)
		expect(0, 0, "when all have gone")
	}
}

// What a pod's annotation says of its use is its demand for as long as it runs, whatever
// others of its workload use.
func TestDemandThatAnAnnotationSays(t *testing.T) {
	f, pods := newPodFixture(t)
	f.KnowDemands()
	said := replica("said", "web", "1")
	said.Annotations = map[string]string{config.EstimateAnnotation: `{"cpu": "3"}`}
	f.SetPod(running(said, f.now.Now().Add(-time.Hour)))
	pods.cores["said"] = 1
	f.runForAt(20*time.Minute, 1)
	if n, _ := f.node("n"); n.Demand.Demand().Mean[amount.CPU] != 3000 {
		t.Errorf("a demand of %v, want the 3 cores that its annotation says", n.Demand.Demand().Mean[amount.CPU])
	}
}

// What a forecast knows of a pod holds, whatever its annotation says and its workload
// uses.
func TestDemandThatIsKnown(t *testing.T) {
	f, pods := newPodFixture(t)
	f.KnowDemands()
	known := demand.Demand{Mean: [amount.NumResources]float64{5000, 1 << 30}, Variance: [amount.NumResources]float64{100, 0}}
	f.config.Demands = func(pod *v1.Pod) (demand.Demand, bool) { return known, pod.Name == "known" }
	for _, name := range []string{"known", "other"} {
		pod := replica(name, "web", "1")
		pod.Annotations = map[string]string{config.EstimateAnnotation: `{"cpu": "3"}`}
		f.SetPod(running(pod, f.now.Now().Add(-time.Hour)))
		pods.cores[name] = 1
	}
	f.runForAt(20*time.Minute, 2)
	if n, _ := f.node("n"); n.Demand.Demand().Mean[amount.CPU] != 5000+3000 {
		t.Errorf("a demand of %v, want the 5 cores that are known of one pod and 3 that the other's annotation says", n.Demand.Demand().Mean[amount.CPU])
	}
	if got := f.Demand(replica("known", "web", "1")); got != known {
		t.Errorf("before it has a node it is %v, want %v", got, known)
	}
}
