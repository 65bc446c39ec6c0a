package dra

import (
	"context"
	"sync"

	"k8s.io/component-base/featuregate"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/features"

	"github.com/plimsoll-scheduler/plimsoll/pkg/compat"
	"github.com/plimsoll-scheduler/plimsoll/pkg/device"
)

// Shared returns what hands out an inventory, the same to all plugins of a scheduler. It
// begins to watch for the first that asks for it. gate has the gates that kube-scheduler's
// own plugins go by.
func Shared(gate featuregate.FeatureGate) func(context.Context, fwk.Handle) (device.ClassInventory, error) {
	var mu sync.Mutex
	var shared *Inventory
	return func(ctx context.Context, handle fwk.Handle) (device.ClassInventory, error) {
		mu.Lock()
		defer mu.Unlock()
		if shared != nil {
			return shared, nil
		}
		inventory := NewInventory(klog.LoggerWithName(klog.FromContext(ctx), "devices"), featuresOf(gate))
		if err := inventory.Watch(handle.SharedInformerFactory()); err != nil {
			return nil, err
		}
		shared = inventory
		return inventory, nil
	}
}

func featuresOf(gate featuregate.FeatureGate) Features {
	return Features{
		ConsumableCapacity: gate.Enabled(features.DRAConsumableCapacity),
		ListTypeAttributes: compat.ListTypeAttributes(gate),
		DeviceTaintRules:   gate.Enabled(features.DRADeviceTaintRules),
		ExtendedResources:  gate.Enabled(features.DRAExtendedResource),
	}
}
