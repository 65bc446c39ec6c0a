package input

import (
	"maps"
	"slices"
	"strings"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load"
	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/input/warning"
)

// Cluster is a cluster as a snapshot has it.
type Cluster struct {
	Nodes       []*v1.Node
	Pods        []*v1.Pod
	Readings    []load.Reading
	PodReadings []load.PodReading
	// Now is when the snapshot was made: the newest time in its objects.
	Now time.Time
}

// window is that of readings, metrics-server's.
const window = 15 * time.Second

// ReadCluster reads a snapshot (see Snapshot) as it is. Readings count as those of Now.
func ReadCluster(path string, warnings *warning.List) (*Cluster, error) {
	files, err := readFiles(path)
	if err != nil {
		return nil, err
	}
	s, err := newSnapshot(path, files, warnings)
	if err != nil {
		return nil, err
	}
	c := &Cluster{Nodes: s.nodes, Pods: s.pods, Now: s.newest()}
	reading := func(use usage) load.Reading {
		return load.Reading{Timestamp: c.Now, Window: window, Usage: [amount.NumResources]float64{amount.CPU: use.cpu, amount.Memory: use.memory}}
	}
	for _, name := range slices.Sorted(maps.Keys(s.nodeUse)) {
		r := reading(s.nodeUse[name])
		r.Node = name
		c.Readings = append(c.Readings, r)
	}
	for _, name := range slices.SortedFunc(maps.Keys(s.podUse), func(a, b types.NamespacedName) int { return strings.Compare(a.String(), b.String()) }) {
		c.PodReadings = append(c.PodReadings, load.PodReading{Pod: name, Reading: reading(s.podUse[name])})
	}
	return c, nil
}

// newest returns the newest time in the snapshot's objects; without one, that of now.
func (s *snapshot) newest() (newest time.Time) {
	see := func(t time.Time) {
		if t.After(newest) {
			newest = t
		}
	}
	for _, node := range s.nodes {
		for i := range node.Status.Conditions {
			see(node.Status.Conditions[i].LastHeartbeatTime.Time)
		}
	}
	for _, pod := range s.pods {
		see(pod.CreationTimestamp.Time)
		for i := range pod.Status.ContainerStatuses {
			if running := pod.Status.ContainerStatuses[i].State.Running; running != nil {
				see(running.StartedAt.Time)
			}
		}
	}
	if newest.IsZero() {
		return time.Now()
	}
	return newest
}
