package config

import (
	"encoding/json"
	"os"
	"reflect"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/yaml"
)

// What the recommended profile says of the plugins' arguments is what they are without
// it: `args: {}` is recommended, and no value has two defaults.
func TestTheRecommendedProfileIsTheDefault(t *testing.T) {
	content, err := os.ReadFile("../../../config/plimsoll.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Profiles []struct {
			PluginConfig []struct {
				Name string
				Args json.RawMessage
			}
		}
	}
	if err := yaml.Unmarshal(content, &file); err != nil {
		t.Fatal(err)
	}
	byName := map[string]json.RawMessage{}
	for _, plugin := range file.Profiles[0].PluginConfig {
		byName[plugin.Name] = plugin.Args
	}
	at := field.NewPath("args")
	load, errs := DecodeNodeLoad(&runtime.Unknown{Raw: byName["NodeLoad"]}, at)
	if len(errs) > 0 {
		t.Fatal(errs.ToAggregate())
	}
	fit, errs := DecodeDeviceFit(&runtime.Unknown{Raw: byName["DeviceFit"]}, at)
	if len(errs) > 0 {
		t.Fatal(errs.ToAggregate())
	}
	for _, plugin := range []struct{ got, want any }{{load, DefaultNodeLoadArgs()}, {fit, DefaultDeviceFitArgs()}} {
		got, want := printed(t, plugin.got), printed(t, plugin.want)
		if !reflect.DeepEqual(got, want) {
			t.Errorf("the recommended profile is\n%v\nand the default\n%v", got, want)
		}
	}
}

// printed returns the arguments as a file would have them, without what is empty.
func printed(t *testing.T, args any) map[string]any {
	t.Helper()
	content, err := json.Marshal(args)
	if err != nil {
		t.Fatal(err)
	}
	fields := map[string]any{}
	if err := json.Unmarshal(content, &fields); err != nil {
		t.Fatal(err)
	}
	for name, value := range fields {
		if empty, err := json.Marshal(value); err != nil || string(empty) == "{}" || string(empty) == "[]" || string(empty) == "null" {
			delete(fields, name)
		}
	}
	return fields
}
