package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// goBenchmark is what benchstat says of a benchmark.
type goBenchmark struct {
	name string // with the last part of its package's path
	// values are medians with their 95 % confidence interval in percent, by unit.
	values map[string]string
}

// measureGo runs the Go benchmarks of what is done for every node.
func measureGo(ctx context.Context, opts *options, work string) ([]goBenchmark, error) {
	fmt.Println("running the Go benchmarks")
	text, err := output(ctx, opts.root, "go", "test", "-run=^$", "-bench=.", "-benchmem", "-benchtime=500ms",
		fmt.Sprintf("-count=%d", opts.count), "./pkg/load", "./pkg/plugins/...")
	if err != nil {
		return nil, fmt.Errorf("%w\n%s", err, text)
	}
	file := filepath.Join(work, "go.txt") // stays, to be compared with another version's
	if err := os.WriteFile(file, []byte(text+"\n"), 0o600); err != nil {
		return nil, err
	}
	summary, err := output(ctx, opts.root, "go", "tool", "-modfile=go.tools.mod", "benchstat", "-format=csv", file)
	if err != nil {
		return nil, err
	}
	return parseBenchstat(summary)
}

// parseBenchstat reads benchstat's CSV about one file: after a line for the
// package a table for each unit, with the unit in its head.
func parseBenchstat(text string) ([]goBenchmark, error) {
	var benchmarks []goBenchmark
	index := map[string]int{}
	var pkg, unit string
	lines := csv.NewReader(strings.NewReader(text))
	lines.FieldsPerRecord = -1
	for {
		fields, err := lines.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("benchstat's summary: %w", err)
		}
		switch name, found := strings.CutPrefix(fields[0], "pkg: "); {
		case found:
			pkg = path.Base(name)
		case len(fields) == 1 || fields[0] == "geomean":
		case fields[0] == "": // a head: the file's name, then the unit
			unit = fields[1]
		default:
			name := pkg + " " + fields[0][:max(strings.LastIndex(fields[0], "-"), 0)]
			if _, known := index[name]; !known {
				index[name] = len(benchmarks)
				benchmarks = append(benchmarks, goBenchmark{name: name, values: map[string]string{}})
			}
			value, err := strconv.ParseFloat(fields[1], 64)
			if err != nil {
				return nil, fmt.Errorf("benchstat's summary: %s of %s: %w", unit, name, err)
			}
			benchmarks[index[name]].values[unit] = quantity(value, unit, fields[2:])
		}
	}
	if len(benchmarks) == 0 {
		return nil, errors.New("benchstat's summary has no benchmark")
	}
	return benchmarks, nil
}

// quantity writes a value as people read it, with its confidence interval if
// there is one.
func quantity(value float64, unit string, interval []string) string {
	text := strconv.FormatFloat(value, 'g', 4, 64)
	switch {
	case strings.HasPrefix(unit, "sec/"):
		d := time.Duration(value * float64(time.Second))
		digits := time.Duration(1)
		for d/digits >= 1000 {
			digits *= 10
		}
		text = d.Round(digits).String()
	case strings.HasPrefix(unit, "B/"):
		for _, prefix := range []string{"", "Ki", "Mi", "Gi"} {
			if value < 1024 || prefix == "Gi" {
				text = strings.TrimSuffix(strconv.FormatFloat(value, 'f', 1, 64), ".0") + " " + prefix + "B"
				break
			}
			value /= 1024
		}
	}
	if len(interval) > 0 && interval[0] != "∞" && interval[0] != "0%" {
		text += " ± " + interval[0]
	}
	return text
}

// goReport returns the benchmarks as a table, in Markdown.
func goReport(benchmarks []goBenchmark) string {
	units := []string{"sec/op", "B/op", "allocs/op"} // and whatever else a benchmark reports
	for _, b := range benchmarks {
		for unit := range b.values {
			if !slices.Contains(units, unit) {
				units = append(units, unit)
			}
		}
	}
	slices.Sort(units[3:])
	var b strings.Builder
	fmt.Fprintf(&b, "| benchmark | %s |\n|---|%s\n", strings.Join(units, " | "), strings.Repeat("---|", len(units)))
	for _, benchmark := range benchmarks {
		fmt.Fprintf(&b, "| %s |", benchmark.name)
		for _, unit := range units {
			fmt.Fprintf(&b, " %s |", benchmark.values[unit])
		}
		b.WriteByte('\n')
	}
	return b.String()
}
