package dra

import (
	"context"
	"fmt"

	v1 "k8s.io/api/core/v1"
	resourceapi "k8s.io/api/resource/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/dynamic-resource-allocation/cel"
	"k8s.io/klog/v2"

	"github.com/plimsoll-scheduler/plimsoll/pkg/device"
)

// class is a device class, ready to be asked which devices are in it.
type class struct {
	name     string
	resource v1.ResourceName
	created  metav1.Time
	// extendedResource is the extended resource that requests for its devices may
	// name; "" for none.
	extendedResource v1.ResourceName

	selectors []resourceapi.DeviceSelector
	programs  []cel.CompilationResult // of selectors
	// compileError says why no device is in the class; nil if there may be some.
	compileError error
	// failureLogged says that a selector has failed on a device and that it was
	// logged, which is done once.
	failureLogged bool
}

func newClass(logger klog.Logger, expressions *cel.Cache, obj *resourceapi.DeviceClass) *class {
	c := &class{name: obj.Name, resource: device.ClassResource(obj.Name), selectors: obj.Spec.Selectors}
	c.setExtendedResource(obj)
	for i, selector := range c.selectors {
		if selector.CEL == nil {
			c.compileError = fmt.Errorf("selectors[%d]: no expression; only cel is known here", i)
			break
		}
		program := expressions.GetOrCompile(selector.CEL.Expression)
		if program.Error != nil {
			c.compileError = fmt.Errorf("selectors[%d]: %w", i, program.Error)
			break
		}
		c.programs = append(c.programs, program)
	}
	if c.compileError != nil {
		logger.Info("No device counts in a device class that cannot be evaluated", "deviceClass", klog.KObj(obj), "reason", c.compileError)
	}
	return c
}

// setExtendedResource takes over which extended resource the class provides. That
// has no influence on which devices are in it.
func (c *class) setExtendedResource(obj *resourceapi.DeviceClass) {
	c.created, c.extendedResource = obj.CreationTimestamp, ""
	if obj.Spec.ExtendedResourceName != nil {
		c.extendedResource = v1.ResourceName(*obj.Spec.ExtendedResourceName)
	}
}

// selectsAs reports whether obj selects the same devices.
func (c *class) selectsAs(obj *resourceapi.DeviceClass) bool {
	return equality.Semantic.DeepEqual(c.selectors, obj.Spec.Selectors)
}

// has reports whether the device is in the class: all selectors match it. One
// that fails, mostly because the device lacks an attribute that it names, does
// not match.
func (c *class) has(logger klog.Logger, id deviceID, spec *resourceapi.Device) bool {
	if c.compileError != nil {
		return false
	}
	input := cel.Device{
		Driver: id.pool.driver, AllowMultipleAllocations: spec.AllowMultipleAllocations,
		Attributes: spec.Attributes, Capacity: spec.Capacity,
	}
	for i := range c.programs {
		// The cost of an expression is bounded, so this needs no deadline.
		matches, _, err := c.programs[i].DeviceMatches(context.Background(), input)
		if err != nil && !c.failureLogged {
			c.failureLogged = true
			logger.V(3).Info("A selector of a device class failed on a device, which does not count in it; said once a class",
				"deviceClass", klog.KRef("", c.name), "selector", i, "driver", id.pool.driver, "pool", id.pool.name, "device", id.name, "err", err)
		}
		if err != nil || !matches {
			return false
		}
	}
	return true
}

// overrides reports whether the class and not the other provides an extended
// resource that both name: the younger does, as with kube-scheduler.
func (c *class) overrides(other *class) bool {
	if c.created.Time.Equal(other.created.Time) {
		return c.name < other.name
	}
	return c.created.After(other.created.Time)
}

// classesByResource returns the class that provides each extended resource, as
// the resource of that class.
func classesByResource(classes map[string]*class) map[v1.ResourceName]v1.ResourceName {
	providers := map[v1.ResourceName]*class{}
	for _, c := range classes {
		if other := providers[c.extendedResource]; c.extendedResource != "" && (other == nil || c.overrides(other)) {
			providers[c.extendedResource] = c
		}
	}
	byResource := make(map[v1.ResourceName]v1.ResourceName, len(providers))
	for name, c := range providers {
		byResource[name] = c.resource
	}
	return byResource
}
