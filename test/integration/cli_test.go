package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	coordinationv1 "k8s.io/api/coordination/v1"
	v1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/yaml"

	"github.com/plimsoll-scheduler/plimsoll/pkg/fit"
	"github.com/plimsoll-scheduler/plimsoll/pkg/status"
)

// buildCLI builds the plugin of kubectl, once.
var buildCLI = sync.OnceValues(func() (string, error) {
	program, err := filepath.Abs(filepath.Join(root, "bin", "test", "kubectl-plimsoll"))
	if err != nil {
		return "", err
	}
	out, err := exec.Command("go", "build", "-race", "-o", program, root+"/cmd/kubectl-plimsoll").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build kubectl-plimsoll: %w: %s", err, out)
	}
	return program, nil
})

// cli runs kubectl plimsoll as a user.
type cli struct {
	*pool
	kubeconfig string
	namespace  string // of the scheduler
}

// run runs a command and returns what it prints; err has what it prints to standard
// error, and says that the exit status is not 0.
func (c *cli) run(args ...string) (string, error) {
	c.t.Helper()
	program, err := buildCLI()
	c.must(err)
	cmd := exec.CommandContext(c.t.Context(), program, append(args, "--kubeconfig", c.kubeconfig)...)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("%w: %s", err, errOut.String())
	}
	return out.String(), nil
}

// ask is run with the lease of the pool's scheduler.
func (c *cli) ask(args ...string) (string, error) {
	c.t.Helper()
	return c.run(append(args, "--lease", c.namespace+"/plimsoll")...)
}

// asUser makes a user who has the rights of the manifests' viewer roles, and who may read
// pods, nodes and their metrics, and nothing else; and a scheduler's lease, which a pod
// holds whose ports lead to s.
func asUser(p *pool, s *scheduler) *cli {
	p.t.Helper()
	ctx, client := p.t.Context(), p.local.Clientset
	c := &cli{pool: p, namespace: p.name}
	_, err := client.CoreV1().Namespaces().Create(ctx, &v1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: c.namespace}}, metav1.CreateOptions{})
	p.must(err)
	p.t.Cleanup(func() {
		if err := client.CoreV1().Namespaces().Delete(context.WithoutCancel(ctx), c.namespace, metav1.DeleteOptions{}); err != nil {
			p.t.Error(err)
		}
	})
	c.kubeconfig = c.kubeconfigOf(p.token("user"))
	c.grant("user", append(viewer(p.t, "ClusterRole"),
		rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"pods", "nodes"}, Verbs: []string{"get", "list"}},
		rbacv1.PolicyRule{APIGroups: []string{"metrics.k8s.io"}, Resources: []string{"pods", "nodes"}, Verbs: []string{"get", "list"}}))
	role := &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Name: "viewer", Namespace: c.namespace}, Rules: viewer(p.t, "Role")}
	_, err = client.RbacV1().Roles(c.namespace).Create(ctx, role, metav1.CreateOptions{})
	p.must(err)
	_, err = client.RbacV1().RoleBindings(c.namespace).Create(ctx, &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "viewer"}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: role.Name}, Subjects: c.subject("user"),
	}, metav1.CreateOptions{})
	p.must(err)
	c.lead(s)
	return c
}

// lead has a pod that stands for the scheduler hold the lease.
func (c *cli) lead(s *scheduler) {
	c.t.Helper()
	ctx, client := c.t.Context(), c.local.Clientset
	c.must(c.local.CreateNodes(ctx, c.clusterNode(node{name: "host"})))
	pod := c.pod("scheduler", "")
	pod.Namespace, pod.Spec.NodeName = c.namespace, c.nodeName("host")
	pod.Spec.Containers[0].Ports = []v1.ContainerPort{{Name: "decisions", ContainerPort: 10260}}
	_, err := client.CoreV1().Pods(c.namespace).Create(ctx, pod, metav1.CreateOptions{})
	c.must(err)
	c.wait("the scheduler's pod to run", func(ctx context.Context) (bool, error) {
		got, err := client.CoreV1().Pods(c.namespace).Get(ctx, pod.Name, metav1.GetOptions{})
		return err == nil && got.Status.Phase == v1.PodRunning, err
	})
	holder := pod.Name + "_0123"
	_, err = client.CoordinationV1().Leases(c.namespace).Create(ctx, &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{Name: "plimsoll"}, Spec: coordinationv1.LeaseSpec{HolderIdentity: &holder},
	}, metav1.CreateOptions{})
	c.must(err)
	relay.to(c.t, s.DecisionsAddress())
}

