package nodeload

import (
	"fmt"
	"testing"

	v1 "k8s.io/api/core/v1"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"

	"github.com/plimsoll-scheduler/plimsoll/pkg/apis/config"
)

func annotatedPod(name, value string) *v1.Pod {
	p := pod("p", "1", "1Gi")
	p.Annotations = map[string]string{name: value}
	return p
}

// What pods may not override they do not: the line holds, their results are shared
// with those of pods without the annotation, and a change is no reason to try
// again.
func TestAnAnnotationThatDoesNotCountChangesNothing(t *testing.T) {
	for _, test := range []struct {
		override   config.Override
		by         config.UnsatisfiablePolicy
		annotation string
		counts     bool
	}{
		{config.AllowOverride, config.DoNotSchedule, "ScheduleAnyway", true},
		{config.TightenOverride, config.DoNotSchedule, "ScheduleAnyway", false},
		{config.TightenOverride, config.ScheduleAnyway, "DoNotSchedule", true},
		{config.IgnoreOverride, config.DoNotSchedule, "ScheduleAnyway", false},
		{config.IgnoreOverride, config.ScheduleAnyway, "DoNotSchedule", false},
	} {
		t.Run(fmt.Sprintf("%s over %s with %s", test.annotation, test.by, test.override), func(t *testing.T) {
			c := newCluster(t, args(func(a *config.NodeLoadArgs) {
				a.Filter.WhenUnsatisfiable, a.Overrides.WhenUnsatisfiable = test.by, test.override
			}), "n")
			c.use("n", 9, gi)
			c.poll(t)
			plain, annotated := pod("p", "1", "1Gi"), annotatedPod(config.WhenUnsatisfiableAnnotation, test.annotation)
			differs := c.schedule(t, plain)["n"].reason != c.schedule(t, annotated)["n"].reason
			if differs != test.counts {
				t.Errorf("the annotation makes a difference: %t, want %t", differs, test.counts)
			}
			checkSeen(t, c, plain, annotated, test.counts)
		})
	}
}

func TestAnEstimateThatDoesNotCountInFullChangesNothingMore(t *testing.T) {
	c := newCluster(t, args(nil), "n") // its model allows a tenth of the CPU
	least := annotatedPod(config.EstimateAnnotation, `{"cpu": "100m"}`)
	checkSeen(t, c, pod("p", "1", "1Gi"), least, true)
	checkSeen(t, c, least, annotatedPod(config.EstimateAnnotation, `{"cpu": "0"}`), false)
}

// checkSeen checks whether the plugin sees a difference between the pod before and
// after a change.
func checkSeen(t *testing.T, c *cluster, before, after *v1.Pod, differs bool) {
	t.Helper()
	sign := func(p *v1.Pod) string {
		fragments, status := c.SignPod(t.Context(), p)
		if !status.IsSuccess() {
			t.Fatal(status.AsError())
		}
		return fmt.Sprint(fragments)
	}
	if (sign(before) != sign(after)) != differs {
		t.Errorf("they sign as %s and %s, want a difference: %t", sign(before), sign(after), differs)
	}
	want := fwk.QueueSkip
	if differs {
		want = fwk.Queue
	}
	if got, err := c.afterOwnChange(klog.Background(), after, before, after); got != want || err != nil {
		t.Errorf("after the change: %v, %v, want %v", got, err, want)
	}
}
