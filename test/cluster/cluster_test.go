package cluster_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/plimsoll-scheduler/plimsoll/test/cluster"
)

func TestClustersAreIndependent(t *testing.T) {
	t.Parallel()
	ctx := testContext(t)
	clusters := startTwo(ctx, t)
	for i, c := range clusters {
		node := fmt.Sprintf("node-%d", i)
		if err := c.CreateNodes(ctx, cluster.Node{
			Name: node, CPU: "32", Memory: "256Gi", Devices: map[string]string{"nvidia.com/gpu": "8"},
		}); err != nil {
			t.Fatal(err)
		}
		load := cluster.LoadPod{Name: "load", Node: node, Usage: cluster.Usage{CPU: fmt.Sprint(20 + i), Memory: "100Gi"}}
		if err := c.CreateLoadPod(ctx, load); err != nil {
			t.Fatal(err)
		}
	}
	for i, c := range clusters {
		node := fmt.Sprintf("node-%d", i)
		out, err := c.Kubectl(ctx, "get", "nodes", "--output", `jsonpath={.items[*].metadata.name} {.items[*].status.allocatable.nvidia\.com/gpu}`)
		if err != nil {
			t.Fatal(err)
		}
		if want := node + " 8"; out != want {
			t.Errorf("cluster %d has the nodes and devices %q, want %q", i, out, want)
		}
		if err := c.WaitNodeUsage(ctx, near(node, fmt.Sprint(20+i))); err != nil {
			t.Error(err)
		}
	}
}

// startTwo starts two clusters at the same time.
func startTwo(ctx context.Context, t *testing.T) []*cluster.Cluster {
	t.Helper()
	type result struct {
		c   *cluster.Cluster
		err error
	}
	results := make(chan result)
	for range 2 {
		go func() {
			c, err := cluster.Start(ctx, cluster.Options{Log: t.Output(), MetricResolution: 10 * time.Second})
			results <- result{c, err}
		}()
	}
	var clusters []*cluster.Cluster
	for range 2 {
		r := <-results
		if r.err != nil {
			t.Error(r.err)
			continue
		}
		t.Cleanup(func() { closeAndCheck(t, r.c) })
		clusters = append(clusters, r.c)
	}
	if t.Failed() {
		t.FailNow()
	}
	return clusters
}

func TestComponentsStopAndStart(t *testing.T) {
	t.Parallel()
	ctx := testContext(t)
	c := start(ctx, t)
	err := c.StopComponent("kubelet")
	if err == nil || !strings.Contains(err.Error(), `no component "kubelet", only etcd, kube-apiserver`) {
		t.Errorf("stop an unknown component: got error %v, want one that lists the components", err)
	}
	for _, component := range []string{
		cluster.MetricsServer, cluster.KubeScheduler, cluster.KubeControllerManager, cluster.Kwok, cluster.KubeAPIServer, cluster.Etcd,
	} {
		if err := c.StopComponent(component); err != nil {
			t.Fatal(err)
		}
		if component == cluster.MetricsServer {
			if _, err := c.Metrics.MetricsV1beta1().NodeMetricses().List(ctx, metav1.ListOptions{}); err == nil {
				t.Error("metrics-server answers after it was stopped")
			}
		}
		if err := c.StartComponent(ctx, component); err != nil {
			t.Fatal(err)
		}
	}
	// All parts work together again: the pod is placed by the scheduler, run by kwok and measured.
	if err := c.CreateNodes(ctx, cluster.Node{Name: "node", CPU: "8", Memory: "32Gi"}); err != nil {
		t.Fatal(err)
	}
	load := cluster.LoadPod{Name: "load", Usage: cluster.Usage{CPU: "2", Memory: "8Gi"}}
	if err := c.CreateLoadPod(ctx, load); err != nil {
		t.Fatal(err)
	}
	if err := c.WaitNodeUsage(ctx, near("node", "2")); err != nil {
		t.Fatal(err)
	}
	if err := c.SetUsage(ctx, "default", "load", cluster.Usage{CPU: "6"}); err != nil {
		t.Fatal(err)
	}
	if err := c.WaitNodeUsage(ctx, near("node", "6")); err != nil {
		t.Fatal(err)
	}
}

func TestServiceAccountHasOnlyItsRights(t *testing.T) {
	t.Parallel()
	ctx := testContext(t)
	c := start(ctx, t)
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "reader"}}
	if _, err := c.Clientset.CoreV1().ServiceAccounts("default").Create(ctx, account, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	client := serviceAccountClient(ctx, t, c, "default", "reader")
	if _, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{}); !apierrors.IsForbidden(err) {
		t.Fatalf("list nodes without the right to: got error %v, want forbidden", err)
	}
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "reader"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "system:kube-scheduler"},
		Subjects:   []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: "default", Name: "reader"}},
	}
	if _, err := c.Clientset.RbacV1().ClusterRoleBindings().Create(ctx, binding, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	err := cluster.WaitFor(ctx, "the right to list nodes", func(ctx context.Context) (bool, error) {
		_, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
		return err == nil, err
	})
	if err != nil {
		t.Error(err)
	}
}

func serviceAccountClient(ctx context.Context, t *testing.T, c *cluster.Cluster, namespace, name string) kubernetes.Interface {
	t.Helper()
	path, err := c.ServiceAccountKubeconfig(ctx, namespace, name)
	if err != nil {
		t.Fatal(err)
	}
	config, err := clientcmd.BuildConfigFromFlags("", path)
	if err != nil {
		t.Fatal(err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func TestMissingToolSaysWhatToDo(t *testing.T) {
	t.Parallel()
	_, err := cluster.Start(t.Context(), cluster.Options{ToolsDir: t.TempDir()})
	if err == nil || !strings.Contains(err.Error(), `run "make tools K8S=`) {
		t.Errorf("got error %v, want one that says how to build it", err)
	}
}

func testContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func start(ctx context.Context, t *testing.T) *cluster.Cluster {
	t.Helper()
	c, err := cluster.Start(ctx, cluster.Options{Log: t.Output(), MetricResolution: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeAndCheck(t, c) })
	return c
}

// near holds when the node uses that much CPU, within a tenth.
func near(node, cpu string) func(map[string]corev1.ResourceList) bool {
	want := resource.MustParse(cpu)
	return func(usage map[string]corev1.ResourceList) bool {
		list := usage[node]
		got := list.Cpu().AsApproximateFloat64()
		return got > 0.9*want.AsApproximateFloat64() && got < 1.1*want.AsApproximateFloat64()
	}
}
