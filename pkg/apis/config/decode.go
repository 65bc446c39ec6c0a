package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// args is what Decode needs of the arguments of a plugin.
type args interface {
	Validate(*field.Path) field.ErrorList
}

// defaulter is a part of the arguments that may be absent, and has defaults if
// it is not.
type defaulter interface{ setDefaults() }

// completer is arguments with defaults that depend on what was said of others.
type completer interface{ complete() }

// DecodeNodeLoad returns obj, the arguments that the scheduler framework hands
// to a plugin, as NodeLoadArgs with defaults filled in. Every fault is
// reported, each with its path below fld; the arguments are valid only if
// there is none.
func DecodeNodeLoad(obj runtime.Object, fld *field.Path) (*NodeLoadArgs, field.ErrorList) {
	args := DefaultNodeLoadArgs()
	args.Score.Strategy = strategyNotSaid
	return decodeArgs(obj, fld, args)
}

// DecodeDeviceFit is DecodeNodeLoad for DeviceFitArgs.
func DecodeDeviceFit(obj runtime.Object, fld *field.Path) (*DeviceFitArgs, field.ErrorList) {
	return decodeArgs(obj, fld, DefaultDeviceFitArgs())
}

func decodeArgs[T args](obj runtime.Object, fld *field.Path, into T) (T, field.ErrorList) {
	var raw []byte
	switch o := obj.(type) {
	case nil:
	case *runtime.Unknown:
		raw = o.Raw
	default:
		return into, field.ErrorList{field.InternalError(fld, fmt.Errorf("arguments of type %T, want JSON", obj))}
	}
	errs := decode(raw, fld, into)
	if into, ok := any(into).(completer); ok {
		into.complete()
	}
	return into, append(errs, validateUnless(errs, into.Validate(fld))...)
}

// validateUnless drops the faults of fields that could not be decoded: they
// hold a default, and one message a field is enough.
func validateUnless(decoding, validation field.ErrorList) field.ErrorList {
	return slices.DeleteFunc(validation, func(e *field.Error) bool {
		return slices.ContainsFunc(decoding, func(d *field.Error) bool { return d.Field == e.Field })
	})
}

