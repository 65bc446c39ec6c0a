package main

import (
	"context"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/apis/config"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load/metricsserver"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load/prometheus"
)

// newSource returns the source that args choose, and what to check when it
// reports no node.
func newSource(args *config.NodeLoadArgs, kubeConfig *rest.Config) (source load.Source, remedy string, err error) {
	from := args.Source.Prometheus
	if from == nil {
		source, err = metricsserver.New(kubeConfig)
		return source, "Check that metrics-server runs and answers `kubectl top nodes`", err
	}
	source, err = newPrometheusSource(from, kubeConfig)
	return source, "Check that the expressions of source.prometheus.queries have a series for each node, with the node's name in the label " +
		from.NodeLabel + ", on " + from.Address, err
}

// podReader reads what pods use.
type podReader interface {
	PollPods(ctx context.Context, pods []types.NamespacedName) ([]load.PodReading, error)
	ListPods(ctx context.Context) ([]load.PodReading, error)
}

// separateSource reads nodes from one source and pods from another. A failure of
// one is none of the other.
type separateSource struct {
	load.Source
	podReader
}

var (
	_ load.PodSource = separateSource{}
	_ load.PodLister = separateSource{}
)

// newPrometheusSource returns the source that reads nodes from Prometheus, and
// pods from it, too, if there are expressions for them; else from metrics-server.
func newPrometheusSource(from *config.Prometheus, kubeConfig *rest.Config) (load.Source, error) {
	nodes, err := prometheus.New(prometheusConfig(from))
	if err != nil {
		return nil, err
	}
	if from.PodQueries != nil {
		return separateSource{Source: nodes, podReader: nodes.Pods(podConfig(from))}, nil
	}
	pods, err := metricsserver.New(kubeConfig)
	if err != nil {
		return nil, err
	}
	return separateSource{Source: nodes, podReader: pods}, nil
}

func prometheusConfig(from *config.Prometheus) prometheus.Config {
	cfg := prometheus.Config{
		Address:            from.Address,
		BearerTokenFile:    from.BearerTokenFile,
		CAFile:             from.CAFile,
		CertFile:           from.CertFile,
		KeyFile:            from.KeyFile,
		ServerName:         from.ServerName,
		InsecureSkipVerify: from.InsecureSkipVerify,
		NodeLabel:          from.NodeLabel,
		Window:             from.Window,
	}
	for r := range amount.NumResources {
		cfg.Expressions[r] = from.Expression(string(r.Name()))
	}
	return cfg
}

func podConfig(from *config.Prometheus) prometheus.PodConfig {
	return prometheus.PodConfig{
		NamespaceLabel: from.NamespaceLabel,
		PodLabel:       from.PodLabel,
		Expression: func(r amount.Resource, names string) string {
			return from.PodExpression(string(r.Name()), names)
		},
	}
}
