package snapshot

import (
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// affinity hashes the values that a pod's affinity compares with.
func (h *hasher) affinity(affinity *v1.Affinity) {
	if affinity == nil {
		return
	}
	if node := affinity.NodeAffinity; node != nil {
		if required := node.RequiredDuringSchedulingIgnoredDuringExecution; required != nil {
			for i := range required.NodeSelectorTerms {
				h.nodeTerm(&required.NodeSelectorTerms[i])
			}
		}
		for i := range node.PreferredDuringSchedulingIgnoredDuringExecution {
			h.nodeTerm(&node.PreferredDuringSchedulingIgnoredDuringExecution[i].Preference)
		}
	}
	if pods := affinity.PodAffinity; pods != nil {
		h.podTerms(pods.RequiredDuringSchedulingIgnoredDuringExecution, pods.PreferredDuringSchedulingIgnoredDuringExecution)
	}
	if pods := affinity.PodAntiAffinity; pods != nil {
		h.podTerms(pods.RequiredDuringSchedulingIgnoredDuringExecution, pods.PreferredDuringSchedulingIgnoredDuringExecution)
	}
}

func (h *hasher) nodeTerm(term *v1.NodeSelectorTerm) {
	for _, requirements := range [][]v1.NodeSelectorRequirement{term.MatchExpressions, term.MatchFields} {
		for i := range requirements {
			h.each(requirements[i].Values)
		}
	}
}

func (h *hasher) podTerms(required []v1.PodAffinityTerm, preferred []v1.WeightedPodAffinityTerm) {
	for i := range required {
		h.podTerm(&required[i])
	}
	for i := range preferred {
		h.podTerm(&preferred[i].PodAffinityTerm)
	}
}

func (h *hasher) podTerm(term *v1.PodAffinityTerm) {
	h.selector(term.LabelSelector)
	h.selector(term.NamespaceSelector)
	for i, namespace := range term.Namespaces {
		term.Namespaces[i] = h.name(namespace)
	}
}

func (h *hasher) selector(selector *metav1.LabelSelector) {
	if selector == nil {
		return
	}
	selector.MatchLabels = h.values(selector.MatchLabels)
	for i := range selector.MatchExpressions {
		h.each(selector.MatchExpressions[i].Values)
	}
}

func (h *hasher) each(values []string) {
	for i, value := range values {
		values[i] = h.value(value)
	}
}
