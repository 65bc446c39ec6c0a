package chart

import (
	"strings"
	"testing"
)

// Each switch and value does what its comment says.
func TestValuesHaveTheirEffect(t *testing.T) {
	const (
		deployment = "Deployment plimsoll"
		pod        = "spec|template|spec|"
		container  = pod + "containers|0|"
	)
	digest := "sha256:" + strings.Repeat("0123456789abcdef", 4)
	for _, test := range []struct {
		values, object, path string
		want                 any
	}{
		{"", deployment, container + "image", "plimsoll:v0.1.0"},
		{"image: {repository: r.example.com:5000/a/plimsoll, tag: v9}", deployment, container + "image", "r.example.com:5000/a/plimsoll:v9"},
		{"image: {tag: v9, digest: " + `"` + digest + `"}`, deployment, container + "image", "plimsoll@" + digest},
		{"image: {pullPolicy: Always}", deployment, container + "imagePullPolicy", "Always"},
		{"imagePullSecrets: [{name: registry}]", deployment, pod + "imagePullSecrets|0|name", "registry"},
		{"replicas: 0", deployment, "spec|replicas", 0},
		{"resources: {limits: {cpu: 1}}", deployment, container + "resources|limits|cpu", 1},
		{"resources: null", deployment, container + "resources", nil},
		{"priorityClassName: high", deployment, pod + "priorityClassName", "high"},
		{`priorityClassName: ""`, deployment, pod + "priorityClassName", nil},
		{"nodeSelector: {kubernetes.io/os: null, pool: system}", deployment, pod + "nodeSelector", map[string]any{"pool": "system"}},
		{"affinity: {nodeAffinity: {}}", deployment, pod + "affinity|nodeAffinity", map[string]any{}},
		{"tolerations: []", deployment, pod + "tolerations", nil},
		{"topologySpreadConstraints: []", deployment, pod + "topologySpreadConstraints", nil},
		{"", deployment, pod + "topologySpreadConstraints|0|labelSelector|matchLabels|app.kubernetes.io/component", "scheduler"},
		{"topologySpreadConstraints: [{maxSkew: 1, labelSelector: {matchLabels: {a: b}}}]", deployment, pod + "topologySpreadConstraints|0|labelSelector|matchLabels", map[string]any{"a": "b"}},
		{"terminationGracePeriodSeconds: 60", deployment, pod + "terminationGracePeriodSeconds", 60},
		{"podLabels: {team: infra}", deployment, "spec|template|metadata|labels|team", "infra"},
		{"podAnnotations: {note: hello}", deployment, "spec|template|metadata|annotations|note", "hello"},
		{"commonLabels: {team: infra}", "ConfigMap plimsoll-config", "metadata|labels|team", "infra"},
		{"extraEnv: [{name: GOGC, value: off}]", deployment, container + "env|2|name", "GOGC"},
		{"extraVolumes: [{name: ca, emptyDir: {}}]", deployment, pod + "volumes|1|name", "ca"},
		{"extraVolumeMounts: [{name: ca, mountPath: /ca}]", deployment, container + "volumeMounts|1|mountPath", "/ca"},
		{"verbosity: 4", deployment, container + "args|2", "--v=4"},
		{"securePort: 11259", deployment, container + "args|2", "--decisions-secure-port=10260"},
		{"{securePort: 11259, decisionsPort: 11260}", deployment, container + "args|2", "--v=2"},
		{"decisionsPort: 0", deployment, container + "args|2", "--decisions-secure-port=0"},
		{"decisionsPort: 0", deployment, container + "ports|1", nil},
		{"featureGates: {B: false, A: true}", deployment, container + "args|3", "--feature-gates=A=true,B=false"},
		{`extraArgs: ["--kube-api-qps=100"]`, deployment, container + "args|3", "--kube-api-qps=100"},

		{"fullnameOverride: other", "ConfigMap other-config", "metadata|name", "other-config"},
		{"fullnameOverride: other", "Role other:leader-election", "rules|1|resourceNames|0", "other"},
		{"existingConfigMap: mine", deployment, pod + "volumes|0|configMap|name", "mine"},
		{"existingConfigMap: mine", "ConfigMap plimsoll-config", "", nil},
		{"existingConfigMap: mine", deployment, "spec|template|metadata|annotations|checksum/config", nil},

		{"serviceAccount: {name: mine}", deployment, pod + "serviceAccountName", "mine"},
		{"serviceAccount: {name: mine}", "ClusterRoleBinding plimsoll:kube-scheduler", "subjects|0|name", "mine"},
		{"serviceAccount: {name: mine, create: false}", "ServiceAccount mine", "", nil},
		{"serviceAccount: {annotations: {a: b}}", "ServiceAccount plimsoll", "metadata|annotations|a", "b"},
		{"{replicas: 1, leaderElection: {leaderElect: false}}", deployment, "spec|replicas", 1},
		{"rbac: {create: false}", "ClusterRole plimsoll:metrics-reader", "", nil},
		{"rbac: {create: false}", "RoleBinding plimsoll:leader-election", "", nil},

		{"podDisruptionBudget: {enabled: false}", "PodDisruptionBudget plimsoll", "", nil},
		{"replicas: 1", "PodDisruptionBudget plimsoll", "", nil},
		{"podDisruptionBudget: {maxUnavailable: 50%}", "PodDisruptionBudget plimsoll", "spec|maxUnavailable", "50%"},
		{"podDisruptionBudget: {maxUnavailable: 0}", "PodDisruptionBudget plimsoll", "spec|maxUnavailable", 0},
		{"podDisruptionBudget: {maxUnavailable: 1}", "PodDisruptionBudget plimsoll", "spec|minAvailable", nil},

		{"", "Service plimsoll", "", nil},
		{"", "ServiceMonitor plimsoll", "", nil},
		{"serviceMonitor: {enabled: true}", "Service plimsoll", "spec|ports|0|port", 10259},
		{"serviceMonitor: {enabled: true, interval: 15s}", "ServiceMonitor plimsoll", "spec|endpoints|0|interval", "15s"},
		{"serviceMonitor: {enabled: true, labels: {release: prometheus}}", "ServiceMonitor plimsoll", "metadata|labels|release", "prometheus"},
		{"", "PrometheusRule plimsoll", "", nil},
		{"prometheusRule: {enabled: true, labels: {release: prometheus}}", "PrometheusRule plimsoll", "metadata|labels|release", "prometheus"},
		{"prometheusRule: {enabled: true, additionalRules: [{record: a, expr: b}]}", "PrometheusRule plimsoll", "spec|groups|2|rules|0|record", "a"},
		{"", "ConfigMap plimsoll-dashboard", "", nil},
		{"dashboard: {enabled: true}", "ConfigMap plimsoll-dashboard", "metadata|labels|grafana_dashboard", "1"},
		{"dashboard: {enabled: true, labels: {mine: here}, annotations: {grafana_folder: Scheduling}}", "ConfigMap plimsoll-dashboard", "metadata|annotations|grafana_folder", "Scheduling"},
		{"", "NetworkPolicy plimsoll", "", nil},
		{"networkPolicy: {enabled: true}", "NetworkPolicy plimsoll", "spec|ingress", nil},
		{"networkPolicy: {enabled: true}", "NetworkPolicy plimsoll", "spec|policyTypes", []any{"Ingress"}},
		{"networkPolicy: {enabled: true, from: [{podSelector: {}}]}", "NetworkPolicy plimsoll", "spec|ingress|0|from|0", map[string]any{"podSelector": map[string]any{}}},
		{"networkPolicy: {enabled: true, egress: [{ports: [{port: 443}]}]}", "NetworkPolicy plimsoll", "spec|policyTypes", []any{"Ingress", "Egress"}},

		{"", "MutatingAdmissionPolicy plimsoll-schedule", "", nil},
		{"", "ConfigMap plimsoll-admission", "", nil},
		{"admission: {enabled: true, validate: false}", "ConfigMap plimsoll-admission", "", nil},
		{"admission: {enabled: true, validate: false}", "ValidatingAdmissionPolicy plimsoll-pod-annotations", "", nil},
		{"{schedulerName: other, admission: {enabled: true}}", "MutatingAdmissionPolicy plimsoll-schedule", "spec|mutations|0|applyConfiguration|expression", "Object{spec: Object.spec{schedulerName: 'other'}}"},
		{"admission: {enabled: true, validationActions: [Warn, Audit]}", "ValidatingAdmissionPolicyBinding plimsoll-node-annotations", "spec|validationActions", []any{"Warn", "Audit"}},
		{"admission: {enabled: true, podAnnotations: {schedule: Deny}}", "ConfigMap plimsoll-admission", "data|schedule", "Deny"},
		{"{fullnameOverride: line, admission: {enabled: true}}", "ValidatingAdmissionPolicyBinding line-allowed-annotations", "spec|paramRef|name", "line-admission"},

		{"schedulerName: other", "Job plimsoll-test", pod + "schedulerName", "other"},
		{"image: {tag: v9}", "Job plimsoll-test", container + "image", "plimsoll:v9"},
	} {
		t.Run(test.values+" "+test.path, func(t *testing.T) {
			object := render(t, test.values)[test.object]
			if object == nil {
				if test.want != nil || test.path != "" {
					t.Fatalf("there is no %s", test.object)
				}
				return
			}
			if test.path == "" {
				t.Fatalf("there is a %s:\n%s", test.object, text(t, object.Object))
			}
			if got := at(object, test.path); text(t, got) != text(t, test.want) {
				t.Errorf("%s of %s is %v, want %v", test.path, test.object, got, test.want)
			}
		})
	}
}