// kubeconfigOf writes the kubeconfig of who has the token.
func (c *cli) kubeconfigOf(token string) string {
	c.t.Helper()
	config, err := clientcmd.LoadFromFile(c.local.Kubeconfig)
	c.must(err)
	current := config.Contexts[config.CurrentContext]
	config.AuthInfos = map[string]*clientcmdapi.AuthInfo{"user": {Token: token}}
	config.Contexts = map[string]*clientcmdapi.Context{"user": {Cluster: current.Cluster, AuthInfo: "user", Namespace: "default"}}
	config.CurrentContext = "user"
	path := filepath.Join(c.t.TempDir(), "kubeconfig")
	c.must(clientcmd.WriteToFile(*config, path))
	return path
}

func (c *cli) subject(account string) []rbacv1.Subject {
	return []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: "default", Name: c.name + "-" + account}}
}

// grant lets a service account do this in the whole cluster.
func (c *cli) grant(account string, rules []rbacv1.PolicyRule) {
	c.t.Helper()
	ctx, rbac, name := c.t.Context(), c.local.Clientset.RbacV1(), c.name+"-"+account
	_, err := rbac.ClusterRoles().Create(ctx, &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name}, Rules: rules}, metav1.CreateOptions{})
	c.must(err)
	_, err = rbac.ClusterRoleBindings().Create(ctx, &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: name}, Subjects: c.subject(account),
	}, metav1.CreateOptions{})
	c.must(err)
	c.t.Cleanup(func() {
		ctx := context.WithoutCancel(ctx)
		if err := rbac.ClusterRoleBindings().Delete(ctx, name, metav1.DeleteOptions{}); err != nil {
			c.t.Error(err)
		}
		if err := rbac.ClusterRoles().Delete(ctx, name, metav1.DeleteOptions{}); err != nil {
			c.t.Error(err)
		}
	})
}

// viewer returns the rules of the manifests' role plimsoll:viewer of that kind.
func viewer(t *testing.T, kind string) []rbacv1.PolicyRule {
	t.Helper()
	return rulesOf(t, kind, "plimsoll:viewer")
}

// rulesOf returns the rules of a role of the manifests.
func rulesOf(t *testing.T, kind, name string) []rbacv1.PolicyRule {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, "manifests", "base", "rbac.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, document := range strings.Split(string(content), "\n---\n") {
		role := rbacv1.Role{}
		if err := yaml.Unmarshal([]byte(document), &role); err != nil {
			t.Fatal(err)
		}
		if role.Kind == kind && role.Name == name {
			return role.Rules
		}
	}
	t.Fatalf("the manifests have no %s %s", kind, name)
	return nil
}

// mustFall checks by how many cores the load of a node has to fall, by what is shown, from
// what it uses to what would do.
func mustFall(t *testing.T, screen, node string, uses, to float64) {
	t.Helper()
	found := regexp.MustCompile("the load of " + regexp.QuoteMeta(node) + ` falling by ([0-9.]+) cores`).FindStringSubmatch(screen)
	if found == nil {
		t.Errorf("why does not say by how much the load of %s has to fall:\n%s", node, screen)
		return
	}
	if by, err := strconv.ParseFloat(found[1], 64); err != nil || math.Abs(by-(uses-to)) > usageError*uses {
		t.Errorf("the load of %s has to fall by %s cores: want %.2f, as exactly as %.0f are measured", node, found[1], uses-to, uses)
	}
}

// A user with the viewer roles: a pod waits, why names the node and by how much its load
// must fall, and that is so; fit tells how many fit, and as many do; top agrees with
// metrics-server.
func TestCommandsOfALiveCluster(t *testing.T) {
	t.Parallel()
	p := newPool(t, node{name: "hot", gpus: 8, uses: "7"}, node{name: "hotter", gpus: 8, uses: "9"}, node{name: "plain", uses: "1"})
	s := startScheduler(t, "plimsoll.yaml", nil)
	c := asUser(p, s)

	waits := withCPU(withGPUs(p.pod("waits", "plimsoll"), "1"), "2")
	p.create(waits)
	p.rejected(waits)
	out, err := c.ask("why", waits.Name)
	p.must(err)
	for _, want := range []string{
		"It has waited for load", p.nodeName("hot"), "node(s) over the cpu load line",
		"with at least 2.67 allocatable cores", "1 nvidia.com/gpu", "plimsoll.io/when-unsatisfiable: ScheduleAnyway",
		"The scheduler's words, of all plugins:", "2 node(s) over the cpu load line",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("why does not say %q:\n%s", want, out)
		}
	}
	mustFall(t, out, p.nodeName("hot"), 7, 5.5)
	mustFall(t, out, p.nodeName("hotter"), 9, 5.5)
	if _, err = c.ask("why", waits.Name, "-o", "json"); err != nil {
		t.Error(err)
	}

	p.setUse("hot", "5") // it falls by more than that
	if got := p.nodeOf(waits); got != "hot" {
		t.Errorf("the pod is on %s", got)
	}
	c.checkPlaced(waits)
	c.checkTop(s)
	p.setUse("hot", "1")
	p.setUse("hotter", "1")
	p.waitUsage(node{name: "hot", uses: "1"}, node{name: "hotter", uses: "1"})
	c.checkFit()
}

