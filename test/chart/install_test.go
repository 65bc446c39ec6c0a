package chart

import (
	"context"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"helm.sh/helm/v4/pkg/action"
	"helm.sh/helm/v4/pkg/kube"
	release "helm.sh/helm/v4/pkg/release/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericclioptions"

	"github.com/plimsoll-scheduler/plimsoll/test/cluster"
)

const (
	// installed is the name of a release, and of its namespace, and of what is in it.
	installed         = "try"
	installedFullname = "try-plimsoll"
	// helmTimeout bounds what Helm waits for.
	helmTimeout = 2 * time.Minute
)

// Helm installs the chart, "helm test" passes with a scheduler that has the release's
// configuration, ServiceAccount and permissions, and no others; an upgrade rolls the
// pods, and nothing is left after the release is uninstalled.
func TestInstallTestUpgradeUninstall(t *testing.T) {
	c := controlPlane(t)
	helm := helmConfiguration(t, c)
	must(t, c.CreateNodes(t.Context(), cluster.Node{Name: "one", CPU: "8", Memory: "32Gi"}, cluster.Node{Name: "other", CPU: "8", Memory: "32Gi"}))

	given := values(t, "{image: {repository: registry.example.com/plimsoll}, admission: {enabled: true, validationActions: [Audit]}, networkPolicy: {enabled: true}}")
	install := action.NewInstall(helm)
	install.ReleaseName, install.Namespace, install.CreateNamespace = installed, installed, true
	install.WaitStrategy, install.Timeout = kube.StatusWatcherStrategy, helmTimeout
	done, err := install.RunWithContext(t.Context(), loadChart(t), given)
	if err != nil {
		t.Fatal(err)
	}
	objects := parse(t, done.(*release.Release).Manifest)

	scheduler := startInstalled(t, c, installed, installedFullname)
	test := action.NewReleaseTesting(helm)
	test.Namespace, test.Timeout = installed, helmTimeout
	_, shutdown, err := test.Run(installed)
	if err != nil {
		pods, _ := c.Kubectl(t.Context(), "-n", installed, "get", "pods,events")
		t.Errorf("helm test: %v\n%s", err, pods)
	}
	must(t, shutdown())
	if log, err := scheduler.Log(); err != nil || strings.Contains(log, "forbidden") {
		t.Errorf("the scheduler may not do all that it does, or has no log (%v):\n%s", err, log)
	}
	checkAlerts(t, c, scheduler)

	before := deploymentTemplate(t, c)
	upgrade := action.NewUpgrade(helm)
	upgrade.Namespace, upgrade.ReuseValues = installed, true
	upgrade.WaitStrategy, upgrade.Timeout = kube.StatusWatcherStrategy, helmTimeout
	if _, err := upgrade.RunWithContext(t.Context(), installed, loadChart(t), values(t, "nodeLoad: {filter: {thresholds: {cpu: 70}}}")); err != nil {
		t.Fatal(err)
	}
	if after := deploymentTemplate(t, c); after == before {
		t.Errorf("the pods are the same after a change of the configuration:\n%s", after)
	}

	uninstall := action.NewUninstall(helm)
	uninstall.WaitStrategy, uninstall.Timeout = kube.StatusWatcherStrategy, helmTimeout
	if _, err := uninstall.Run(installed); err != nil {
		t.Fatal(err)
	}
	left := newClient(t)
	for k, object := range objects {
		resource, err := left.of(object)
		must(t, err)
		if _, err := resource.Get(t.Context(), object.GetName(), metav1.GetOptions{}); err == nil {
			t.Errorf("%s is left", k)
		}
	}
}

func helmConfiguration(t *testing.T, c *cluster.Cluster) *action.Configuration {
	t.Helper()
	flags := genericclioptions.NewConfigFlags(true)
	space := installed
	flags.KubeConfig, flags.Namespace = &c.Kubeconfig, &space
	cache := t.TempDir()
	flags.CacheDir = &cache
	helm := action.NewConfiguration(action.ConfigurationSetLogger(slog.DiscardHandler))
	must(t, helm.Init(flags, installed, "secret"))
	return helm
}

// startInstalled starts a scheduler as the pods of what is installed there would: with its
// configuration and as its ServiceAccount. (The pods' nodes are simulated and run no
// programs.)
func startInstalled(t *testing.T, c *cluster.Cluster, namespace, name string) *cluster.Scheduler {
	t.Helper()
	program, err := filepath.Abs(filepath.Join(root, "bin", "test", "chart-scheduler"))
	must(t, err)
	build := exec.CommandContext(t.Context(), "go", "build", "-C", root, "-buildvcs=false", "-o", program, "./cmd/scheduler")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the scheduler: %v: %s", err, out)
	}
	deployment, err := c.Clientset.AppsV1().Deployments(namespace).Get(t.Context(), name, metav1.GetOptions{})
	must(t, err)
	pod := deployment.Spec.Template.Spec
	configMap, err := c.Clientset.CoreV1().ConfigMaps(namespace).Get(t.Context(), pod.Volumes[0].ConfigMap.Name, metav1.GetOptions{})
	must(t, err)
	config := filepath.Join(t.TempDir(), "config.yaml")
	must(t, os.WriteFile(config, []byte(configMap.Data["config.yaml"]), 0o600))
	kubeconfig, err := c.ServiceAccountKubeconfig(t.Context(), namespace, pod.ServiceAccountName)
	must(t, err)
	scheduler, err := c.StartScheduler(t.Context(), cluster.SchedulerOptions{Program: program, Config: config, Kubeconfig: kubeconfig})
	must(t, err)
	t.Cleanup(scheduler.Kill)
	return scheduler
}

func deploymentTemplate(t *testing.T, c *cluster.Cluster) string {
	t.Helper()
	deployment, err := c.Clientset.AppsV1().Deployments(installed).Get(t.Context(), installedFullname, metav1.GetOptions{})
	must(t, err)
	return text(t, deployment.Spec.Template.Annotations)
}

// The type checker of the API server finds nothing in the policies' expressions: what it
// finds would fail only for the objects that it concerns.
func TestExpressionsHaveNoTypeFaults(t *testing.T) {
	c := admitted(t)
	policies, err := c.AdmissionregistrationV1().ValidatingAdmissionPolicies().List(t.Context(), metav1.ListOptions{})
	must(t, err)
	for _, policy := range policies.Items {
		name := policy.Name
		must(t, cluster.WaitFor(t.Context(), "the types of "+name+" to be checked", func(context.Context) (bool, error) {
			checked, err := c.AdmissionregistrationV1().ValidatingAdmissionPolicies().Get(t.Context(), name, metav1.GetOptions{})
			if err != nil || checked.Status.TypeChecking == nil {
				return false, err
			}
			for _, warning := range checked.Status.TypeChecking.ExpressionWarnings {
				t.Errorf("%s: %s: %s", name, warning.FieldRef, warning.Warning)
			}
			return true, nil
		}))
	}
}
