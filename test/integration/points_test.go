package integration

import (
	"path/filepath"
	"strings"
	"testing"

	v1 "k8s.io/api/core/v1"

	"github.com/plimsoll-scheduler/plimsoll/pkg/compat"
	"github.com/plimsoll-scheduler/plimsoll/test/cluster"
)

// Any of a plugin's extension points may be enabled without the others: pods are
// placed, and not where Filter rejects them if that is among them.
func TestExtensionPointsAlone(t *testing.T) {
	t.Parallel()
	points := []string{"preFilter", "filter", "postFilter", "preScore", "score", "reserve", "placementScore"}
	if compat.Minor == "1.35" {
		points = points[:len(points)-1] // there are no placements yet
	}
	subsets := map[string][][]string{
		"NodeLoad":  {{"filter", "score"}, {"preFilter", "filter"}, {"preScore", "score"}, {"filter", "reserve"}, {"preFilter", "score"}},
		"DeviceFit": {{"filter", "score"}, {"preFilter", "filter"}, {"preScore", "score"}, {"score", "postBind"}, {"postBind"}},
	}
	pluginArgs := map[string]map[string]any{
		"NodeLoad":  {"source": map[string]any{"interval": pollInterval.String(), "timeout": pollInterval.String()}, "window": "0s"},
		"DeviceFit": {"headroomPerDevice": map[string]any{"cpu": "1"}},
	}
	// Both plugins' filters reject no node but this one.
	p, m := newMeteredPool(t, node{name: "rejected", gpus: 8, uses: "9"}, node{name: "taken", uses: "1"})
	var profiles []any
	var pods []*v1.Pod
	filtered := map[string]bool{}
	for plugin, sets := range subsets {
		for _, point := range points {
			sets = append(sets, []string{point})
		}
		for _, set := range sets {
			name := strings.ToLower(plugin + "-" + strings.Join(set, "-"))
			plugins := map[string]any{}
			for _, point := range set {
				plugins[point] = map[string]any{"enabled": []any{map[string]any{"name": plugin}}}
				filtered[p.podName(name)] = filtered[p.podName(name)] || point == "filter"
			}
			profiles = append(profiles, map[string]any{
				"schedulerName": p.profile(name), "plugins": plugins,
				"pluginConfig": []any{map[string]any{"name": plugin, "args": pluginArgs[plugin]}},
			})
			pods = append(pods, withCPU(p.pod(name, name), "100m"))
		}
	}
	m.start(func(config map[string]any) { config["profiles"] = profiles })
	p.create(pods...)
	for _, pod := range pods {
		if got := p.nodeOf(pod); filtered[pod.Name] && got != "taken" {
			t.Errorf("pod %s is on %s", pod.Name, got)
		}
	}
}

// What would be ignored of a configuration is refused, with what was meant.
func TestConfigurationsThatAreRefused(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(profile map[string]any)
		want   string
	}{
		"a point that the plugin does not have": {
			func(profile map[string]any) {
				profile["plugins"].(map[string]any)["permit"] = map[string]any{"enabled": []any{map[string]any{"name": "NodeLoad"}}}
			},
			"profiles[0].plugins.permit.enabled[NodeLoad]: Invalid value: \"NodeLoad\": the plugin has no such extension point",
		},
		"arguments under nearly the name": {
			func(profile map[string]any) { profile["pluginConfig"].([]any)[0].(map[string]any)["name"] = "Nodeload" },
			`profiles[0].pluginConfig[Nodeload]: Invalid value: "Nodeload": no plugin has this name, so its arguments would be ignored; probably meant: NodeLoad`,
		},
		"arguments of a plugin that is not enabled": {
			func(profile map[string]any) { profile["plugins"] = map[string]any{} },
			"profiles[0].pluginConfig[DeviceFit]: Forbidden: the profile enables DeviceFit at no extension point",
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := local.StartScheduler(t.Context(), cluster.SchedulerOptions{
				Program: program, Config: filepath.Join(root, "config", "plimsoll.yaml"),
				Change: func(config map[string]any) { test.change(config["profiles"].([]any)[0].(map[string]any)) },
			})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("it starts, or is refused with %v", err)
			}
		})
	}
}
