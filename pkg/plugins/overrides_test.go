package plugins_test

import (
	"testing"

	"github.com/plimsoll-scheduler/plimsoll/pkg/apis/config"
)

// The arguments say which annotations count. The node uses 7 of the 7.5 cores
// below its line, and the pod asks for 1.
func TestOverridesAreForTheArgumentsToAllow(t *testing.T) {
	for name, test := range map[string]struct {
		args              string
		annotation, value string
		bound             bool
	}{
		"a low estimate":                   {"{window: 0s}", config.EstimateAnnotation, `{"cpu": "100m"}`, true},
		"none at all":                      {"{window: 0s}", config.EstimateAnnotation, `{"cpu": "0"}`, true}, // it counts as a tenth of a core
		"an estimate that is not allowed":  {"{window: 0s, overrides: {estimate: {allow: false}}}", config.EstimateAnnotation, `{"cpu": "100m"}`, false},
		"an estimate below what it may be": {"{window: 0s, overrides: {estimate: {minPercent: {cpu: 60}}}}", config.EstimateAnnotation, `{"cpu": "100m"}`, false},
		"an estimate as low as it may be":  {"{window: 0s, overrides: {estimate: {minPercent: {cpu: 50}}}}", config.EstimateAnnotation, `{"cpu": "100m"}`, true},
		"over the line":                    {"{window: 0s}", config.WhenUnsatisfiableAnnotation, "ScheduleAnyway", true},
		"over the line, which may not be":  {"{window: 0s, overrides: {whenUnsatisfiable: Tighten}}", config.WhenUnsatisfiableAnnotation, "ScheduleAnyway", false},
		"over the line, which is ignored":  {"{window: 0s, overrides: {whenUnsatisfiable: Ignore}}", config.WhenUnsatisfiableAnnotation, "ScheduleAnyway", false},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, test.args, 1, "n")
			c.running("user", "n", 1000, "8")
			p := pending("p", 0, "1")
			p.Annotations = map[string]string{test.annotation: test.value}
			c.create(p)
			c.start()
			if !test.bound {
				c.waitRejected("p")
				return
			}
			c.wantBound("p")
		})
	}
}
