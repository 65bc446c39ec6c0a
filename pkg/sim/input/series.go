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
	headersOfSeries    warning.Kind = "first lines without a number are left out"
)

// readSeries reads use over time: a line is a machine, its values are percent of its
// CPU, one each five minutes. The file is CSV (see csvfile), perhaps compressed by gzip.
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
	r := &seriesReader{rows: csvfile.NewRows(file), warnings: warnings}
	for {
		if ok, err := r.rows.Next(); err != nil {
			return nil, err
		} else if !ok {
			return r.all, checkSeries(file.Name, r.all, r.left)
		}
		if err := r.take(); err != nil {
			return nil, err
		}
	}
}

// seriesReader takes the series of a file line by line.
type seriesReader struct {
	rows     *csvfile.Rows
	warnings *warning.List
	header   bool // has been left out
	all      [][]float64
	left     int // lines that were left out
	// padding is how many empty fields the first line ends in. Some programs write a
	// separator after the last value; as many may be missing at the ends of the others.
	padding int
}

func (r *seriesReader) take() error {
	if len(r.all) == 0 {
		if !r.header && !slices.ContainsFunc(r.rows.Fields(), csvfile.IsNumeric) {
			r.header = true
			r.warnings.Add(headersOfSeries, r.rows.Where(), "there is no number in the first line: it is taken for a header, and left out")
			return nil
		}
		r.padding = emptyAtEnd(r.rows.Fields())
	}
	fields := r.rows.Fields()
	values, err := r.parse(fields[:len(fields)-min(r.padding, emptyAtEnd(fields))])
	switch {
	case err != nil:
		return err
	case len(r.all) == 0 || len(values) == len(r.all[0]):
		r.all = append(r.all, values)
	case len(values) < len(r.all[0]) && r.rows.CutOff() != "":
		return r.rows.Errorf("there are %d values, and %d in the first line%s", len(values), len(r.all[0]), r.rows.CutOff())
	default:
		r.left++
		r.warnings.Add(linesOfOtherLength, r.rows.Where(), "there are %d values, and %d in the first line: the line is left out", len(values), len(r.all[0]))
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

// checkSeries reports series that nothing can be made of: left is how many lines had
// another number of values than the first.
func checkSeries(file string, all [][]float64, left int) error {
	if left > len(all) {
		return fmt.Errorf("%s: %d lines have another number of values than the first, and %d as many: all must have as many", file, left, len(all))
	}
	for _, values := range all {
		for _, v := range values {
			if v > 0 {
				return nil
			}
		}
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
