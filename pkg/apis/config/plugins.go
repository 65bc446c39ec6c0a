package config

import (
	"slices"
	"strings"
	"unicode"

	"k8s.io/apimachinery/pkg/util/validation/field"
	schedconfig "k8s.io/kubernetes/pkg/scheduler/apis/config"
)

// What kube-scheduler does not find a plugin for it ignores: arguments, and what
// is disabled. So a slip of the pen would turn ours off without a word. Here it is
// a fault.

// UnknownPlugins returns the names in the profiles of which kube-scheduler would ignore
// what they are there for, as no plugin has them. known has those that plugins have.
// What was meant for one of ours is told by DecodeProfiles.
func UnknownPlugins(profiles []schedconfig.KubeSchedulerProfile, known []string) (errs field.ErrorList) {
	known = slices.Sorted(slices.Values(known))
	unknown := func(name string) bool { return meant(name) == "" && name != "*" && !slices.Contains(known, name) }
	for i := range profiles {
		fld := field.NewPath("profiles").Index(i)
		for _, point := range extensionPoints(profiles[i].Plugins) {
			for _, p := range point.Disabled {
				if unknown(p.Name) {
					errs = append(errs, field.Invalid(fld.Child("plugins", point.name, "disabled").Key(p.Name), p.Name,
						"no plugin has this name, so nothing would be disabled"+remedy(p.Name, known)))
				}
			}
		}
		for _, pc := range profiles[i].PluginConfig {
			if unknown(pc.Name) {
				errs = append(errs, field.Invalid(fld.Child("pluginConfig").Key(pc.Name), pc.Name,
					"no plugin has this name, so its arguments would be ignored"+remedy(pc.Name, known)))
			}
		}
	}
	return errs
}

// remedy tells which of the known names was probably meant, or all of them.
func remedy(name string, known []string) string {
	if best := nearest(name, known); best != "" {
		return "; probably meant: " + best
	}
	return "; known here: " + strings.Join(known, ", ")
}

// checkPlugins returns what a profile says of our plugins that has no effect.
// Any of their extension points may be enabled without the others.
func checkPlugins(profile *schedconfig.KubeSchedulerProfile, fld *field.Path) field.ErrorList {
	c := pluginCheck{told: map[string]bool{}}
	for _, point := range extensionPoints(profile.Plugins) {
		at := fld.Child("plugins", point.name)
		for _, p := range point.Enabled {
			c.point(at.Child("enabled"), point.name, p.Name)
		}
		for _, p := range point.Disabled {
			c.point(at.Child("disabled"), point.name, p.Name)
		}
	}
	for i := range profile.PluginConfig {
		c.arguments(fld.Child("pluginConfig"), profile.Plugins, profile.PluginConfig[i].Name)
	}
	return c.errs
}

// pluginCheck gathers what is wrong with the names of plugins in a profile.
type pluginCheck struct {
	errs field.ErrorList
	// told has our plugins that are named in a wrong way. That they are not enabled
	// need not be told as well.
	told map[string]bool
}

// point checks a name that is enabled or disabled at an extension point.
func (c *pluginCheck) point(list *field.Path, point, name string) {
	if plugin := meant(name); plugin != "" {
		c.invalid(list, name, plugin, "no plugin has this name; probably meant: "+plugin)
		return
	}
	if own := pointsOf(name); own != nil && point != multiPoint && !slices.Contains(own, point) {
		c.invalid(list, name, name, "the plugin has no such extension point; it has "+strings.Join(own, ", ")+", and "+multiPoint+" stands for all of them")
	}
}

// arguments checks that the arguments of a plugin have an effect.
func (c *pluginCheck) arguments(list *field.Path, plugins *schedconfig.Plugins, name string) {
	plugin := meant(name)
	switch {
	case plugin != "":
		c.invalid(list, name, plugin, "no plugin has this name, so its arguments would be ignored; probably meant: "+plugin)
	case pointsOf(name) == nil || c.told[name] || Enables(plugins, name):
	case name == NodeLoad && Enables(plugins, DeviceFit):
		// DeviceFit goes by the load model and the thresholds of these.
	default:
		c.errs = append(c.errs, field.Forbidden(list.Key(name),
			"the profile enables "+name+" at no extension point, so its arguments would be ignored; enable it, as with plugins.multiPoint.enabled: [{name: "+name+"}], or remove them"))
	}
}

func (c *pluginCheck) invalid(list *field.Path, name, plugin, why string) {
	c.errs = append(c.errs, field.Invalid(list.Key(name), name, why))
	c.told[plugin] = true
}

// maxDistance is how far a name may be from that of a plugin to be taken for it. From
// ours, kube-scheduler's and Trimaran's plugins are further away.
const maxDistance = 2

// meant returns the plugin of ours that is probably meant by a name that is not
// quite its; empty if there is none.
func meant(name string) string {
	own := []string{NodeLoad, DeviceFit}
	if slices.Contains(own, name) {
		return ""
	}
	return nearest(name, own)
}

// nearest returns the one of the plugins whose name is nearest, the first of several;
// empty if none is near.
func nearest(name string, plugins []string) (best string) {
	least := maxDistance + 1
	for _, plugin := range plugins {
		if d := distance(plain(name), plain(plugin)); d < least {
			best, least = plugin, d
		}
	}
	return best
}

// plain returns what is left of a plugin's name if neither case, signs, a domain
// before it nor what it is called a plugin by make a difference.
func plain(name string) string {
	name = name[strings.LastIndex(name, "/")+1:]
	name = strings.Map(func(r rune) rune {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			return -1
		}
		return unicode.ToLower(r)
	}, name)
	return strings.TrimSuffix(strings.TrimSuffix(name, "args"), "plugin")
}

// distance returns how many letters must be inserted, removed or replaced to make
// b of a (Levenshtein's distance).
func distance(a, b string) int {
	from, to := []rune(a), []rune(b)
	row := make([]int, len(to)+1) // for the letters of a so far, and so many of b
	for j := range row {
		row[j] = j
	}
	for i, r := range from {
		diagonal := row[0]
		row[0] = i + 1
		for j := range to {
			replaced := diagonal
			if to[j] != r {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(to)]
}
