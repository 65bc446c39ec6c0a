package prometheus

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/prometheus/common/model"
	"golang.org/x/sync/errgroup"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load"
)

// measurement is the value of one series.
type measurement struct {
	usage float64 // in cores or bytes; NaN if it cannot be used
	at    time.Time
}

func (m measurement) usable() bool { return !math.IsNaN(m.usage) && !math.IsInf(m.usage, 0) }

// values are the measurements of one answer, by the node or pod that they are of.
type values[K comparable] map[K]measurement

// answers are the values of each resource.
type answers[K comparable] [amount.NumResources]values[K]

// ask has query ask for each resource, at once. It fails if one does: with a
// resource missing nothing is known of anything.
func ask[K comparable](ctx context.Context, query func(context.Context, amount.Resource) (values[K], error)) (answers[K], error) {
	var all answers[K]
	group, ctx := errgroup.WithContext(ctx)
	for r := range amount.NumResources {
		group.Go(func() (err error) {
			all[r], err = query(ctx, r)
			return err
		})
	}
	return all, group.Wait()
}

// valuesOf returns the values of the vector by their key. Series without the
// labels of a key are kept as those of the zero key, for the load model to count
// as unknown. It is an error if nothing can be used: that is a fault of the
// expression or of the labels, not of a node or a pod.
func valuesOf[K comparable](vector model.Vector, keyOf func(model.Metric) K, labels string) (values[K], error) {
	found := make(values[K], len(vector))
	for _, sample := range vector {
		key := keyOf(sample.Metric)
		measured := measurement{usage: float64(sample.Value), at: sample.Timestamp.Time()}
		_, repeated := found[key] // which of them is the node's or pod's?
		// The library leaves the value of a histogram, and of a series without
		// a value, at zero.
		if repeated || sample.Histogram != nil || sample.Timestamp <= 0 {
			measured.usage = math.NaN()
		}
		found[key] = measured
	}
	var none K
	for key, measured := range found {
		if key != none && measured.usable() {
			return found, nil
		}
	}
	return nil, fmt.Errorf("none of %d series has a finite value and %s; the first is %s", len(vector), labels, vector[0])
}

// readings makes one reading a node or pod of the answers. What is missing in
// one has no usage of that resource.
func (a answers[K]) readings(window time.Duration) map[K]load.Reading {
	readings := map[K]load.Reading{}
	for r, found := range a {
		for key, measured := range found {
			reading, ok := readings[key]
			if !ok {
				reading = load.Reading{Timestamp: measured.at, Window: window}
				for r := range reading.Usage {
					reading.Usage[r] = math.NaN()
				}
			}
			// The queries are evaluated a little apart. With the earlier time no
			// value is from before the reading's window.
			if measured.at.Before(reading.Timestamp) {
				reading.Timestamp = measured.at
			}
			reading.Usage[r] = measured.usage
			readings[key] = reading
		}
	}
	return readings
}
