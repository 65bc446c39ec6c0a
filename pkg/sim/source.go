package sim

import (
	"context"

	"k8s.io/apimachinery/pkg/types"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load"
	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/world"
)

// source is the simulated metrics-server as a source of the load model.
type source struct {
	clock    *world.Clock
	machines []*world.Machine
	metrics  *world.MetricsServer
	// taskOf returns what a pod does; nil if there is no such pod.
	taskOf func(types.NamespacedName) *world.Task
}

var _ load.PodSource = &source{}

// Poll implements load.Source.
func (s *source) Poll(context.Context) ([]load.Reading, error) {
	readings := make([]load.Reading, 0, len(s.machines))
	for _, m := range s.machines {
		if sample, ok := s.metrics.Node(m); ok {
			readings = append(readings, s.reading(m.Name, sample))
		}
	}
	return readings, nil
}

// PollPods implements load.PodSource.
func (s *source) PollPods(_ context.Context, pods []types.NamespacedName) ([]load.PodReading, error) {
	readings := make([]load.PodReading, 0, len(pods))
	for _, name := range pods {
		task := s.taskOf(name)
		if task == nil {
			continue
		}
		if sample, ok := s.metrics.Pod(task); ok {
			readings = append(readings, load.PodReading{Pod: name, Reading: s.reading("", sample)})
		}
	}
	return readings, nil
}

func (s *source) reading(node string, sample world.Sample) load.Reading {
	return load.Reading{
		Node: node, Timestamp: s.clock.Time(sample.End), Window: sample.Window,
		Usage: [amount.NumResources]float64{amount.CPU: sample.CPU, amount.Memory: sample.Memory},
	}
}
