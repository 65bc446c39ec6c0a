package fit

import (
	"encoding/json"
	"fmt"

	"k8s.io/apimachinery/pkg/runtime"
	schedconfig "k8s.io/kubernetes/pkg/scheduler/apis/config"

	"github.com/plimsoll-scheduler/plimsoll/pkg/apis/config"
)

// Believing returns the profile with overrides that believe whatever the annotations of
// pods say: so that the estimate of the scheduler in the cluster, which has learned of the
// workload, can be given by annotation, and the line be lifted to see what requests alone
// would allow.
func Believing(profile *schedconfig.KubeSchedulerProfile) (*schedconfig.KubeSchedulerProfile, error) {
	own := profile.DeepCopy()
	for i := range own.PluginConfig {
		if own.PluginConfig[i].Name != config.NodeLoad {
			continue
		}
		args := map[string]any{}
		if raw, ok := own.PluginConfig[i].Args.(*runtime.Unknown); ok && len(raw.Raw) > 0 {
			if err := json.Unmarshal(raw.Raw, &args); err != nil {
				return nil, fmt.Errorf("the arguments of NodeLoad in the profile %s: %w", profile.SchedulerName, err)
			}
		}
		args["overrides"] = believing
		return own, set(own, i, args)
	}
	if !config.Enables(own.Plugins, config.NodeLoad) {
		return own, nil
	}
	own.PluginConfig = append(own.PluginConfig, schedconfig.PluginConfig{Name: config.NodeLoad})
	return own, set(own, len(own.PluginConfig)-1, map[string]any{"overrides": believing})
}

var believing = map[string]any{
	"whenUnsatisfiable": config.AllowOverride,
	"estimate":          map[string]any{"allow": true, "minPercent": map[string]int{"cpu": 0, "memory": 0}},
}

func set(profile *schedconfig.KubeSchedulerProfile, i int, args map[string]any) error {
	raw, err := json.Marshal(args)
	profile.PluginConfig[i].Args = &runtime.Unknown{Raw: raw, ContentType: runtime.ContentTypeJSON}
	return err
}
