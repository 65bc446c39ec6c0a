package chart

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"

	"helm.sh/helm/v4/pkg/action"
	"helm.sh/helm/v4/pkg/chart/common"
	chartv2 "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	release "helm.sh/helm/v4/pkg/release/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

const (
	root     = "../.."
	chartDir = root + "/charts/plimsoll"
	// namespace is that of manifests/base.
	namespace = "plimsoll-system"
)

// rendering says how the chart is rendered. The zero value is a release called
// plimsoll, for the newest Kubernetes.
type rendering struct {
	release    string
	namespace  string
	kubernetes string
	apis       []string       // beside those that Helm knows
	chart      *chartv2.Chart // instead of the one in its folder
}

// values returns the values that the YAML text gives, as a values file does.
func values(t testing.TB, text string) map[string]any {
	t.Helper()
	read, err := loader.LoadValues(strings.NewReader(text))
	if err != nil {
		t.Fatalf("%v:\n%s", err, text)
	}
	return read
}

func loadChart(t testing.TB) *chartv2.Chart {
	t.Helper()
	loaded, err := loader.LoadDir(chartDir)
	if err != nil {
		t.Fatal(err)
	}
	return loaded
}

// try renders the chart as "helm template" does.
func (r rendering) try(t testing.TB, given map[string]any) (*release.Release, error) {
	t.Helper()
	install := action.NewInstall(action.NewConfiguration(action.ConfigurationSetLogger(slog.DiscardHandler)))
	install.DryRunStrategy = action.DryRunClient
	install.ReleaseName, install.Namespace = "plimsoll", namespace
	if r.release != "" {
		install.ReleaseName = r.release
	}
	if r.namespace != "" {
		install.Namespace = r.namespace
	}
	kubernetes := "v1.37.1"
	if r.kubernetes != "" {
		kubernetes = r.kubernetes
	}
	var err error
	if install.KubeVersion, err = common.ParseKubeVersion(kubernetes); err != nil {
		t.Fatal(err)
	}
	install.APIVersions = r.apis
	chart := r.chart
	if chart == nil {
		chart = loadChart(t)
	}
	rendered, err := install.RunWithContext(t.Context(), chart, given)
	if err != nil {
		return nil, err
	}
	return rendered.(*release.Release), nil
}

// render renders the chart, hooks included, as a release called plimsoll.
func render(t testing.TB, text string) objects {
	t.Helper()
	return rendering{}.render(t, text)
}

func (r rendering) render(t testing.TB, text string) objects {
	t.Helper()
	rendered, err := r.try(t, values(t, text))
	if err != nil {
		t.Fatalf("%v\nvalues:\n%s", err, text)
	}
	all := rendered.Manifest
	for _, hook := range rendered.Hooks {
		all += "\n---\n" + hook.Manifest
	}
	return parse(t, all)
}

// objects are what a chart or a kustomization makes, by kind and name.
type objects map[string]*unstructured.Unstructured

func key(object *unstructured.Unstructured) string {
	return object.GetKind() + " " + object.GetName()
}

func parse(t testing.TB, text string) objects {
	t.Helper()
	found := objects{}
	reader := utilyaml.NewYAMLReader(bufio.NewReader(strings.NewReader(text)))
	for {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return found
		}
		if err != nil {
			t.Fatal(err)
		}
		object := &unstructured.Unstructured{}
		// Strict, so that a key that is there twice is a fault.
		if err := yaml.UnmarshalStrict(document, &object.Object); err != nil {
			t.Fatalf("%v:\n%s", err, document)
		}
		if len(object.Object) == 0 {
			continue // comments
		}
		if found[key(object)] != nil {
			t.Fatalf("%s is there twice", key(object))
		}
		found[key(object)] = object
	}
}

// get returns an object that must be there.
func (o objects) get(t testing.TB, key string) *unstructured.Unstructured {
	t.Helper()
	if o[key] == nil {
		t.Fatalf("there is no %s", key)
	}
	return o[key]
}

// at returns the value at a path of fields with | between them, such as spec|replicas; a number is the
// index in a list. It is nil if there is none.
func at(object *unstructured.Unstructured, path string) any {
	var value any = object.Object
	for field := range strings.SplitSeq(path, "|") {
		switch v := value.(type) {
		case map[string]any:
			value = v[field]
		case []any:
			var i int
			if _, err := fmt.Sscan(field, &i); err != nil || i >= len(v) {
				return nil
			}
			value = v[i]
		default:
			return nil
		}
	}
	return value
}

// text returns a value as YAML, for comparisons and messages.
func text(t testing.TB, value any) string {
	t.Helper()
	out, err := yaml.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(bytes.TrimSpace(out))
}

func withoutCancel(t testing.TB) context.Context { return context.WithoutCancel(t.Context()) }
