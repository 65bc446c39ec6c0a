package manifest

import (
	"bytes"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

func (o *Object) decode(into any) error {
	err := json.Unmarshal(o.raw, into)
	if err == nil && !bytes.Contains(o.raw, []byte("null")) {
		return nil
	}
	if bad := faultOf(o.raw, reflect.TypeOf(into).Elem()); bad != nil {
		return o.Errorf(strings.TrimPrefix(bad.path, "."), "is %s: must be %s", abbreviated(bad.raw), meaning(bad.kind))
	}
	if err != nil {
		return o.Errorf("", "cannot be read: %w", err)
	}
	return nil
}

// fault is a value that is none of its type.
type fault struct {
	path string
	raw  json.RawMessage
	kind reflect.Type
}

// faultOf returns the first value in raw that is none of the type that it has in kind,
// or nil. That is wider than what encoding/json reports: a quantity that is null is no
// quantity, and not 0. Errors of encoding/json tell the field for some types only.
func faultOf(raw json.RawMessage, kind reflect.Type) *fault {
	for kind.Kind() == reflect.Pointer {
		kind = kind.Elem()
	}
	if isNull(raw) {
		if kind == reflect.TypeFor[resource.Quantity]() {
			return &fault{raw: raw, kind: kind}
		}
		return nil
	}
	_, leaf := reflect.New(kind).Interface().(json.Unmarshaler)
	switch {
	case leaf:
	case kind.Kind() == reflect.Struct || kind.Kind() == reflect.Map:
		var members map[string]json.RawMessage
		if json.Unmarshal(raw, &members) == nil {
			return faultOfMember(members, kind)
		}
	case kind.Kind() == reflect.Slice:
		var entries []json.RawMessage
		if json.Unmarshal(raw, &entries) == nil {
			return faultOfEntry(entries, kind)
		}
	}
	if json.Unmarshal(raw, reflect.New(kind).Interface()) == nil {
		return nil
	}
	return &fault{raw: raw, kind: kind}
}

func isNull(raw json.RawMessage) bool { return string(bytes.TrimSpace(raw)) == "null" }

func faultOfEntry(entries []json.RawMessage, kind reflect.Type) *fault {
	for i, entry := range entries {
		if bad := faultOf(entry, kind.Elem()); bad != nil {
			bad.path = "[" + strconv.Itoa(i) + "]" + bad.path
			return bad
		}
	}
	return nil
}

func faultOfMember(members map[string]json.RawMessage, kind reflect.Type) *fault {
	for _, name := range slices.Sorted(maps.Keys(members)) {
		var member reflect.Type
		path := "." + name
		if kind.Kind() == reflect.Map {
			member, path = kind.Elem(), "["+name+"]"
		} else if member = fieldOf(kind, name); member == nil {
			continue
		}
		if bad := faultOf(members[name], member); bad != nil {
			bad.path = path + bad.path
			return bad
		}
	}
	return nil
}

// fieldOf returns the type of the field with that name in JSON, or nil. Fields of an
// embedded struct that has no name of its own count as those of kind.
func fieldOf(kind reflect.Type, name string) reflect.Type {
	for i := range kind.NumField() {
		field := kind.Field(i)
		tag, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if field.Anonymous && tag == "" && field.Type.Kind() == reflect.Struct {
			if found := fieldOf(field.Type, name); found != nil {
				return found
			}
		} else if tag != "" && tag == name {
			return field.Type
		}
	}
	return nil
}

// meaning says what a value of the type is.
func meaning(kind reflect.Type) string {
	switch kind {
	case reflect.TypeFor[resource.Quantity]():
		return "a quantity such as 500m, 4 or 2Gi"
	case reflect.TypeFor[metav1.Time](), reflect.TypeFor[metav1.MicroTime]():
		return "a time such as 2026-01-02T15:04:05Z"
	case reflect.TypeFor[metav1.Duration]():
		return "a duration such as 15s"
	case reflect.TypeFor[intstr.IntOrString]():
		return "a number or a name"
	}
	switch kind.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int32, reflect.Int64:
		return "a whole number"
	case reflect.Slice:
		return "a list"
	case reflect.Struct, reflect.Map:
		return "an object"
	}
	return "a " + kind.String()
}
