package scenario

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"

	utilfeature "k8s.io/apiserver/pkg/util/feature"
	"k8s.io/component-base/featuregate"
	featuregatetesting "k8s.io/component-base/featuregate/testing"
	"k8s.io/kubernetes/pkg/features"
	"sigs.k8s.io/yaml"

	examples "github.com/plimsoll-scheduler/plimsoll/config"
	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/policy"
)

// configure starts the first scheduler, with the arguments over those of the
// recommended profile.
func (r *runner) configure(overrides string) error {
	if r.cluster != nil {
		return fmt.Errorf("config must come first")
	}
	given := struct {
		NodeLoad, DeviceFit map[string]any
		Features            []featuregate.Feature
	}{}
	if err := yaml.UnmarshalStrict([]byte(overrides), &given); err != nil {
		return err
	}
	// Preemption by another goroutine would be done at a time of its own.
	featuregatetesting.SetFeatureGateDuringTest(r.t, utilfeature.DefaultFeatureGate, features.SchedulerAsyncPreemption, false)
	for _, feature := range given.Features {
		featuregatetesting.SetFeatureGateDuringTest(r.t, utilfeature.DefaultFeatureGate, feature, true)
	}
	var cfg map[string]any
	if err := yaml.Unmarshal(examples.Plimsoll(), &cfg); err != nil {
		return err
	}
	profile := cfg["profiles"].([]any)[0].(map[string]any)
	for _, plugin := range profile["pluginConfig"].([]any) {
		plugin := plugin.(map[string]any)
		merge(plugin["args"].(map[string]any), map[string]map[string]any{"NodeLoad": given.NodeLoad, "DeviceFit": given.DeviceFit}[plugin["name"].(string)])
	}
	data, err := yaml.Marshal(cfg)
	if err != nil {
		return err
	}
	file := filepath.Join(r.t.TempDir(), "config.yaml")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		return err
	}
	policies, err := policy.Load(file)
	if err != nil {
		return err
	}
	r.profile = policies[0].Profile
	return r.startScheduler(nil, nil)
}

// merge puts the one map over the other.
func merge(under, over map[string]any) {
	for key, value := range over {
		if inner, ok := value.(map[string]any); ok {
			if below, ok := under[key].(map[string]any); ok {
				merge(below, inner)
				continue
			}
			value = maps.Clone(inner)
		}
		under[key] = value
	}
}
