// Package chart tests the Helm chart in charts/plimsoll and the kustomize base in
// manifests: that both make the same objects, that the API server takes them, and that
// the chart's values are checked as the plugins' arguments are.
//
// It is a module of its own because Helm's and kustomize's libraries are for it alone.
package chart
