package main

import (
	"context"
	"os"

	"k8s.io/client-go/rest"
	"k8s.io/component-base/metrics/legacyregistry"
	"k8s.io/klog/v2"
	appconfig "k8s.io/kubernetes/cmd/kube-scheduler/app/config"
	"k8s.io/utils/clock"

	"github.com/plimsoll-scheduler/plimsoll/pkg/apis/config"
	"github.com/plimsoll-scheduler/plimsoll/pkg/compat"
	"github.com/plimsoll-scheduler/plimsoll/pkg/selfcheck"
)

// Environment variables by which the manifests tell which pod this is.
const podName, podNamespace = "POD_NAME", "POD_NAMESPACE"

// checkSelf has it looked for what is wrong around the scheduler, until ctx ends.
func checkSelf(ctx context.Context, cc *appconfig.CompletedConfig, profiles config.Profiles) {
	logger := klog.LoggerWithName(klog.FromContext(ctx), "selfcheck")
	var report func(context.Context, string, selfcheck.Finding)
	if name, namespace := os.Getenv(podName), os.Getenv(podNamespace); name != "" && namespace != "" {
		report = selfcheck.EventsOn(cc.Client, namespace, name, clock.RealClock{})
	}
	checker := selfcheck.New(checksOf(cc, profiles), report, clock.RealClock{})
	legacyregistry.MustRegister(checker.Metrics()...)
	go checker.Run(klog.NewContext(ctx, logger))
}

// checksOf returns the checks for the configuration.
func checksOf(cc *appconfig.CompletedConfig, profiles config.Profiles) []selfcheck.Check {
	args := profiles.Shared()
	rights := []selfcheck.Right{
		{Resource: "nodes", Verb: "list", For: "no node is known"},
		{Resource: "nodes", Verb: "watch", For: "nodes are not known as they change"},
		{Resource: "pods", Verb: "list", For: "no pod is known"},
		{Resource: "pods", Verb: "watch", For: "pods are not known as they change"},
		{Resource: "pods", Subresource: "binding", Verb: "create", For: "no pod gets a node"},
		{Resource: "pods", Subresource: "status", Verb: "patch", For: "pods that wait do not say why"},
		{Resource: "pods", Verb: "delete", For: "no pod is preempted"},
		{Group: "events.k8s.io", Resource: "events", Verb: "create", For: "there are no events"},
	}
	checks := []selfcheck.Check{selfcheck.Version(cc.Client, compat.Minor)}
	if len(profiles) > 0 && args.Source.Type == config.MetricsServer {
		rights = append(rights,
			selfcheck.Right{Group: "metrics.k8s.io", Resource: "nodes", Verb: "list", For: "load is not measured"},
			selfcheck.Right{Group: "metrics.k8s.io", Resource: "pods", Verb: "get", For: "nothing is learned of what pods use"},
			selfcheck.Right{Group: "metrics.k8s.io", Resource: "pods", Verb: "list", For: "nothing is learned of the pods that are there at the start"})
		checks = append(checks, selfcheck.MetricsAPI(cc.Client))
	}
	if election := &cc.ComponentConfig.LeaderElection; election.LeaderElect {
		for _, verb := range []string{"get", "update"} {
			rights = append(rights, selfcheck.Right{
				Group: "coordination.k8s.io", Resource: "leases", Verb: verb, Namespace: election.ResourceNamespace, Name: election.ResourceName,
				For: "this scheduler cannot lead, and schedules no pod",
			})
		}
	}
	checks = append(checks, selfcheck.Rights(cc.Client, rights,
		"bind the ClusterRoles system:kube-scheduler and system:volume-scheduler, and the roles of manifests/base/rbac.yaml, to the scheduler's ServiceAccount"))
	if clock := clockCheck(cc.KubeConfig); clock != nil {
		checks = append(checks, *clock)
	}
	return checks
}

// clockCheck returns the check of the clock, nil if the API server cannot be asked.
func clockCheck(kubeConfig *rest.Config) *selfcheck.Check {
	client, err := rest.HTTPClientFor(kubeConfig)
	if err != nil {
		return nil
	}
	host, _, err := rest.DefaultServerUrlFor(kubeConfig)
	if err != nil {
		return nil
	}
	check := selfcheck.Clock(client, host.String(), clock.RealClock{})
	return &check
}
