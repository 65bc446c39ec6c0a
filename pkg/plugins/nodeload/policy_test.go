package nodeload

import (
	"testing"

	v1 "k8s.io/api/core/v1"
	st "k8s.io/kubernetes/pkg/scheduler/testing"

	"github.com/plimsoll-scheduler/plimsoll/pkg/apis/config"
)

func TestWhenUnsatisfiableOfAPod(t *testing.T) {
	for _, test := range []struct {
		policy     config.UnsatisfiablePolicy
		annotation string
		want       string
	}{
		{config.DoNotSchedule, "ScheduleAnyway", ""},
		{config.ScheduleAnyway, "DoNotSchedule", overCPU.reason()},
		{config.DoNotSchedule, "Whenever", overCPU.reason()}, // not valid: ignored
		{config.ScheduleAnyway, "Whenever", ""},
	} {
		c := newCluster(t, args(func(a *config.NodeLoadArgs) { a.Filter.WhenUnsatisfiable = test.policy }), "n")
		c.use("n", 9, gi)
		c.poll(t)
		p := st.MakePod().Name("p").UID("p").Annotation(config.WhenUnsatisfiableAnnotation, test.annotation).Req(map[v1.ResourceName]string{"cpu": "1"}).Obj()
		if got := c.schedule(t, p)["n"].reason; got != test.want {
			t.Errorf("%s, annotation %s: rejected for %q, want %q", test.policy, test.annotation, got, test.want)
		}
	}
}
