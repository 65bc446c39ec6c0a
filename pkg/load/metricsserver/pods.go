package metricsserver

import (
	"context"
	"errors"
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
	failures := make([]error, len(pods))
	var group errgroup.Group // without a context: a request that fails ends no other
	group.SetLimit(concurrency)
	for i, pod := range pods {
		group.Go(func() error {
			found[i], failures[i] = s.get(ctx, pod)
			return nil
		})
	}
	_ = group.Wait() // the errors are in failures
	readings := make([]load.PodReading, 0, len(pods))
	for i, metrics := range found {
		if metrics != nil {
			readings = append(readings, load.PodReading{Pod: pods[i], Reading: podReadingOf(metrics)})
		}
	}
	return readings, summarize(ctx, failures)
}

// get returns the pod's metrics, nil if there are none: the pod is not scraped
// yet, or gone. If ctx has ended, its error is returned as it is.
func (s *Source) get(ctx context.Context, pod types.NamespacedName) (*v1beta1.PodMetrics, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	metrics, err := s.client.PodMetricses(pod.Namespace).Get(ctx, pod.Name, metav1.GetOptions{})
	switch {
	case err == nil:
		return metrics, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case apierrors.IsNotFound(err) && !isMissing(err):
		return nil, nil
	}
	return nil, explain("get PodMetrics "+pod.String(), err)
}

// maxFailures bounds how many errors of single pods are told.
const maxFailures = 3

// summarize returns one error for all failures, which has an entry for each pod,
// nil if there is none. Those that came of the end of ctx are told as one.
func summarize(ctx context.Context, failures []error) error {
	var told []error
	single, late := 0, 0
	for _, err := range failures {
		switch {
		case err == nil:
		case errors.Is(err, ctx.Err()):
			late++
		default:
			if single++; single <= maxFailures {
				told = append(told, err)
			}
		}
	}
	if single > maxFailures {
		told = append(told, fmt.Errorf("and %d more", single-maxFailures))
	}
	if late > 0 {
		told = append(told, fmt.Errorf("%d were not answered in time: %w", late, ctx.Err()))
	}
	if len(told) == 0 {
		return nil
	}
	return fmt.Errorf("%d of %d pods could not be read: %w", single+late, len(failures), errors.Join(told...))
}

// ListPods implements load.PodLister, with one list of all namespaces. Ask
// seldom: at about 200 bytes a container, the answer for 100,000 pods is 20 MB
// or more.
func (s *Source) ListPods(ctx context.Context) ([]load.PodReading, error) {
	list, err := s.client.PodMetricses(metav1.NamespaceAll).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, explain("list PodMetrics", err)
	}
	readings := make([]load.PodReading, len(list.Items))
	for i := range list.Items {
		metrics := &list.Items[i]
		readings[i] = load.PodReading{
			Pod:     types.NamespacedName{Namespace: metrics.Namespace, Name: metrics.Name},
			Reading: podReadingOf(metrics),
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
