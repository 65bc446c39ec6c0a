package input

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	v1 "k8s.io/api/core/v1"

	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/input/textfile"
	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/input/warning"
)

// TestFilesAsPeopleHaveThem reads all files of testdata and compares what is read of
// each and said about it with testdata/read.txt. To write what comes out there and read
// the difference:
//
//	REWRITE=1 go test -run TestFilesAsPeopleHaveThem ./pkg/sim/input
func TestFilesAsPeopleHaveThem(t *testing.T) {
	t.Chdir("testdata")
	var got strings.Builder
	for _, dir := range []string{"nodes", "pods", "series", "clusters"} {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range entries {
			fmt.Fprintf(&got, "%s", said(t, filepath.ToSlash(filepath.Join(dir, entry.Name()))))
		}
	}
	if os.Getenv("REWRITE") != "" {
		if err := os.WriteFile("read.txt", []byte(got.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("read.txt")
	if err != nil {
		t.Fatal(err)
	}
	compareBlocks(t, got.String(), string(want))
}

// compareBlocks compares texts block by block; a block is what is said of a file.
func compareBlocks(t *testing.T, got, want string) {
	t.Helper()
	blocks := func(text string) map[string]string {
		all := map[string]string{}
		for block := range strings.SplitSeq(text, "\n\n") {
			file, what, _ := strings.Cut(block, "\n")
			all[file] = what
		}
		return all
	}
	is, should := blocks(got), blocks(want)
	for _, file := range slices.Sorted(maps.Keys(is)) {
		if is[file] != should[file] {
			t.Errorf("%s: it is said\n%s\nand should be\n%s", file, is[file], should[file])
		}
		delete(should, file)
	}
	for file := range should {
		t.Errorf("%s: is in read.txt and not in testdata", file)
	}
}

// said returns what is read of a file, and said about it.
func said(t *testing.T, file string) string {
	t.Helper()
	var warnings warning.List
	kind, _, _ := strings.Cut(file, "/")
	text, err := map[string]func(string, *warning.List) (string, error){
		"nodes": saidOfNodes, "pods": saidOfPods, "series": saidOfSeries, "clusters": saidOfCluster,
	}[kind](file, &warnings)
	if err != nil {
		text = "error: " + err.Error() + "\n"
	}
	var lines strings.Builder
	warnings.Print(&lines)
	text = lines.String() + text
	return file + "\n  " + strings.ReplaceAll(strings.TrimSuffix(text, "\n"), "\n", "\n  ") + "\n\n"
}

func saidOfNodes(file string, warnings *warning.List) (string, error) {
	nodes, err := ReadNodes(file, warnings)
	text := ""
	for _, node := range nodes {
		allocatable := node.Status.Allocatable
		devices := allocatable[gpu]
		text += fmt.Sprintf("%s: cpu %s, memory %s, devices %s, model %q\n",
			node.Name, allocatable.Cpu(), allocatable.Memory(), devices.String(), node.Labels["nvidia.com/gpu.product"])
	}
	return text, err
}

func saidOfPods(file string, warnings *warning.List) (string, error) {
	pods, err := ReadPods(file, []*v1.Node{newNode("large", 64000, 256<<30, 8, "")}, warnings)
	if err != nil {
		return "", err
	}
	text := ""
	for _, s := range pods.shapes {
		text += fmt.Sprintf("%dm, %d MiB, %d devices\n", s.cpu, s.memory>>20, s.devices)
	}
	return text, nil
}

func saidOfSeries(file string, warnings *warning.List) (string, error) {
	series, err := readSeries(file, warnings)
	text := ""
	for _, values := range series {
		text += strings.Trim(fmt.Sprint(values), "[]") + "\n"
	}
	return text, err
}

func saidOfCluster(path string, warnings *warning.List) (string, error) {
	files, err := readFiles(path)
	if err != nil {
		return "", err
	}
	return saidOfFiles(path, files, warnings)
}

func saidOfFiles(path string, files []*textfile.File, warnings *warning.List) (string, error) {
	s, err := newSnapshot(path, files, warnings)
	if err != nil {
		return "", err
	}
	model := Calm()
	remainders, text := s.remainders(), ""
	for _, node := range s.nodes {
		allocatable := node.Status.Allocatable
		text += fmt.Sprintf("node %s: cpu %s, memory %s, pods %s", node.Name, allocatable.Cpu(), allocatable.Memory(), allocatable.Pods())
		if rest, ok := s.background()[node.Name]; ok {
			text += fmt.Sprintf("; beside its pods %.3g cores and %d MiB are in use", rest.CPU, rest.Memory>>20)
		}
		text += "\n"
	}
	for _, pod := range s.pods {
		use := s.useOf(pod, remainders[pod.Spec.NodeName], &model)
		text += fmt.Sprintf("pod %s on %q uses %.3g cores and %.0f MiB\n", nameOfPod(pod), pod.Spec.NodeName, use.cpu, use.memory/(1<<20))
	}
	return text, nil
}
