//go:build !k8s135

package compat

import (
	v1 "k8s.io/api/core/v1"
	resourceapi "k8s.io/api/resource/v1"
	"k8s.io/component-base/featuregate"
	"k8s.io/dynamic-resource-allocation/cel"
	"k8s.io/dynamic-resource-allocation/resourceclaim"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/features"
)

// MinScore is the lowest score of a node or a placement.
const MinScore = fwk.MinScore

// MaxScore is the highest score of a node or a placement.
const MaxScore = fwk.MaxScore

// What a scheduler framework with pod groups has for placements of them.
type (
	// PodGroupInfo is a pod group with its pods.
	PodGroupInfo = fwk.PodGroupInfo
	// PodGroupAssignments is a placement with a node for each pod.
	PodGroupAssignments = fwk.PodGroupAssignments
	// ProposedAssignment is a pod and the node that it would get.
	ProposedAssignment = fwk.ProposedAssignment
	// Placement is nodes among which the group may be placed.
	Placement = fwk.Placement
	// PlacementScoreExtensions normalizes the scores of placements.
	PlacementScoreExtensions = fwk.PlacementScoreExtensions
	// PlacementScorePlugin ranks placements.
	PlacementScorePlugin = fwk.PlacementScorePlugin
)

// PodGroupOf returns the name of the pod group that the pod is of, in its own
// namespace; empty if it is of none.
func PodGroupOf(pod *v1.Pod) string {
	if pod.Spec.SchedulingGroup == nil || pod.Spec.SchedulingGroup.PodGroupName == nil {
		return ""
	}
	return *pod.Spec.SchedulingGroup.PodGroupName
}

// LeavePodGroup takes the pod out of its group.
func LeavePodGroup(pod *v1.Pod) { pod.Spec.SchedulingGroup = nil }

// InPodGroupCycle reports whether the cycle is part of an attempt at a pod group.
func InPodGroupCycle(state fwk.CycleState) bool { return state.IsPodGroupSchedulingCycle() }

// IsClaimOf reports whether the claim was made for the pod, or for its pod group.
func IsClaimOf(claim *resourceapi.ResourceClaim, pod *v1.Pod) bool {
	// 1.36 must not be asked about the group of a pod that has none: it panics.
	return resourceclaim.IsForPod(pod, claim, PodGroupOf(pod) != "") == nil
}

// ListTypeAttributes reports whether attributes of devices may be lists: feature
// gate DRAListTypeAttributes.
func ListTypeAttributes(gate featuregate.FeatureGate) bool {
	return gate.Enabled(features.DRAListTypeAttributes)
}

// SelectorFeatures returns what the selectors of device classes may name.
func SelectorFeatures(consumableCapacity, listTypeAttributes bool) cel.Features {
	return cel.Features{EnableConsumableCapacity: consumableCapacity, EnableListTypeAttributes: listTypeAttributes}
}
