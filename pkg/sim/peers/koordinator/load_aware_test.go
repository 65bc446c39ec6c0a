package koordinator

import (
	"math"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/kubernetes/pkg/scheduler/framework"
	st "k8s.io/kubernetes/pkg/scheduler/testing"
	clocktesting "k8s.io/utils/clock/testing"
)

const gib = 1 << 30

// plugin returns the plugin with a report of the node "n" of the given age.
func plugin(t *testing.T, age time.Duration, used Amounts, pods map[types.UID]Amounts) (*LoadAware, *clocktesting.FakeClock) {
	t.Helper()
	clock := clocktesting.NewFakeClock(time.Unix(1_000_000, 0))
	report := &Report{Time: clock.Now().Add(-age), Node: used, Pods: pods}
	pl, err := Factory(func(node string) (*Report, bool) { return report, node == "n" }, clock)(t.Context(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return pl.(*LoadAware), clock
}

// on returns an empty node of 10 cores and 100 GiB.
func on(name string) *framework.NodeInfo {
	info := framework.NewNodeInfo()
	info.SetNode(st.MakeNode().Name(name).Capacity(map[v1.ResourceName]string{v1.ResourceCPU: "10", v1.ResourceMemory: "100Gi"}).Obj())
	return info
}

func asking(name, cpu, memory string) *v1.Pod {
	return st.MakePod().Name(name).UID(name).Req(map[v1.ResourceName]string{v1.ResourceCPU: cpu, v1.ResourceMemory: memory}).Obj()
}

func TestEstimate(t *testing.T) {
	limited := asking("p", "1", "1Gi")
	limited.Spec.Containers[0].Resources.Limits = v1.ResourceList{v1.ResourceCPU: st.MakePod().Req(map[v1.ResourceName]string{v1.ResourceCPU: "4"}).Obj().Spec.Containers[0].Resources.Requests[v1.ResourceCPU]}
	for name, test := range map[string]struct {
		pod  *v1.Pod
		want Amounts
	}{
		"85 and 70 % of the request":   {asking("p", "2", "10Gi"), Amounts{1700, 7 * gib}},
		"of the limit if it is larger": {limited, Amounts{3400, 0.7 * gib}},
		"defaults without a request":   {st.MakePod().Name("p").Container("image").Obj(), Amounts{250, 200 << 20}},
	} {
		got := estimateOf(test.pod)
		if math.Abs(got.CPU-test.want.CPU) > 1e-6 || math.Abs(got.Memory-test.want.Memory) > 1 {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}

func TestFilterAndScore(t *testing.T) {
	pod := asking("p", "1", "10Gi") // estimated at 0.85 cores and 7 GiB
	for name, test := range map[string]struct {
		node  string
		age   time.Duration
		used  Amounts
		fits  bool
		score int64
	}{
		"room":                       {"n", time.Minute, Amounts{1150, 13 * gib}, true, 80}, // 20 % of each is used then
		"at the CPU threshold":       {"n", time.Minute, Amounts{5650, 13 * gib}, true, 57},
		"above the CPU threshold":    {"n", time.Minute, Amounts{5651, 13 * gib}, false, 57},
		"above the memory threshold": {"n", time.Minute, Amounts{1150, 88.1 * gib}, false, 42},
		"a report that has expired":  {"n", 181 * time.Second, Amounts{}, false, 0},
		"no report":                  {"other", 0, Amounts{}, true, 0},
	} {
		pl, _ := plugin(t, test.age, test.used, nil)
		if got := pl.Filter(t.Context(), nil, pod, on(test.node)); got.IsSuccess() != test.fits {
			t.Errorf("%s: Filter says %v", name, got)
		}
		if got, status := pl.Score(t.Context(), nil, pod, on(test.node)); got != test.score || !status.IsSuccess() {
			t.Errorf("%s: the score is %d, %v, want %d", name, got, status, test.score)
		}
	}
}

func TestAssignedPodsCountByWhatTheReportDoesNotShowOfThem(t *testing.T) {
	pl, clock := plugin(t, 0, Amounts{1000, gib}, map[types.UID]Amounts{"seen": {500, gib}})
	for _, name := range []string{"seen", "unseen"} { // each estimated at 1.7 cores
		pl.Reserve(t.Context(), nil, asking(name, "2", "1Gi"), "n")
	}
	incoming := asking("p", "1", "1Gi")
	want := 1000 + 850 + (1700 - 500) + 1700.0
	report, _ := pl.reports("n")
	if got := pl.used(report, "n", incoming); math.Abs(got.CPU-want) > 1e-6 {
		t.Errorf("%v millicores are used, want %v", got.CPU, want)
	}
	pl.Unreserve(t.Context(), nil, asking("unseen", "2", "1Gi"), "n")
	clock.Step(2 * ReportInterval)
	report.Time = clock.Now() // and what is reported is believed after an interval
	if got, want := pl.used(report, "n", incoming), 1000+850.0; math.Abs(got.CPU-want) > 1e-6 {
		t.Errorf("%v millicores are used, want %v: the pod was assigned long ago", got.CPU, want)
	}
	pl.Forget("seen", "n")
	if len(pl.assigned["n"]) != 0 {
		t.Errorf("%v are still assigned", pl.assigned["n"])
	}
}
