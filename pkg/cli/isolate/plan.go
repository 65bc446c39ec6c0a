package isolate

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	resourcehelper "k8s.io/component-helpers/resource"
	v1helper "k8s.io/kubernetes/pkg/apis/core/v1/helper"

	"github.com/plimsoll-scheduler/plimsoll/pkg/apis/config"
)

// Plan is what isolating a pod, or undoing it, comes to.
type Plan struct {
	Namespace string `json:"namespace"`
	Pod       string `json:"pod"`
	Node      string `json:"node"`
	// Action is what is done: isolate, restore or delete.
	Action string `json:"action"`
	// Devices are those that the pod holds, by resource.
	Devices map[string]int64 `json:"devices,omitempty"`
	// Labels are those that are taken off or put back.
	Labels map[string]string `json:"labels,omitempty"`
	// Effects are what that means to other objects.
	Effects []Effect `json:"effects,omitempty"`
	// Warnings are what else one should know.
	Warnings []string `json:"warnings,omitempty"`
	// Record is what is remembered.
	Record *Record `json:"record,omitempty"`
	// Done is whether it was done, and not only planned.
	Done bool `json:"done"`

	// labels and annotations are those of the pod afterwards.
	labels, annotations map[string]string
}

// Effect is what becomes of an object beside the pod.
type Effect struct {
	Kind   string `json:"kind"`
	Name   string `json:"name"`
	Effect string `json:"effect"`
}

// The actions of a plan.
const (
	actionIsolate = "isolate"
	actionRestore = "restore"
	actionDelete  = "delete"
)

func newPlan(pod *v1.Pod, action string) *Plan {
	p := &Plan{
		Namespace: pod.Namespace, Pod: pod.Name, Node: pod.Spec.NodeName, Action: action,
		Labels: map[string]string{}, Devices: map[string]int64{},
		labels: map[string]string{}, annotations: map[string]string{},
	}
	maps.Copy(p.labels, pod.Labels)
	maps.Copy(p.annotations, pod.Annotations)
	for name, count := range resourcehelper.PodRequests(pod, resourcehelper.PodResourcesOptions{}) {
		if v1helper.IsExtendedResourceName(name) {
			p.Devices[string(name)] = count.Value()
		}
	}
	return p
}

func (p *Plan) effect(s *selector, format string, values ...any) {
	p.Effects = append(p.Effects, Effect{Kind: s.kind, Name: s.name, Effect: fmt.Sprintf(format, values...)})
}

func (p *Plan) warn(format string, values ...any) {
	p.Warnings = append(p.Warnings, fmt.Sprintf(format, values...))
}

// planIsolation returns what isolating the pod comes to, or why that is refused.
// unreplaced allows it where no other pod comes in its place.
func planIsolation(pod *v1.Pod, a *around, unreplaced bool) (*Plan, error) {
	if err := refuse(pod); err != nil {
		return nil, err
	}
	p := newPlan(pod, actionIsolate)
	owner, err := a.ownerOf(pod, unreplaced)
	if err != nil {
		return nil, err
	}
	known := matching(slices.Concat(a.services, a.budgets), pod.Labels)
	if owner != nil {
		known = append(known, owner)
	}
	for _, s := range known {
		for _, key := range s.needs() {
			if value, has := p.labels[key]; has {
				p.Labels[key] = value
				delete(p.labels, key)
			}
		}
	}
	for _, s := range matching(slices.Concat(a.services, a.controllers), p.labels) {
		return nil, fmt.Errorf("pod %s: %s would select it whatever labels are taken off (it selects %s): give the %s a selector by labels that must be there, or delete the pod", nameOf(pod), s, s.labels, s.kind)
	}
	p.tellEffects(pod, a, owner)
	return p, nil
}

// ownerOf returns the pod's controller; nil if it has none that replaces it, and that is
// allowed.
func (a *around) ownerOf(pod *v1.Pod, unreplaced bool) (*selector, error) {
	const anyway = "to isolate it all the same say --unreplaced"
	reference := metav1.GetControllerOf(pod)
	if reference == nil {
		if !unreplaced {
			return nil, fmt.Errorf("pod %s has no controller: nothing would take its place; %s", nameOf(pod), anyway)
		}
		return nil, nil
	}
	owner := a.controllerWith(reference.UID)
	switch {
	case owner == nil:
		return nil, fmt.Errorf("pod %s belongs to %s %s, which is gone or about to be: nothing would take its place, and it will be deleted", nameOf(pod), reference.Kind, reference.Name)
	case !owner.replaces() && !unreplaced:
		return nil, fmt.Errorf("pod %s belongs to %s, which would not replace it (%s); %s", nameOf(pod), owner, owner.state(), anyway)
	}
	return owner, nil
}

func (a *around) controllerWith(uid types.UID) *selector {
	for i := range a.controllers {
		if a.controllers[i].uid == uid {
			return &a.controllers[i]
		}
	}
	return nil
}

