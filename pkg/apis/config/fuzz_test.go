package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	schedconfig "k8s.io/kubernetes/pkg/scheduler/apis/config"
	"k8s.io/kubernetes/pkg/scheduler/apis/config/scheme"

	// The scheme of Trimaran's arguments, which are in one of the files.
	_ "sigs.k8s.io/scheduler-plugins/apis/config/scheme"
)

// Beside what is in testdata/fuzz, each begins with the arguments in the
// repository's configurations.
func addConfigured(f *testing.F, plugin string) {
	files, err := filepath.Glob("../../../config/*.yaml")
	if err != nil || len(files) == 0 {
		f.Fatalf("config/*.yaml: %v, %v", files, err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		obj, _, err := scheme.Codecs.UniversalDecoder().Decode(content, nil, nil)
		if err != nil {
			f.Fatal(err)
		}
		for _, profile := range obj.(*schedconfig.KubeSchedulerConfiguration).Profiles {
			for _, pc := range profile.PluginConfig {
				if args, ok := pc.Args.(*runtime.Unknown); ok && pc.Name == plugin {
					f.Add(string(args.Raw))
				}
			}
		}
	}
}

// Whatever the arguments are, decoding ends without a panic. Either each fault has
// the path of its field, or what was decoded is valid, and has each value that was
// given: none is another, or zero, without a word.
func FuzzNodeLoadArgs(f *testing.F) {
	addConfigured(f, NodeLoad)
	f.Fuzz(func(t *testing.T, args string) {
		fld := field.NewPath("args")
		decoded, errs := DecodeNodeLoad(raw(args), fld)
		checkDecoded(t, args, decoded, errs, decoded.Validate(fld))
	})
}

func FuzzDeviceFitArgs(f *testing.F) {
	addConfigured(f, DeviceFit)
	f.Fuzz(func(t *testing.T, args string) {
		fld := field.NewPath("args")
		decoded, errs := DecodeDeviceFit(raw(args), fld)
		checkDecoded(t, args, decoded, errs, decoded.Validate(fld))
	})
}

func checkDecoded(t *testing.T, args string, decoded any, errs, invalid field.ErrorList) {
	t.Helper()
	for _, err := range errs {
		if !strings.HasPrefix(err.Error(), "args") || err.Detail == "" && err.Type != field.ErrorTypeDuplicate || err.Type == field.ErrorTypeInternal {
			t.Errorf("%s: a fault does not say where, or what would be right: %q", args, err)
		}
	}
	if len(errs) > 0 || len(strings.TrimSpace(args)) == 0 {
		return
	}
	if len(invalid) > 0 {
		t.Errorf("%s: no fault was found in decoding, and then %v", args, invalid.ToAggregate())
	}
	decoder := json.NewDecoder(bytes.NewReader([]byte(args)))
	decoder.UseNumber()
	var given any
	if err := decoder.Decode(&given); err != nil {
		t.Fatalf("%s: no fault was found, and it is no JSON: %v", args, err)
	}
	checkGiven(t, "args", given, reflect.ValueOf(decoded).Elem())
}

// checkGiven checks that the value that was decoded is the one given.
func checkGiven(t *testing.T, at string, given any, decoded reflect.Value) {
	t.Helper()
	if given == nil {
		return // the default
	}
	if decoded.Kind() == reflect.Pointer {
		if decoded.IsNil() {
			t.Fatalf("%s is %v, and nothing was decoded", at, given)
		}
		decoded = decoded.Elem()
	}
	switch value := decoded.Interface().(type) {
	case time.Duration:
		if want, err := time.ParseDuration(given.(string)); err != nil || value != want {
			t.Errorf("%s is %v, and %v was decoded", at, given, value)
		}
		return
	case resource.Quantity:
		if want := resource.MustParse(fmt.Sprint(given)); !value.Equal(want) || want.Sign() > 0 && value.Value() <= 0 {
			t.Errorf("%s is %v, and %v was decoded", at, given, value.String())
		}
		return
	}
	switch object := given.(type) {
	case map[string]any:
		for name, given := range object {
			checkGiven(t, at+"."+name, given, fieldOf(t, at, name, decoded, given == nil))
		}
	case []any:
		if decoded.Len() != len(object) {
			t.Fatalf("%s has %d elements, and %d were decoded", at, len(object), decoded.Len())
		}
		for i, given := range object {
			checkGiven(t, fmt.Sprintf("%s[%d]", at, i), given, decoded.Index(i))
		}
	case json.Number:
		if got := json.Number(fmt.Sprint(decoded.Interface())); !sameNumber(object, got) {
			t.Errorf("%s is %v, and %v was decoded", at, object, got)
		}
	default:
		if fmt.Sprint(decoded.Interface()) != fmt.Sprint(given) {
			t.Errorf("%s is %v, and %v was decoded", at, given, decoded.Interface())
		}
	}
}

// fieldOf returns the field of a struct, or the element of a map, that has the name.
func fieldOf(t *testing.T, at, name string, decoded reflect.Value, isNull bool) reflect.Value {
	t.Helper()
	if decoded.Kind() == reflect.Map {
		element := decoded.MapIndex(reflect.ValueOf(name))
		if !element.IsValid() {
			if !isNull {
				t.Fatalf("%s.%s was given, and not decoded", at, name)
			}
			return reflect.Zero(decoded.Type().Elem())
		}
		return element
	}
	fields := reflect.VisibleFields(decoded.Type())
	i := slices.IndexFunc(fields, func(f reflect.StructField) bool { return f.Tag.Get("json") == name })
	if i < 0 {
		t.Fatalf("%s.%s was given, and there is no such field", at, name)
	}
	return decoded.FieldByIndex(fields[i].Index)
}

func sameNumber(a, b json.Number) bool {
	x, errX := a.Float64()
	y, errY := b.Float64()
	return errX == nil && errY == nil && x == y
}
