package validate

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	sigsyaml "sigs.k8s.io/yaml"

	"github.com/plimsoll-scheduler/plimsoll/pkg/annotation"
	"github.com/plimsoll-scheduler/plimsoll/pkg/cli/podtemplate"
	"github.com/plimsoll-scheduler/plimsoll/pkg/configfile"
)

const configurationKind = "KubeSchedulerConfiguration"

// file is a file that is being checked.
type file struct {
	name   string
	report *Report
	diff   bool
}

// checkFile checks one file, all its documents.
func (o *options) checkFile(report *Report, name string, content []byte) {
	report.Files++
	f := &file{name: name, report: report, diff: o.diff}
	content = bytes.TrimPrefix(content, []byte("\ufeff"))
	documents, err := documentsOf(content)
	if err != nil {
		f.fault(lineOf(err, 0), "", "not YAML or JSON: "+err.Error())
		return
	}
	if len(documents) > 0 && textAt(documents[0], "kind") == configurationKind {
		f.configuration(content, documents[0], "", 0) // all of it, as the scheduler is given it
		return
	}
	for _, document := range documents {
		f.document(document)
	}
	if len(documents) == 0 {
		f.fault(0, "", "is empty: nothing to check")
	}
}

// documentsOf returns the roots of the documents that are not empty.
func documentsOf(content []byte) (documents []*yaml.Node, err error) {
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	for {
		var document yaml.Node
		err := decoder.Decode(&document)
		switch {
		case errors.Is(err, io.EOF):
			return documents, nil
		case err != nil:
			return nil, err
		}
		if len(document.Content) == 1 && document.Content[0].Tag != "!!null" {
			documents = append(documents, document.Content[0])
		}
	}
}

func (f *file) fault(line int, object, message string) {
	f.report.Faults = append(f.report.Faults, Fault{File: f.name, Line: line, Object: object, Message: message})
}

// document checks one object, or the objects of a list.
func (f *file) document(root *yaml.Node) {
	switch kind := textAt(root, "kind"); {
	case root.Kind != yaml.MappingNode:
		f.fault(root.Line, "", "must be an object of the Kubernetes API")
	case kind == "":
		f.fault(root.Line, "", "has no kind: must be an object of the Kubernetes API")
	case kind == configurationKind:
		content, err := yaml.Marshal(root)
		if err != nil {
			f.fault(root.Line, "", err.Error())
			return
		}
		f.configuration(content, root, "", 0)
	case kind == "ConfigMap":
		f.configMap(root)
	case strings.HasSuffix(kind, "List") && at(root, "items") != nil:
		for _, item := range at(root, "items").Content {
			f.document(item)
		}
	default:
		f.manifest(kind, root)
	}
}

// configMap checks the configurations in a ConfigMap.
func (f *file) configMap(root *yaml.Node) {
	data := at(root, "data")
	if data == nil {
		return
	}
	for i := 0; i+1 < len(data.Content); i += 2 {
		key, value := data.Content[i].Value, data.Content[i+1]
		if !strings.Contains(value.Value, configurationKind) {
			continue
		}
		documents, err := documentsOf([]byte(value.Value))
		object, before := "ConfigMap "+nameOf(root)+" data["+key+"]", value.Line
		if value.Style&(yaml.LiteralStyle|yaml.FoldedStyle) == 0 {
			before = 0 // its lines are not those of the file
		}
		switch {
		case err != nil:
			f.fault(lineOf(err, before), object, "not YAML: "+err.Error())
		case len(documents) > 0 && textAt(documents[0], "kind") == configurationKind:
			f.configuration([]byte(value.Value), documents[0], object, before)
		}
	}
}

// configuration checks a scheduler configuration. before is how many lines of the file
// come before its first.
func (f *file) configuration(content []byte, root *yaml.Node, object string, before int) {
	f.report.Configurations++
	cfg, err := configfile.Decode(content)
	if err != nil {
		f.decodingFaults(err, root, object, before)
		return
	}
	_, faults := configfile.Check(cfg, content)
	for _, fault := range faults {
		line := root.Line
		var inField *field.Error
		if errors.As(fault, &inField) {
			line = lineAt(root, inField.Field)
			if isElsewhere(inField) {
				f.report.NotChecked = append(f.report.NotChecked, Fault{f.name, before + line, object, fmt.Sprintf("%s: not checked, as there is no file %v here", inField.Field, inField.BadValue)})
				continue
			}
		}
		f.fault(before+line, object, fault.Error())
	}
	if f.diff && len(faults) == 0 {
		f.report.Differences = append(f.report.Differences, differences(f.name, cfg)...)
	}
}

// isElsewhere reports whether a fault is that a file is not here which the scheduler is to
// have: its credentials for Prometheus.
func isElsewhere(fault *field.Error) bool {
	name, isText := fault.BadValue.(string)
	if !isText || !strings.Contains(fault.Field, ".source.prometheus.") || !strings.HasSuffix(fault.Field, "File") {
		return false
	}
	_, err := os.Stat(name)
	return errors.Is(err, os.ErrNotExist)
}

var unknownField = regexp.MustCompile(`(unknown field|duplicate field) "([^"]*)"|key "([^"]*)" already set`)

