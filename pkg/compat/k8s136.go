//go:build k8s136

package compat

import (
	"context"

	resourceapi "k8s.io/api/resource/v1beta2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	fwk "k8s.io/kube-scheduler/framework"
)

// Minor is the minor of Kubernetes that this is built for.
const Minor = "1.36"

// PlacementState is what plugins share while a placement of a pod group is tried.
type PlacementState = fwk.PodGroupCycleState

// DeviceTaintRule and the types below are the rules that taint devices, in the newest
// version of the API that the minor has.
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

// ListDeviceTaintRules lists them.
func ListDeviceTaintRules(client kubernetes.Interface) func(context.Context, metav1.ListOptions) (*resourceapi.DeviceTaintRuleList, error) {
	return client.ResourceV1beta2().DeviceTaintRules().List
}
