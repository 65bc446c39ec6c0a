package input

import (
	"path/filepath"

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
	// ended are pods that have ended. They are of interest only with a recording, when
	// withEnded is set: then it need not have other pods.
	ended     []*v1.Pod
	withEnded bool
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
// are. Pods that have ended do not come, nor do those on nodes that are not there. Objects
// that cannot be read or cannot be are left out, each with a warning; if no node, pod or
// reading remains, the error says why.
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
	return s.populate(nameOf(filepath.Clean(path)), &m, seed), nil
}

// newSnapshot returns what is in the files.
func newSnapshot(path string, files []*textfile.File, warnings *warning.List) (*snapshot, error) {
	return snapshotBy((*snapshot).take, path, files, warnings)
}

// taking is a way to take what matters from objects.
type taking func(s *snapshot, path string, from *objects, warnings *warning.List) error

// snapshotBy returns what take takes from the files.
func snapshotBy(take taking, path string, files []*textfile.File, warnings *warning.List) (*snapshot, error) {
	found, err := objectsIn(files)
	if err != nil {
		return nil, err
	}
	s := &snapshot{}
	if err := warnings.Settle(&found.left, take(s, path, found, warnings)); err != nil {
		return nil, err
	}
	return s, nil
}

// take takes the objects that can be used.
func (s *snapshot) take(path string, from *objects, warnings *warning.List) error {
	known, err := s.takeNodes(path, from, warnings)
	if err != nil {
		return err
	}
	if err := s.takePods(path, from, known, warnings); err != nil {
		return err
	}
	if err := s.takeReadings(path, from, known, warnings); err != nil {
		return err
	}
	s.warn(path, warnings)
	return nil
}
