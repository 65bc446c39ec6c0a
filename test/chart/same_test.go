package chart

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"

	"github.com/plimsoll-scheduler/plimsoll/pkg/apis/config"
)

// build runs kustomize over an overlay that lies beside the base.
func build(t *testing.T, overlay string) objects {
	t.Helper()
	files := filesys.MakeFsInMemory()
	for _, folder := range []string{"manifests", "charts/plimsoll/monitoring"} {
		must(t, filepath.WalkDir(filepath.Join(root, folder), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			content, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			return files.WriteFile(strings.TrimPrefix(filepath.ToSlash(path), root), content)
		}))
	}
	must(t, files.WriteFile("/manifests/overlay/kustomization.yaml", []byte(overlay)))
	made, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(files, "/manifests/overlay")
	if err != nil {
		t.Fatalf("%v:\n%s", err, overlay)
	}
	out, err := made.AsYaml()
	must(t, err)
	return parse(t, string(out))
}

// For the same settings, the chart and kustomize make the same objects.
func TestChartAndKustomizeMakeTheSameObjects(t *testing.T) {
	for _, test := range []struct {
		name, values, overlay string
		rendering             rendering
	}{
		{name: "defaults", overlay: "resources: [../base]"},
		{
			name: "an image of one's own by digest",
			values: `
image: {repository: registry.example.com/plimsoll, digest: "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"}
`,
			overlay: `
resources: [../base]
images: [{name: plimsoll, newName: registry.example.com/plimsoll, digest: "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"}]
`,
		},
		{
			name:   "more replicas, with limits, elsewhere",
			values: `{replicas: 3, resources: {limits: {memory: 1Gi}}, nodeSelector: {pool: system}}`,
			overlay: `
resources: [../base]
replicas: [{name: plimsoll, count: 3}]
patches:
- patch: |
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: plimsoll, namespace: plimsoll-system}
    spec:
      template:
        spec:
          nodeSelector: {pool: system}
          containers:
          - {name: scheduler, resources: {limits: {memory: 1Gi}}}
`,
		},
		{
			name: "another configuration",
			values: `
nodeLoad: {window: 20m, filter: {thresholds: {cpu: 70, memory: 0}}, bands: [{minPriority: 1000000000, thresholds: {cpu: 90}}]}
deviceFit: {headroomPerDevice: {cpu: "2"}, weights: {nvidia.com/gpu: 2}}
configuration: {parallelism: 32}
extraProfiles: [{schedulerName: stock}]
`,
			overlay: `
resources: [../base]
configMapGenerator:
- name: plimsoll-config
  namespace: plimsoll-system
  behavior: replace
  literals:
  - |
    config.yaml=
    apiVersion: kubescheduler.config.k8s.io/v1
    kind: KubeSchedulerConfiguration
    parallelism: 32
    leaderElection: {resourceName: plimsoll, resourceNamespace: plimsoll-system, retryPeriod: 800ms}
    profiles:
    - schedulerName: plimsoll
      plugins:
        multiPoint: {enabled: [{name: NodeLoad, weight: 10}, {name: DeviceFit, weight: 5}]}
        score: {disabled: [{name: NodeResourcesFit}, {name: NodeResourcesBalancedAllocation}]}
      pluginConfig:
      - name: NodeLoad
        args: {window: 20m, filter: {thresholds: {cpu: 70, memory: 0}}, bands: [{minPriority: 1000000000, thresholds: {cpu: 90}}]}
      - name: DeviceFit
        args: {headroomPerDevice: {cpu: "2"}, weights: {nvidia.com/gpu: 2}}
    - schedulerName: stock
`,
		},
		{
			name:    "monitoring",
			values:  `{serviceMonitor: {enabled: true}, prometheusRule: {enabled: true}, dashboard: {enabled: true}}`,
			overlay: `{resources: [../base], components: [../components/monitoring]}`,
		},
		{
			name:    "admission",
			values:  `admission: {enabled: true}`,
			overlay: `{resources: [../base], components: [../components/admission]}`,
		},
		{
			name:   "admission that allows less",
			values: `admission: {enabled: true, podAnnotations: {estimate: Deny, when-unsatisfiable: Tighten}}`,
			overlay: `
resources: [../base]
components: [../components/admission]
patches:
- patch: |
    apiVersion: v1
    kind: ConfigMap
    metadata: {name: plimsoll-admission, namespace: plimsoll-system}
    data: {estimate: Deny, when-unsatisfiable: Tighten}
`,
		},
		{
			name:      "admission by the beta of Kubernetes 1.35",
			rendering: rendering{kubernetes: "v1.35.4", apis: []string{"admissionregistration.k8s.io/v1beta1/MutatingAdmissionPolicy"}},
			values:    `admission: {enabled: true}`,
			overlay: `
resources: [../base]
components: [../components/admission]
patches:
- target: {kind: MutatingAdmissionPolicy.*}
  patch: |
    - {op: replace, path: /apiVersion, value: admissionregistration.k8s.io/v1beta1}
`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			same(t, test.rendering.render(t, test.values), build(t, test.overlay))
		})
	}
}

// ofTheChart are the labels that only Helm's objects have, and annotations.
var ofTheChart = []string{
	"app.kubernetes.io/instance", "app.kubernetes.io/version", "app.kubernetes.io/managed-by", "helm.sh/chart",
	"checksum/config", "kubectl.kubernetes.io/default-container",
}

