package cluster

import (
	"fmt"
	"net"
	"os"
	"strconv"

	"sigs.k8s.io/yaml"
)

// forwardFile says where the ports of pods lead.
const forwardFile = "forward.yaml"

// writeForward has all ports of all pods lead to an address of this machine, for kubectl
// port-forward and the like: simulated pods have no containers that could listen.
func writeForward(path, address string) error {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("where ports of pods lead: %w", err)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return fmt.Errorf("where ports of pods lead: %w", err)
	}
	content, err := yaml.Marshal(map[string]any{
		"apiVersion": "kwok.x-k8s.io/v1alpha1",
		"kind":       "ClusterPortForward",
		"metadata":   map[string]any{"name": "pods"},
		"spec":       map[string]any{"forwards": []any{map[string]any{"target": map[string]any{"address": host, "port": number}}}},
	})
	if err != nil {
		return err
	}
	return os.WriteFile(path, content, 0o600)
}
