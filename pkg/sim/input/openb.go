package input

import (
	"fmt"
	"path/filepath"
	"strings"

	v1 "k8s.io/api/core/v1"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/sim"
	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/input/csvfile"
	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/input/textfile"
	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/input/warning"
)

// PodList is a list of pods, of which only their shapes count: CPU, memory and number of
// GPUs.
type PodList struct {
	// Name is what the file is called, without what tells its format.
	Name   string
	shapes []shape
}

// The largest values of lists: amount.Limit in their units, and more devices than a
// node can have.
const (
	mostMilliCPU = amount.Limit
	mostMebibyte = amount.Limit >> 20
	mostDevices  = 1 << 20
)

// What is left out of lists.
const (
	nodesWithoutResources warning.Kind = "nodes without CPU or memory are left out"
	nodesListedTwice      warning.Kind = "nodes that come twice are taken once"
	nodesNotRead          warning.Kind = "lines of nodes that cannot be read are left out"
	podsTooLarge          warning.Kind = "pods that no node has room for are left out"
	podsNotRead           warning.Kind = "lines of pods that cannot be read are left out"
)

// Openb joins a list of nodes (see ReadNodes) and a list of pods (see ReadPods) with use
// over time in the format of the PlanetLab trace. See Model for when pods come.
func Openb(nodesFile, podsFile, seriesFile string, m Model, seed uint64, warnings *warning.List) (*sim.Scenario, error) {
	nodes, err := ReadNodes(nodesFile, warnings)
	if err != nil {
		return nil, err
	}
	pods, err := ReadPods(podsFile, nodes, warnings)
	if err != nil {
		return nil, err
	}
	series, err := readSeries(seriesFile, warnings)
	if err != nil {
		return nil, err
	}
	return m.populate(pods.Name+" x "+nameOf(seriesFile), nodes, pods.shapes, series, seed)
}

// nameOf returns what a file is called, without what tells its format.
func nameOf(file string) string {
	name := filepath.Base(file)
	for _, extension := range []string{".gz", ".csv", ".json", ".yaml", ".yml"} {
		if strings.EqualFold(filepath.Ext(name), extension) {
			name = name[:len(name)-len(extension)]
		}
	}
	return name
}

// ReadNodes reads a list of nodes in the format of Alibaba's openb trace: CSV (see
// csvfile), perhaps compressed by gzip, with the columns sn, cpu_milli, memory_mib, gpu
// and, if it is known, model. At least one node has a device. Lines that cannot be read
// are left out, with a warning.
func ReadNodes(file string, warnings *warning.List) ([]*v1.Node, error) {
	text, err := textfile.Read(file)
	if err != nil {
		return nil, err
	}
	return nodesIn(text, warnings)
}

func nodesIn(file *textfile.File, warnings *warning.List) ([]*v1.Node, error) {
	t, err := csvfile.Open(file, "sn", "cpu_milli", "memory_mib", "gpu")
	if err != nil {
		return nil, err
	}
	var nodes []*v1.Node
	var left warning.List
	seen := map[string]string{} // where nodes are listed
	for rows := 0; ; rows++ {
		if ok, err := t.Next(); err != nil {
			return nil, err
		} else if !ok {
			return nodes, warnings.Settle(&left, checkNodes(file.Name, rows, nodes))
		}
		name, cpu, memory, devices := t.Text("sn"), t.Whole("cpu_milli", 0, mostMilliCPU), t.Whole("memory_mib", 0, mostMebibyte), t.Whole("gpu", 0, mostDevices)
		switch {
		case t.Err() != nil:
			left.AddError(nodesNotRead, t.Err(), called("node", name)+" is left out")
			continue
		case name == "":
			left.AddError(nodesNotRead, t.Errorf("sn is empty: each node must have a name"), "it is left out")
			continue
		case seen[name] != "":
			left.Add(nodesListedTwice, t.Where(), "node %s is listed before, at %s: that counts, this line is left out", name, seen[name])
			continue
		case cpu == 0 || memory == 0:
			left.Add(nodesWithoutResources, t.Where(), "node %s has %d millicores and %d MiB: it is left out", name, cpu, memory)
			continue
		}
		seen[name] = t.Where()
		nodes = append(nodes, newNode(name, cpu, memory<<20, devices, t.Text("model")))
	}
}

func checkNodes(file string, rows int, nodes []*v1.Node) error {
	switch {
	case rows == 0:
		return fmt.Errorf("%s: there are no nodes in it: each line after the first must be one that has CPU and memory", file)
	case len(nodes) == 0:
		return fmt.Errorf("%s: none of the %d nodes in it can be used", file, rows)
	case devicesOf(nodes) > 0:
		return nil
	case len(nodes) < rows:
		return fmt.Errorf("%s: no node that can be used has a device: column gpu must be above 0 in a line that is not left out", file)
	}
	return fmt.Errorf("%s: no node has a device: column gpu is 0 in all lines, and must be above it in one", file)
}

// ReadPods reads a list of pods for the nodes in the format of Alibaba's openb trace: CSV
// (see csvfile), perhaps compressed by gzip, with the columns name, cpu_milli, memory_mib
// and num_gpu. Pods that fit on no node are left out, and so are lines that cannot be read.
//
// A share of a GPU (gpu_milli below 1000) counts as a whole one, because extended
// resources have no shares. GPU models that a pod asks for are not considered, nor are
// the times of the list.
func ReadPods(file string, nodes []*v1.Node, warnings *warning.List) (*PodList, error) {
	text, err := textfile.Read(file)
	if err != nil {
		return nil, err
	}
	return podsIn(text, nodes, warnings)
}

func podsIn(file *textfile.File, nodes []*v1.Node, warnings *warning.List) (*PodList, error) {
	t, err := csvfile.Open(file, "name", "cpu_milli", "memory_mib", "num_gpu")
	if err != nil {
		return nil, err
	}
	var shapes []shape
	var left warning.List
	for rows := 0; ; rows++ {
		if ok, err := t.Next(); err != nil {
			return nil, err
		} else if !ok {
			err := checkPods(file.Name, rows, len(shapes), left.Count(podsTooLarge))
			return &PodList{Name: nameOf(file.Name), shapes: shapes}, warnings.Settle(&left, err)
		}
		s := shape{cpu: t.Whole("cpu_milli", 0, mostMilliCPU), memory: t.Whole("memory_mib", 0, mostMebibyte) << 20, devices: t.Whole("num_gpu", 0, mostDevices)}
		switch {
		case t.Err() != nil:
			left.AddError(podsNotRead, t.Err(), called("pod", t.Text("name"))+" is left out")
		case !s.fitsAny(nodes):
			left.Add(podsTooLarge, t.Where(), "no node has room for pod %s: %d millicores, %d MiB and %d GPUs; it is left out", t.Text("name"), s.cpu, s.memory>>20, s.devices)
		default:
			shapes = append(shapes, s)
		}
	}
}

// checkPods reports that of all pods, one a row, none is taken.
func checkPods(file string, rows, taken, tooLarge int) error {
	switch {
	case taken > 0:
		return nil
	case rows > tooLarge:
		return fmt.Errorf("%s: none of the %d pods in it can be used", file, rows)
	case rows > 0:
		return fmt.Errorf("%s: no node has room for any of the %d pods in it: are the nodes those of another cluster?", file, rows)
	}
	return fmt.Errorf("%s: there are no pods in it: each line after the first must be one", file)
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
