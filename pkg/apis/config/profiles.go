package config

import (
	"reflect"

	"k8s.io/apimachinery/pkg/util/validation/field"
	schedconfig "k8s.io/kubernetes/pkg/scheduler/apis/config"
)

// Profiles are the arguments of NodeLoad in the profiles that use it, by
// schedulerName.
type Profiles map[string]*NodeLoadArgs

// Shared returns the arguments that configure the load model of the process:
// those of any profile, because they are the same in each, or the defaults if
// no profile uses NodeLoad.
func (p Profiles) Shared() *NodeLoadArgs {
	for _, args := range p {
		return args
	}
	return DefaultNodeLoadArgs()
}

// DecodeProfiles decodes the arguments of Plimsoll's plugins in all profiles of a
// scheduler. It returns every fault of them, of how the plugins are named and enabled,
// and of what the profiles must have in common; the result is valid only if there is
// none.
func DecodeProfiles(profiles []schedconfig.KubeSchedulerProfile) (Profiles, field.ErrorList) {
	decoded, errs := DecodeApart(profiles)
	var shared *NodeLoadArgs
	var sharedBy *field.Path
	for i := range profiles {
		args, path := decoded[profiles[i].SchedulerName], argsPath(profilePath(i), NodeLoad)
		switch {
		case args == nil:
		case shared == nil:
			shared, sharedBy = args, path
		default:
			errs = append(errs, args.conflicts(path, shared, sharedBy)...)
		}
	}
	return decoded, errs
}

// DecodeApart is DecodeProfiles for profiles each of which is a scheduler's only one:
// they need have nothing in common.
func DecodeApart(profiles []schedconfig.KubeSchedulerProfile) (Profiles, field.ErrorList) {
	var errs field.ErrorList
	decoded := Profiles{}
	for i := range profiles {
		profile := profilePath(i)
		errs = append(errs, checkPlugins(&profiles[i], profile)...)
		for _, pc := range profiles[i].PluginConfig {
			if pc.Name == DeviceFit {
				_, faults := DecodeDeviceFit(pc.Args, argsPath(profile, DeviceFit))
				errs = append(errs, faults...)
			}
		}
		args, configured, faults := nodeLoadArgs(&profiles[i], argsPath(profile, NodeLoad))
		errs = append(errs, faults...)
		if !configured || len(faults) > 0 {
			continue
		}
		decoded[profiles[i].SchedulerName] = args
		if prometheus := args.Source.Prometheus; prometheus != nil {
			errs = append(errs, prometheus.checkFiles(argsPath(profile, NodeLoad).Child("source", "prometheus"))...)
		}
	}
	return decoded, errs
}

func profilePath(i int) *field.Path { return field.NewPath("profiles").Index(i) }

func argsPath(profile *field.Path, plugin string) *field.Path {
	return profile.Child("pluginConfig").Key(plugin).Child("args")
}

// nodeLoadArgs returns NodeLoad's arguments in the profile, and whether the
// profile uses them.
func nodeLoadArgs(profile *schedconfig.KubeSchedulerProfile, fld *field.Path) (*NodeLoadArgs, bool, field.ErrorList) {
	for _, pc := range profile.PluginConfig {
		if pc.Name == NodeLoad {
			args, errs := DecodeNodeLoad(pc.Args, fld)
			return args, true, errs
		}
	}
	return DefaultNodeLoadArgs(), Enables(profile.Plugins, NodeLoad), nil
}

// conflicts returns the fields of the load model, of which the process has
// one, in which a differs from other.
func (a *NodeLoadArgs) conflicts(fld *field.Path, other *NodeLoadArgs, otherFld *field.Path) field.ErrorList {
	var errs field.ErrorList
	same := func(name string, value, want any) {
		if !reflect.DeepEqual(value, want) {
			errs = append(errs, field.Invalid(fld.Child(name), value,
				"all profiles share one load model: must be the same as "+otherFld.Child(name).String()))
		}
	}
	same("source", a.Source, other.Source)
	same("expiration", a.Expiration.String(), other.Expiration.String())
	same("window", a.Window.String(), other.Window.String())
	same("estimate", a.Estimate.comparable(), other.Estimate.comparable())
	same("overrides.estimate", a.Overrides.Estimate.comparable(), other.Overrides.Estimate.comparable())
	return errs
}

// comparable returns e in a form in which equal amounts are equal: quantities
// that were written differently (1 and 1000m) differ inside.
func (e Estimate) comparable() map[string]any {
	defaults := map[string]string{}
	for name, quantity := range e.Defaults {
		defaults[name] = quantity.AsDec().String()
	}
	return map[string]any{"factors": e.Factors, "defaults": defaults, "warmUp": e.WarmUp.String(), "learn": e.Learn}
}

// comparable returns o in a form that is told in a message.
func (o EstimateOverride) comparable() map[string]any {
	return map[string]any{"allow": o.Allow, "minPercent": o.MinPercent}
}
