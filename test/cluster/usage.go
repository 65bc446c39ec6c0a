package cluster

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"sigs.k8s.io/yaml"
)

// IdleContainer is the name of a container that uses next to nothing, whatever
// the Usage of its pod says, which each other container of the pod uses.
const IdleContainer = "idle"

// useDelay is the annotation of a pod that says how many seconds after it was created
// it begins to use CPU.
const useDelay = "test.plimsoll.io/use-delay"

// UseAfter returns the annotation of a pod that uses next to no CPU until so long after
// it was created, whatever its Usage says. It does not depend on when somebody gets
// to set that.
func UseAfter(delay time.Duration) map[string]string {
	return map[string]string{useDelay: fmt.Sprintf("%.3f", delay.Seconds())}
}

// writeUsage writes what pods use: as kwokctl has it by default, by their
// annotations, except for containers that are idle, and until their useDelay. kwokctl
// takes all of it from its configuration or none.
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
			Usages []usageOf `json:"usages"`
		} `json:"spec"`
	}
	if err := yaml.UnmarshalStrict(content, &object); err != nil {
		return fmt.Errorf("usage of pods: %w", err)
	}
	if len(object.Spec.Usages) != 1 || object.Spec.Usages[0].Usage["cpu"]["expression"] == "" {
		return fmt.Errorf("usage of pods: want one expression of CPU, not %+v", object.Spec.Usages)
	}
	cpu := object.Spec.Usages[0].Usage["cpu"]
	cpu["expression"] = fmt.Sprintf("%q in pod.metadata.annotations && SinceSecond(pod) < double(pod.metadata.annotations[%q]) ? Quantity(%q) : (%s)",
		useDelay, useDelay, "1m", cpu["expression"])
	object.Spec.Usages = append(object.Spec.Usages, usageOf{
		Containers: []string{IdleContainer},
		Usage:      map[string]map[string]string{"cpu": {"value": "1m"}, "memory": {"value": "1Mi"}},
	})
	if content, err = yaml.Marshal(object); err != nil {
		return err
	}
	return os.WriteFile(path, content, 0o600)
}

// usageOf is what some containers use of each resource: a value or an expression.
type usageOf struct {
	Containers []string                     `json:"containers,omitempty"`
	Usage      map[string]map[string]string `json:"usage"`
}