// checkPlaced checks what why says of a pod that has a node.
func (c *cli) checkPlaced(pod *v1.Pod) {
	c.t.Helper()
	c.wait("the decision to be written down", func(context.Context) (bool, error) {
		out, err := c.ask("why", pod.Name)
		if err != nil {
			return false, err
		}
		return strings.Contains(out, c.nodeName("hot")+" was chosen of ") && strings.Contains(out, "chosen"), fmt.Errorf("%s", out)
	})
	foreign := c.podName(loadName("plain"))
	if out, err := c.ask("why", foreign); err != nil || !strings.Contains(out, "Plimsoll does not decide on it") || !strings.Contains(out, c.nodeName("plain")) {
		c.t.Errorf("%v: %s", err, out)
	}
}

// checkTop compares what top says with what metrics-server does.
func (c *cli) checkTop(s *scheduler) {
	c.t.Helper()
	s.waitFreshNodes()
	c.wait("top and metrics-server to agree", func(ctx context.Context) (bool, error) {
		out, err := c.ask("top", "nodes", c.nodeName("hot"), c.nodeName("hotter"), c.nodeName("plain"), "-o", "json")
		if err != nil {
			return false, err
		}
		nodes := status.Nodes{}
		if err := json.Unmarshal([]byte(out), &nodes); err != nil {
			return false, err
		}
		measured, err := c.local.Metrics.MetricsV1beta1().NodeMetricses().List(ctx, metav1.ListOptions{LabelSelector: "pool=" + c.name})
		if err != nil {
			return false, err
		}
		for _, want := range measured.Items {
			for _, n := range nodes.Nodes {
				if n.Name != want.Name {
					continue
				}
				if cores := want.Usage.Cpu().AsApproximateFloat64(); n.CPU.Use == nil || math.Abs(n.CPU.Use.Measured-cores) > 0.002 {
					return false, fmt.Errorf("%s uses %v cores, top says %+v", n.Name, cores, n.CPU.Use)
				}
			}
		}
		return len(nodes.Nodes) == 3, nil
	})
	out, err := c.ask("top", "devices", gpu, "-o", "json")
	c.must(err)
	devices := status.DeviceKinds{}
	c.must(json.Unmarshal([]byte(out), &devices))
	if len(devices.Kinds) != 1 || devices.Kinds[0].Verdict != "device" || devices.Kinds[0].Allocatable < 16 {
		c.t.Errorf("%s", out)
	}
	if out, err := c.ask("top", "pods"); err != nil || !strings.Contains(out, c.podName("waits")) || !strings.Contains(out, "1 nvidia.com/gpu") {
		c.t.Errorf("%v: %s", err, out)
	}
}

// checkFit checks that as many pods fit as fit says.
func (c *cli) checkFit() {
	c.t.Helper()
	like := withGPUs(c.pod("like", "plimsoll"), "1")
	like.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"}
	like.Namespace = "default"
	content, err := yaml.Marshal(like)
	c.must(err)
	file := filepath.Join(c.t.TempDir(), "pod.yaml")
	c.must(os.WriteFile(file, content, 0o600))
	answer := struct{ fit.Answer }{}
	// 7.5 cores are the line of each node; one is used there, and two by the pod before.
	const want = 6 + 4
	c.wait("fit to know the load as it is now", func(context.Context) (bool, error) {
		out, _ := c.ask("fit", "-f", file, "--replicas", "20", "-o", "json") // not all fit
		if err := json.Unmarshal([]byte(out), &answer); err != nil {
			return false, err
		}
		return answer.Fit == want, fmt.Errorf("%s", out)
	})
	if out, err := c.ask("fit", "-f", file, "--replicas", "20"); err == nil || !strings.Contains(out, fmt.Sprintf("%d of 20 fit.", want)) || !strings.Contains(out, "2 node(s) over the cpu load line") {
		c.t.Errorf("%v: %s", err, out)
	}
	var pods []*v1.Pod
	for i := range 20 {
		pods = append(pods, withGPUs(c.pod(fmt.Sprint("twenty-", i), "plimsoll"), "1"))
	}
	c.create(pods...)
	// The scheduler polls later than fit, and lets in no more than it knows to have room.
	c.wait("as many of the twenty to have a node", func(ctx context.Context) (bool, error) {
		placed, waiting := 0, 0
		for _, pod := range pods {
			got, err := c.local.Clientset.CoreV1().Pods("default").Get(ctx, pod.Name, metav1.GetOptions{})
			if err != nil {
				return false, err
			}
			switch {
			case got.Spec.NodeName != "":
				placed++
			case unschedulable(got) != "":
				waiting++
			}
		}
		if placed > answer.Fit {
			c.t.Fatalf("%d of the twenty have a node, and fit said %d", placed, answer.Fit)
		}
		return placed == answer.Fit && placed+waiting == len(pods), fmt.Errorf("%d have a node, %d wait, and fit said %d", placed, waiting, answer.Fit)
	})
}

