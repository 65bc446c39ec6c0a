package input

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/input/textfile"
)

// printed is a kind of object and what kubectl prints it with.
type printed struct {
	kind, stem string // stem is what a file of it is called, but for its extension
	resource   string // as kubectl get has it
}

func printedKinds() []printed {
	return []printed{
		{"Node", "nodes", "nodes"},
		{"Pod", "pods", "pods --all-namespaces"},
		{"NodeMetrics", "nodemetrics", "nodes.metrics.k8s.io"},
		{"PodMetrics", "podmetrics", "pods.metrics.k8s.io --all-namespaces"},
	}
}

// command returns how objects of the kind are put into a snapshot.
func command(path, kind string) string {
	for _, p := range printedKinds() {
		if p.kind != kind {
			continue
		}
		text := "kubectl get " + p.resource + " -o json"
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			text += " > " + filepath.Join(path, p.stem+".json")
		}
		return text
	}
	return "kubectl get"
}

// readFiles returns the files of a snapshot, in the order of their names.
func readFiles(path string) ([]*textfile.File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	names := []string{path}
	if info.IsDir() {
		if names, err = filesIn(path); err != nil {
			return nil, err
		}
	}
	files := make([]*textfile.File, 0, len(names))
	for _, name := range names {
		file, err := textfile.Read(name)
		if err != nil {
			return nil, err
		}
		if file.Empty() {
			return nil, fmt.Errorf("%s: the file is empty: make it anew, by %s", name, remedy(path, name))
		}
		files = append(files, file)
	}
	return files, nil
}

// remedy returns how the file is made.
func remedy(path, name string) string {
	if kind := kindOf(name); kind != "" {
		return command(path, kind)
	}
	return "kubectl get ... -o json"
}

// filesIn returns which files of a directory are read.
func filesIn(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, entry := range entries {
		if name := entry.Name(); !entry.IsDir() && !strings.HasPrefix(name, ".") && (hasFormat(name) || kindOf(name) != "") {
			names = append(names, filepath.Join(dir, name))
		}
	}
	if len(names) > 0 {
		return names, nil
	}
	var commands strings.Builder
	for _, p := range printedKinds() {
		commands.WriteString("\n  " + command(dir, p.kind))
	}
	return nil, fmt.Errorf("%s: there is no file *.json or *.yaml in it: make them by%s", dir, commands.String())
}

// hasFormat reports whether the name of a file says that it is JSON or YAML.
func hasFormat(name string) bool {
	name = strings.TrimSuffix(strings.ToLower(name), ".gz")
	switch filepath.Ext(name) {
	case ".json", ".yaml", ".yml":
		return true
	}
	return false
}

// kindOf returns the kind of object that the name of a file tells, or "".
func kindOf(name string) string {
	stem, _, _ := strings.Cut(strings.ToLower(filepath.Base(name)), ".")
	for _, p := range printedKinds() {
		if p.stem == stem {
			return p.kind
		}
	}
	return ""
}
