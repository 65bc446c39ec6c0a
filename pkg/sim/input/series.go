package input

import (
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"time"
)

// seriesStep is the time between two values of a series.
const seriesStep = 5 * time.Minute

// readSeries reads use over time: a line is a machine, its values are percent of
// its CPU, one each five minutes. Files that end in .gz are compressed.
func readSeries(file string) ([][]float64, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it is only read from
	var content io.Reader = f
	if strings.HasSuffix(file, ".gz") {
		if content, err = gzip.NewReader(f); err != nil {
			return nil, fmt.Errorf("%s: not a gzip file: %w", file, err)
		}
	}
	reader := bufio.NewReader(content)
	var all [][]float64
	usable := false
	for number := 1; ; number++ {
		line, err := reader.ReadString('\n')
		switch {
		case errors.Is(err, io.EOF) && line == "":
			if !usable {
				return nil, fmt.Errorf("%s: no line has a value above 0", file)
			}
			return all, nil
		case errors.Is(err, io.EOF):
			return nil, fmt.Errorf("%s:%d: the file ends within a line: it has been truncated", file, number)
		case err != nil:
			return nil, fmt.Errorf("%s:%d: %w", file, number, err)
		}
		values, err := parseSeries(strings.TrimRight(line, "\r\n"))
		if err == nil && len(all) > 0 && len(values) != len(all[0]) {
			err = fmt.Errorf("there are %d values, and %d in the first line", len(values), len(all[0]))
		}
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", file, number, err)
		}
		for _, v := range values {
			usable = usable || v > 0
		}
		all = append(all, values)
	}
}

func parseSeries(line string) ([]float64, error) {
	fields := strings.Split(line, ",")
	values := make([]float64, len(fields))
	for i, field := range fields {
		v, err := strconv.ParseFloat(strings.TrimSpace(field), 64)
		if err != nil || math.IsNaN(v) || math.IsInf(v, 0) || v < 0 {
			return nil, fmt.Errorf("value %d is %q: must be a number of at least 0", i+1, field)
		}
		values[i] = v
	}
	return values, nil
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