// tellEffects tells what becomes of the objects around the pod when it is isolated.
func (p *Plan) tellEffects(pod *v1.Pod, a *around, owner *selector) {
	for _, s := range matching(a.services, pod.Labels) {
		p.effect(s, "sends it no more traffic; connections that are open stay open")
	}
	if len(p.Effects) == 0 {
		p.warn("no Service selects it: if it gets traffic, that is by another way, which does not change")
	}
	switch {
	case owner == nil:
		p.warn("no other pod takes its place")
	case !owner.replaces():
		p.effect(owner, "lets it go, and makes no other (%s now)", owner.state())
	default:
		p.effect(owner, "lets it go, and makes another (%s now)", owner.state())
	}
	for _, s := range matching(a.budgets, pod.Labels) {
		if s.labels.Matches(labels.Set(p.labels)) {
			p.warn("%s selects all pods, so it goes on counting this one", s)
			continue
		}
		p.effect(s, "no longer counts it (disruptions allowed now: %d)", s.allowed)
		if s.allowed == 0 && ready(pod) {
			p.warn("%s is at its minimum: until another pod is ready it is below, and no pod of it can be evicted", s)
		}
	}
	for _, s := range matching(a.policies, pod.Labels) {
		if !s.labels.Matches(labels.Set(p.labels)) {
			p.effect(s, "no longer applies to it")
			p.warn("%s no longer restricts what it may connect to, or be reached from", s)
		}
	}
	p.warnOfVolumes(pod)
}

// warnOfVolumes tells of volumes that the pod keeps and another needs.
func (p *Plan) warnOfVolumes(pod *v1.Pod) {
	for _, volume := range pod.Spec.Volumes {
		if claim := volume.PersistentVolumeClaim; claim != nil {
			p.warn("it keeps using the persistent volume claim %s; if one node or pod alone may use that, the other pod does not start elsewhere", claim.ClaimName)
		}
	}
}

func ready(pod *v1.Pod) bool {
	for _, condition := range pod.Status.Conditions {
		if condition.Type == v1.PodReady {
			return condition.Status == v1.ConditionTrue
		}
	}
	return false
}

// planUndo returns what it comes to to put an isolated pod back.
func planUndo(pod *v1.Pod, a *around) (*Plan, error) {
	p, record, err := planOf(pod, actionRestore)
	if err != nil {
		return nil, err
	}
	var taken []string
	for _, key := range slices.Sorted(maps.Keys(record.Labels)) {
		if value, has := p.labels[key]; has && value != record.Labels[key] {
			taken = append(taken, fmt.Sprintf("%s is %q and was %q", key, value, record.Labels[key]))
		}
		p.labels[key], p.Labels[key] = record.Labels[key], record.Labels[key]
	}
	if taken != nil {
		return nil, fmt.Errorf("pod %s has labels again that were taken off, with other values: metadata.labels: %s; remove them first", nameOf(pod), strings.Join(taken, ", "))
	}
	set(p.annotations, record.Annotations)
	delete(p.annotations, config.IsolatedAnnotation)
	for _, s := range matching(a.services, p.labels) {
		p.effect(s, "sends it traffic again as soon as it is ready")
	}
	p.tellReturn(a, record)
	for _, s := range matching(a.budgets, p.labels) {
		p.effect(s, "counts it again")
	}
	for _, s := range matching(a.policies, p.labels) {
		if !s.labels.Matches(labels.Set(pod.Labels)) {
			p.effect(s, "applies to it again")
		}
	}
	return p, nil
}

// tellReturn tells what the pod's controller does when it is back.
func (p *Plan) tellReturn(a *around, record *Record) {
	if record.Controller == nil {
		return
	}
	owner := a.controllerWith(record.Controller.UID)
	switch {
	case owner == nil:
		p.warn("%s, which it belonged to, is gone: it belongs to nothing, and nothing replaces it", record.Controller)
	case !owner.labels.Matches(labels.Set(p.labels)):
		p.warn("%s, which it belonged to, selects other pods now: it belongs to nothing", owner)
	case owner.has < owner.wants:
		p.effect(owner, "takes it back (%s now)", owner.state())
	default:
		p.effect(owner, "takes it back, has one too many then (%s now), and deletes one: first one that is not ready, else usually the newest", owner.state())
	}
}

// planDeletion returns what it comes to to delete an isolated pod.
func planDeletion(pod *v1.Pod) (*Plan, error) {
	p, _, err := planOf(pod, actionDelete)
	return p, err
}

func planOf(pod *v1.Pod, action string) (*Plan, *Record, error) {
	if !isolated(pod) {
		return nil, nil, fmt.Errorf("pod %s is not isolated: kubectl plimsoll isolate --list shows which are", nameOf(pod))
	}
	if pod.DeletionTimestamp != nil {
		return nil, nil, fmt.Errorf("pod %s is being deleted", nameOf(pod))
	}
	record, err := recordOf(pod)
	if err != nil {
		return nil, nil, err
	}
	p := newPlan(pod, action)
	p.Record = record
	return p, record, nil
}
