package arguments

import (
	_ "embed"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"text/template"
	"time"

	"github.com/prometheus/common/model"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/plimsoll-scheduler/plimsoll/pkg/apis/config"
	"github.com/plimsoll-scheduler/plimsoll/test/document"
)

const (
	// longest is the length of a default that is shown; longer ones, which are
	// expressions, are elsewhere.
	longest   = 60
	elsewhere = "prometheus.md"
)

//go:embed arguments.md.tmpl
var text string

type plugin struct {
	Name      string
	Arguments []argument
}

// argument is what is said of one.
type argument struct {
	Path, Default, Meaning string
	Values                 []value
}

// of returns the arguments of a struct, whose values are the defaults; those of structs
// in it are under its path.
func (s *source) of(path string, defaults reflect.Value) (found []argument) {
	for i := range defaults.NumField() {
		field, at := defaults.Type().Field(i), path+defaults.Type().Field(i).Tag.Get("json")
		element := field.Type
		for element.Kind() == reflect.Pointer || element.Kind() == reflect.Slice {
			element = element.Elem()
		}
		comment := s.plain(s.fields[defaults.Type().Name()+"."+field.Name], defaults.Type())
		if element.Kind() == reflect.Struct && element.PkgPath() == defaults.Type().PkgPath() {
			inner := defaults.Field(i)
			switch field.Type.Kind() {
			case reflect.Pointer:
				inner, at = reflect.ValueOf(defaultPrometheus()).Elem(), at+"."
			case reflect.Slice:
				found = append(found, argument{Path: at, Default: "`[]`", Meaning: comment})
				inner, at = reflect.New(element).Elem(), at+"[]."
			default:
				at += "."
			}
			found = append(found, s.of(at, inner)...)
			continue
		}
		if comment == "" {
			comment = s.plain(s.types[field.Type.Name()], nil)
			_, comment, _ = strings.Cut(comment, " says ") // "SourceType says where ..."
			comment = strings.ToUpper(comment[:min(1, len(comment))]) + comment[min(1, len(comment)):]
		}
		a := argument{Path: at, Default: "`" + write(defaults.Field(i)) + "`", Meaning: comment}
		switch {
		case a.Default == "``":
			a.Default = ""
		case len(a.Default) > longest:
			a.Default = "see [" + elsewhere + "](" + elsewhere + ")"
		}
		for _, v := range s.values[field.Type.Name()] {
			a.Values = append(a.Values, value{Text: v.Text, Comment: s.plain(v.Comment, nil)})
		}
		found = append(found, a)
	}
	return found
}

// defaultPrometheus returns what counts if nothing is said but the type of the source.
func defaultPrometheus() *config.Prometheus {
	said := &runtime.Unknown{Raw: []byte(`{"source": {"type": "Prometheus", "prometheus": {}}}`)}
	args, _ := config.DecodeNodeLoad(said, nil) // the address is missing, which has no default
	return args.Source.Prometheus
}

// write returns a value as in a file, in one line.
func write(v reflect.Value) string {
	switch value := v.Interface().(type) {
	case time.Duration:
		return model.Duration(value).String()
	case resource.Quantity:
		return value.String()
	}
	switch v.Kind() {
	case reflect.Pointer:
		return ""
	case reflect.String:
		return v.String()
	case reflect.Map:
		if v.IsNil() {
			return ""
		}
		keys := v.MapKeys()
		slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
		var entries []string
		for _, key := range keys {
			entries = append(entries, key.String()+": "+write(v.MapIndex(key)))
		}
		return "{" + strings.Join(entries, ", ") + "}"
	case reflect.Slice:
		var items []string
		for i := range v.Len() {
			items = append(items, fmt.Sprintf("%q", write(v.Index(i))))
		}
		return "[" + strings.Join(items, ", ") + "]"
	}
	return fmt.Sprint(v.Interface())
}

func TestReferenceIsThatOfTheCode(t *testing.T) {
	s, err := read("../../pkg/apis/config")
	if err != nil {
		t.Fatal(err)
	}
	plugins := []plugin{
		{config.NodeLoad, s.of("", reflect.ValueOf(config.DefaultNodeLoadArgs()).Elem())},
		{config.DeviceFit, s.of("", reflect.ValueOf(config.DefaultDeviceFitArgs()).Elem())},
	}
	for _, of := range plugins {
		for _, a := range of.Arguments {
			if a.Meaning == "" {
				t.Errorf("%s: nothing says what %s means: give its field or its type a comment", of.Name, a.Path)
			}
			if strings.Contains(a.Default+a.Meaning, "|") {
				t.Errorf("%s: %s: a | would end the table's cell: %s", of.Name, a.Path, a.Meaning)
			}
		}
	}
	document.Check(t, "docs/arguments.md", template.Must(template.New("").Parse(text)), plugins)
}
