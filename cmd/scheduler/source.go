package main

import (
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
	source, err = prometheus.New(prometheusConfig(from))
	return source, "Check that the expressions of source.prometheus.queries have a series for each node, with the node's name in the label " +
		from.NodeLabel + ", on " + from.Address, err
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
