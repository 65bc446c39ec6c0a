package integration

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
)

// right is to do something to objects of a kind.
type right struct{ group, resource, verb string }

func (r right) rule() rbacv1.PolicyRule {
	return rbacv1.PolicyRule{APIGroups: []string{r.group}, Resources: []string{r.resource}, Verbs: []string{r.verb}}
}

// without makes, for each of the rights, a user who has all of them but that one, and
// returns their kubeconfigs in the order of the rights. All of them have always, too.
func (c *cli) without(users string, rights []right, always ...right) (kubeconfigs []string) {
	c.t.Helper()
	for i := range rights {
		account := fmt.Sprint(users, "-", i)
		var rules []rbacv1.PolicyRule
		for j, r := range rights {
			if i != j {
				rules = append(rules, r.rule())
			}
		}
		for _, r := range always {
			rules = append(rules, r.rule())
		}
		kubeconfigs = append(kubeconfigs, c.kubeconfigOf(c.token(account)))
		c.grant(account, rules)
	}
	return kubeconfigs
}

// saysWhatLacks waits until a command, by who lacks one right, says which: until the
// rights that they have are known, they lack others, too.
func (c *cli) saysWhatLacks(lacks right, namespace string, run func() (string, error)) {
	c.t.Helper()
	want := fmt.Sprintf("apiGroups: [%q]\n  resources: [", lacks.group)
	c.wait(fmt.Sprintf("a user without %+v to be told", lacks), func(context.Context) (bool, error) {
		printed, err := run()
		if err == nil {
			return false, fmt.Errorf("it is done: %s", printed)
		}
		text := err.Error()
		_, rules, _ := strings.Cut(text, " to add to "+namespace)
		denied := strings.Contains(text, fmt.Sprintf("cannot %s resource %q", lacks.verb, lacks.resource))
		return denied && strings.Contains(rules, want) && strings.Contains(rules, lacks.resource) && strings.Contains(rules, lacks.verb), err
	})
}

// Who lacks one right that isolate takes is told which rule to add.
func TestIsolateSaysWhichRightLacks(t *testing.T) {
	t.Parallel()
	p := newPool(t, node{name: "n", uses: "1"})
	startScheduler(t, "plimsoll.yaml", nil)
	template := withCPU(p.pod("web", "plimsoll"), "100m")
	p.serve("web", 1)
	p.deploy("web", 2, template)
	pod := p.serving("web", 2)[0]
	c := &cli{pool: p}
	rights := []right{
		{"", "pods", "get"}, {"", "pods", "patch"}, {"", "services", "list"}, {"", "replicationcontrollers", "list"},
		{"apps", "replicasets", "list"}, {"apps", "statefulsets", "list"}, {"apps", "daemonsets", "list"}, {"batch", "jobs", "list"},
		{"policy", "poddisruptionbudgets", "list"}, {"networking.k8s.io", "networkpolicies", "list"},
	}
	for i, kubeconfig := range c.without("lacks", rights) {
		c.saysWhatLacks(rights[i], "a Role in the namespace default:", func() (string, error) {
			return p.isolate(pod, "--dry-run", "--kubeconfig", kubeconfig)
		})
	}
	others := []right{{"", "pods", "list"}}
	for i, kubeconfig := range c.without("lists", others) {
		c.saysWhatLacks(others[i], "a Role in the namespace default:", func() (string, error) { return p.isolate("--list", "--kubeconfig", kubeconfig) })
		c.saysWhatLacks(others[i], "a ClusterRole:", func() (string, error) { return p.isolate("--list", "-A", "--kubeconfig", kubeconfig) })
	}
	if _, err := p.isolate("nobody"); err == nil || !strings.Contains(err.Error(), "there is no pod nobody in the namespace default") {
		t.Error(err)
	}
}

// Who lacks one right that snapshot takes is told which rules it takes, and nothing is
// written.
func TestSnapshotSaysWhichRightLacks(t *testing.T) {
	t.Parallel()
	p := newPool(t, node{name: "n", uses: "1"})
	c := &cli{pool: p}
	rights := []right{{"", "nodes", "list"}, {"", "pods", "list"}}
	metrics := []right{{"metrics.k8s.io", "nodes", "list"}, {"metrics.k8s.io", "pods", "list"}}
	for i, kubeconfig := range c.without("lacks", rights, metrics...) {
		dir := filepath.Join(t.TempDir(), "snapshot")
		c.saysWhatLacks(rights[i], "a ClusterRole:", func() (string, error) { return p.trySnapshot(dir, "--kubeconfig", kubeconfig) })
		p.wantNothingAt(dir)
	}
	kubeconfig := c.without("metrics", metrics[:1], rights...)[0]
	dir := filepath.Join(t.TempDir(), "snapshot")
	c.saysWhatLacks(metrics[0], "a ClusterRole:", func() (string, error) { return p.trySnapshot(dir, "--kubeconfig", kubeconfig) })
	p.wantNothingAt(dir)
	// What pods use is good to have: without it there is a warning.
	kubeconfig = c.without("podmetrics", metrics[1:], append(rights, metrics[0])...)[0]
	p.wait("the snapshot to be taken without what pods use", func(context.Context) (bool, error) {
		printed, err := p.trySnapshot(filepath.Join(t.TempDir(), "snapshot"), "--kubeconfig", kubeconfig)
		return err == nil && strings.Contains(printed, "pods.metrics.k8s.io) is left out") && strings.Contains(printed, "The rules to add to a ClusterRole"), fmt.Errorf("%w: %s", err, printed)
	})
}

// wantNothingAt checks that there is nothing at the path.
func (p *pool) wantNothingAt(path string) {
	p.t.Helper()
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		p.t.Errorf("there is something at %s: %v", path, err)
	}
}
