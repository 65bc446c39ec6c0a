//go:build !k8s136 && !k8s135

package scenario

import "testing"

// TestScenariosSince137 plays those of what older minors of Kubernetes lack.
func TestScenariosSince137(t *testing.T) { play(t, "testdata137") }
