package cluster

import (
	"fmt"
	"os"
	"path/filepath"

	"sigs.k8s.io/yaml"
)

// IdleContainer is the name of a container that uses next to nothing, whatever
// the Usage of its pod says, which each other container of the pod uses.
const IdleContainer = "idle"

// writeUsage writes what pods use: as kwokctl has it by default, by their
// annotations, except for containers that are idle. kwokctl takes all of it from
// its configuration or none.
func writeUsage(path, metrics string) error {
	content, err := os.ReadFile(filepath.Join(metrics, "usage", "usage-from-annotation.yaml"))
	if err != nil {
		return err
	}
	var object struct {
		APIVersion string         `json:"apiVersion"`
		Kind       string         `json:"kind"`
		Metadata   map[string]any `json:"metadata"`
		Spec       struct {
			Usages []map[string]any `json:"usages"`
		} `json:"spec"`
	}
	if err := yaml.UnmarshalStrict(content, &object); err != nil {
		return fmt.Errorf("usage of pods: %w", err)
	}
	object.Spec.Usages = append(object.Spec.Usages, map[string]any{
		"containers": []string{IdleContainer},
		"usage":      map[string]any{"cpu": map[string]any{"value": "1m"}, "memory": map[string]any{"value": "1Mi"}},
	})
	if content, err = yaml.Marshal(object); err != nil {
		return err
	}
	return os.WriteFile(path, content, 0o600)
}