// decode reads one JSON value into the struct that into points to. Unlike
// encoding/json it goes on after a fault, so that all are reported at once,
// and keeps what a map held before, so that defaults stay for keys not named.
func decode(raw []byte, fld *field.Path, into any) field.ErrorList {
	if len(bytes.TrimSpace(raw)) == 0 {
		return nil
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var tree any
	if err := decoder.Decode(&tree); err != nil {
		return field.ErrorList{field.Invalid(fld, brief(string(raw)), "not JSON: "+err.Error())}
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return field.ErrorList{field.Invalid(fld, brief(string(raw)), "must be one JSON value")}
	}
	if errs := repeated(json.NewDecoder(bytes.NewReader(raw)), fld); len(errs) > 0 {
		return errs
	}
	return assign(fld, tree, reflect.ValueOf(into).Elem())
}

// repeated returns the fields that a JSON value names twice. Only the last would
// count. The value is known to be valid.
func repeated(decoder *json.Decoder, fld *field.Path) (errs field.ErrorList) {
	token, _ := decoder.Token()
	switch token {
	case json.Delim('['):
		for i := 0; decoder.More(); i++ {
			errs = append(errs, repeated(decoder, fld.Index(i))...)
		}
		_, _ = decoder.Token()
	case json.Delim('{'):
		named := map[json.Token]bool{}
		for decoder.More() {
			name, _ := decoder.Token()
			at := fld.Child(fmt.Sprint(name))
			if named[name] {
				errs = append(errs, field.Duplicate(at, name))
			}
			named[name] = true
			errs = append(errs, repeated(decoder, at)...)
		}
		_, _ = decoder.Token()
	}
	return errs
}

var (
	durationType = reflect.TypeFor[time.Duration]()
	quantityType = reflect.TypeFor[resource.Quantity]()
)

// assign stores the JSON value in to, or says why it does not fit.
func assign(fld *field.Path, value any, to reflect.Value) field.ErrorList {
	if value == nil { // an explicit null means the default, as elsewhere in Kubernetes
		return nil
	}
	if to.Kind() == reflect.Pointer { // a value that may be absent
		to.Set(reflect.New(to.Type().Elem()))
		if value, ok := to.Interface().(defaulter); ok {
			value.setDefaults()
		}
		to = to.Elem()
	}
	switch {
	case to.Type() == durationType:
		return assignText(fld, value, to, time.ParseDuration, `a duration such as "15s"`)
	case to.Type() == quantityType:
		if number, ok := value.(json.Number); ok {
			value = number.String()
		}
		return assignText(fld, value, to, parseQuantity, `a quantity such as "250m" or "1Gi"`)
	case to.Kind() == reflect.Struct:
		return assignStruct(fld, value, to)
	case to.Kind() == reflect.Map:
		return assignMap(fld, value, to)
	case to.Kind() == reflect.Slice:
		return assignSlice(fld, value, to)
	}
	return assignScalar(fld, value, to)
}

func assignText[T any](fld *field.Path, value any, to reflect.Value, parse func(string) (T, error), want string) field.ErrorList {
	text, ok := value.(string)
	if !ok {
		return mismatch(fld, value, want)
	}
	parsed, err := parse(text)
	if err != nil {
		return mismatch(fld, value, want)
	}
	to.Set(reflect.ValueOf(parsed))
	return nil
}

func assignScalar(fld *field.Path, value any, to reflect.Value) field.ErrorList {
	switch to.Kind() {
	case reflect.String:
		if text, ok := value.(string); ok {
			to.SetString(text)
			return nil
		}
		return mismatch(fld, value, "a string")
	case reflect.Bool:
		if b, ok := value.(bool); ok {
			to.SetBool(b)
			return nil
		}
		return mismatch(fld, value, "true or false")
	case reflect.Int64:
		if number, ok := value.(json.Number); ok {
			if i, err := number.Int64(); err == nil {
				to.SetInt(i)
				return nil
			}
		}
		return mismatch(fld, value, "an integer")
	case reflect.Float64:
		if number, ok := value.(json.Number); ok {
			if f, err := number.Float64(); err == nil {
				to.SetFloat(f)
				return nil
			}
		}
		return mismatch(fld, value, "a number")
	}
	return field.ErrorList{field.InternalError(fld, fmt.Errorf("no decoding for %s", to.Type()))}
}

func assignStruct(fld *field.Path, value any, to reflect.Value) field.ErrorList {
	object, ok := value.(map[string]any)
	if !ok {
		return mismatch(fld, value, "an object")
	}
	known := map[string]reflect.Value{}
	for i := range to.NumField() {
		known[to.Type().Field(i).Tag.Get("json")] = to.Field(i)
	}
	var errs field.ErrorList
	for _, name := range slices.Sorted(maps.Keys(object)) {
		to, ok := known[name]
		if !ok {
			errs = append(errs, field.Forbidden(fld.Child(name),
				"unknown field; known here: "+strings.Join(slices.Sorted(maps.Keys(known)), ", ")))
			continue
		}
		errs = append(errs, assign(fld.Child(name), object[name], to)...)
	}
	return errs
}

func assignMap(fld *field.Path, value any, to reflect.Value) field.ErrorList {
	object, ok := value.(map[string]any)
	if !ok {
		return mismatch(fld, value, "an object")
	}
	if to.IsNil() {
		to.Set(reflect.MakeMap(to.Type()))
	}
	var errs field.ErrorList
	for _, key := range slices.Sorted(maps.Keys(object)) {
		element := reflect.New(to.Type().Elem()).Elem()
		if faults := assign(fld.Key(key), object[key], element); len(faults) > 0 {
			errs = append(errs, faults...)
			continue
		}
		if object[key] != nil {
			to.SetMapIndex(reflect.ValueOf(key), element)
		}
	}
	return errs
}

func assignSlice(fld *field.Path, value any, to reflect.Value) field.ErrorList {
	list, ok := value.([]any)
	if !ok {
		return mismatch(fld, value, "a list")
	}
	var errs field.ErrorList
	elements := reflect.MakeSlice(to.Type(), len(list), len(list))
	for i := range list {
		errs = append(errs, assign(fld.Index(i), list[i], elements.Index(i))...)
	}
	to.Set(elements)
	return errs
}

func mismatch(fld *field.Path, value any, want string) field.ErrorList {
	if number, ok := value.(json.Number); ok {
		value = number.String()
	}
	if text, ok := value.(string); ok {
		value = brief(text)
	}
	return field.ErrorList{field.Invalid(fld, value, "must be "+want)}
}

// maxValue is how much of a value a message repeats, so that the reason is not lost
// behind it.
const maxValue = 200

func brief(value string) string {
	if len(value) <= maxValue {
		return value
	}
	return strings.ToValidUTF8(value[:maxValue], "") + "..."
}

func between(low, high int64) string { return fmt.Sprintf("must be between %d and %d", low, high) }
