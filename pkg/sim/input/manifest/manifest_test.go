package manifest_test

import (
	"fmt"
	"strings"
	"testing"

	v1 "k8s.io/api/core/v1"

	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/input/manifest"
	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/input/textfile"
)

// read returns the objects of a text: LINE:APIVERSION KIND name.
func read(text string) (string, error) {
	objects, err := manifest.Read(&textfile.File{Name: "f", Text: text})
	var all []string
	for i := range objects {
		var named struct{ Metadata struct{ Name string } }
		if err := objects[i].Decode(&named); err != nil {
			return "", err
		}
		all = append(all, fmt.Sprintf("%s %s %s %s", objects[i].Where(), objects[i].APIVersion, objects[i].Kind, named.Metadata.Name))
	}
	return strings.Join(all, "; "), err
}

func TestFormsOfObjects(t *testing.T) {
	for name, test := range map[string]struct{ text, want string }{
		"one object":              {`{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}}`, "f:1 v1 Pod a"},
		"a list":                  {"\n{\n\"apiVersion\": \"v1\", \"items\": [\n{\"apiVersion\": \"v1\", \"kind\": \"Pod\", \"metadata\": {\"name\": \"a\"}},\n\n {\"kind\": \"Node\"}], \"kind\": \"List\"}\n", "f:4 v1 Pod a; f:6  Node "},
		"a list of one kind":      {`{"apiVersion": "v1", "items": [{"metadata": {"name": "a"}}], "kind": "PodList"}`, "f:1 v1 Pod a"},
		"a list of unknown kind":  {`{"items": [{"metadata": {"name": "a"}}]}`, "f:1   a"},
		"an empty list":           {`{"items": [], "kind": "List"}`, ""},
		"a list of null":          {`{"items": null, "kind": "PodList"}`, ""},
		"an array":                {"[{\"kind\": \"Pod\"},\n{\"kind\": \"Node\"}]", "f:1  Pod ; f:2  Node "},
		"several":                 {"{\"kind\": \"Pod\"}{\"kind\": \"Node\"}\n\n[{\"kind\": \"Pod\"}]", "f:1  Pod ; f:1  Node ; f:3  Pod "},
		"items that are repeated": {"{\"a\": {\"items\": [{}]},\n\"items\": [{}, {}],\n\"b\": [{}]}", "f:2   ; f:2   "},
		"YAML":                    {"kind: Pod\nmetadata:\n  name: a\n", "f:1  Pod a"},
		"a list in YAML":          {"apiVersion: v1\nitems:\n- kind: Pod\n\n- metadata: {name: b}\nkind: NodeList\n", "f:3  Pod ; f:5 v1 Node b"},
		"several in YAML":         {"---\n# none\n---\nkind: Pod\n---\n- kind: Node\n...\n---\n", "f:4  Pod ; f:6  Node "},
		"an alias":                {"items:\n- &a {kind: Pod}\n- *a\n", "f:2  Pod ; f:3  Pod "},
		"no text":                 {"\n", ""},
	} {
		if got, err := read(test.text); err != nil || got != test.want {
			t.Errorf("%s: it is read as %q (%v), want %q", name, got, err, test.want)
		}
	}
}

func TestTextThatIsNoObject(t *testing.T) {
	for text, want := range map[string]string{
		"NAME STATUS\na Ready\n":                 `f:1: "NAME STATUS a Ready" is no object of the Kubernetes API: must be what kubectl get -o json or -o yaml prints`,
		"{\n\"a\": 1,,\n}":                       "f:2: column 8: not JSON: invalid character ','",
		"{\"a\": 1}\n {\"b\": }":                 "f:2: column 8: not JSON: invalid character '}'",
		"{\"a\": 1}\nerror":                      "f:2: column 1: not JSON: invalid character 'e'",
		"{\"a\":\n [1,\n2":                       "f:3: the file ends within the object that begins in line 1: it has been cut off",
		"{\"a\": 1}\n\n{\"b":                     "f:3: the file ends within the object that begins in line 3: it has been cut off",
		`{"items": [{}, [], 1]}`:                 "f:1: items[1] is []: must be an object",
		`{"items": {}}`:                          "f:1: items is no list",
		`{"kind": 1}`:                            "f:1: kind is 1: must be a string",
		`{"items": [{"kind": {}}]}`:              `f:1: items[0] is {"kind": {}}: must be an object of the Kubernetes API`,
		"a: b\n\tc: d\n":                         "f:2: neither JSON nor YAML: found a tab",
		"a: b\n---\na: 1\na: 2\n":                `f:4: neither JSON nor YAML: mapping key "a" already defined at line 3`,
		"kind: [a]\n":                            "f:1: kind must be a string",
		"kind: Pod\nitems: 1\n":                  "f:2: items is no list",
		"a: &x 1\n*x : 2\n":                      "f:1: cannot be an object of the Kubernetes API: ",
		"a: &a [*a]\n":                           "f:1: neither JSON nor YAML: anchor 'a' value contains itself",
		"items:\n- a\n":                          `f:2: items[0] is "a": must be an object`,
		"{\"a\": " + strings.Repeat("[", 20_000): "f:1: ",
	} {
		if got, err := read(text); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%.60q is read as %q, the error is %v, want %q", text, got, err, want)
		}
	}
}

