//go:build k8s136

package compat

import (
	resourceapi "k8s.io/api/resource/v1beta2"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"
	fwk "k8s.io/kube-scheduler/framework"
)

// Minor is the minor of Kubernetes that this is built for.
const Minor = "1.36"

// PlacementState is what plugins share while a placement of a pod group is tried.
type PlacementState = fwk.PodGroupCycleState

// The rules that taint devices, as the newest version of the API has them.
type (
	DeviceTaintRule     = resourceapi.DeviceTaintRule
	DeviceTaintRuleSpec = resourceapi.DeviceTaintRuleSpec
	DeviceTaintSelector = resourceapi.DeviceTaintSelector
	DeviceTaint         = resourceapi.DeviceTaint
	DeviceTaintEffect   = resourceapi.DeviceTaintEffect
)

// DeviceTaintRules returns the informer of the rules that taint devices.
func DeviceTaintRules(factory informers.SharedInformerFactory) cache.SharedIndexInformer {
	return factory.Resource().V1beta2().DeviceTaintRules().Informer()
}
