package device

import (
	"context"
	"fmt"

	v1 "k8s.io/api/core/v1"
	resourceapi "k8s.io/api/resource/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/dynamic-resource-allocation/cel"
	"k8s.io/klog/v2"
)

// class is a device class, ready to be asked which devices are in it.
type class struct {
	name     string
	resource v1.ResourceName
	created  metav1.Time
	// extended is the extended resource that the class stands behind; "" for
	// none.
	extended v1.ResourceName

	selectors []resourceapi.DeviceSelector
	programs  []cel.CompilationResult // of selectors
	// broken says why no device is in the class; nil if there may be some.
	broken error
	// failed says that a selector has failed on a device, which is logged once.
	failed bool
}

func newClass(logger klog.Logger, expressions *cel.Cache, obj *resourceapi.DeviceClass) *class {
	c := &class{name: obj.Name, resource: resourceOf(obj.Name), selectors: obj.Spec.Selectors}
	c.describe(obj)
	for i, selector := range c.selectors {
		if selector.CEL == nil {
			c.broken = fmt.Errorf("selectors[%d]: no expression; only cel is known here", i)
			break
		}
		program := expressions.GetOrCompile(selector.CEL.Expression)
		if program.Error != nil {
			c.broken = fmt.Errorf("selectors[%d]: %w", i, program.Error)
			break
		}
		c.programs = append(c.programs, program)
	}
	if c.broken != nil {
		logger.Info("No device counts in a device class that cannot be evaluated", "deviceClass", klog.KObj(obj), "reason", c.broken)
	}
	return c
}

// describe takes over what has no influence on which devices are in the class.
func (c *class) describe(obj *resourceapi.DeviceClass) {
	c.created, c.extended = obj.CreationTimestamp, ""
	if obj.Spec.ExtendedResourceName != nil {
		c.extended = v1.ResourceName(*obj.Spec.ExtendedResourceName)
	}
}

// selectsAs reports whether obj selects the same devices.
func (c *class) selectsAs(obj *resourceapi.DeviceClass) bool {
	return equality.Semantic.DeepEqual(c.selectors, obj.Spec.Selectors)
}

// has reports whether the device is in the class: all selectors match it. One
// that fails, mostly because the device lacks an attribute that it names, does
// not match.
func (c *class) has(logger klog.Logger, id deviceID, device *resourceapi.Device) bool {
	if c.broken != nil {
		return false
	}
	input := cel.Device{
		Driver: id.pool.driver, AllowMultipleAllocations: device.AllowMultipleAllocations,
		Attributes: device.Attributes, Capacity: device.Capacity,
	}
	for i := range c.programs {
		// The cost of an expression is bounded, so this needs no deadline.
		matches, _, err := c.programs[i].DeviceMatches(context.Background(), input)
		if err != nil && !c.failed {
			c.failed = true
			logger.V(3).Info("A selector of a device class failed on a device, which does not count in it; said once a class",
				"deviceClass", klog.KRef("", c.name), "selector", i, "driver", id.pool.driver, "pool", id.pool.name, "device", id.name, "err", err)
		}
		if err != nil || !matches {
			return false
		}
	}
	return true
}

// precedes reports whether the class stands behind an extended resource that
// both name: the younger does, as with kube-scheduler.
func (c *class) precedes(other *class) bool {
	if c.created.Time.Equal(other.created.Time) {
		return c.name < other.name
	}
	return c.created.After(other.created.Time)
}

// behind returns the class behind each extended resource.
func behind(classes map[string]*class) map[v1.ResourceName]v1.ResourceName {
	chosen := map[v1.ResourceName]*class{}
	for _, c := range classes {
		if other := chosen[c.extended]; c.extended != "" && (other == nil || c.precedes(other)) {
			chosen[c.extended] = c
		}
	}
	resources := make(map[v1.ResourceName]v1.ResourceName, len(chosen))
	for name, c := range chosen {
		resources[name] = c.resource
	}
	return resources
}
