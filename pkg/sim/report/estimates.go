package report

import (
	"fmt"

	"github.com/plimsoll-scheduler/plimsoll/pkg/sim"
)

// ways are how a pod's use can be estimated.
func ways() []struct {
	name, meaning string
	of            func(*sim.EstimateErrors) sim.EstimateError
} {
	return []struct {
		name, meaning string
		of            func(*sim.EstimateErrors) sim.EstimateError
	}{
		{"request", "what the pod requests", func(e *sim.EstimateErrors) sim.EstimateError { return e.Request }},
		{"by UID", "what would have been learned of pods with the same controller, such as a ReplicaSet or a Job",
			func(e *sim.EstimateErrors) sim.EstimateError { return e.ByUID }},
		{"learned", "what was learned of the workload: the estimate that the decision was based on",
			func(e *sim.EstimateErrors) sim.EstimateError { return e.Learned }},
	}
}

// errorUnit is what errors of estimates are told in.
type errorUnit struct {
	name     string
	decimals int
	known    bool // another table says what the columns mean
	of       func(sim.EstimateError) (size, bias float64)
}

func inCores() errorUnit {
	return errorUnit{name: "cores", decimals: 2, of: func(e sim.EstimateError) (size, bias float64) {
		return e.ErrorCores, e.BiasCores
	}}
}

func inPercent() errorUnit {
	return errorUnit{name: "% of request", known: true, of: func(e sim.EstimateError) (size, bias float64) {
		return e.ErrorPercent, e.BiasPercent
	}}
}

// estimatesTable is how far off estimates were: a row for each policy that makes any
// and each kind of workload.
func estimatesTable(caption string, result *sim.Result, unit errorUnit) table {
	t := table{Caption: caption, Columns: []column{{
		Name: "pods", Unit: "of the kind", Known: unit.known,
		Meaning: "pods of a kind of workload that arrived in the measured time and started",
	}}}
	for i, way := range ways() {
		t.Columns = append(t.Columns,
			column{
				Name: way.name, Unit: unit.name, Known: unit.known,
				Meaning: "by how much a pod's mean use of CPU over its first 15 minutes (or its life if that is shorter) is off, on average, from " + way.meaning,
			},
			column{
				Name: "bias", Unit: unit.name, Known: unit.known || i > 0,
				Meaning: "mean of the estimate on the left less that use; above 0, too much was expected",
			})
	}
	for i := range result.Policies {
		p := &result.Policies[i]
		for j := range p.Estimates {
			e := &p.Estimates[j]
			cells := []string{number(float64(e.Pods), 0)}
			for _, way := range ways() {
				size, bias := unit.of(way.of(e))
				cells = append(cells, number(size, unit.decimals), signed(bias, unit.decimals))
			}
			t.Rows = append(t.Rows, row{fmt.Sprintf("%s: %s", p.Name, e.Kind), i, cells})
		}
	}
	return t
}

// signed formats v with its sign.
func signed(v float64, decimals int) string {
	if v > 0 {
		return "+" + number(v, decimals)
	}
	return number(v, decimals)
}
