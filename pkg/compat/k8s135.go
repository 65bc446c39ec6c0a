//go:build k8s135

package compat

import (
	"context"

	v1 "k8s.io/api/core/v1"
	resourcev1 "k8s.io/api/resource/v1"
	resourceapi "k8s.io/api/resource/v1alpha3"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/component-base/featuregate"
	"k8s.io/dynamic-resource-allocation/cel"
	"k8s.io/dynamic-resource-allocation/resourceclaim"
	fwk "k8s.io/kube-scheduler/framework"
)

// Minor is the minor of Kubernetes that this is built for.
const Minor = "1.35"

// MinScore and MaxScore bound the scores of nodes.
const MinScore, MaxScore = fwk.MinNodeScore, fwk.MaxNodeScore

// PlacementState and the types below are what a scheduler framework with pod groups
// has for placements of them. That of 1.35 has none, and calls nothing of it.
type (
	PlacementState           interface{}
	PodGroupInfo             interface{}
	PlacementScoreExtensions interface{}

	Placement struct {
		Nodes []fwk.NodeInfo
	}
	ProposedAssignment interface {
		GetPod() *v1.Pod
		GetNodeName() string
	}
	PodGroupAssignments struct {
		*Placement
		ProposedAssignments []ProposedAssignment
	}
	PlacementScorePlugin interface {
		fwk.Plugin
		ScorePlacement(context.Context, PlacementState, PodGroupInfo, *PodGroupAssignments) (int64, *fwk.Status)
		PlacementScoreExtensions() PlacementScoreExtensions
	}
)

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
	return factory.Resource().V1alpha3().DeviceTaintRules().Informer()
}

// ListDeviceTaintRules lists them.
func ListDeviceTaintRules(client kubernetes.Interface) func(context.Context, metav1.ListOptions) (*resourceapi.DeviceTaintRuleList, error) {
	return client.ResourceV1alpha3().DeviceTaintRules().List
}

// PodGroupOf returns nothing: the pods of a group are scheduled one by one.
func PodGroupOf(*v1.Pod) string { return "" }

// LeavePodGroup does nothing.
func LeavePodGroup(*v1.Pod) {}

// InPodGroupCycle reports false: there are no attempts at pod groups.
func InPodGroupCycle(fwk.CycleState) bool { return false }

// IsClaimOf reports whether the claim was made for the pod.
func IsClaimOf(claim *resourcev1.ResourceClaim, pod *v1.Pod) bool {
	return resourceclaim.IsForPod(pod, claim) == nil
}

// ListTypeAttributes reports false: no attribute of a device is a list.
func ListTypeAttributes(featuregate.FeatureGate) bool { return false }

// SelectorFeatures returns what the selectors of device classes may name.
func SelectorFeatures(consumableCapacity, _ bool) cel.Features {
	return cel.Features{EnableConsumableCapacity: consumableCapacity}
}
