package chart

import (
	"reflect"
	"testing"

	"helm.sh/helm/v4/pkg/action"
	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/chart/v2/util"
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

// What "helm package" makes is all of the chart.
func TestPackageIsTheChart(t *testing.T) {
	archive, err := util.Save(loadChart(t), t.TempDir())
	must(t, err)
	packaged, err := loader.LoadFile(archive)
	must(t, err)
	given := settings["everything"]
	if want, got := render(t, given), (rendering{chart: packaged}).render(t, given); !reflect.DeepEqual(got, want) {
		t.Errorf("the package makes %d objects, and the chart %d, or others", len(got), len(want))
	}
	if len(packaged.Schema) == 0 {
		t.Error("the package has no schema")
	}
}
