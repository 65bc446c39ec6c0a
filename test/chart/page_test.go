package chart

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/plimsoll-scheduler/plimsoll/test/cluster"
)

// Who follows the README, or docs/install.md, to the letter gets from nothing to a pod
// that runs with a device, by kubectl, with and without kustomize, and by Helm.
//
// What no machine without a network can do is replaced: the manifests are taken from this
// checkout instead of the repository's address, and the nodes run no programs, so that the
// scheduler is started here, as what was installed says. That the image can be made is
// for the tests of the image.
func TestInstallAsThePagesSay(t *testing.T) {
	t.Run("README", func(t *testing.T) {
		n := newNewcomer(t)
		page := codeOf(t, "README.md", "## Install it in your cluster")
		image, kustomization, apply := page[0], page[1], page[2]
		n.run(root, "make --dry-run "+strings.TrimPrefix(image, "make ")) // there is such a target
		manifests, err := filepath.Abs(filepath.Join(root, "manifests", "base"))
		must(t, err)
		here, err := filepath.EvalSymlinks(t.TempDir())
		must(t, err)
		local, err := filepath.Rel(here, manifests)
		must(t, err)
		kustomization = strings.Replace(kustomization, "https://github.com/plimsoll-scheduler/plimsoll/manifests/base", local, 1)
		must(t, os.WriteFile(filepath.Join(here, "kustomization.yaml"), []byte(kustomization), 0o600))
		n.run(here, apply)
		n.schedules(page[len(page)-1])
		n.run(here, "kubectl delete -k .")
	})
	for section, remove := range map[string]string{
		"kubectl": "kubectl delete -f bin/install.yaml",
		"Helm":    "helm uninstall plimsoll -n plimsoll-system",
	} {
		t.Run(section, func(t *testing.T) {
			n := newNewcomer(t)
			install, check, found := strings.Cut(codeOf(t, "docs/install.md", "## "+section)[0], "kubectl -n")
			if !found {
				t.Fatalf("docs/install.md does not say how to wait for the rollout:\n%s", install)
			}
			n.run(root, install)
			n.schedules("spec:\n  schedulerName: plimsoll\n")
			n.run(root, "kubectl -n"+check)
			n.run(root, remove)
		})
	}
}

// codeOf returns the blocks of code of a section, in order, without their indent.
func codeOf(t *testing.T, file, heading string) (blocks []string) {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, file))
	must(t, err)
	_, section, found := strings.Cut(string(content), "\n"+heading+"\n")
	if !found {
		t.Fatalf("%s has no section %s", file, heading)
	}
	section, _, _ = strings.Cut(section, "\n## ")
	for part := range strings.SplitSeq(strings.Trim(section, "\n"), "\n\n") {
		indent := len(part) - len(strings.TrimLeft(part, " "))
		if indent < 4 {
			continue
		}
		var lines []string
		for line := range strings.Lines(part) {
			lines = append(lines, line[min(indent, len(line)-1):])
		}
		blocks = append(blocks, strings.Join(lines, ""))
	}
	return blocks
}

// newcomer has a cluster, and a shell with kubectl and helm.
type newcomer struct {
	t       *testing.T
	cluster *cluster.Cluster
	env     []string
}

func newNewcomer(t *testing.T) *newcomer {
	t.Helper()
	c, err := cluster.Start(t.Context(), cluster.Options{Log: os.Stdout, ToolsDir: *tools})
	must(t, err)
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	must(t, c.CreateNodes(t.Context(),
		cluster.Node{Name: "plain", CPU: "8", Memory: "32Gi"},
		cluster.Node{Name: "gpu", CPU: "8", Memory: "32Gi", Devices: map[string]string{"nvidia.com/gpu": "1"}}))
	programs, err := filepath.Abs(filepath.Join(root, "bin", "tools"))
	must(t, err)
	helm := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(root, "bin", "test", "helm"), "helm.sh/helm/v4/cmd/helm")
	if out, err := helm.CombinedOutput(); err != nil {
		t.Fatalf("build helm: %v: %s", err, out)
	}
	// The caches are below the home that a newcomer does not have.
	caches, err := exec.CommandContext(t.Context(), "go", "env", "GOCACHE", "GOMODCACHE").Output()
	must(t, err)
	build, modules, _ := strings.Cut(strings.TrimSpace(string(caches)), "\n")
	path := programs + ":" + filepath.Join(filepath.Dir(programs), "test") + ":" + os.Getenv("PATH")
	return &newcomer{t, c, append(os.Environ(), "PATH="+path, "KUBECONFIG="+c.Kubeconfig, "HOME="+t.TempDir(), "GOCACHE="+build, "GOMODCACHE="+modules)}
}

// run runs commands in a folder.
func (n *newcomer) run(dir, commands string) {
	n.t.Helper()
	shell := exec.CommandContext(n.t.Context(), "sh", "-euc", commands)
	shell.Dir, shell.Env = dir, n.env
	if out, err := shell.CombinedOutput(); err != nil {
		n.t.Fatalf("%s: %v\n%s", commands, err, out)
	}
}

// schedules has what was installed place a pod with a device, whose spec begins as the
// page says.
func (n *newcomer) schedules(spec string) {
	n.t.Helper()
	startInstalled(n.t, n.cluster, "plimsoll-system", "plimsoll")
	manifest := filepath.Join(n.t.TempDir(), "pod.yaml")
	must(n.t, os.WriteFile(manifest, []byte(`apiVersion: v1
kind: Pod
metadata: {name: trainer}
`+strings.TrimRight(spec, "\n")+`
  containers:
  - {name: c, image: trainer, resources: {limits: {nvidia.com/gpu: "1"}}}
`), 0o600))
	n.run(root, "kubectl apply -f "+manifest)
	must(n.t, cluster.WaitFor(n.t.Context(), "the pod to run", func(ctx context.Context) (bool, error) {
		pod, err := n.cluster.Clientset.CoreV1().Pods("default").Get(ctx, "trainer", metav1.GetOptions{})
		if err != nil {
			return false, err
		}
		return pod.Spec.NodeName == "gpu" && pod.Status.Phase == "Running", fmt.Errorf("it is %s on %q: %+v", pod.Status.Phase, pod.Spec.NodeName, pod.Status.Conditions)
	}))
}
