package metricsserver

import (
	"context"
	"fmt"
	"math"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/metrics/pkg/apis/metrics/v1beta1"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load"
)

// concurrency is how many PodMetrics are asked for at a time.
const concurrency = 8

// PollPods implements load.PodSource, with one request a pod: the API has no
// list of some pods only, and a list of all would be large.
func (s *Source) PollPods(ctx context.Context, pods []types.NamespacedName) ([]load.PodReading, error) {
	found := make([]*v1beta1.PodMetrics, len(pods))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(concurrency)
	for i, pod := range pods {
		group.Go(func() error {
			metrics, err := s.client.PodMetricses(pod.Namespace).Get(ctx, pod.Name, metav1.GetOptions{})
			if apierrors.IsNotFound(err) {
				return nil // not scraped yet, or gone
			}
			if err != nil {
				return fmt.Errorf("get PodMetrics %s of metrics.k8s.io: %w", pod, err)
			}
			found[i] = metrics
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	readings := make([]load.PodReading, 0, len(pods))
	for i, metrics := range found {
		if metrics != nil {
			readings = append(readings, load.PodReading{Pod: pods[i], Reading: podReadingOf(metrics)})
		}
	}
	return readings, nil
}

// podReadingOf adds up the pod's containers. A container without a value makes
// the sum unknown.
func podReadingOf(metrics *v1beta1.PodMetrics) load.Reading {
	reading := load.Reading{Timestamp: metrics.Timestamp.Time, Window: metrics.Window.Duration}
	for r := range amount.NumResources {
		if len(metrics.Containers) == 0 {
			reading.Usage[r] = math.NaN()
		}
		for i := range metrics.Containers {
			reading.Usage[r] += usageOf(metrics.Containers[i].Usage, r.Name())
		}
	}
	return reading
}
