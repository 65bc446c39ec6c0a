package config

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	schedconfig "k8s.io/kubernetes/pkg/scheduler/apis/config"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins"
	"sigs.k8s.io/scheduler-plugins/pkg/trimaran/loadvariationriskbalancing"
	"sigs.k8s.io/scheduler-plugins/pkg/trimaran/lowriskovercommitment"
	"sigs.k8s.io/scheduler-plugins/pkg/trimaran/targetloadpacking"
)

// set returns what is enabled and, after "-", disabled at an extension point.
func set(names ...string) (s schedconfig.PluginSet) {
	for _, name := range names {
		if disabled, ok := strings.CutPrefix(name, "-"); ok {
			s.Disabled = append(s.Disabled, schedconfig.Plugin{Name: disabled})
			continue
		}
		s.Enabled = append(s.Enabled, schedconfig.Plugin{Name: name, Weight: 1})
	}
	return s
}

// withoutPlacementScore disables all plugins at PlacementScore, too, if there is such
// a point: Kubernetes has it since 1.36.
func withoutPlacementScore(plugins *schedconfig.Plugins) *schedconfig.Plugins {
	if point := reflect.ValueOf(plugins).Elem().FieldByName("PlacementScore"); point.IsValid() {
		point.Set(reflect.ValueOf(set("-*")))
	}
	return plugins
}

// faultsOf returns the faults of a profile with arguments for the plugins.
func faultsOf(plugins *schedconfig.Plugins, configured ...string) []string {
	profile := schedconfig.KubeSchedulerProfile{SchedulerName: "plimsoll", Plugins: plugins}
	for _, name := range configured {
		profile.PluginConfig = append(profile.PluginConfig, schedconfig.PluginConfig{Name: name, Args: raw("{}")})
	}
	_, errs := DecodeProfiles([]schedconfig.KubeSchedulerProfile{profile})
	var faults []string
	for _, err := range errs {
		faults = append(faults, err.Error())
	}
	return faults
}

const (
	noNodeLoad  = "profiles[0].pluginConfig[NodeLoad]: Forbidden: the profile enables NodeLoad at no extension point, so its arguments would be ignored; enable it"
	noDeviceFit = "profiles[0].pluginConfig[DeviceFit]: Forbidden: the profile enables DeviceFit at no extension point"
)

func TestWhatWouldBeIgnoredOfAProfileIsAFault(t *testing.T) {
	both := set(NodeLoad, DeviceFit)
	for _, test := range []struct {
		name       string
		plugins    *schedconfig.Plugins
		configured []string
		want       []string // the beginnings of the faults, in order
	}{
		{"all is well", &schedconfig.Plugins{MultiPoint: both}, []string{NodeLoad, DeviceFit, "NodeResourcesFit", "Elsewhere"}, nil},
		{"nothing of ours", &schedconfig.Plugins{MultiPoint: set("NodeName")}, []string{"NodeResourcesFit"}, nil},
		{"no plugins at all", nil, []string{NodeLoad, DeviceFit}, []string{noNodeLoad, noDeviceFit}},

		{"arguments under another name", &schedconfig.Plugins{MultiPoint: both}, []string{"Nodeload", "DeviceFitArgs"}, []string{
			`profiles[0].pluginConfig[Nodeload]: Invalid value: "Nodeload": no plugin has this name, so its arguments would be ignored; probably meant: NodeLoad`,
			`profiles[0].pluginConfig[DeviceFitArgs]: Invalid value: "DeviceFitArgs": no plugin has this name, so its arguments would be ignored; probably meant: DeviceFit`,
		}},
		{"enabled and disabled under another name", &schedconfig.Plugins{MultiPoint: set("nodeload"), Score: set("-DeviceFitt")}, nil, []string{
			`profiles[0].plugins.score.disabled[DeviceFitt]: Invalid value: "DeviceFitt": no plugin has this name; probably meant: DeviceFit`,
			`profiles[0].plugins.multiPoint.enabled[nodeload]: Invalid value: "nodeload": no plugin has this name; probably meant: NodeLoad`,
		}},
		{"enabled under another name, arguments under its own", &schedconfig.Plugins{Filter: set("node-load")}, []string{NodeLoad, DeviceFit}, []string{
			`profiles[0].plugins.filter.enabled[node-load]: Invalid value: "node-load": no plugin has this name; probably meant: NodeLoad`,
			noDeviceFit,
		}},

		{"enabled at one point", &schedconfig.Plugins{Reserve: set(NodeLoad)}, []string{NodeLoad}, nil},
		{"at the last point in the list", &schedconfig.Plugins{PostBind: set(DeviceFit)}, []string{DeviceFit}, nil},
		{"everywhere but at all points", withoutPlacementScore(&schedconfig.Plugins{
			MultiPoint: both, PreFilter: set("-*"), Filter: set("-*"), PostFilter: set("-*"), PreScore: set("-*"),
			Score: set("-NodeLoad", "-DeviceFit"), Reserve: set("-*"),
		}), []string{NodeLoad, DeviceFit}, nil}, // DeviceFit is left at postBind, and goes by NodeLoad's arguments
		{"disabled at all points", withoutPlacementScore(&schedconfig.Plugins{
			MultiPoint: set(NodeLoad), PreFilter: set("-*"), Filter: set("-*"), PostFilter: set("-*"), PreScore: set("-*"),
			Score: set("-NodeLoad"), Reserve: set("-*"),
		}), []string{NodeLoad}, []string{noNodeLoad}},
		{"disabled at all points, and enabled at one nevertheless", withoutPlacementScore(&schedconfig.Plugins{
			MultiPoint: set(NodeLoad), PreFilter: set("-*"), Filter: set("-*", NodeLoad), PostFilter: set("-*"), PreScore: set("-*"),
			Score: set("-NodeLoad"), Reserve: set("-*"),
		}), []string{NodeLoad}, nil},
		{"all but ours disabled", &schedconfig.Plugins{MultiPoint: set("-*", NodeLoad)}, []string{NodeLoad}, nil},
		{"NodeLoad's arguments for DeviceFit alone", &schedconfig.Plugins{Score: set(DeviceFit)}, []string{NodeLoad}, nil},
		{"DeviceFit's arguments for NodeLoad alone", &schedconfig.Plugins{Score: set(NodeLoad)}, []string{DeviceFit}, []string{noDeviceFit}},

		{"at a point that it does not have", &schedconfig.Plugins{MultiPoint: set(DeviceFit), PostBind: set(NodeLoad), Permit: set("-DeviceFit")}, []string{NodeLoad}, []string{
			`profiles[0].plugins.permit.disabled[DeviceFit]: Invalid value: "DeviceFit": the plugin has no such extension point; it has preFilter, filter, postFilter, preScore, score, reserve, placementScore, postBind, and multiPoint stands for all of them`,
			`profiles[0].plugins.postBind.enabled[NodeLoad]: Invalid value: "NodeLoad": the plugin has no such extension point; it has preFilter, filter, postFilter, preScore, score, reserve, placementScore, and multiPoint`,
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := faultsOf(test.plugins, test.configured...)
			if _, ok := reflect.TypeFor[schedconfig.Plugins]().FieldByName("PlacementScore"); !ok {
				for i := range test.want {
					test.want[i] = strings.Replace(test.want[i], ", placementScore", "", 1)
				}
			}
			if !slices.EqualFunc(got, test.want, strings.HasPrefix) {
				t.Errorf("faults:\n  %s\nwant:\n  %s", strings.Join(got, "\n  "), strings.Join(test.want, "\n  "))
			}
		})
	}
}

