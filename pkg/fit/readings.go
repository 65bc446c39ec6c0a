package fit

import (
	"context"

	"k8s.io/apimachinery/pkg/types"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load"
)

// readings is a source that says again and again what was measured once.
type readings struct {
	nodes []load.Reading
	pods  map[types.NamespacedName]load.PodReading
}

var _ load.PodSource = &readings{}

// Poll implements load.Source.
func (r *readings) Poll(context.Context) ([]load.Reading, error) { return r.nodes, nil }

// PollPods implements load.PodSource.
func (r *readings) PollPods(_ context.Context, pods []types.NamespacedName) (all []load.PodReading, err error) {
	for _, name := range pods {
		if reading, ok := r.pods[name]; ok {
			all = append(all, reading)
		}
	}
	return all, nil
}

func amountsOf(v amount.Vector) Amounts {
	return Amounts{CPU: amount.CPU.InUnits(v[amount.CPU]), Memory: amount.Memory.InUnits(v[amount.Memory])}
}
