// Package walls has the test that keeps the project's packages apart.
package walls

import (
	"go/build"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const (
	module = "github.com/plimsoll-scheduler/plimsoll/"
	root   = "../.."
)

// allowed is, for each package, which of the project's own it may import. What is
// not listed must not be: a package that is new, or needs another one, is a
// decision, made here. The names end at the module's path; "x/..." is x and all
// below it.
var allowed = map[string][]string{
	"pkg/amount":      {},
	"pkg/line":        {"pkg/amount"},
	"pkg/demand":      {"pkg/amount"},
	"pkg/faults":      {},
	"pkg/recording":   {},
	"pkg/apis/config": {},

	// What differs between the minors of Kubernetes, and nothing else.
	"pkg/compat":         {},
	"pkg/compat/process": {},

	"pkg/annotation": {"pkg/amount", "pkg/line", "pkg/apis/config"},

	// The load model knows no plugin, its parts do not know the model, and no
	// source is known to it.
	"pkg/load/history":       {"pkg/amount"},
	"pkg/load/ledger":        {"pkg/amount", "pkg/load/history"},
	"pkg/load/estimate":      {"pkg/amount"},
	"pkg/load/workload":      {"pkg/amount", "pkg/demand", "pkg/load/history"},
	"pkg/load":               {"pkg/amount", "pkg/line", "pkg/demand", "pkg/annotation", "pkg/apis/config", "pkg/load/history", "pkg/load/ledger", "pkg/load/estimate", "pkg/load/workload"},
	"pkg/load/metricsserver": {"pkg/amount", "pkg/load"},
	"pkg/load/prometheus":    {"pkg/amount", "pkg/load"},

	"pkg/device":        {},
	"pkg/device/dra":    {"pkg/compat", "pkg/device"},
	"pkg/fragmentation": {"pkg/amount", "pkg/device"},

	// What both plugins use knows neither of them, and they do not know each other.
	"pkg/explain":           {"pkg/compat", "pkg/load"},
	"pkg/status":            {"pkg/amount", "pkg/load", "pkg/device"},
	"pkg/recall":            {"pkg/load"},
	"pkg/rejection":         {"pkg/load"},
	"pkg/waiting":           {"pkg/amount", "pkg/compat", "pkg/line", "pkg/load"},
	"pkg/plugins/nodeload":  {"pkg/amount", "pkg/compat", "pkg/line", "pkg/demand", "pkg/annotation", "pkg/apis/config", "pkg/load", "pkg/explain", "pkg/status", "pkg/recall", "pkg/rejection", "pkg/waiting", "pkg/device"},
	"pkg/plugins/devicefit": {"pkg/amount", "pkg/compat", "pkg/line", "pkg/apis/config", "pkg/load", "pkg/explain", "pkg/status", "pkg/recall", "pkg/rejection", "pkg/waiting", "pkg/device", "pkg/fragmentation"},
	"pkg/plugins":           {"pkg/amount", "pkg/annotation", "pkg/apis/config", "pkg/load", "pkg/explain", "pkg/status", "pkg/waiting", "pkg/device", "pkg/plugins/..."},

	"pkg/observe":    {"pkg/explain", "pkg/load", "pkg/status"},
	"pkg/selfcheck":  {},
	"pkg/configfile": {"pkg/apis/config", "pkg/plugins"},

	// The simulated world knows no scheduler, and the scheduler of the simulation
	// no world.
	"pkg/sim/world":             {},
	"pkg/sim/kube":              {"pkg/amount", "pkg/demand", "pkg/compat", "pkg/compat/process", "pkg/device", "pkg/annotation", "pkg/apis/config", "pkg/load", "pkg/explain", "pkg/plugins", "pkg/waiting"},
	"pkg/sim/peers/koordinator": {"pkg/compat"},
	"pkg/sim/peers":             {"pkg/sim/world", "pkg/sim/peers/koordinator"},
	"pkg/sim":                   {"pkg/amount", "pkg/demand", "pkg/load", "pkg/load/workload", "pkg/sim/world", "pkg/sim/kube", "pkg/sim/peers"},
	"pkg/sim/input":             {"pkg/amount", "pkg/load", "pkg/recording", "pkg/sim", "pkg/sim/input/..."},
	"pkg/sim/churn":             {"pkg/sim"},
	"pkg/sim/input/textfile":    {},
	"pkg/sim/input/warning":     {},
	"pkg/sim/input/csvfile":     {"pkg/sim/input/textfile", "pkg/sim/input/warning"},
	"pkg/sim/input/manifest":    {"pkg/sim/input/textfile", "pkg/sim/input/warning"},
	"pkg/fit":                   {"pkg/amount", "pkg/apis/config", "pkg/device/dra", "pkg/load", "pkg/sim/kube"},
	"pkg/sim/policy":            {"config", "pkg/apis/config", "pkg/configfile", "pkg/sim", "pkg/sim/peers/koordinator"},
	"pkg/sim/report":            {"pkg/sim"},

	// A command of kubectl plimsoll is a package. What they share is beside them.
	"pkg/cli/cluster":  {},
	"pkg/cli/leader":   {"pkg/status", "pkg/cli/cluster"},
	"pkg/cli/show":     {},
	"pkg/cli/top":      {"pkg/amount", "pkg/status", "pkg/cli/cluster", "pkg/cli/leader", "pkg/cli/show"},
	"pkg/cli/why":      {"pkg/amount", "pkg/apis/config", "pkg/compat", "pkg/configfile", "pkg/explain", "pkg/status", "pkg/cli/cluster", "pkg/cli/leader", "pkg/cli/show"},
	"pkg/cli/validate": {"pkg/cli/files", "config", "pkg/apis/config", "pkg/annotation", "pkg/configfile", "pkg/cli/show", "pkg/cli/podtemplate"},
	"pkg/cli/fit": {"pkg/cli/files", "config", "pkg/amount", "pkg/compat", "pkg/annotation", "pkg/apis/config", "pkg/configfile", "pkg/load", "pkg/load/workload", "pkg/load/metricsserver",
		"pkg/status", "pkg/fit", "pkg/sim/input", "pkg/sim/input/warning", "pkg/cli/cluster", "pkg/cli/leader", "pkg/cli/show", "pkg/cli/podtemplate"},
	"pkg/cli/podtemplate": {},
	"pkg/cli/files":       {},
	"pkg/cli/isolate":     {"pkg/apis/config", "pkg/cli/cluster", "pkg/cli/show"},
	"pkg/cli/snapshot":    {"pkg/cli/cluster", "pkg/load/prometheus", "pkg/recording"},
	"pkg/cli/dashboard":   {"pkg/explain", "pkg/status", "pkg/cli/cluster", "pkg/cli/leader", "pkg/cli/show", "pkg/cli/why"},

	"config":               {},
	"cmd/scheduler":        {"pkg/..."},
	"cmd/kubectl-plimsoll": {"config", "pkg/apis/config", "pkg/sim/...", "pkg/cli/..."},
}

// forbidden is, for some packages, what else they must not import.
var forbidden = map[string][]string{
	"pkg/sim/world":   {"k8s.io/client-go", "k8s.io/kube-scheduler", "k8s.io/kubernetes/pkg/scheduler"},
	"pkg/line":        {"k8s.io"},
	"pkg/load":        {"k8s.io/kubernetes"},
	"pkg/load/ledger": {"k8s.io/client-go", "k8s.io/kube-scheduler", "k8s.io/kubernetes"},
}

func TestPackagesImportOnlyWhatTheyMayKnow(t *testing.T) {
	seen := map[string]bool{}
	for _, dir := range packages(t) {
		seen[dir] = true
		may, listed := allowed[dir]
		if !listed {
			t.Errorf("%s is not listed in this test: say which packages it may import", dir)
			continue
		}
		for _, path := range imports(t, dir) {
			own, isOwn := strings.CutPrefix(path, module)
			if isOwn && !slices.ContainsFunc(may, func(pattern string) bool { return matches(pattern, own) }) {
				t.Errorf("%s imports %s, which it is not to know; it may import %q", dir, own, may)
			}
			for _, prefix := range forbidden[dir] {
				if path == prefix || strings.HasPrefix(path, prefix+"/") {
					t.Errorf("%s imports %s, and must not import anything of %s", dir, path, prefix)
				}
			}
		}
	}
	for dir := range allowed {
		if !seen[dir] {
			t.Errorf("%s is listed in this test, and does not exist", dir)
		}
	}
}

// tags are those of the minors of Kubernetes that are built for. Without one it is the
// newest.
var tags = []string{"", "k8s136", "k8s135"}

// imports returns what the package imports, for whatever minor it is built.
func imports(t *testing.T, dir string) (paths []string) {
	t.Helper()
	for _, tag := range tags {
		context := build.Default
		context.BuildTags = []string{tag}
		pkg, err := context.ImportDir(filepath.Join(root, dir), 0)
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, pkg.Imports...)
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}

// Tests of what a minor lacks may have a tag, too, and what is only for tests on real
// nodes, which are of the newest minor.
func TestMinorsOfKubernetesDifferInOnePlace(t *testing.T) {
	seen := map[string]bool{}
	for _, top := range []string{"pkg", "cmd", "config", "test"} {
		err := filepath.WalkDir(filepath.Join(root, top), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") {
				return err
			}
			source, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			name, err := filepath.Rel(root, path)
			for line := range strings.Lines(string(source)) {
				if !strings.HasPrefix(line, "//go:build ") || !strings.Contains(line, "k8s1") {
					continue
				}
				if home := strings.HasPrefix(name, "pkg/compat/"); home {
					seen[name] = true
				} else if !strings.HasSuffix(name, "_test.go") && !strings.HasPrefix(name, "test/dradriver/") {
					t.Errorf("%s is for some minors of Kubernetes only: what differs between them belongs into pkg/compat", name)
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(seen) < len(tags) {
		t.Errorf("files for some minors only are %v, want one for each at least", seen)
	}
}

func matches(pattern, path string) bool {
	prefix, below := strings.CutSuffix(pattern, "/...")
	return path == prefix || below && strings.HasPrefix(path, prefix+"/")
}

// packages returns the folders that hold Go code other than tests.
func packages(t *testing.T) (dirs []string) {
	t.Helper()
	for _, top := range []string{"pkg", "cmd", "config"} {
		err := filepath.WalkDir(filepath.Join(root, top), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			dir, err := filepath.Rel(root, filepath.Dir(path))
			if !slices.Contains(dirs, dir) {
				dirs = append(dirs, dir)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return dirs
}
