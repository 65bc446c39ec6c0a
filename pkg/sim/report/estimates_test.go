package report

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/plimsoll-scheduler/plimsoll/pkg/sim"
)

func TestErrorsOfEstimatesAreShownByKind(t *testing.T) {
	result := made("plimsoll", "stock")
	result.Policies[0].Estimates = []sim.EstimateErrors{
		{Kind: sim.Service, Pods: 1234, Learned: sim.EstimateError{ErrorCores: 0.5, BiasCores: -0.25, ErrorPercent: 12.4, BiasPercent: -6}},
		{Kind: sim.CronJob, Pods: 7, Request: sim.EstimateError{ErrorCores: 2, BiasCores: 2, ErrorPercent: 200, BiasPercent: 200}},
	}
	all := tables(result)
	cores, relative := all[3], all[4]
	for _, test := range []struct {
		got  row
		want []string
	}{
		{cores.Rows[0], []string{"1,234", "0.00", "0.00", "0.00", "0.00", "0.50", "-0.25"}},
		{cores.Rows[1], []string{"7", "2.00", "+2.00", "0.00", "0.00", "0.00", "0.00"}},
		{relative.Rows[0], []string{"1,234", "0", "0", "0", "0", "12", "-6"}},
	} {
		if !slices.Equal(test.got.Cells, test.want) {
			t.Errorf("%s: %v, want %v", test.got.Policy, test.got.Cells, test.want)
		}
	}
	if cores.Rows[1].Policy != "plimsoll: cronjob" || len(cores.Rows) != 2 {
		t.Errorf("the rows are %+v", cores.Rows)
	}
	var buf bytes.Buffer
	if err := WriteText(&buf, result); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{buf.String(), render(t, result)} {
		if !strings.Contains(text, "plimsoll: cronjob") {
			t.Errorf("the kind is missing:\n%s", text)
		}
	}
	if page := render(t, result); strings.Count(page, "<dt>bias ") != 1 || strings.Count(page, "<dt>learned ") != 1 {
		t.Error("the meaning of a column is not told once")
	}
}

func TestNoTableOfEstimatesThatNobodyMade(t *testing.T) {
	if got := len(tables(made("plimsoll", "stock"))); got != 3 {
		t.Errorf("%d tables, want 3", got)
	}
}