// decodePod decodes the only item of a list.
func decodePod(item string) (*v1.Pod, error) {
	objects, err := manifest.Read(&textfile.File{Name: "f", Text: "{\"items\": [\n" + item + "]}"})
	if err != nil {
		return nil, err
	}
	pod := &v1.Pod{}
	return pod, objects[0].Decode(pod)
}

func TestFaultsNameTheField(t *testing.T) {
	for item, want := range map[string]string{
		`{"metadata": {"name": 5}}`:                                                           "metadata.name is 5: must be a string",
		`{"metadata": {"labels": {"a": "b", "c": 1}}}`:                                        "metadata.labels[c] is 1: must be a string",
		`{"metadata": {"creationTimestamp": "now"}}`:                                          `metadata.creationTimestamp is "now": must be a time such as`,
		`{"metadata": {"generation": 1.5}}`:                                                   "metadata.generation is 1.5: must be a whole number",
		`{"metadata": []}`:                                                                    "metadata is []: must be an object",
		`{"spec": {"containers": {}}}`:                                                        "spec.containers is {}: must be a list",
		`{"spec": {"hostNetwork": "yes"}}`:                                                    `spec.hostNetwork is "yes": must be true or false`,
		`{"spec": {"containers": [{}, {"resources": {"requests": {"cpu": "1 core"}}}]}}`:      `spec.containers[1].resources.requests[cpu] is "1 core": must be a quantity such as 500m, 4 or 2Gi`,
		`{"spec": {"containers": [{"resources": {"requests": {"cpu": null}}}]}}`:              "spec.containers[0].resources.requests[cpu] is null: must be a quantity",
		`{"spec": {"containers": [{"livenessProbe": {"httpGet": {"port": {}}}}]}, "a": null}`: "spec.containers[0].livenessProbe.httpGet.port is {}: must be a number or a name",
		`{"spec": {"volumes": [{"name": "v", "secret": {"secretName": 1}}]}}`:                 "spec.volumes[0].secret.secretName is 1: must be a string",
	} {
		if pod, err := decodePod(item); err == nil || !strings.HasPrefix(err.Error(), "f:2: items[0]."+want) {
			t.Errorf("%s is decoded as %v, the error is %v, want %q", item, pod, err, want)
		}
	}
}

func TestObjectsThatCannotBeDecodedHaveNames(t *testing.T) {
	objects, err := manifest.Read(&textfile.File{Name: "f", Text: `[{"metadata": {"namespace": "ns", "name": "a"}, "spec": 1},
		{"metadata": {"namespace": 5, "name": "b"}}, {"metadata": {"namespace": "ns", "name": 5}}, {"metadata": []}, null, 5, {"kind": 1, "metadata": {"name": "c"}}]`})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for i := range objects {
		if err := objects[i].Decode(&v1.Pod{}); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("items[%d]", i)) {
			t.Errorf("the error of items[%d] is %v", i, err)
		}
		namespace, name := objects[i].Name()
		names = append(names, namespace+"/"+name)
	}
	if want := "ns/a /b ns/ / / / /c"; strings.Join(names, " ") != want {
		t.Errorf("the names are %q, want %q", names, want)
	}
}

func TestWhatIsNullOrUnknownIsLeftOut(t *testing.T) {
	pod, err := decodePod(`{"metadata": {"name": "a", "creationTimestamp": null, "labels": null, "": 1, "later": {"x": 1}}, "spec": {"overhead": {"cpu": 1, "memory": "1e3"}, "containers": null}, "status": null}`)
	if err != nil {
		t.Fatal(err)
	}
	if pod.Name != "a" || !pod.CreationTimestamp.IsZero() || pod.Spec.Overhead.Cpu().Value() != 1 || pod.Spec.Overhead.Memory().Value() != 1000 {
		t.Errorf("the pod is %v", pod)
	}
}

func TestYAMLIsReadAsKubectlReadsIt(t *testing.T) {
	objects, err := manifest.Read(&textfile.File{Name: "f", Text: `
kind: Pod
metadata:
  name: "1"
  creationTimestamp: 2026-01-02T03:04:05Z
  labels: {1: 2026-01-02, on: "yes"}
  annotations: {a: .inf, b: -.Inf, c: .NaN}
spec: {overhead: {cpu: 0.5, memory: 1e9}, hostNetwork: true}
`})
	if err != nil {
		t.Fatal(err)
	}
	var pod v1.Pod
	if err := objects[0].Decode(&pod); err != nil {
		t.Fatal(err)
	}
	if pod.Name != "1" || pod.CreationTimestamp.Second() != 5 || pod.Labels["1"] != "2026-01-02" || pod.Labels["on"] != "yes" ||
		pod.Annotations["a"] != ".inf" || pod.Annotations["b"] != "-.Inf" || pod.Annotations["c"] != ".NaN" ||
		pod.Spec.Overhead.Cpu().MilliValue() != 500 || pod.Spec.Overhead.Memory().Value() != 1e9 || !pod.Spec.HostNetwork {
		t.Errorf("the pod is %v", pod)
	}
}
