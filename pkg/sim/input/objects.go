package input

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/metrics/pkg/apis/metrics/v1beta1"

	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/input/manifest"
	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/input/textfile"
	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/input/warning"
)

const (
	objectsOfOtherKinds warning.Kind = "files with objects of other kinds, which are left out"
	objectsNotRead      warning.Kind = "objects of which it cannot be read what they are are left out"
)

// found is an object, and how to report faults of it. If it cannot be read, which fault
// says, object has its name only, or not even that.
type found[T any] struct {
	object T
	origin *manifest.Object
	fault  error
}

// objects are those of a snapshot's files.
type objects struct {
	nodes       []found[v1.Node]
	pods        []found[v1.Pod]
	nodeMetrics []found[v1beta1.NodeMetrics]
	podMetrics  []found[v1beta1.PodMetrics]
	// left tells of those that are none of these.
	left warning.List
}

// objectsIn decodes the objects of the files.
func objectsIn(files []*textfile.File) (*objects, error) {
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
			all.left.Add(objectsOfOtherKinds, file.Name, "there are objects of other kinds than nodes, pods and their metrics in it: %s; they are left out", counts(others))
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
			o.left.AddError(objectsNotRead, faultOfKindless(origin), "it is left out")
			return true, nil
		}
	}
	group, _, ok := strings.Cut(origin.APIVersion, "/")
	if !ok {
		group = "" // of "v1"
	}
	core, metrics := group == "", group == v1beta1.GroupName || origin.APIVersion == ""
	switch {
	case kind == "Node" && core:
		decode(origin, &o.nodes)
	case kind == "Pod" && core:
		decode(origin, &o.pods)
	case kind == "NodeMetrics" && metrics:
		decode(origin, &o.nodeMetrics)
	case kind == "PodMetrics" && metrics:
		decode(origin, &o.podMetrics)
	case kind == "Status" && core:
		return false, statusError(origin)
	default:
		return false, nil
	}
	return true, nil
}

// faultOfKindless says what is wrong with an object without a kind.
func faultOfKindless(origin *manifest.Object) error {
	if err := origin.Decode(&struct{}{}); err != nil {
		return err
	}
	return origin.Errorf("", "has no kind: must be a node, a pod or their metrics, as kubectl get -o json prints them")
}

// decode puts an object on the list, with its fault if it cannot be read.
func decode[T any, P interface {
	*T
	metav1.Object
}](origin *manifest.Object, list *[]found[T]) {
	f := found[T]{origin: origin}
	if f.fault = origin.Decode(&f.object); f.fault != nil {
		f.object = *new(T) // without the part that has been read
		namespace, name := origin.Name()
		P(&f.object).SetNamespace(namespace)
		P(&f.object).SetName(name)
	} else if P(&f.object).GetName() == "" {
		f.fault = origin.Errorf("metadata.name", "is empty: each object must have a name")
	}
	*list = append(*list, f)
}

// statusError returns what the API server said in place of objects.
func statusError(origin *manifest.Object) error {
	var status struct{ Message string }
	if err := origin.Decode(&status); err != nil {
		return err
	}
	return origin.Errorf("", "is an answer of the API server that tells of a fault (%s): must be nodes, pods or their metrics", status.Message)
}

// called names an object, as far as its name can be read.
func called(kind, name string) string {
	if name == "" {
		return "the " + kind
	}
	return kind + " " + name
}
