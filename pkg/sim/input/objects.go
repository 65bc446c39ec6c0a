package input

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	v1 "k8s.io/api/core/v1"
	"k8s.io/metrics/pkg/apis/metrics/v1beta1"

	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/input/manifest"
	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/input/textfile"
	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/input/warning"
)

const objectsOfOtherKinds warning.Kind = "files with objects of other kinds, which are left out"

// found is an object, and how to report faults of it.
type found[T any] struct {
	object T
	origin *manifest.Object
}

// objects are those of a snapshot's files.
type objects struct {
	nodes       []found[v1.Node]
	pods        []found[v1.Pod]
	nodeMetrics []found[v1beta1.NodeMetrics]
	podMetrics  []found[v1beta1.PodMetrics]
}

// objectsIn decodes the objects of the files.
func objectsIn(files []*textfile.File, warnings *warning.List) (*objects, error) {
	all := &objects{}
	for _, file := range files {
		read, err := manifest.Read(file)
		if err != nil {
			return nil, err
		}
		others := map[string]int{} // by kind
		for i := range read {
			known, err := all.add(file.Name, &read[i])
			if err != nil {
				return nil, err
			}
			if !known {
				others[read[i].Kind]++
			}
		}
		if len(others) > 0 {
			warnings.Add(objectsOfOtherKinds, file.Name, "there are objects of other kinds than nodes, pods and their metrics in it: %s; they are left out", counts(others))
		}
	}
	return all, nil
}

// counts writes how many there are of what.
func counts(all map[string]int) string {
	var texts []string
	for _, name := range slices.Sorted(maps.Keys(all)) {
		texts = append(texts, fmt.Sprintf("%d %s", all[name], name))
	}
	return strings.Join(texts, ", ")
}

// add decodes the object and reports whether it is of a kind that is needed. Objects
// that do not tell their kind, and whose list does not, are of the kind that the file is
// named after.
func (o *objects) add(file string, origin *manifest.Object) (known bool, err error) {
	kind := origin.Kind
	if kind == "" {
		if kind = kindOf(file); kind == "" {
			return false, origin.Errorf("", "has no kind: must be a node, a pod or their metrics, as kubectl get -o json prints them")
		}
	}
	group, _, ok := strings.Cut(origin.APIVersion, "/")
	if !ok {
		group = "" // of "v1"
	}
	core, metrics := group == "", group == v1beta1.GroupName || origin.APIVersion == ""
	switch {
	case kind == "Node" && core:
		return true, decode(origin, &o.nodes)
	case kind == "Pod" && core:
		return true, decode(origin, &o.pods)
	case kind == "NodeMetrics" && metrics:
		return true, decode(origin, &o.nodeMetrics)
	case kind == "PodMetrics" && metrics:
		return true, decode(origin, &o.podMetrics)
	case kind == "Status" && core:
		return false, statusError(origin)
	}
	return false, nil
}

func decode[T any](origin *manifest.Object, list *[]found[T]) error {
	f := found[T]{origin: origin}
	if err := origin.Decode(&f.object); err != nil {
		return err
	}
	*list = append(*list, f)
	return nil
}

// statusError returns what the API server said in place of objects.
func statusError(origin *manifest.Object) error {
	var status struct{ Message string }
	if err := origin.Decode(&status); err != nil {
		return err
	}
	return origin.Errorf("", "is an answer of the API server that tells of a fault (%s): must be nodes, pods or their metrics", status.Message)
}