func TestNearMisses(t *testing.T) {
	for name, want := range map[string]string{
		"nodeload": NodeLoad, "NODELOAD": NodeLoad, "NodeLoads": NodeLoad, "NodeLaod": NodeLoad, "NodLoad": NodeLoad, "Node-Load": NodeLoad,
		"node_load": NodeLoad, "NodeLoad" + " ": NodeLoad, "NodeLoadArgs": NodeLoad, "NodeLoad-args": NodeLoad, "nodeLoadPlugin": NodeLoad,
		"plimsoll.io/NodeLoad": NodeLoad, "NodeLoadd": NodeLoad, "NodeLoad2": NodeLoad, "ΝodeLoad": NodeLoad, // a Greek letter
		"deviceFit": DeviceFit, "DevicesFit": DeviceFit, "DeviceFitArgs": DeviceFit, "DevieFitt": DeviceFit,
		NodeLoad: "", DeviceFit: "", "": "", "*": "", "NodeName": "", "NodeLoadAware": "", "LoadAwareScheduling": "", "DeviceShare": "", "Args": "",
	} {
		if got := meant(name); got != want {
			t.Errorf("%q is taken for %q, want %q", name, got, want)
		}
	}
}

// Other plugins that the process may have are not taken for ours.
func TestOtherPluginsAreLeftAlone(t *testing.T) {
	others := []string{targetloadpacking.Name, loadvariationriskbalancing.Name, lowriskovercommitment.Name}
	for name := range plugins.NewInTreeRegistry() {
		others = append(others, name)
	}
	if len(others) < 20 {
		t.Fatalf("other plugins: %v", others)
	}
	for _, name := range others {
		all := set(name)
		if faults := faultsOf(&schedconfig.Plugins{MultiPoint: all, Filter: all, QueueSort: all, Permit: set("-" + name)}, name); len(faults) > 0 {
			t.Errorf("%s: %q", name, faults)
		}
	}
}

func TestDistance(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"abc", "abc", 0}, {"abc", "abd", 1}, {"abc", "ac", 1}, {"ac", "abc", 1}, {"ab", "ba", 2},
		{"kitten", "sitting", 3}, {"äb", "ab", 1},
	} {
		if got := distance(test.a, test.b); got != test.want {
			t.Errorf("from %q to %q it is %d, want %d", test.a, test.b, got, test.want)
		}
	}
}
