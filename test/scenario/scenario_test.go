package scenario

import (
	"testing"

	"github.com/cockroachdb/datadriven"
)

// TestScenarios plays each file of testdata.
func TestScenarios(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		var r *runner
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			if r == nil {
				r = newRunner(t)
			}
			return r.block(d)
		})
	})
}
