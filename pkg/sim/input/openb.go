package input

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	v1 "k8s.io/api/core/v1"

	"github.com/plimsoll-scheduler/plimsoll/pkg/sim"
)

// Openb joins a list of nodes and a list of pods, both in the format of
// Alibaba's openb trace, with use over time in the format of the PlanetLab trace.
//
// What is taken of the pods is their shapes: CPU, memory and number of GPUs. A
// share of a GPU (gpu_milli below 1000) counts as a whole one, because extended
// resources have no shares. GPU models that a pod asks for are not considered,
// nor are the times of the list: see Model for when pods come.
func Openb(nodesFile, podsFile, seriesFile string, m Model, seed uint64) (*sim.Scenario, error) {
	nodes, err := openbNodes(nodesFile)
	if err != nil {
		return nil, err
	}
	shapes, err := openbPods(podsFile, nodes)
	if err != nil {
		return nil, err
	}
	series, err := readSeries(seriesFile)
	if err != nil {
		return nil, err
	}
	name := strings.TrimSuffix(filepath.Base(podsFile), ".csv") + " x " + strings.TrimSuffix(strings.TrimSuffix(filepath.Base(seriesFile), ".gz"), ".csv")
	return m.populate(name, nodes, shapes, series, seed)
}

// table is a CSV file with a header.
type table struct {
	file    string
	columns map[string]int
	reader  *csv.Reader
	record  []string
	err     error // the first fault of a field
}

// openTable reads the header, which must have the columns.
func openTable(file string, columns ...string) (*table, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	if len(content) > 0 && content[len(content)-1] != '\n' {
		return nil, fmt.Errorf("%s:%d: the file ends within a line: it has been truncated", file, bytes.Count(content, []byte("\n"))+1)
	}
	t := &table{file: file, columns: map[string]int{}, reader: csv.NewReader(bytes.NewReader(content))}
	header, err := t.reader.Read()
	if errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s:1: the file is empty: there must be a header with %s", file, strings.Join(columns, ","))
	}
	if err != nil {
		return nil, t.wrap(err)
	}
	for i, name := range header {
		t.columns[name] = i
	}
	for _, name := range columns {
		if _, ok := t.columns[name]; !ok {
			return nil, fmt.Errorf("%s:1: there is no column %s; the header must have %s", file, name, strings.Join(columns, ","))
		}
	}
	return t, nil
}

// wrap gives an error of the CSV reader the place that all others have.
func (t *table) wrap(err error) error {
	var parse *csv.ParseError
	if errors.As(err, &parse) {
		return fmt.Errorf("%s:%d: %w", t.file, parse.Line, parse.Err)
	}
	return fmt.Errorf("%s: %w", t.file, err)
}

// next reads the next line, and reports whether there was one.
func (t *table) next() (bool, error) {
	record, err := t.reader.Read()
	if errors.Is(err, io.EOF) {
		return false, nil
	}
	if err != nil {
		return false, t.wrap(err)
	}
	t.record = record
	return true, nil
}

func (t *table) text(column string) string { return t.record[t.columns[column]] }

// number returns a field that must be a whole number of at least least.
func (t *table) number(column string, least int64) int64 {
	value, err := strconv.ParseInt(t.text(column), 10, 64)
	if (err != nil || value < least) && t.err == nil {
		t.err = t.fault(column, fmt.Sprintf("must be a whole number of at least %d", least))
	}
	return value
}

// fault is an error about a field of the current line.
func (t *table) fault(column, what string) error {
	line, _ := t.reader.FieldPos(t.columns[column])
	return fmt.Errorf("%s:%d: %s is %q: %s", t.file, line, column, t.text(column), what)
}

func openbNodes(file string) ([]*v1.Node, error) {
	t, err := openTable(file, "sn", "cpu_milli", "memory_mib", "gpu", "model")
	if err != nil {
		return nil, err
	}
	var nodes []*v1.Node
	seen := map[string]bool{}
	devices := int64(0)
	for {
		if ok, err := t.next(); !ok || err != nil {
			switch {
			case err != nil:
				return nil, err
			case len(nodes) == 0:
				return nil, fmt.Errorf("%s: there are no nodes in it", file)
			case devices == 0:
				return nil, fmt.Errorf("%s: no node has a device (column gpu)", file)
			}
			return nodes, nil
		}
		name := t.text("sn")
		node := newNode(name, t.number("cpu_milli", 1), t.number("memory_mib", 1)<<20, t.number("gpu", 0), t.text("model"))
		switch {
		case t.err != nil:
			return nil, t.err
		case name == "" || seen[name]:
			return nil, t.fault("sn", "each node must have a name of its own")
		}
		seen[name] = true
		devices += t.number("gpu", 0)
		nodes = append(nodes, node)
	}
}

// openbPods returns the shapes of the pods, each of which must fit on a node.
func openbPods(file string, nodes []*v1.Node) ([]shape, error) {
	t, err := openTable(file, "name", "cpu_milli", "memory_mib", "num_gpu")
	if err != nil {
		return nil, err
	}
	var shapes []shape
	for {
		if ok, err := t.next(); !ok || err != nil {
			if err == nil && len(shapes) == 0 {
				err = fmt.Errorf("%s: there are no pods in it", file)
			}
			return shapes, err
		}
		s := shape{cpu: t.number("cpu_milli", 0), memory: t.number("memory_mib", 0) << 20, devices: t.number("num_gpu", 0)}
		if t.err != nil {
			return nil, t.err
		}
		if !s.fitsAny(nodes) {
			return nil, t.fault("name", fmt.Sprintf("no node has room for such a pod: %d millicores, %d MiB and %d GPUs", s.cpu, s.memory>>20, s.devices))
		}
		shapes = append(shapes, s)
	}
}

// fitsAny reports whether the pod fits on one of the nodes if that is empty.
func (s *shape) fitsAny(nodes []*v1.Node) bool {
	for _, node := range nodes {
		allocatable := node.Status.Allocatable
		devices := allocatable[gpu]
		if s.cpu <= allocatable.Cpu().MilliValue() && s.memory <= allocatable.Memory().Value() && s.devices <= devices.Value() {
			return true
		}
	}
	return false
}
