//go:build k8s136 || k8s135

package integration

import "testing"

// Before 1.37, pod groups are alpha or not there at all.
var (
	groupGates map[string]bool
	groupAPIs  []string
	groupWakes map[string]func(*testing.T)
)
