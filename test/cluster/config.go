package cluster

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// kubeletTimeout is how long metrics-server waits for one node. It has to be
// shorter than its resolution, and a simulated node answers at once.
const kubeletTimeout = "5s"

// writeConfig writes the configuration of kwokctl. Each program has its path
// there: kwokctl downloads what has none.
func writeConfig(path, dir string, tools tools, ports *ports, opts Options) error {
	auditPolicy := ""
	if len(opts.Audit) > 0 {
		auditPolicy = filepath.Join(dir, auditFile)
	}
	patches := []any{
		extraArgs(MetricsServer,
			extraArg{Key: "metric-resolution", Value: opts.MetricResolution.String(), Override: true},
			extraArg{Key: "kubelet-request-timeout", Value: kubeletTimeout}),
		// The data does not outlive the processes, so it need not reach the disk.
		extraArgs(Etcd, extraArg{Key: "unsafe-no-fsync", Value: "true"}),
	}
	var names []string
	if opts.RealNodes {
		names = append(names, serviceAddress)
		patches = append(patches, forRealNodes(filepath.Join(dir, "clusters", filepath.Base(dir), pkiDir))...)
	}
	config := map[string]any{
		"apiVersion": "config.kwok.x-k8s.io/v1alpha1",
		"kind":       "KwokctlConfiguration",
		"options": map[string]any{
			"runtime":           "binary",
			"kubeVersion":       tools.kubernetesVersion,
			"bindAddress":       "127.0.0.1",
			"enable":            []string{MetricsServer},
			"kubeAuthorization": true, // RBAC
			"kubeAdmission":     true,
			"kubeFeatureGates":  formatGates(opts.FeatureGates),
			"kubeRuntimeConfig": formatAPIs(opts.APIs),
			"kubeAuditPolicy":   auditPolicy,

			"kubeApiserverCertSANs": names,

			"etcdBinary":                  tools.path("etcd"),
			"kubeApiserverBinary":         tools.path("kube-apiserver"),
			"kubeControllerManagerBinary": tools.path("kube-controller-manager"),
			"kubeSchedulerBinary":         tools.path("kube-scheduler"),
			"kubectlBinary":               tools.path("kubectl"),
			"kwokControllerBinary":        tools.path("kwok"),
			"metricsServerBinary":         tools.path("metrics-server"),
			"metricsServerManifests":      []string{tools.metricsServerManifests},

			"etcdPort":                  ports.etcd,
			"etcdPeerPort":              ports.etcdPeer,
			"kubeApiserverPort":         ports.apiServer,
			"kubeControllerManagerPort": ports.controllerManager,
			"kubeSchedulerPort":         ports.scheduler,
			"kwokControllerPort":        ports.kwok,
			"metricsServerPort":         ports.metricsServer,
		},
		"componentsPatches": patches,
	}
	data, err := json.MarshalIndent(config, "", "  ")
	if err != nil {
		return fmt.Errorf("encode kwokctl configuration: %w", err)
	}
	return os.WriteFile(path, data, 0o600)
}

// The addresses of Services, and the first of them, which is that of the API server.
const (
	serviceRange   = "10.0.0.0/24"
	serviceAddress = "10.0.0.1"
)

// pkiDir has the cluster's authority and the administrator's certificate, in the
// directory that kwokctl makes for the cluster.
const pkiDir = "pki"

// forRealNodes is what lets nodes join that kwok does not simulate.
func forRealNodes(pki string) []any {
	return []any{
		extraArgs(KubeAPIServer,
			extraArg{Key: "service-cluster-ip-range", Value: serviceRange},
			extraArg{Key: "kubelet-client-certificate", Value: filepath.Join(pki, "admin.crt")},
			extraArg{Key: "kubelet-client-key", Value: filepath.Join(pki, "admin.key")},
			extraArg{Key: "kubelet-preferred-address-types", Value: "InternalIP"}),
		extraArgs(Kwok,
			extraArg{Key: "manage-all-nodes", Value: "false", Override: true},
			extraArg{Key: "manage-nodes-with-annotation-selector", Value: simulated + "=fake"}),
	}
}

// extraArg is a flag of a component: one more, or another value for one that
// kwokctl sets.
type extraArg struct {
	Key      string `json:"key"`
	Value    string `json:"value"`
	Override bool   `json:"override,omitempty"`
}

func extraArgs(component string, args ...extraArg) map[string]any {
	return map[string]any{"name": component, "extraArgs": args}
}

func formatGates(gates map[string]bool) string {
	formatted := make([]string, 0, len(gates))
	for _, name := range slices.Sorted(maps.Keys(gates)) {
		formatted = append(formatted, fmt.Sprintf("%s=%t", name, gates[name]))
	}
	return strings.Join(formatted, ",")
}

func formatAPIs(apis []string) string {
	enabled := make([]string, len(apis))
	for i, api := range apis {
		enabled[i] = api + "=true"
	}
	return strings.Join(enabled, ",")
}
