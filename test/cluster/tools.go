package cluster

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/plimsoll-scheduler/plimsoll/pkg/compat"
)

// componentsDir is the module that pins the programs, seen from the checkout.
const componentsDir = "test/cluster/components"

// tools are the programs of the control plane and what belongs to them.
type tools struct {
	dir               string
	kubernetesVersion string
	// metricsServerManifests is a kustomize directory with the APIService.
	metricsServerManifests string
	// kwokStages has the stages that nodes and pods go through.
	kwokStages string
	// kwokMetrics has what pods use, and how a kubelet reports it.
	kwokMetrics string
}

// path is where the program of that name is.
func (t tools) path(name string) string {
	return filepath.Join(t.dir, name)
}

// findTools checks that every program is there. An empty dir means bin/tools
// of the checkout.
func findTools(ctx context.Context, dir string) (tools, error) {
	root, err := findRoot()
	if err != nil {
		return tools{}, err
	}
	if dir == "" {
		if dir, err = defaultDir(ctx, root); err != nil {
			return tools{}, err
		}
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return tools{}, err
	}
	t := tools{dir: dir}
	for _, name := range []string{
		"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler",
		"kubectl", "kwok", "kwokctl", "metrics-server",
	} {
		if _, err := os.Stat(t.path(name)); err != nil {
			return tools{}, fmt.Errorf("%s is missing: run \"make tools K8S=%s\": %w", t.path(name), compat.Minor, err)
		}
	}
	if t.kubernetesVersion, err = versionOf(ctx, t.path("kube-apiserver")); err != nil {
		return tools{}, err
	}
	metricsServer, err := moduleInfo(ctx, root, "sigs.k8s.io/metrics-server", "{{.Dir}}")
	if err != nil {
		return tools{}, err
	}
	t.metricsServerManifests = filepath.Join(metricsServer, "manifests", "overlays", "release")
	kwok, err := moduleInfo(ctx, root, "sigs.k8s.io/kwok", "{{.Dir}}")
	if err != nil {
		return tools{}, err
	}
	t.kwokStages, t.kwokMetrics = filepath.Join(kwok, "kustomize", "stage"), filepath.Join(kwok, "kustomize", "metrics")
	return t, nil
}

// defaultDir is bin/tools of the checkout, or bin/tools-1.36 and the like if the
// minor of Kubernetes that this is built for is not that of the components.
func defaultDir(ctx context.Context, root string) (string, error) {
	version, err := moduleInfo(ctx, root, "k8s.io/kubernetes", "{{.Version}}")
	if err != nil {
		return "", err
	}
	if strings.HasPrefix(version, "v"+compat.Minor+".") {
		return filepath.Join(root, "bin", "tools"), nil
	}
	return filepath.Join(root, "bin", "tools-"+compat.Minor), nil
}

// versionOf asks a program of Kubernetes for its version, such as v1.37.1.
func versionOf(ctx context.Context, program string) (string, error) {
	out, err := exec.CommandContext(ctx, program, "--version").Output()
	if err != nil {
		return "", fmt.Errorf("%s --version: %w", program, err)
	}
	version, ok := strings.CutPrefix(strings.TrimSpace(string(out)), "Kubernetes ")
	if !ok {
		return "", fmt.Errorf("%s --version: %q, want Kubernetes and a version", program, out)
	}
	return version, nil
}

// findRoot walks up from the working directory to the top of the checkout.
func findRoot() (string, error) {
	wd, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for dir := wd; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, componentsDir, "go.mod")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("no %s/go.mod in or above %s: run this in a checkout of Plimsoll", componentsDir, wd)
		}
	}
}

// moduleInfo formats what the go command knows about a module at the version
// that the components pin.
func moduleInfo(ctx context.Context, root, path, format string) (string, error) {
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, "go", "list", "-m", "-f", format, path)
	cmd.Dir = filepath.Join(root, componentsDir)
	cmd.Env = append(os.Environ(), "GOFLAGS=") // which may name another module file
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("look up module %s: %w: %s", path, err, stderr.Bytes())
	}
	info := strings.TrimSpace(string(out))
	if info == "" {
		return "", fmt.Errorf("module %s is not in the module cache: run \"go mod download %s\" in %s", path, path, componentsDir)
	}
	return info, nil
}
