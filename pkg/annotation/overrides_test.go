package annotation_test

import (
	"testing"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/annotation"
	"github.com/plimsoll-scheduler/plimsoll/pkg/apis/config"
)

// arguments returns NodeLoad's default arguments, changed.
func arguments(change func(*config.NodeLoadArgs)) *config.NodeLoadArgs {
	args := config.DefaultNodeLoadArgs()
	change(args)
	return args
}

func annotated(name, value string) *v1.Pod {
	return &v1.Pod{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{name: value}}}
}

func TestWhichWhenUnsatisfiableCounts(t *testing.T) {
	const hard, soft = config.DoNotSchedule, config.ScheduleAnyway
	for _, test := range []struct {
		override  config.Override
		otherwise config.UnsatisfiablePolicy
		said      string
		counts    bool
	}{
		{config.AllowOverride, hard, "ScheduleAnyway", true},
		{config.AllowOverride, hard, "DoNotSchedule", true},
		{config.AllowOverride, soft, "DoNotSchedule", true},
		{config.TightenOverride, hard, "ScheduleAnyway", false},
		{config.TightenOverride, hard, "DoNotSchedule", true},
		{config.TightenOverride, soft, "ScheduleAnyway", true}, // what holds without it
		{config.TightenOverride, soft, "DoNotSchedule", true},
		{config.IgnoreOverride, hard, "ScheduleAnyway", false},
		{config.IgnoreOverride, hard, "DoNotSchedule", false},
		{config.IgnoreOverride, soft, "DoNotSchedule", false},
		{config.AllowOverride, hard, "Whenever", false}, // not valid
		{config.AllowOverride, hard, "", false},
		{config.AllowOverride, hard, "scheduleanyway", false},
		{config.TightenOverride, soft, "Whenever", false},
		{"", hard, "ScheduleAnyway", false}, // arguments that were not decoded
	} {
		overrides := annotation.OverridesOf(arguments(func(a *config.NodeLoadArgs) {
			a.Overrides.WhenUnsatisfiable, a.Filter.WhenUnsatisfiable = test.override, test.otherwise
		}))
		said, counts := overrides.WhenUnsatisfiable(annotated(config.WhenUnsatisfiableAnnotation, test.said))
		if counts != test.counts || counts && string(said) != test.said {
			t.Errorf("%s over %s, with %s: %s counts: %t, want %t", test.said, test.otherwise, test.override, said, counts, test.counts)
		}
		if _, counts := overrides.WhenUnsatisfiable(&v1.Pod{}); counts {
			t.Error("an annotation counts that is not there")
		}
	}
}

func TestHowMuchAnEstimateCounts(t *testing.T) {
	const gi = 1 << 30
	without := amount.Vector{8000, 64 * gi}
	for _, test := range []struct {
		name  string
		allow bool
		least amount.Vector
		said  string
		use   amount.Vector // without the annotation
		want  amount.Vector
	}{
		{"more", true, amount.Vector{10, 25}, `{"cpu": "9", "memory": "65Gi"}`, without, amount.Vector{9000, 65 * gi}},
		{"less", true, amount.Vector{10, 25}, `{"cpu": "3", "memory": "16Gi"}`, without, amount.Vector{3000, 16 * gi}},
		{"as little as may be", true, amount.Vector{10, 25}, `{"cpu": "800m", "memory": "16Gi"}`, without, amount.Vector{800, 16 * gi}},
		{"too little", true, amount.Vector{10, 25}, `{"cpu": "799m", "memory": "1"}`, without, amount.Vector{800, 16 * gi}},
		{"nothing", true, amount.Vector{10, 25}, `{"cpu": "0", "memory": "0"}`, without, amount.Vector{800, 16 * gi}},
		{"nothing of one", true, amount.Vector{10, 25}, `{"cpu": "0"}`, without, amount.Vector{800, 64 * gi}},
		{"nothing, which is believed", true, amount.Vector{0, 0}, `{"cpu": "0", "memory": "0"}`, without, amount.Vector{}},
		{"less, where it can only be raised", true, amount.Vector{100, 100}, `{"cpu": "3", "memory": "65Gi"}`, without, amount.Vector{8000, 65 * gi}},
		{"a part that is less than a millicore", true, amount.Vector{1, 1}, `{"cpu": "0", "memory": "0"}`, amount.Vector{1, 1}, amount.Vector{1, 1}},
		{"nothing of nothing", true, amount.Vector{10, 25}, `{"cpu": "0", "memory": "0"}`, amount.Vector{}, amount.Vector{}},
		{"nothing of all that there can be", true, amount.Vector{100, 100}, `{"cpu": "0", "memory": "0"}`, amount.Vector{amount.Limit, amount.Limit}, amount.Vector{amount.Limit, amount.Limit}},
		{"not allowed", false, amount.Vector{}, `{"cpu": "9", "memory": "65Gi"}`, without, without},
		{"not valid", true, amount.Vector{}, `{"cpu": "9", "memory": "lots"}`, without, without},
	} {
		t.Run(test.name, func(t *testing.T) {
			overrides := annotation.OverridesOf(arguments(func(a *config.NodeLoadArgs) {
				a.Overrides.Estimate = config.EstimateOverride{Allow: test.allow, MinPercent: map[string]int64{
					config.CPU: test.least[amount.CPU], config.Memory: test.least[amount.Memory],
				}}
			}))
			said := annotation.NewEstimates().Of(annotated(config.EstimateAnnotation, test.said))
			if got := overrides.Estimate(&said, test.use); got != test.want {
				t.Errorf("it counts as %v, want %v", got, test.want)
			}
			var none annotation.Estimate
			if got := overrides.Estimate(&none, test.use); got != test.use {
				t.Errorf("without an annotation it counts as %v, want %v", got, test.use)
			}
		})
	}
}