// What of the configuration is given by values is in the ConfigMap, and a change of it
// changes the pods.
func TestConfigurationIsMadeOfValues(t *testing.T) {
	before, after := render(t, ""), rendering{release: "gpu"}.render(t, `
schedulerName: gpu
nodeLoad: {window: 5m}
deviceFit: {strategy: MostAllocated}
profile: {percentageOfNodesToScore: 50, pluginConfig: [{name: PodTopologySpread, args: {defaultingType: List}}]}
extraProfiles: [{schedulerName: other, plugins: {multiPoint: {enabled: [{name: NodeLoad}]}}}]
configuration: {parallelism: 32, clientConnection: {qps: 100}}
leaderElection: {leaseDuration: 30s}
`)
	const checksum = "spec|template|metadata|annotations|checksum/config"
	if a, b := at(before.get(t, "Deployment plimsoll"), checksum), at(after.get(t, "Deployment gpu-plimsoll"), checksum); a == b || a == nil {
		t.Errorf("checksums are %v and %v", a, b)
	}
	configMap := after.get(t, "ConfigMap gpu-plimsoll-config")
	got := at(configMap, "data|config.yaml").(string)
	want := `
apiVersion: kubescheduler.config.k8s.io/v1
clientConnection:
  qps: 100
kind: KubeSchedulerConfiguration
leaderElection:
  leaseDuration: 30s
  resourceName: gpu-plimsoll
  resourceNamespace: plimsoll-system
  retryPeriod: 800ms
parallelism: 32
profiles:
- percentageOfNodesToScore: 50
  pluginConfig:
  - args:
      window: 5m
    name: NodeLoad
  - args:
      strategy: MostAllocated
    name: DeviceFit
  - args:
      defaultingType: List
    name: PodTopologySpread
  plugins:
    multiPoint:
      enabled:
      - name: NodeLoad
        weight: 10
      - name: DeviceFit
        weight: 5
    score:
      disabled:
      - name: NodeResourcesFit
      - name: NodeResourcesBalancedAllocation
  schedulerName: gpu
- plugins:
    multiPoint:
      enabled:
      - name: NodeLoad
  schedulerName: other
`
	if _, got, _ := strings.Cut(got, "\n"); strings.TrimSpace(got) != strings.TrimSpace(want) {
		t.Errorf("the configuration is\n%s", got)
	}
}

