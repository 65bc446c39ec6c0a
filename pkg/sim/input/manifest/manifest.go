// Package manifest reads objects of the Kubernetes API from text: JSON or YAML, single
// objects or lists, one document or several, as kubectl get -o json and -o yaml print
// them, kubectl get --raw, and tools that cut those up.
package manifest

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/input/textfile"
)

// Object is an object as it was read, not decoded yet.
type Object struct {
	// Kind and APIVersion are empty if neither the object nor its list tells them.
	Kind, APIVersion string

	raw  json.RawMessage // a JSON object, unless there is a fault
	file *textfile.File
	line int    // in which it begins
	path string // in its document, such as items[3]; empty if it is the document
	// fault says why it is no object of the Kubernetes API.
	fault error
}

// Where returns the place of the object: FILE:LINE.
func (o *Object) Where() string { return fmt.Sprintf("%s:%d", o.file.Name, o.line) }

// Errorf returns an error about a field of the object, or if field is empty about the
// object: FILE:LINE: FIELD what is wrong.
func (o *Object) Errorf(field, format string, args ...any) error {
	path := strings.TrimPrefix(o.path+"."+field, ".")
	if path = strings.TrimSuffix(path, "."); path == "" {
		path = "the object"
	}
	return o.file.Errorf(o.line, "%s %w", path, fmt.Errorf(format, args...))
}

// Decode decodes the object into the value that into points to. Fields that its type
// does not have are left out. Errors name the field that cannot be decoded, and say what
// would be right.
func (o *Object) Decode(into any) error {
	if o.fault != nil {
		return o.fault
	}
	return o.decode(into)
}

// Name returns what the object is called, as far as that can be read: it is for objects
// that cannot be decoded.
func (o *Object) Name() (namespace, name string) {
	var named struct {
		Metadata struct{ Namespace, Name string }
	}
	_ = json.Unmarshal(o.raw, &named) // reads the one if the other cannot be read
	return named.Metadata.Namespace, named.Metadata.Name
}

// Read returns the objects of a file, those of lists one by one. What stands in the place
// of an object and is none is returned as well: it cannot be decoded.
func Read(f *textfile.File) ([]Object, error) {
	text := strings.TrimSpace(f.Text)
	if strings.HasPrefix(text, "{") || strings.HasPrefix(text, "[") {
		return readJSON(f)
	}
	return readYAML(f)
}

// document is a document of a file.
type document struct {
	file             *textfile.File
	line             int
	kind, apiVersion string
	whole            json.RawMessage // unless it is a list
	items            []item
	list             bool
	// fault is that of kind or apiVersion.
	fault error
}

// item is an entry of a list.
type item struct {
	raw  json.RawMessage
	line int
}

// objects returns what is in the document.
func (d *document) objects() ([]Object, error) {
	if !d.list {
		return []Object{{Kind: d.kind, APIVersion: d.apiVersion, raw: d.whole, file: d.file, line: d.line, fault: d.fault}}, nil
	}
	if d.fault != nil { // it is not known what is in the list
		return nil, d.fault
	}
	objects := make([]Object, 0, len(d.items))
	for i, entry := range d.items {
		o := Object{raw: entry.raw, file: d.file, line: entry.line, path: fmt.Sprintf("items[%d]", i)}
		var named struct{ Kind, APIVersion *string }
		if len(entry.raw) == 0 || entry.raw[0] != '{' || json.Unmarshal(entry.raw, &named) != nil {
			o.fault = o.Errorf("", "is %s: must be an object of the Kubernetes API", abbreviated(entry.raw))
		}
		if named.Kind != nil {
			o.Kind = *named.Kind
		} else if kind, ok := strings.CutSuffix(d.kind, "List"); ok {
			o.Kind = kind
		}
		if named.APIVersion != nil {
			o.APIVersion = *named.APIVersion
		} else if named.Kind == nil && o.Kind != "" {
			o.APIVersion = d.apiVersion
		}
		objects = append(objects, o)
	}
	return objects, nil
}

// abbreviated returns a value of at most 60 characters.
func abbreviated(raw []byte) string {
	const most = 60
	if characters := []rune(string(raw)); len(characters) > most {
		return string(characters[:most-3]) + "..."
	}
	return string(raw)
}
