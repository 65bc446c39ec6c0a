package config_test

import (
	"reflect"
	"slices"
	"testing"

	fwk "k8s.io/kube-scheduler/framework"
	schedconfig "k8s.io/kubernetes/pkg/scheduler/apis/config"

	"github.com/plimsoll-scheduler/plimsoll/pkg/apis/config"
	"github.com/plimsoll-scheduler/plimsoll/pkg/plugins/devicefit"
	"github.com/plimsoll-scheduler/plimsoll/pkg/plugins/nodeload"
)

// The configuration knows the extension points that the plugins really have, and
// no point of a profile is forgotten.
func TestExtensionPointsAreThoseOfThePlugins(t *testing.T) {
	kinds := map[string]reflect.Type{
		"PreEnqueue": reflect.TypeFor[fwk.PreEnqueuePlugin](), "QueueSort": reflect.TypeFor[fwk.QueueSortPlugin](),
		"PreFilter": reflect.TypeFor[fwk.PreFilterPlugin](), "Filter": reflect.TypeFor[fwk.FilterPlugin](), "PostFilter": reflect.TypeFor[fwk.PostFilterPlugin](),
		"PreScore": reflect.TypeFor[fwk.PreScorePlugin](), "Score": reflect.TypeFor[fwk.ScorePlugin](), "Reserve": reflect.TypeFor[fwk.ReservePlugin](),
		"Permit": reflect.TypeFor[fwk.PermitPlugin](), "PreBind": reflect.TypeFor[fwk.PreBindPlugin](), "Bind": reflect.TypeFor[fwk.BindPlugin](),
		"PostBind": reflect.TypeFor[fwk.PostBindPlugin](), "PlacementGenerate": reflect.TypeFor[fwk.PlacementGeneratePlugin](),
		"PlacementScore": reflect.TypeFor[fwk.PlacementScorePlugin](), "PodGroupPostFilter": reflect.TypeFor[fwk.PodGroupPostFilterPlugin](),
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
			kind := kinds[point]
			if kind == nil {
				t.Fatalf("which interface a plugin has for %s is not known here", point)
			}
			profile := schedconfig.KubeSchedulerProfile{Plugins: &schedconfig.Plugins{}}
			reflect.ValueOf(profile.Plugins).Elem().Field(i).Set(reflect.ValueOf(schedconfig.PluginSet{Enabled: []schedconfig.Plugin{{Name: plugin}}}))
			_, errs := config.DecodeProfiles([]schedconfig.KubeSchedulerProfile{profile})
			if has := is.Implements(kind); has == (len(errs) > 0) {
				t.Errorf("%s has the point %s: %t; faults where it is enabled there: %v", plugin, point, has, errs)
			}
			if is.Implements(kind) {
				points = append(points, point)
			}
		}
		if !slices.Contains(points, "Filter") || slices.Contains(points, "Bind") {
			t.Errorf("%s has the points %v", plugin, points)
		}
	}
}
