package manifest

import (
	"encoding/json"
	"errors"
	"io"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/input/textfile"
)

// readYAML reads documents that are separated by lines of ---.
func readYAML(f *textfile.File) ([]Object, error) {
	var all []Object
	decoder := yaml.NewDecoder(strings.NewReader(f.Text))
	for {
		var root yaml.Node
		err := decoder.Decode(&root)
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, explainYAML(f, err)
		}
		if len(root.Content) == 0 || root.Content[0].ShortTag() == "!!null" {
			continue // an empty document
		}
		d, err := splitYAML(f, root.Content[0])
		if err != nil {
			return nil, err
		}
		objects, err := d.objects()
		if err != nil {
			return nil, err
		}
		all = append(all, objects...)
	}
}

// explainYAML gives an error of the library the place that all others have.
func explainYAML(f *textfile.File, err error) error {
	line, what := 1, strings.TrimPrefix(err.Error(), "yaml: ")
	var several *yaml.TypeError
	if errors.As(err, &several) {
		what = several.Errors[0]
	}
	if found := regexp.MustCompile(`^line (\d+): `).FindStringSubmatch(what); found != nil {
		if line, err = strconv.Atoi(found[1]); err != nil {
			return err
		}
		what = strings.TrimPrefix(what, found[0])
	}
	return f.Errorf(line, "neither JSON nor YAML: %s; must be what kubectl get -o json or -o yaml prints", what)
}

// splitYAML takes a document apart.
func splitYAML(f *textfile.File, root *yaml.Node) (*document, error) {
	d := &document{file: f, line: root.Line}
	entries := root
	switch root.Kind {
	case yaml.SequenceNode:
		d.list = true
	case yaml.MappingNode:
		var err error
		if entries, err = d.members(root); err != nil {
			return nil, err
		}
	default:
		return nil, f.Errorf(root.Line, "%q is no object of the Kubernetes API: must be what kubectl get -o json or -o yaml prints", abbreviated([]byte(root.Value)))
	}
	if !d.list {
		var err error
		d.whole, err = toJSON(f, root)
		return d, err
	}
	for _, entry := range entries.Content {
		raw, err := toJSON(f, entry)
		if err != nil {
			return nil, err
		}
		d.items = append(d.items, item{raw, entry.Line})
	}
	return d, nil
}

// members reads what tells what the document is, and returns the items of a list.
func (d *document) members(root *yaml.Node) (entries *yaml.Node, err error) {
	for i := 0; i+1 < len(root.Content); i += 2 {
		key, value := root.Content[i].Value, root.Content[i+1]
		switch {
		case (key == "kind" || key == "apiVersion") && value.Kind != yaml.ScalarNode:
			d.fault = d.file.Errorf(value.Line, "%s must be a string", key)
		case key == "kind":
			d.kind = value.Value
		case key == "apiVersion":
			d.apiVersion = value.Value
		case key == "items" && (value.Kind == yaml.SequenceNode || value.ShortTag() == "!!null"):
			d.list, entries = true, value
		case key == "items":
			return nil, d.file.Errorf(value.Line, "items is no list: must be what kubectl get -o yaml prints")
		}
	}
	return entries, nil
}

// toJSON returns the value as kubectl would have printed it with -o json.
func toJSON(f *textfile.File, node *yaml.Node) (json.RawMessage, error) {
	asJSON(node)
	var value any
	if err := node.Decode(&value); err != nil {
		return nil, explainYAML(f, err)
	}
	raw, err := json.Marshal(value)
	if err != nil {
		return nil, f.Errorf(node.Line, "cannot be an object of the Kubernetes API: %w", err)
	}
	return raw, nil
}

// asJSON makes strings of what JSON has no other type for: keys, times and numbers that
// are infinite or none.
func asJSON(node *yaml.Node) {
	if node.Kind == yaml.ScalarNode && (node.ShortTag() == "!!timestamp" || isNoNumber(node)) {
		node.Tag = "!!str"
	}
	for i, child := range node.Content {
		if node.Kind == yaml.MappingNode && i%2 == 0 && child.Kind == yaml.ScalarNode && child.ShortTag() != "!!merge" {
			child.Tag = "!!str"
		}
		asJSON(child)
	}
}

// isNoNumber reports whether the value is a number of YAML and none of JSON.
func isNoNumber(node *yaml.Node) bool {
	if node.ShortTag() != "!!float" {
		return false
	}
	switch strings.ToLower(strings.TrimLeft(node.Value, "+-")) {
	case ".nan", ".inf":
		return true
	}
	return false
}