// decodingFaults tells what is wrong with a configuration that cannot be decoded, a fault
// for each field that the error names.
func (f *file) decodingFaults(err error, root *yaml.Node, object string, before int) {
	found := unknownField.FindAllStringSubmatch(err.Error(), -1)
	if len(found) == 0 {
		f.fault(lineOf(err, before), object, err.Error())
		return
	}
	for _, match := range found {
		line := lineAt(root, match[2])
		if key := match[3]; key != "" {
			line = lineOfSecond(root, key)
		}
		f.fault(before+line, object, match[0])
	}
}

// lineOfSecond returns the line where a key is set for the second time in a mapping.
func lineOfSecond(node *yaml.Node, key string) int {
	set := false
	for i, child := range node.Content {
		if node.Kind == yaml.MappingNode && i%2 == 0 && child.Value == key {
			if set {
				return child.Line
			}
			set = true
		}
		if line := lineOfSecond(child, key); line > 0 {
			return line
		}
	}
	return 0
}

// manifest checks the annotations of a node, a pod, or of what makes pods.
func (f *file) manifest(kind string, root *yaml.Node) {
	var faults []error
	var prefix string
	switch kind {
	case "Node":
		node := &v1.Node{}
		if f.decode(root, node) {
			faults = annotation.CheckNode(node)
		}
	case "Pod":
		pod := &v1.Pod{}
		if f.decode(root, pod) {
			faults = annotation.CheckPod(pod)
		}
	default:
		maker := podtemplate.Of(kind)
		if maker == nil || !f.decode(root, maker.Object) {
			return
		}
		prefix = maker.Path
		faults = annotation.CheckPod(&v1.Pod{ObjectMeta: maker.Template.ObjectMeta, Spec: maker.Template.Spec})
	}
	f.report.Manifests++
	for _, fault := range faults {
		for _, message := range messagesOf(fault) {
			path, _, _ := strings.Cut(message, ": ")
			f.fault(lineAt(root, prefix+path), kind+" "+nameOf(root), prefix+message)
		}
	}
}

// messagesOf returns a message for each fault in an error.
func messagesOf(err error) (messages []string) {
	var several interface{ Errors() []error }
	if !errors.As(err, &several) {
		return []string{err.Error()}
	}
	for _, one := range several.Errors() {
		messages = append(messages, one.Error())
	}
	return messages
}

// decode decodes an object, or tells what is wrong.
func (f *file) decode(root *yaml.Node, into any) bool {
	content, err := yaml.Marshal(root)
	if err == nil {
		err = sigsyaml.Unmarshal(content, into)
	}
	if err != nil {
		f.fault(root.Line, textAt(root, "kind")+" "+nameOf(root), err.Error())
	}
	return err == nil
}

// nameOf returns an object's namespace and name.
func nameOf(root *yaml.Node) string {
	name, namespace := textAt(root, "metadata", "name"), textAt(root, "metadata", "namespace")
	if name == "" {
		name = textAt(root, "metadata", "generateName") + "*"
	}
	if namespace != "" {
		return namespace + "/" + name
	}
	return name
}

// at returns the value at the path of keys, nil if there is none.
func at(node *yaml.Node, path ...string) *yaml.Node {
	for _, key := range path {
		if node = valueOf(node, key); node == nil {
			return nil
		}
	}
	return node
}

func textAt(node *yaml.Node, path ...string) string {
	if node = at(node, path...); node == nil || node.Kind != yaml.ScalarNode {
		return ""
	}
	return node.Value
}

// valueOf returns the value of the key of a mapping, nil if there is none.
func valueOf(node *yaml.Node, key string) *yaml.Node {
	if node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	if node.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		if node.Content[i].Value == key {
			return node.Content[i+1]
		}
	}
	return nil
}

// lineAt returns the line of the field, or of the closest field around it that is there.
func lineAt(root *yaml.Node, path string) int {
	node, line := root, root.Line
	for _, step := range stepsOf(path) {
		next, at := into(node, step)
		if next == nil {
			break
		}
		node, line = next, at
	}
	return line
}

// into returns the value that one step of a path leads to, and its line: that of its key,
// if it has one.
func into(node *yaml.Node, step string) (*yaml.Node, int) {
	if node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	switch node.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(node.Content); i += 2 {
			if node.Content[i].Value == step {
				return node.Content[i+1], node.Content[i].Line
			}
		}
	case yaml.SequenceNode:
		if i, err := strconv.Atoi(step); err == nil && i < len(node.Content) {
			return node.Content[i], node.Content[i].Line
		}
		for _, entry := range node.Content { // by name
			if slices.Contains([]string{textAt(entry, "name"), textAt(entry, "schedulerName")}, step) {
				return entry, entry.Line
			}
		}
	}
	return nil, 0
}

// stepsOf returns the keys, indices and names of a path such as a.b[0].c[name].
func stepsOf(path string) (steps []string) {
	for path != "" {
		switch path[0] {
		case '.':
			path = path[1:]
		case '[':
			step, rest, _ := strings.Cut(path[1:], "]")
			steps, path = append(steps, strings.Trim(step, `"`)), rest
		default:
			end := strings.IndexAny(path, ".[")
			if end < 0 {
				end = len(path)
			}
			steps, path = append(steps, path[:end]), path[end:]
		}
	}
	return steps
}

var lineInError = regexp.MustCompile(`line (\d+)`)

// lineOf returns the line that an error of a YAML parser names, with so many lines before.
func lineOf(err error, before int) int {
	match := lineInError.FindStringSubmatch(err.Error())
	if match == nil {
		return before
	}
	line, convErr := strconv.Atoi(match[1])
	if convErr != nil {
		return before
	}
	return before + line
}
