package config

import (
	"reflect"
	"slices"
	"strings"

	schedconfig "k8s.io/kubernetes/pkg/scheduler/apis/config"
)

// multiPoint is the name of what stands for all extension points of a plugin.
const multiPoint = "multiPoint"

// pointsOf returns the extension points that our plugin of the name has; none if
// it is not ours.
func pointsOf(plugin string) (points []string) {
	switch plugin {
	case NodeLoad:
		points = []string{"preFilter", "filter", "postFilter", "preScore", "score", "reserve", "placementScore"}
	case DeviceFit:
		points = []string{"preFilter", "filter", "postFilter", "preScore", "score", "reserve", "placementScore", "postBind"}
	}
	known := extensionPoints(&schedconfig.Plugins{}) // placementScore is there since Kubernetes 1.36
	return slices.DeleteFunc(points, func(name string) bool {
		return !slices.ContainsFunc(known, func(p extensionPoint) bool { return p.name == name })
	})
}

// extensionPoint is what a profile says of an extension point.
type extensionPoint struct {
	name string // as in a configuration file
	schedconfig.PluginSet
}

// extensionPoints returns all of them, multiPoint among them.
func extensionPoints(plugins *schedconfig.Plugins) []extensionPoint {
	if plugins == nil {
		return nil
	}
	var points []extensionPoint
	value := reflect.ValueOf(*plugins)
	for i := range value.NumField() {
		if set, ok := value.Field(i).Interface().(schedconfig.PluginSet); ok {
			name := value.Type().Field(i).Name
			points = append(points, extensionPoint{strings.ToLower(name[:1]) + name[1:], set})
		}
	}
	return points
}

// Enables reports whether a profile enables our plugin of the name at one of its
// extension points at least. It decides as the scheduler framework does: what is
// enabled at a point holds, whatever is disabled there.
func Enables(plugins *schedconfig.Plugins, plugin string) bool {
	points, own := extensionPoints(plugins), pointsOf(plugin)
	everywhere := slices.ContainsFunc(points, func(p extensionPoint) bool {
		return p.name == multiPoint && names(p.Enabled, plugin)
	})
	return slices.ContainsFunc(points, func(p extensionPoint) bool {
		if !slices.Contains(own, p.name) {
			return false
		}
		return names(p.Enabled, plugin) || everywhere && !names(p.Disabled, plugin) && !names(p.Disabled, "*")
	})
}

func names(plugins []schedconfig.Plugin, name string) bool {
	return slices.ContainsFunc(plugins, func(p schedconfig.Plugin) bool { return p.Name == name })
}