// What is wrong is said, with what to do, and the exit status is not 0.
func TestCommandsSayWhatIsWrong(t *testing.T) {
	t.Parallel()
	p := newPool(t, node{name: "n", gpus: 1, uses: "1"})
	s := startScheduler(t, "plimsoll.yaml", nil)
	c := asUser(p, s)
	stranger := &cli{pool: p, namespace: c.namespace, kubeconfig: c.kubeconfigOf(p.token("stranger"))}
	admin := &cli{pool: p, namespace: c.namespace, kubeconfig: p.local.Kubeconfig}
	lease := c.namespace + "/plimsoll"
	for name, test := range map[string]struct {
		by   *cli
		args []string
		want []string
	}{
		"no right to find the leader": {stranger, []string{"top", "--lease", lease}, []string{"forbidden", `resources: [leases]`, "plimsoll:viewer", p.name}},
		"no such lease":               {admin, []string{"top", "--lease", "kube-system/no-such"}, []string{`leases.coordination.k8s.io "no-such" not found`}},
		"a lease that is no name":     {c, []string{"top", "--lease", "plimsoll"}, []string{"must be NAMESPACE/NAME"}},
		"nobody leads":                {admin, []string{"top", "--lease", c.emptyLease()}, []string{"nobody holds the lease", "kubectl -n"}},
		"the leader is gone":          {admin, []string{"top", "--lease", c.leaseOf("gone-1_x")}, []string{`held by "gone-1_x"`, "--scheduler-url"}},
		"a pod that does not exist":   {c, []string{"why", "nobody", "--lease", lease}, []string{"there is no pod nobody in the namespace default"}},
		"a node that does not exist":  {c, []string{"top", "nodes", "nobody", "--lease", lease}, []string{"the scheduler knows no node nobody"}},
		"a profile that is not there": {c, []string{"top", "--profile", "other", "--lease", lease}, []string{`profile "other": there is none`, p.profile("plimsoll")}},
		"an address that is none":     {c, []string{"top", "--scheduler-url", "http://127.0.0.1:1"}, []string{"must be https://HOST:PORT"}},
		"nobody listens":              {c, []string{"top", "--scheduler-url", "https://127.0.0.1:1"}, []string{"connection refused"}},
		"impersonation is respected":  {admin, []string{"top", "--lease", lease, "--as", "nobody", "--scheduler-url", "https://" + s.DecisionsAddress()}, []string{"nobody may not get /plimsoll/nodes", "nonResourceURLs"}},
		"no kubeconfig":               {&cli{pool: p, kubeconfig: "/no/such/file"}, []string{"top"}, []string{"/no/such/file"}},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := test.by.run(test.args...)
			if err == nil {
				t.Fatalf("the exit status is 0:\n%s", out)
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("no %q in: %v", want, err)
				}
			}
		})
	}
	t.Run("no right to read", func(t *testing.T) {
		// may find and reach the leader, but not ask it
		c.grant("stranger", append(viewer(t, "Role"), rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"get"}}))
		p.wait("the rights to hold", func(context.Context) (bool, error) {
			_, err := stranger.run("top", "--lease", lease)
			return err != nil && strings.Contains(err.Error(), "you may not get /plimsoll/nodes") && strings.Contains(err.Error(), `nonResourceURLs: ["/plimsoll/*"]`), err
		})
	})
}

// emptyLease makes a lease that nobody holds.
func (c *cli) emptyLease() string { return c.leaseOf("") }

// leaseOf makes a lease with this holder, and returns its name.
func (c *cli) leaseOf(holder string) string {
	c.t.Helper()
	lease, err := c.local.Clientset.CoordinationV1().Leases(c.namespace).Create(c.t.Context(), &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "other-"}, Spec: coordinationv1.LeaseSpec{HolderIdentity: &holder},
	}, metav1.CreateOptions{})
	c.must(err)
	return c.namespace + "/" + lease.Name
}
