package main

import (
	"context"
	"sync"

	"k8s.io/component-base/featuregate"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/features"

	"github.com/plimsoll-scheduler/plimsoll/pkg/compat"
	"github.com/plimsoll-scheduler/plimsoll/pkg/device"
	"github.com/plimsoll-scheduler/plimsoll/pkg/device/dra"
)

// sharedInventory is the devices of dynamic resource allocation, of the process.
// They are watched for the first plugin that asks for them.
type sharedInventory struct {
	features  dra.Features
	mu        sync.Mutex
	inventory *dra.Inventory
}

// get is the Inventory of plugins.Shared.
func (s *sharedInventory) get(ctx context.Context, handle fwk.Handle) (device.ClassInventory, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.inventory != nil {
		return s.inventory, nil
	}
	inventory := dra.NewInventory(klog.LoggerWithName(klog.FromContext(ctx), "devices"), s.features)
	if err := inventory.Watch(handle.SharedInformerFactory()); err != nil {
		return nil, err
	}
	s.inventory = inventory
	return inventory, nil
}

// deviceFeatures reads the gates that kube-scheduler's own plugins go by.
func deviceFeatures(gate featuregate.FeatureGate) dra.Features {
	return dra.Features{
		ConsumableCapacity: gate.Enabled(features.DRAConsumableCapacity),
		ListTypeAttributes: compat.ListTypeAttributes(gate),
		DeviceTaintRules:   gate.Enabled(features.DRADeviceTaintRules),
		ExtendedResources:  gate.Enabled(features.DRAExtendedResource),
	}
}
