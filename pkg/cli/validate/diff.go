package validate

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/runtime"
	schedconfig "k8s.io/kubernetes/pkg/scheduler/apis/config"

	examples "github.com/plimsoll-scheduler/plimsoll/config"
	"github.com/plimsoll-scheduler/plimsoll/pkg/apis/config"
	"github.com/plimsoll-scheduler/plimsoll/pkg/cli/show"
	"github.com/plimsoll-scheduler/plimsoll/pkg/configfile"
)

// Difference is something of a profile that is not as recommended.
type Difference struct {
	File    string `json:"file"`
	Profile string `json:"profile"`
	// Field is an argument, or the weight of a plugin's score; 0 is not enabled.
	Field       string `json:"field"`
	Is          string `json:"is"`
	Recommended string `json:"recommended"`
}

func tableOf(differences []Difference) *show.Table {
	t := &show.Table{Empty: "All profiles are as recommended.", Columns: []show.Column{{Name: "PROFILE"}, {Name: "FIELD"}, {Name: "IS"}, {Name: "RECOMMENDED"}}}
	for i := range differences {
		d := &differences[i]
		t.Add(show.Text("%s", d.Profile), show.Text("%s", d.Field), show.Text("%s", short(d.Is)), show.Text("%s", short(d.Recommended)))
	}
	return t
}

// short returns as much of a value as fits into a table.
func short(value string) string {
	const most = 60
	if runes := []rune(value); len(runes) > most {
		return string(runes[:most]) + " ..."
	}
	return value
}

// differences compares each profile of a valid configuration with the recommended one.
func differences(file string, cfg *schedconfig.KubeSchedulerConfiguration) (all []Difference) {
	recommended, err := configfile.Decode(examples.Plimsoll())
	if err != nil {
		panic(err) // it is tested
	}
	want := fieldsOf(&recommended.Profiles[0])
	for i := range cfg.Profiles {
		profile := &cfg.Profiles[i]
		is := fieldsOf(profile)
		for _, name := range namesIn(is, want) {
			plugin, _, isArgument := strings.Cut(name, ".")
			if isArgument && is[plugin] == "" {
				continue // that it is not enabled is said once
			}
			if is[name] != want[name] {
				all = append(all, Difference{File: file, Profile: profile.SchedulerName, Field: name, Is: orNone(is[name]), Recommended: orNone(want[name])})
			}
		}
	}
	return all
}

func orNone(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

func namesIn(a, b map[string]string) (names []string) {
	for name := range a {
		names = append(names, name)
	}
	for name := range b {
		if _, both := a[name]; !both {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// fieldsOf returns the weights of the plugins that score in a profile, and the effective
// arguments of Plimsoll's.
func fieldsOf(profile *schedconfig.KubeSchedulerProfile) map[string]string {
	fields := map[string]string{}
	disabled := map[string]bool{}
	for _, p := range profile.Plugins.Score.Disabled {
		disabled[p.Name] = true
	}
	for _, set := range [][]schedconfig.Plugin{profile.Plugins.MultiPoint.Enabled, profile.Plugins.Score.Enabled} {
		for _, p := range set {
			if !disabled[p.Name] && !disabled["*"] && p.Weight > 0 {
				fields["weight of "+p.Name] = fmt.Sprint(p.Weight)
			}
		}
	}
	for _, name := range []string{config.NodeLoad, config.DeviceFit} {
		if !config.Enables(profile.Plugins, name) {
			continue
		}
		var given runtime.Object
		for i := range profile.PluginConfig {
			if profile.PluginConfig[i].Name == name {
				given = profile.PluginConfig[i].Args
			}
		}
		var args any
		if name == config.NodeLoad {
			args, _ = config.DecodeNodeLoad(given, nil) // it is valid
		} else {
			args, _ = config.DecodeDeviceFit(given, nil)
		}
		fields[name] = "enabled"
		flatten(name, reflect.ValueOf(args).Elem(), fields)
	}
	return fields
}

// flatten writes each value of arguments under its path.
func flatten(path string, value reflect.Value, to map[string]string) {
	switch v := value.Interface().(type) {
	case time.Duration:
		to[path] = v.String()
		return
	case resource.Quantity:
		to[path] = v.String()
		return
	}
	switch value.Kind() {
	case reflect.Pointer:
		if !value.IsNil() {
			flatten(path, value.Elem(), to)
		}
	case reflect.Struct:
		for i := range value.NumField() {
			name, _, _ := strings.Cut(value.Type().Field(i).Tag.Get("json"), ",")
			if name != "" && name != "-" {
				flatten(path+"."+name, value.Field(i), to)
			}
		}
	case reflect.Map:
		for _, key := range value.MapKeys() {
			flatten(path+"."+key.String(), value.MapIndex(key), to)
		}
	case reflect.Slice:
		if value.Len() > 0 {
			to[path] = fmt.Sprintf("%+v", value.Interface())
		}
	default:
		to[path] = fmt.Sprint(value.Interface())
	}
}