func same(t *testing.T, chart, kustomized objects) {
	t.Helper()
	for _, object := range chart {
		withoutOwn(object.Object)
		if _, isTest := object.GetAnnotations()["helm.sh/hook"]; isTest {
			delete(chart, key(object)) // there is no "kustomize test"
		}
	}
	for k, object := range kustomized {
		if k == "Namespace "+namespace {
			delete(kustomized, k) // a release is in a namespace that is there, or made by helm --create-namespace
		}
		withoutHash(object.Object)
	}
	for _, objects := range []objects{chart, kustomized} {
		byName := objectsByName(objects)
		for _, object := range byName {
			decodeConfig(t, object.Object)
		}
		clear(objects)
		maps.Copy(objects, byName)
	}
	want, got := slices.Sorted(maps.Keys(kustomized)), slices.Sorted(maps.Keys(chart))
	if !slices.Equal(got, want) {
		t.Fatalf("the chart makes\n%s\nand kustomize\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for _, k := range want {
		if diff := cmp.Diff(kustomized[k].Object, chart[k].Object); diff != "" {
			t.Errorf("%s: kustomize makes - and the chart +\n%s", k, diff)
		}
	}
}

func objectsByName(of objects) objects {
	byName := objects{}
	for _, object := range of {
		byName[key(object)] = object
	}
	return byName
}

// withoutOwn takes off, at any depth, what only Helm's objects have, and what has the
// value that the API server would give it.
func withoutOwn(value any) {
	switch v := value.(type) {
	case map[string]any:
		for name, inner := range v {
			withoutOwn(inner)
			if m, ok := inner.(map[string]any); ok && len(m) == 0 && name == "annotations" || slices.Contains(ofTheChart, name) {
				delete(v, name)
			}
		}
		if v["terminationGracePeriodSeconds"] == float64(30) || v["terminationGracePeriodSeconds"] == int64(30) {
			delete(v, "terminationGracePeriodSeconds")
		}
	case []any:
		for _, inner := range v {
			withoutOwn(inner)
		}
	}
}

// withoutHash takes off what kustomize puts behind the ConfigMap's name.
func withoutHash(value any) {
	const name = "plimsoll-config"
	switch v := value.(type) {
	case map[string]any:
		for k, inner := range v {
			if s, ok := inner.(string); ok && k == "name" && strings.HasPrefix(s, name+"-") {
				v[k] = name
			}
			withoutHash(inner)
		}
	case []any:
		for _, inner := range v {
			withoutHash(inner)
		}
	}
}

// decodeConfig puts in the place of a configuration's text what it means: that of a
// text and of another one that leaves out defaults is the same.
func decodeConfig(t *testing.T, object map[string]any) {
	t.Helper()
	data, ok := object["data"].(map[string]any)
	if !ok {
		return
	}
	written, ok := data["config.yaml"].(string)
	if !ok {
		return
	}
	var configuration map[string]any
	if err := yaml.UnmarshalStrict([]byte(written), &configuration); err != nil {
		t.Fatalf("%v:\n%s", err, written)
	}
	for _, profile := range configuration["profiles"].([]any) {
		entries, _ := profile.(map[string]any)["pluginConfig"].([]any)
		decoded := map[string]any{config.NodeLoad: asDecoded(t, config.DecodeNodeLoad, nil), config.DeviceFit: asDecoded(t, config.DecodeDeviceFit, nil)}
		for _, entry := range entries {
			entry := entry.(map[string]any)
			switch entry["name"] {
			case config.NodeLoad:
				decoded[config.NodeLoad] = asDecoded(t, config.DecodeNodeLoad, entry["args"])
			case config.DeviceFit:
				decoded[config.DeviceFit] = asDecoded(t, config.DecodeDeviceFit, entry["args"])
			default:
				decoded[entry["name"].(string)] = entry["args"]
			}
		}
		profile.(map[string]any)["pluginConfig"] = decoded
	}
	data["config.yaml"] = configuration
}

// asDecoded returns the arguments as the plugin has them.
func asDecoded[T any](t *testing.T, decode func(runtime.Object, *field.Path) (T, field.ErrorList), args any) string {
	t.Helper()
	got, errs := decode(raw(t, args), field.NewPath("args"))
	if len(errs) > 0 {
		t.Fatal(errs.ToAggregate())
	}
	return withoutEmpty(text(t, got))
}

// withoutEmpty leaves out the lines of what is empty: to the plugins that is the same as
// what is not there.
func withoutEmpty(decoded string) string {
	var kept []string
	for line := range strings.Lines(decoded) {
		if line = strings.TrimRight(line, "\n"); !strings.HasSuffix(line, ": {}") && !strings.HasSuffix(line, ": []") && !strings.HasSuffix(line, ": null") {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "\n")
}

func raw(t testing.TB, args any) *runtime.Unknown {
	t.Helper()
	if args == nil {
		return &runtime.Unknown{}
	}
	written, err := yaml.Marshal(args)
	if err != nil {
		t.Fatal(err)
	}
	if written, err = yaml.YAMLToJSON(written); err != nil {
		t.Fatal(err)
	}
	return &runtime.Unknown{Raw: written}
}
