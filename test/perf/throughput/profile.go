package throughput

import (
	"embed"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	v1 "k8s.io/api/core/v1"
	"sigs.k8s.io/scheduler-plugins/pkg/trimaran/targetloadpacking"
	"sigs.k8s.io/yaml"
)

//go:embed workloads/*.yaml
var workloads embed.FS

// Profile is one profile of a KubeSchedulerConfiguration.
type Profile struct {
	// File is the configuration, Name the profile's schedulerName in it.
	File, Name string
	// NoDefaultConstraints turns system-default topology spreading off.
	NoDefaultConstraints bool
}

// write makes dir what scheduler_perf needs to run the profile: its workloads,
// and as scheduler.yaml a configuration with only that profile, under the name
// that pods have by default, with a stopwatch. Trimaran finds the load of nodes
// at watcherAddress.
func (p Profile) write(dir, watcherAddress string) error {
	entries, err := fs.Glob(workloads, "workloads/*")
	if err != nil {
		return err
	}
	for _, name := range entries {
		content, err := workloads.ReadFile(name)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(name)), content, 0o600); err != nil {
			return err
		}
	}
	content, err := os.ReadFile(p.File)
	if err != nil {
		return err
	}
	if content, err = p.configuration(content, watcherAddress); err != nil {
		return fmt.Errorf("profile %s of %s: %w", p.Name, p.File, err)
	}
	return os.WriteFile(filepath.Join(dir, "scheduler.yaml"), content, 0o600)
}

// configuration returns the configuration as write writes it.
func (p Profile) configuration(content []byte, watcherAddress string) ([]byte, error) {
	// Only as much as is changed; the rest stays as it is.
	var configuration struct {
		APIVersion string           `json:"apiVersion"`
		Kind       string           `json:"kind"`
		Profiles   []map[string]any `json:"profiles"`
	}
	if err := yaml.Unmarshal(content, &configuration); err != nil {
		return nil, err
	}
	var names []string
	for _, profile := range configuration.Profiles {
		names = append(names, fmt.Sprint(profile["schedulerName"]))
		if profile["schedulerName"] != p.Name {
			continue
		}
		profile["schedulerName"] = v1.DefaultSchedulerName
		plugins, _ := profile["plugins"].(map[string]any)
		if plugins == nil {
			plugins = map[string]any{}
		}
		plugins["postBind"] = map[string]any{"enabled": []any{map[string]any{"name": StopwatchName}}}
		profile["plugins"] = plugins
		for _, item := range list(profile["pluginConfig"]) {
			plugin, _ := item.(map[string]any)
			if args, ok := plugin["args"].(map[string]any); ok && plugin["name"] == targetloadpacking.Name {
				args["watcherAddress"] = watcherAddress
				delete(args, "metricProvider")
			}
		}
		if p.NoDefaultConstraints {
			profile["pluginConfig"] = append(list(profile["pluginConfig"]), map[string]any{
				"name": "PodTopologySpread",
				"args": map[string]any{"defaultingType": "List", "defaultConstraints": []any{}},
			})
		}
		configuration.Profiles = []map[string]any{profile}
		return yaml.Marshal(configuration)
	}
	return nil, fmt.Errorf("there is none of that name; there are: %s", strings.Join(names, ", "))
}

func list(value any) []any {
	items, _ := value.([]any)
	return items
}
