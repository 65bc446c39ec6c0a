package dra

import (
	"errors"
	"slices"

	v1 "k8s.io/api/core/v1"
	resourceapi "k8s.io/api/resource/v1"

	"github.com/plimsoll-scheduler/plimsoll/pkg/compat"
)

// poolID names a pool of devices, and deviceID a device.
type poolID struct{ driver, name string }

type deviceID struct {
	pool poolID
	name string
}

// offer is a device that is tied to a node.
type offer struct {
	*resourceapi.Device
	node string
	// classes are the resources of the classes that the device is in, in no
	// particular order.
	classes []v1.ResourceName
}

// classify notes whether the device is in the class of the resource, and
// reports whether that is new.
func (o *offer) classify(class v1.ResourceName, inClass bool) bool {
	at := slices.Index(o.classes, class)
	switch {
	case inClass && at < 0:
		o.classes = append(o.classes, class)
	case !inClass && at >= 0:
		o.classes = slices.Delete(o.classes, at, at+1)
	default:
		return false
	}
	return true
}

// slice is what matters of a ResourceSlice.
type slice struct {
	*resourceapi.ResourceSliceSpec
	name   string
	pool   poolID
	offers []offer
	// forAllNodes says that the slice matters to each node that has devices of the
	// pool.
	forAllNodes bool
}

func newSlice(obj *resourceapi.ResourceSlice) (*slice, error) {
	spec := &obj.Spec
	if spec.Driver == "" {
		return nil, errors.New("spec.driver: must not be empty")
	}
	if spec.Pool.Name == "" {
		return nil, errors.New("spec.pool.name: must not be empty")
	}
	s := &slice{
		ResourceSliceSpec: spec, name: obj.Name, pool: poolID{driver: spec.Driver, name: spec.Pool.Name},
		forAllNodes: isSet(spec.AllNodes) || compat.SharedCountersOfAllNodes && len(spec.SharedCounters) > 0,
	}
	for i := range spec.Devices {
		s.forAllNodes = s.forAllNodes || isSet(spec.PerDeviceNodeSelection) && isSet(spec.Devices[i].AllNodes)
		if node := nodeOf(spec, &spec.Devices[i]); node != "" {
			s.offers = append(s.offers, offer{Device: &spec.Devices[i], node: node})
		}
	}
	return s, nil
}

// nodeOf returns the node that the device is tied to, "" if to none.
func nodeOf(spec *resourceapi.ResourceSliceSpec, device *resourceapi.Device) string {
	name := spec.NodeName
	if isSet(spec.PerDeviceNodeSelection) {
		name = device.NodeName
	}
	if name == nil {
		return ""
	}
	return *name
}

func isSet(b *bool) bool { return b != nil && *b }

// nodes returns the nodes that the slice is for, each once; its own node also
// if it has no device there (any more).
func (s *slice) nodes() []string {
	var nodes []string
	if s.NodeName != nil && *s.NodeName != "" {
		nodes = append(nodes, *s.NodeName)
	}
	for i := range s.offers {
		if node := s.offers[i].node; len(nodes) == 0 || nodes[len(nodes)-1] != node {
			nodes = append(nodes, node)
		}
	}
	slices.Sort(nodes)
	return slices.Compact(nodes)
}
