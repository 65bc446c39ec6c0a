package chart

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/restmapper"

	"github.com/plimsoll-scheduler/plimsoll/test/cluster"
)

// tools is where the programs of the control plane are; of an older minor of Kubernetes
// they are in a folder of their own.
var tools = flag.String("tools", "", "the folder with the programs of the control plane, such as ../../bin/tools-1.36")

// local starts the control plane that all tests share, when the first one asks for it.
var local = sync.OnceValues(func() (*cluster.Cluster, error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	c, err := cluster.Start(ctx, cluster.Options{
		Log: os.Stdout, ToolsDir: *tools,
		APIs:         []string{"admissionregistration.k8s.io/v1beta1"}, // as it is in Kubernetes 1.35
		FeatureGates: map[string]bool{"MutatingAdmissionPolicy": true}, // which has to be said there
	})
	if err != nil {
		return nil, err
	}
	closeLocal = c.Close
	_, err = c.Clientset.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: namespace, Labels: map[string]string{"pod-security.kubernetes.io/enforce": "restricted"},
	}}, metav1.CreateOptions{})
	return c, err
})

// closeLocal ends the control plane, if there is one.
var closeLocal = func() error { return nil }

func TestMain(m *testing.M) {
	exitCode := m.Run()
	if err := closeLocal(); err != nil {
		fmt.Println(err)
		exitCode = 1
	}
	os.Exit(exitCode)
}

func controlPlane(t *testing.T) *cluster.Cluster {
	t.Helper()
	c, err := local()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// client is for objects of any kind.
type client struct {
	t *testing.T
	dynamic.Interface
	mapper meta.RESTMapper
}

func newClient(t *testing.T) *client {
	t.Helper()
	c := controlPlane(t)
	interfaces, err := dynamic.NewForConfig(c.RESTConfig())
	if err != nil {
		t.Fatal(err)
	}
	mapper := restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(c.Clientset.Discovery()))
	return &client{t, interfaces, mapper}
}

// of returns the resource that the object is one of.
func (c *client) of(object *unstructured.Unstructured) (dynamic.ResourceInterface, error) {
	kind := object.GroupVersionKind()
	mapping, err := c.mapper.RESTMapping(kind.GroupKind(), kind.Version)
	if err != nil {
		return nil, err
	}
	if mapping.Scope.Name() == meta.RESTScopeNameRoot {
		return c.Resource(mapping.Resource), nil
	}
	return c.Resource(mapping.Resource).Namespace(object.GetNamespace()), nil
}

// rendering returns that for the API server.
func (c *client) rendering() (r rendering) {
	c.t.Helper()
	discovery := controlPlane(c.t).Clientset.Discovery()
	version, err := discovery.ServerVersion()
	must(c.t, err)
	r.kubernetes = version.GitVersion
	const group = "admissionregistration.k8s.io/"
	for _, served := range []string{"v1", "v1beta1"} {
		list, err := discovery.ServerResourcesForGroupVersion(group + served)
		must(c.t, err)
		for i := range list.APIResources {
			r.apis = append(r.apis, group+served+"/"+list.APIResources[i].Kind)
		}
	}
	return r
}

// dryRun has the API server check an object strictly, and returns it as it would be
// stored.
func (c *client) dryRun(object *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	resource, err := c.of(object)
	if err != nil {
		return nil, err
	}
	return resource.Create(c.t.Context(), object, metav1.CreateOptions{
		DryRun: []string{metav1.DryRunAll}, FieldValidation: metav1.FieldValidationStrict,
	})
}

// settings that together use each part of each template.
var settings = map[string]string{
	"defaults":    "",
	"one replica": "{replicas: 1, resources: null, tolerations: [], topologySpreadConstraints: []}",
	"everything": `
image: {repository: registry.example.com/plimsoll, digest: "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", pullPolicy: Always}
imagePullSecrets: [{name: registry}]
fullnameOverride: line
replicas: 3
nodeLoad: {source: {type: Prometheus, prometheus: {address: "https://prometheus:9090", caFile: /ca/ca.crt}}}
deviceFit: {headroomPerDevice: {cpu: "2"}}
extraProfiles: [{schedulerName: stock}]
featureGates: {GenericWorkload: true}
extraArgs: ["--kube-api-qps=100"]
decisionsPort: 0
resources: {requests: {cpu: 1}, limits: {memory: 1Gi}}
affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: pool, operator: In, values: [system]}]}]}}}
topologySpreadConstraints: [{maxSkew: 1, topologyKey: zone, whenUnsatisfiable: DoNotSchedule, matchLabelKeys: [pod-template-hash]}]
podDisruptionBudget: {maxUnavailable: 50%}
podLabels: {team: infra}
podAnnotations: {note: hello}
commonLabels: {owner: infra}
extraEnv: [{name: GOGC, value: "50"}]
extraVolumes: [{name: ca, configMap: {name: ca}}]
extraVolumeMounts: [{name: ca, mountPath: /ca, readOnly: true}]
serviceAccount: {annotations: {a: b}}
admission: {enabled: true, validationActions: [Warn, Audit]}
networkPolicy: {enabled: true, from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: monitoring}}}], egress: [{ports: [{port: 6443}]}]}
serviceMonitor: {enabled: true, interval: 30s, labels: {release: prometheus}}
prometheusRule: {enabled: true, labels: {release: prometheus}, additionalRules: [{record: a, expr: vector(1)}]}
dashboard: {enabled: true, annotations: {grafana_folder: Scheduling}}
`,
	"an existing ConfigMap and ServiceAccount": "{existingConfigMap: mine, serviceAccount: {create: false, name: mine}, rbac: {create: false}}",
}

