// Package metricsserver is the load source that reads NodeMetrics and PodMetrics
// from the metrics.k8s.io API, which metrics-server or an adapter serves.
package metricsserver

import (
	"context"
	"fmt"
	"math"

	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"k8s.io/metrics/pkg/apis/metrics/v1beta1"
	metricsclient "k8s.io/metrics/pkg/client/clientset/versioned/typed/metrics/v1beta1"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load"
)

// Source polls NodeMetrics, all nodes with one list call, and PodMetrics, all
// pods with one list call or single ones with a call each.
type Source struct {
	client metricsclient.MetricsV1beta1Interface
}

var (
	_ load.PodSource = &Source{}
	_ load.PodLister = &Source{}
)

// New returns a source for the API server that kubeConfig leads to. It makes
// no connection yet.
func New(kubeConfig *rest.Config) (*Source, error) {
	config := rest.CopyConfig(kubeConfig)
	// Protobuf is smaller and cheaper to decode; JSON stays acceptable for
	// adapters that know nothing else.
	config.ContentType = runtime.ContentTypeProtobuf
	config.AcceptContentTypes = runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON
	client, err := metricsclient.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("client for metrics.k8s.io: %w", err)
	}
	return &Source{client: client}, nil
}

// Poll implements load.Source.
func (s *Source) Poll(ctx context.Context) ([]load.Reading, error) {
	list, err := s.client.NodeMetricses().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, explain("list NodeMetrics", err)
	}
	readings := make([]load.Reading, len(list.Items))
	for i := range list.Items {
		readings[i] = readingOf(&list.Items[i])
	}
	return readings, nil
}

func readingOf(metrics *v1beta1.NodeMetrics) load.Reading {
	reading := load.Reading{Node: metrics.Name, Timestamp: metrics.Timestamp.Time, Window: metrics.Window.Duration}
	for r := range amount.NumResources {
		reading.Usage[r] = usageOf(metrics.Usage, r.Name())
	}
	return reading
}

func usageOf(usage v1.ResourceList, name v1.ResourceName) float64 {
	quantity, ok := usage[name]
	if !ok {
		return math.NaN()
	}
	return quantity.AsApproximateFloat64()
}

// isMissing reports whether what was not found is the API itself.
func isMissing(err error) bool {
	return apierrors.IsNotFound(err) && apierrors.IsUnexpectedServerError(err)
}

// explain adds to an error what was asked for, and what to look at if nobody
// serves the API.
func explain(asked string, err error) error {
	if isMissing(err) {
		return fmt.Errorf("%s: the API server does not serve metrics.k8s.io/v1beta1, so metrics-server may be missing: %w: %w", asked, load.ErrNotServed, err)
	}
	return fmt.Errorf("%s of metrics.k8s.io: %w", asked, err)
}
