package chart

import (
	"testing"

	"helm.sh/helm/v4/pkg/action"
	"helm.sh/helm/v4/pkg/chart/common"
)

// "helm lint --strict" has nothing to say, except that there is no icon.
func TestLint(t *testing.T) {
	version, err := common.ParseKubeVersion("v1.37.1")
	if err != nil {
		t.Fatal(err)
	}
	lint := action.NewLint()
	lint.Strict, lint.Namespace, lint.KubeVersion = true, namespace, version
	result := lint.Run([]string{chartDir}, nil)
	for _, err := range result.Errors {
		t.Error(err)
	}
	if result.TotalChartsLinted != 1 {
		t.Errorf("%d charts were linted, want 1", result.TotalChartsLinted)
	}
}