// The API server takes all objects, in several settings, and knows each field. They are
// rendered for what it is and serves, as Helm does.
func TestObjectsPassStrictDryRun(t *testing.T) {
	c := newClient(t)
	server := c.rendering()
	for name, given := range settings {
		t.Run(name, func(t *testing.T) {
			for k, object := range server.render(t, given) {
				if object.GroupVersionKind().Group == "monitoring.coreos.com" {
					continue // see TestMonitoringObjects
				}
				if _, err := c.dryRun(object); err != nil {
					t.Errorf("%s: %v\n%s", k, err, text(t, object.Object))
				}
			}
		})
	}
}

// What the dry run refuses shows that it checks at all.
func TestDryRunIsStrict(t *testing.T) {
	c := newClient(t)
	object := render(t, "").get(t, "Deployment plimsoll")
	if err := unstructured.SetNestedField(object.Object, int64(1), "spec", "replica"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.dryRun(object); err == nil || !strings.Contains(err.Error(), `unknown field "spec.replica"`) {
		t.Errorf("a field that there is not: %v", err)
	}
}

// Both the replicas' pods and that of "helm test" may run in a namespace that is held to
// the restricted pod security standard, as manifests/base makes it.
func TestPodsAreRestricted(t *testing.T) {
	c := newClient(t)
	made := render(t, "priorityClassName: \"\"")
	for _, k := range []string{"Deployment plimsoll", "Job plimsoll-test"} {
		template := at(made.get(t, k), "spec|template").(map[string]any)
		spec := template["spec"].(map[string]any)
		delete(spec, "serviceAccountName") // not there without a release
		pod := &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "v1", "kind": "Pod", "metadata": map[string]any{"name": "pod", "namespace": namespace}, "spec": spec,
		}}
		err := cluster.WaitFor(t.Context(), "the default service account", func(context.Context) (bool, error) {
			_, err := c.dryRun(pod)
			return err == nil || !strings.Contains(err.Error(), "serviceaccount"), err
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.dryRun(pod); err != nil {
			t.Errorf("%s: %v", k, err)
		}
	}
}

// Where only the beta of MutatingAdmissionPolicy is served, that is made, and where there
// is none the message says what to do. The API server takes the beta.
func TestOlderKubernetes(t *testing.T) {
	const policy = "MutatingAdmissionPolicy plimsoll-schedule"
	given := "admission: {enabled: true}"
	old := rendering{kubernetes: "v1.35.4", apis: []string{"admissionregistration.k8s.io/v1beta1/MutatingAdmissionPolicy"}}
	c := newClient(t)
	for _, k := range []string{policy, "MutatingAdmissionPolicyBinding plimsoll-schedule"} {
		object := old.render(t, given).get(t, k)
		if got := object.GetAPIVersion(); got != "admissionregistration.k8s.io/v1beta1" {
			t.Errorf("%s is of %s", k, got)
		}
		if _, err := c.dryRun(object); err != nil && !apierrors.IsAlreadyExists(err) {
			t.Errorf("%s: %v", k, err)
		}
	}
	both := rendering{kubernetes: "v1.36.0", apis: []string{"admissionregistration.k8s.io/v1/MutatingAdmissionPolicy", "admissionregistration.k8s.io/v1beta1/MutatingAdmissionPolicy"}}
	if got := both.render(t, given).get(t, policy).GetAPIVersion(); got != "admissionregistration.k8s.io/v1" {
		t.Errorf("where both are served it is of %s", got)
	}
	none := rendering{kubernetes: "v1.35.4"}
	if _, err := none.try(t, values(t, given)); err == nil || !strings.Contains(err.Error(), "admission.schedule: Kubernetes v1.35.4 serves no MutatingAdmissionPolicy. It is there from 1.36 on") {
		t.Errorf("where none is served: %v", err)
	}
	if made := none.render(t, "admission: {enabled: true, schedule: false}"); made[policy] != nil || made["ValidatingAdmissionPolicy plimsoll-pod-annotations"] == nil {
		t.Error("without admission.schedule there is not what is asked for")
	}
	if _, err := (rendering{kubernetes: "v1.34.0"}).try(t, nil); err == nil || !strings.Contains(err.Error(), "chart requires kubeVersion: >=1.35.0-0") {
		t.Errorf("Kubernetes 1.34: %v", err)
	}
}
