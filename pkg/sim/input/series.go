package input

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/input/csvfile"
	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/input/textfile"
	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/input/warning"
)

// seriesStep is the time between two values of a series.
const seriesStep = 5 * time.Minute

// mostPercent bounds the values of a series, so that sums of them are numbers.
const mostPercent = 1e9

// What is left out of series.
const (
	linesOfOtherLength warning.Kind = "lines with another number of values than the first are left out"
	linesNotRead       warning.Kind = "lines with a value that is no use of CPU are left out"
	headersOfSeries    warning.Kind = "first lines without a number are left out"
)

// readSeries reads use over time: a line is a machine, its values are percent of its
// CPU, one each five minutes. The file is CSV (see csvfile), perhaps compressed by gzip.
// Lines with a value that cannot be read are left out, with a warning.
func readSeries(file string, warnings *warning.List) ([][]float64, error) {
	text, err := textfile.Read(file)
	if err != nil {
		return nil, err
	}
	return seriesIn(text, warnings)
}

func seriesIn(file *textfile.File, warnings *warning.List) ([][]float64, error) {
	if file.Empty() {
		return nil, fmt.Errorf("%s: the file is empty: each line must be the CPU use of a machine, in percent", file.Name)
	}
	r := &seriesReader{rows: csvfile.NewRows(file)}
	for ; ; r.lines++ {
		if ok, err := r.rows.Next(); err != nil {
			return nil, err
		} else if !ok {
			return r.all, warnings.Settle(&r.left, r.check(file.Name))
		}
		if err := r.take(); err != nil {
			return nil, err
		}
	}
}

// seriesReader takes the series of a file line by line.
type seriesReader struct {
	rows  *csvfile.Rows
	lines int // before this one
	all   [][]float64
	left  warning.List
	// padding is how many empty fields the first line ends in. Some programs write a
	// separator after the last value; as many may be missing at the ends of the others.
	padding int
}

func (r *seriesReader) take() error {
	if len(r.all) == 0 {
		if r.lines == 0 && !slices.ContainsFunc(r.rows.Fields(), csvfile.IsNumeric) {
			r.left.Add(headersOfSeries, r.rows.Where(), "there is no number in the first line: it is taken for a header, and left out")
			return nil
		}
		r.padding = emptyAtEnd(r.rows.Fields())
	}
	fields := r.rows.Fields()
	fields = fields[:len(fields)-min(r.padding, emptyAtEnd(fields))]
	if count := len(fields) - emptyAtEnd(fields); len(r.all) > 0 && count < len(r.all[0]) && r.rows.CutOff() != "" {
		return r.rows.Errorf("there are %d values, and %d in the first line%s", count, len(r.all[0]), r.rows.CutOff())
	}
	values, err := r.parse(fields)
	switch {
	case err != nil:
		r.left.AddError(linesNotRead, err, "the line is left out")
	case len(r.all) == 0 || len(values) == len(r.all[0]):
		r.all = append(r.all, values)
	default:
		r.left.Add(linesOfOtherLength, r.rows.Where(), "there are %d values, and %d in the first line: the line is left out", len(values), len(r.all[0]))
	}
	return nil
}

func (r *seriesReader) parse(fields []string) ([]float64, error) {
	values := make([]float64, len(fields))
	for i, field := range fields {
		v, err := csvfile.Number(field, 0, mostPercent)
		if err != nil {
			return nil, r.rows.Errorf("value %d is %q: %w", i+1, field, err)
		}
		values[i] = v
	}
	return values, nil
}

func emptyAtEnd(fields []string) int {
	count := 0
	for count < len(fields) && fields[len(fields)-1-count] == "" {
		count++
	}
	return count
}

// check reports series that nothing can be made of.
func (r *seriesReader) check(file string) error {
	if other := r.left.Count(linesOfOtherLength); other > len(r.all) {
		return fmt.Errorf("%s: %d lines have another number of values than the first, and %d as many: all must have as many", file, other, len(r.all))
	}
	for _, values := range r.all {
		for _, v := range values {
			if v > 0 {
				return nil
			}
		}
	}
	if r.left.Count(linesNotRead) > 0 {
		return fmt.Errorf("%s: no line that can be used has a value above 0: each must be the CPU use of a machine, in percent", file)
	}
	return fmt.Errorf("%s: no line has a value above 0: each must be the CPU use of a machine, in percent", file)
}

// generateSeries makes series with spiky tails: a day's swing times the
// exponential of an autoregressive process.
func generateSeries(random *rand.Rand) [][]float64 {
	const (
		machines, values = 300, 288
		swing            = 0.3
		memory, spread   = 0.8, 0.7 // of the process
	)
	all := make([][]float64, machines)
	for i := range all {
		all[i] = make([]float64, values)
		x, peak := random.NormFloat64(), random.Float64()
		for j := range all[i] {
			x = memory*x + math.Sqrt(1-memory*memory)*random.NormFloat64()
			day := 1 + swing*math.Cos(2*math.Pi*(float64(j)/values-peak))
			all[i][j] = 10 * day * math.Exp(spread*x)
		}
	}
	return all
}
