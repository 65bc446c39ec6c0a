package input

import (
	"slices"
	"strings"
	"testing"

	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/input/textfile"
	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/input/warning"
)

// Objects of a snapshot, one a line.
const (
	goodNode    = `{"kind":"Node","metadata":{"name":"a"},"status":{"allocatable":{"cpu":4,"memory":"8Gi","pods":110,"nvidia.com/gpu":"3.0"}}}` + "\n"
	goodReading = `{"kind":"NodeMetrics","metadata":{"name":"a"},"usage":{"cpu":"1","memory":"1Gi"}}` + "\n"
	goodPod     = `{"kind":"Pod","metadata":{"name":"p"},"spec":{"nodeName":"a","containers":[{"name":"c","resources":{"requests":{"nvidia.com/gpu":"2e0"}}}]}}` + "\n"
)

// readObjects returns the names of the nodes and pods that are taken of objects in the
// file "f", and the warnings.
func readObjects(objects ...string) (taken string, lines []string, err error) {
	var warnings warning.List
	s, err := newSnapshot("f", []*textfile.File{{Name: "f", Text: strings.Join(objects, "")}}, &warnings)
	if err != nil {
		return "", warnings.Lines(), err
	}
	var names []string
	for _, node := range s.nodes {
		names = append(names, "node "+node.Name)
	}
	for _, pod := range s.pods {
		names = append(names, "pod "+nameOfPod(pod).String())
	}
	return strings.Join(names, ", "), warnings.Lines(), nil
}

// The odd object stands in line 1, before good ones.
func TestOddObjectsAreLeftOutAndNamed(t *testing.T) {
	for _, test := range []struct {
		odd  string
		want []string
	}{
		{``, nil},
		{`{"kind":"Node","metadata":{"name":"x"},"status":{"allocatable":{"cpu":4,"memory":"64GB"}}}`,
			[]string{`f:1: status.allocatable[memory] is "64GB": must be a quantity such as 500m, 4 or 2Gi; node x is left out`}},
		{`{"kind":"Node","metadata":{"name":"x"},"status":{"allocatable":{"cpu":4,"memory":"8Gi","nvidia.com/gpu":"3.5"}}}`,
			[]string{`f:1: node x: status.allocatable[nvidia.com/gpu] is 3.5, and must be a whole number; it is left out`}},
		{`{"kind":"Node","metadata":{"name":"x"},"status":{"allocatable":{"cpu":4,"memory":"8Gi","pods":"1n"}}}`,
			[]string{`f:1: node x: status.allocatable[pods] is 1e-09, and must be a whole number; it is left out`}},
		{`{"kind":"Node","metadata":{"name":"x"},"status":{"allocatable":{"cpu":4,"memory":"8Gi","nvidia.com/gpu":-1}}}`,
			[]string{`f:1: node x: status.allocatable[nvidia.com/gpu] is -1, and cannot be below 0; it is left out`}},
		{`{"kind":"Node","metadata":{"name":["x"]}}`,
			[]string{`f:1: metadata.name is ["x"]: must be a string; the node is left out`}},
		{`{"kind":"Node","metadata":{"name":""}}`,
			[]string{`f:1: metadata.name is empty: each object must have a name; the node is left out`}},
		{`{"kind":"Pod","metadata":{"namespace":"ns","name":"x"},"spec":{"containers":[{"resources":{"requests":{"memory":"64GB"}}}]}}`,
			[]string{`f:1: spec.containers[0].resources.requests[memory] is "64GB": must be a quantity such as 500m, 4 or 2Gi; pod ns/x is left out`}},
		{`{"kind":"Pod","metadata":{"name":"x"},"spec":{"containers":[{"resources":{"requests":{"nvidia.com/gpu":"0.5"}}}]}}`,
			[]string{`f:1: pod default/x: spec.containers[0].resources.requests[nvidia.com/gpu] is 0.5, and must be a whole number; it is left out`}},
		{`{"kind":"Pod","metadata":{"name":"x"},"spec":{"containers":[]}}`,
			[]string{`f:1: spec.containers is empty: each pod must have containers, whose requests count; pod default/x is left out`}},
		{`{"kind":"Pod","metadata":{},"spec":{"containers":[{}]}}`,
			[]string{`f:1: metadata.name is empty: each object must have a name; the pod is left out`}},
		{`{"kind":"NodeMetrics","metadata":{"name":"a"},"timestamp":"2026-01-01T00:00:00Z","usage":{"cpu":"NaN","memory":"1Gi"}}`,
			[]string{`f:1: usage[cpu] is "NaN": must be a quantity such as 500m, 4 or 2Gi; the reading of node a counts as missing`}},
		{`{"kind":"PodMetrics","metadata":{"name":"p"},"containers":[{"name":"c","usage":{"cpu":"NaN","memory":"1Gi"}}]}`,
			[]string{`f:1: containers[0].usage[cpu] is "NaN": must be a quantity such as 500m, 4 or 2Gi; the reading of pod default/p counts as missing`}},
		{`{"kind":"PodMetrics","containers":[]}`,
			[]string{`f:1: metadata.name is empty: each object must have a name; the reading of the pod counts as missing`}},
		{`{"kind":7,"metadata":{"name":"x"}}`,
			[]string{`f:1: kind is 7: must be a string; it is left out`}},
		{`["x"]`,
			[]string{`f:1: items[0] is "x": must be an object of the Kubernetes API; it is left out`}},
		{`{"metadata":{"name":"x"}}`,
			[]string{`f:1: the object has no kind: must be a node, a pod or their metrics, as kubectl get -o json prints them; it is left out`}},
		{`{"kind":"PodList","items":[null,"x"]}`,
			[]string{`f:1: items[0] is null: must be an object of the Kubernetes API; the pod is left out`, `f:1: items[1] is "x": must be an object of the Kubernetes API; the pod is left out`}},
		// What belongs to an odd object is not said to be missing.
		{`{"kind":"Node","metadata":{"name":"x"},"spec":[]}{"kind":"Pod","metadata":{"name":"x"},"spec":{"nodeName":"x","containers":[{}]}}{"kind":"NodeMetrics","metadata":{"name":"x"}}`,
			[]string{`f:1: spec is []: must be an object; node x is left out`, `f:1: pod default/x is on node x, which is left out: the pod is left out`}},
		{`{"kind":"Pod","metadata":{"name":"x"},"spec":[]}{"kind":"PodMetrics","metadata":{"name":"x"}}`,
			[]string{`f:1: spec is []: must be an object; pod default/x is left out`}},
		// A good object of the same name counts.
		{`{"kind":"Node","metadata":{"name":"a"},"spec":[]}{"kind":"Pod","metadata":{"name":"p"},"spec":[]}`,
			[]string{`f:1: spec is []: must be an object; node a is left out`, `f:1: spec is []: must be an object; pod default/p is left out`}},
	} {
		taken, lines, err := readObjects(test.odd, "\n", goodNode, goodReading, goodPod)
		if err != nil || taken != "node a, pod default/p" || !slices.Equal(lines, test.want) {
			t.Errorf("%s:\n%s is taken (%v), and it is said\n%s\nwant\n%s", test.odd, taken, err, strings.Join(lines, "\n"), strings.Join(test.want, "\n"))
		}
	}
}

