package scenario

import (
	"testing"

	"github.com/cockroachdb/datadriven"
)

// TestScenarios plays each file of testdata.
func TestScenarios(t *testing.T) { play(t, "testdata") }

// play plays each file below the folder.
func play(t *testing.T, folder string) {
	datadriven.Walk(t, folder, func(t *testing.T, path string) {
		var r *runner
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			if r == nil {
				r = newRunner(t)
			}
			return r.block(d)
		})
	})
}
