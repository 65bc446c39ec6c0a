package nodeload

import (
	"testing"

	v1 "k8s.io/api/core/v1"
	st "k8s.io/kubernetes/pkg/scheduler/testing"

	"github.com/plimsoll-scheduler/plimsoll/pkg/apis/config"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load"
)

func TestThresholdsOfNodes(t *testing.T) {
	own := func(percent int64) *load.Thresholds {
		return &load.Thresholds{Percent: load.Amounts{load.CPU: percent}, Set: [load.NumResources]bool{load.CPU: true}}
	}
	general := ask{thresholds: load.Amounts{load.CPU: 75, load.Memory: 85}}
	band := ask{thresholds: load.Amounts{load.CPU: 50, load.Memory: 0}, banded: true}
	for _, test := range []struct {
		name string
		ask  ask
		r    load.Resource
		own  *load.Thresholds
		want int64
	}{
		{"a node without", general, load.CPU, &load.Thresholds{}, 75},
		{"a node's replace the general ones", general, load.CPU, own(90), 90},
		{"a node's turn a resource off", general, load.CPU, own(0), 0},
		{"only for the resources that they name", general, load.Memory, own(90), 85},
		{"a band stays where it is lower", band, load.CPU, own(90), 50},
		{"a node's lower a band", band, load.CPU, own(40), 40},
		{"a resource that the node turns off", band, load.CPU, own(0), 50},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := test.ask.threshold(test.r, test.own); got != test.want {
				t.Errorf("threshold %d, want %d", got, test.want)
			}
		})
	}
}

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