func TestWhereNothingIsLeftItIsSaidWhy(t *testing.T) {
	const bigPod = `spec.containers[0].resources.requests[memory] is "64GB": must be a quantity such as 500m, 4 or 2Gi; pod default/x is left out`
	for name, test := range map[string]struct{ objects, want string }{
		"negative devices": {`{"kind":"Node","metadata":{"name":"x"},"status":{"allocatable":{"cpu":4,"memory":"8Gi","nvidia.com/gpu":-1}}}` + "\n" + goodReading + goodPod,
			"f: none of the 1 nodes in it can be used\n  f:1: node x: status.allocatable[nvidia.com/gpu] is -1, and cannot be below 0; it is left out"},
		"a node that is no object": {"null\n---\n- null\n" + "---\n" + goodPod,
			"f: there is no object of kind Node in it: make nodes by kubectl get nodes -o json\n  f:3: items[0] is null: must be an object of the Kubernetes API; it is left out"},
		"many pods": {goodNode + goodReading + strings.Repeat(`{"kind":"Pod","metadata":{"name":"x"},"spec":{"containers":[{"resources":{"requests":{"memory":"64GB"}}}]}}`+"\n", 9),
			"f: of the 9 pods in it 0 have ended, and the others are left out: there must be one that runs or waits" +
				"\n  f:3: " + bigPod + "\n  f:4: " + bigPod + "\n  f:5: " + bigPod +
				"\n  and 6 more: pods with a value that cannot be read, or without a name or containers, are left out"},
		"all but a DaemonSet's": {goodNode + goodReading + `{"kind":"Pod","metadata":{"name":"d","ownerReferences":[{"kind":"DaemonSet","name":"d","controller":true}]},"spec":{"nodeName":"a","containers":[{}]}}` + "\n" +
			`{"kind":"Pod","metadata":{"name":"x"},"spec":{}}`,
			"f: all pods in it that can be used are of DaemonSets or static: there is nothing to schedule\n  f:4: spec.containers is empty: each pod must have containers, whose requests count; pod default/x is left out"},
		"a reading that is no number": {goodNode + goodPod + `{"kind":"NodeMetrics","metadata":{"name":"a"},"usage":{"cpu":"NaN","memory":"1Gi"}}`,
			"f: there is no reading in it of any of its nodes and pods that can be used\n  f:3: usage[cpu] is \"NaN\": must be a quantity such as 500m, 4 or 2Gi; the reading of node a counts as missing"},
		"readings of another cluster": {goodNode + goodPod + `{"kind":"NodeMetrics","metadata":{"name":"x"},"usage":{"cpu":"1","memory":"1Gi"}}`,
			"f: there is no reading in it of any of its nodes and pods that can be used: is it of another cluster?\n  f:3: there is a reading of node \"x\", which is not in the snapshot: it is left out"},
	} {
		_, lines, err := readObjects(test.objects)
		if err == nil || err.Error() != test.want {
			t.Errorf("%s: the error is\n%v\nwant\n%s", name, err, test.want)
		}
		if len(lines) > 0 {
			t.Errorf("%s: what the error says is said before: %q", name, lines)
		}
	}
}
