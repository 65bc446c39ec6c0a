package config_test

import (
	"reflect"
	"slices"
	"testing"

	schedconfig "k8s.io/kubernetes/pkg/scheduler/apis/config"

	"github.com/plimsoll-scheduler/plimsoll/pkg/apis/config"
	"github.com/plimsoll-scheduler/plimsoll/pkg/plugins/devicefit"
	"github.com/plimsoll-scheduler/plimsoll/pkg/plugins/nodeload"
)

// The configuration knows the extension points that the plugins really have, and
// no point of a profile is forgotten.
func TestExtensionPointsAreThoseOfThePlugins(t *testing.T) {
	// By name: a minor of Kubernetes may lack the interface.
	methods := map[string]string{
		"PreEnqueue": "PreEnqueue", "QueueSort": "Less", "PreFilter": "PreFilter", "Filter": "Filter", "PostFilter": "PostFilter",
		"PreScore": "PreScore", "Score": "Score", "Reserve": "Reserve", "Permit": "Permit", "PreBind": "PreBind", "Bind": "Bind",
		"PostBind": "PostBind", "PlacementGenerate": "GeneratePlacements", "PlacementScore": "ScorePlacement", "PodGroupPostFilter": "PodGroupPostFilter",
	}
	for plugin, is := range map[string]reflect.Type{
		config.NodeLoad: reflect.TypeFor[*nodeload.NodeLoad](), config.DeviceFit: reflect.TypeFor[*devicefit.DeviceFit](),
	} {
		var points []string
		fields := reflect.TypeFor[schedconfig.Plugins]()
		for i := range fields.NumField() {
			point := fields.Field(i).Name
			if point == "MultiPoint" {
				continue
			}
			method := methods[point]
			if method == "" {
				t.Fatalf("which method a plugin has for %s is not known here", point)
			}
			_, has := is.MethodByName(method)
			profile := schedconfig.KubeSchedulerProfile{Plugins: &schedconfig.Plugins{}}
			reflect.ValueOf(profile.Plugins).Elem().Field(i).Set(reflect.ValueOf(schedconfig.PluginSet{Enabled: []schedconfig.Plugin{{Name: plugin}}}))
			_, errs := config.DecodeProfiles([]schedconfig.KubeSchedulerProfile{profile})
			if has == (len(errs) > 0) {
				t.Errorf("%s has the point %s: %t; faults where it is enabled there: %v", plugin, point, has, errs)
			}
			if has {
				points = append(points, point)
			}
		}
		if !slices.Contains(points, "Filter") || slices.Contains(points, "Bind") {
			t.Errorf("%s has the points %v", plugin, points)
		}
	}
}