// Two releases have no object in common, nor selectors that match the other's pods.
func TestReleasesDoNotMeet(t *testing.T) {
	all := "{admission: {enabled: true}, serviceMonitor: {enabled: true}, prometheusRule: {enabled: true}, dashboard: {enabled: true}, networkPolicy: {enabled: true}}"
	one, other := rendering{release: "plimsoll"}.render(t, all), rendering{release: "batch"}.render(t, all)
	for k, object := range one {
		if other[k] != nil {
			t.Errorf("both have %s", k)
		}
		if selected := at(object, "spec|selector|matchLabels"); selected != nil {
			labels := other.get(t, "Deployment batch-plimsoll")
			if matches(selected, at(labels, "spec|template|metadata|labels")) {
				t.Errorf("%s selects the pods of the other release", k)
			}
			if own := one.get(t, "Deployment plimsoll"); !matches(selected, at(own, "spec|template|metadata|labels")) {
				t.Errorf("%s does not select the pods of its release", k)
			}
		}
	}
}

func matches(selector, labels any) bool {
	for name, value := range selector.(map[string]any) {
		if labels.(map[string]any)[name] != value {
			return false
		}
	}
	return true
}

// The notes say what to do next with this release, and warn of what cannot work.
func TestNotesSayWhatToDoNext(t *testing.T) {
	for _, test := range []struct {
		values        string
		want, wantNot []string
	}{
		{
			"",
			[]string{"names no registry", "rollout status deployment/plimsoll", "kubectl top nodes", "helm test plimsoll -n plimsoll-system", "schedulerName: plimsoll"},
			[]string{"ConfigMap", "<no value>"},
		},
		{"", []string{"dashboard.enabled"}, nil},
		{"dashboard: {enabled: true}", nil, []string{"dashboard.enabled"}},
		{"admission: {enabled: true}", []string{"kubectl label namespace NAME plimsoll.io/schedule=enabled"}, nil},
		{
			"{image: {repository: registry.example.com/plimsoll}, existingConfigMap: mine, schedulerName: other, nodeLoad: {source: {type: Prometheus, prometheus: {address: \"http://p:9090\"}}}}",
			[]string{"ConfigMap mine", "leaderElection.resourceName: plimsoll", "schedulerName: other"},
			[]string{"names no registry", "kubectl top nodes"},
		},
	} {
		rendered, err := rendering{}.try(t, values(t, test.values))
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range test.want {
			if !strings.Contains(rendered.Info.Notes, want) {
				t.Errorf("the notes lack %q:\n%s", want, rendered.Info.Notes)
			}
		}
		for _, wantNot := range test.wantNot {
			if strings.Contains(rendered.Info.Notes, wantNot) {
				t.Errorf("the notes have %q:\n%s", wantNot, rendered.Info.Notes)
			}
		}
	}
}
