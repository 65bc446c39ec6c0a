package input

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/plimsoll-scheduler/plimsoll/pkg/sim"
	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/input/textfile"
	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/input/warning"
)

// snapshot is what a cluster was at a moment.
type snapshot struct {
	nodes []*v1.Node
	pods  []*v1.Pod
	// nodeUse and podUse are what was measured, by node and by pod.
	nodeUse map[string]usage
	podUse  map[types.NamespacedName]usage
}

// usage is what a node or a pod was measured to use: cores and bytes.
type usage struct{ cpu, memory float64 }

// Snapshot makes a scenario of a cluster: a directory with
//
//	kubectl get nodes -o json > nodes.json
//	kubectl get pods --all-namespaces -o json > pods.json
//	kubectl get nodes.metrics.k8s.io -o json > nodemetrics.json
//	kubectl get pods.metrics.k8s.io --all-namespaces -o json > podmetrics.json
//
// of which the last may be missing. What an object is its kind tells, not its file: all
// files *.json, *.yaml and *.yml of the directory are read, perhaps compressed by gzip,
// and each may have objects of several kinds. Path may also be a single such file.
//
// The pods of the cluster come anew to its nodes, in the order in which they were
// created, over the model's FillTime. Then, for ChurnTime, pods end and replicas of the
// cluster's pods come in their place. Pods of DaemonSets and static pods run where they
// are. Pods that have ended do not come, nor do those on nodes that are not there.
//
// A pod uses what it was measured to use. What remains of its node's measured use is
// that of the node's other pods, in proportion to what they request, or if all are
// measured of something beside them. The use of a workload is the mean over its pods.
// How it changes over time is the model's (burstiness, generated series). Where nothing
// was measured, a pod uses UseMedian of its request. Persistent volumes, resource claims
// and scheduling gates of pods are left out. UIDs that are missing are made up.
func Snapshot(path string, m Model, seed uint64, warnings *warning.List) (*sim.Scenario, error) {
	if err := m.validate(); err != nil {
		return nil, err
	}
	files, err := readFiles(path)
	if err != nil {
		return nil, err
	}
	s, err := newSnapshot(path, files, warnings)
	if err != nil {
		return nil, err
	}
	return s.populate(nameOf(filepath.Clean(path)), &m, seed)
}

// newSnapshot returns what is in the files.
func newSnapshot(path string, files []*textfile.File, warnings *warning.List) (*snapshot, error) {
	found, err := objectsIn(files, warnings)
	if err != nil {
		return nil, err
	}
	s := &snapshot{}
	known, err := s.takeNodes(path, found, warnings)
	if err != nil {
		return nil, err
	}
	if err := s.takePods(path, found, known, warnings); err != nil {
		return nil, err
	}
	if err := s.takeReadings(path, found, known, warnings); err != nil {
		return nil, err
	}
	s.warn(path, warnings)
	return s, nil
}

// printed is a kind of object and what kubectl prints it with.
type printed struct {
	kind, stem string // stem is what a file of it is called, but for its extension
	resource   string // as kubectl get has it
}

func printedKinds() []printed {
	return []printed{
		{"Node", "nodes", "nodes"},
		{"Pod", "pods", "pods --all-namespaces"},
		{"NodeMetrics", "nodemetrics", "nodes.metrics.k8s.io"},
		{"PodMetrics", "podmetrics", "pods.metrics.k8s.io --all-namespaces"},
	}
}

// command returns how objects of the kind are put into a snapshot.
func command(path, kind string) string {
	for _, p := range printedKinds() {
		if p.kind != kind {
			continue
		}
		text := "kubectl get " + p.resource + " -o json"
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			text += " > " + filepath.Join(path, p.stem+".json")
		}
		return text
	}
	return "kubectl get"
}

// readFiles returns the files of a snapshot, in the order of their names.
func readFiles(path string) ([]*textfile.File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	names := []string{path}
	if info.IsDir() {
		if names, err = filesIn(path); err != nil {
			return nil, err
		}
	}
	files := make([]*textfile.File, 0, len(names))
	for _, name := range names {
		file, err := textfile.Read(name)
		if err != nil {
			return nil, err
		}
		if file.Empty() {
			return nil, fmt.Errorf("%s: the file is empty: make it anew, by %s", name, remedy(path, name))
		}
		files = append(files, file)
	}
	return files, nil
}

// remedy returns how the file is made.
func remedy(path, name string) string {
	if kind := kindOf(name); kind != "" {
		return command(path, kind)
	}
	return "kubectl get ... -o json"
}

// filesIn returns which files of a directory are read.
func filesIn(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, entry := range entries {
		if name := entry.Name(); !entry.IsDir() && !strings.HasPrefix(name, ".") && (hasFormat(name) || kindOf(name) != "") {
			names = append(names, filepath.Join(dir, name))
		}
	}
	if len(names) == 0 {
		err := errors.New("there is no file *.json or *.yaml in it: make them by")
		for _, p := range printedKinds() {
			err = fmt.Errorf("%w\n  %s", err, command(dir, p.kind))
		}
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	return names, nil
}

// hasFormat reports whether the name of a file says that it is JSON or YAML.
func hasFormat(name string) bool {
	name = strings.TrimSuffix(strings.ToLower(name), ".gz")
	switch filepath.Ext(name) {
	case ".json", ".yaml", ".yml":
		return true
	}
	return false
}

// kindOf returns the kind of object that the name of a file tells, or "".
func kindOf(name string) string {
	stem, _, _ := strings.Cut(strings.ToLower(filepath.Base(name)), ".")
	for _, p := range printedKinds() {
		if p.stem == stem {
			return p.kind
		}
	}
	return ""
}
