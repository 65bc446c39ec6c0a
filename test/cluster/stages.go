package cluster

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"sigs.k8s.io/yaml"
)

// Annotations of a pod: how long its containers take to start, and how long those of
// a Job's pod take from then on to end. The names are those of kwok's stages with
// delays.
const (
	startDelay = "pod-ready.stage.kwok.x-k8s.io/delay"
	endDelay   = "pod-complete.stage.kwok.x-k8s.io/delay"
)

// StartAfter returns the annotation of a pod whose containers start so long
// after it was bound, as if an image were pulled meanwhile. Without it they
// start at once.
func StartAfter(delay time.Duration) map[string]string {
	return map[string]string{startDelay: delay.String()}
}

// EndAfter returns the annotation of a Job's pod that ends so long after it has
// started. Without it, it ends at once. Other pods never end.
func EndAfter(delay time.Duration) map[string]string {
	return map[string]string{endDelay: delay.String()}
}

// writeStages writes how nodes and pods live: as kwokctl has them by default,
// except that pods start after their startDelay, and end after their endDelay.
// kwokctl takes all stages from its configuration or none.
func writeStages(path, stages string) error {
	delays := map[string]string{"pod-ready.yaml": startDelay, "pod-complete.yaml": endDelay}
	var all [][]byte
	for _, file := range []string{
		"node/fast/node-initialize.yaml",
		"node/heartbeat-with-lease/node-heartbeat-with-lease.yaml",
		"pod/fast/pod-ready.yaml",
		"pod/fast/pod-complete.yaml",
		"pod/fast/pod-delete.yaml",
	} {
		stage, err := os.ReadFile(filepath.Join(stages, file))
		if err != nil {
			return err
		}
		if annotation := delays[filepath.Base(file)]; annotation != "" {
			if stage, err = withDelay(stage, annotation); err != nil {
				return fmt.Errorf("stage %s: %w", file, err)
			}
		}
		all = append(all, stage)
	}
	return os.WriteFile(path, bytes.Join(all, []byte("\n---\n")), 0o600)
}

// withDelay returns the stage with the delay that the annotation of the object
// tells, or none.
func withDelay(stage []byte, annotation string) ([]byte, error) {
	var object struct {
		APIVersion string         `json:"apiVersion"`
		Kind       string         `json:"kind"`
		Metadata   map[string]any `json:"metadata"`
		Spec       map[string]any `json:"spec"`
	}
	if err := yaml.UnmarshalStrict(stage, &object); err != nil {
		return nil, err
	}
	object.Spec["delay"] = map[string]any{
		"durationMilliseconds": 0,
		"durationFrom":         map[string]any{"expressionFrom": fmt.Sprintf(".metadata.annotations[%q]", annotation)},
	}
	return yaml.Marshal(object)
}
