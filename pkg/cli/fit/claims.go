package fit

import (
	"context"
	"fmt"
	"slices"
	"strings"

	v1 "k8s.io/api/core/v1"
	resourceapi "k8s.io/api/resource/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	resourcehelper "k8s.io/component-helpers/resource"

	"github.com/plimsoll-scheduler/plimsoll/pkg/cli/cluster"
	"github.com/plimsoll-scheduler/plimsoll/pkg/compat"
)

// What dynamic resource allocation takes to be read.
var claimRules = []cluster.Rule{
	{Group: resourceapi.GroupName, Resources: "resourceclaims, resourceclaimtemplates, resourceslices, deviceclasses, devicetaintrules", Verbs: "get, list"},
}

// claims has the pod's resource claims looked at: each pod that is tried gets those of its
// own that are made of templates, and all allocations of the cluster count. So it is with
// extended resources that are those of a device class.
func (s *subject) claims(ctx context.Context, from *source) error {
	if len(s.pod.Spec.ResourceClaims) == 0 {
		return s.extended(ctx, from)
	}
	if from.kube == nil {
		s.notes = append(s.notes, "the pod has resource claims: they are not looked at, because a snapshot has none, and may rule out nodes")
		s.pod.Spec.ResourceClaims = nil
		for _, containers := range [][]v1.Container{s.pod.Spec.InitContainers, s.pod.Spec.Containers} {
			for i := range containers {
				containers[i].Resources.Claims = nil
			}
		}
		return nil
	}
	s.own.Claims = map[string]resourceapi.ResourceClaimSpec{}
	for _, claim := range s.pod.Spec.ResourceClaims {
		if claim.ResourceClaimTemplateName == nil {
			continue
		}
		template, err := from.kube.ResourceV1().ResourceClaimTemplates(s.pod.Namespace).Get(ctx, *claim.ResourceClaimTemplateName, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return fmt.Errorf("the pod's resource claim %s is of the template %s, and there is none in the namespace %s: make it first", claim.Name, *claim.ResourceClaimTemplateName, s.pod.Namespace)
		}
		if err != nil {
			return cluster.Lacking(fmt.Errorf("read the template of the pod's resource claim %s: %w", claim.Name, err), metav1.NamespaceAll, claimRules...)
		}
		s.own.Claims[claim.Name] = template.Spec.Spec
	}
	return from.readClaims(ctx)
}

// extended has the devices read if the pod requests some of a device class as an extended
// resource.
func (s *subject) extended(ctx context.Context, from *source) error {
	requested := extendedResources(s.pod)
	switch {
	case len(requested) == 0:
		return nil
	case from.kube == nil:
		if unknown := from.without(requested); len(unknown) > 0 {
			s.notes = append(s.notes, fmt.Sprintf("no node of the snapshot offers %s: if that is of a device class, its devices are not looked at, because a snapshot has none", strings.Join(unknown, ", ")))
		}
		return nil
	}
	ofClass := false
	err := cluster.Each(ctx, from.kube.ResourceV1().DeviceClasses().List, func(class *resourceapi.DeviceClass) {
		name := resourceapi.ResourceDeviceClassPrefix + class.Name
		ofClass = ofClass || slices.Contains(requested, name) || class.Spec.ExtendedResourceName != nil && slices.Contains(requested, *class.Spec.ExtendedResourceName)
	})
	switch {
	case apierrors.IsNotFound(err): // the API server has no such objects
		return nil
	case cluster.IsLacking(err):
		s.notes = append(s.notes, fmt.Sprintf("you may not list device classes, so only devices of device plugins are looked at: if there is a class for %s, more may fit", strings.Join(requested, ", ")))
		return nil
	case err != nil:
		return fmt.Errorf("list device classes: %w", err)
	case !ofClass:
		return nil
	}
	return from.readClaims(ctx)
}

// extendedResources returns the names of those that the pod requests.
func extendedResources(pod *v1.Pod) (names []string) {
	for name := range resourcehelper.PodRequests(pod, resourcehelper.PodResourcesOptions{}) {
		if strings.Contains(string(name), "/") {
			names = append(names, string(name))
		}
	}
	slices.Sort(names)
	return names
}

// without returns those of the resources that no node of the snapshot has.
func (s *source) without(resources []string) []string {
	return slices.DeleteFunc(slices.Clone(resources), func(name string) bool {
		return slices.ContainsFunc(s.snapshot.Nodes, func(node *v1.Node) bool {
			_, has := node.Status.Allocatable[v1.ResourceName(name)]
			return has
		})
	})
}

// readClaims reads what devices there are, and who has them.
func (s *source) readClaims(ctx context.Context) error {
	api := s.kube.ResourceV1()
	r := &reader{ctx: ctx, to: s}
	read(r, "resource claims", api.ResourceClaims(metav1.NamespaceAll).List)
	read(r, "resource slices", api.ResourceSlices().List)
	read(r, "device classes", api.DeviceClasses().List)
	if r.err == nil {
		if read(r, "rules that taint devices", compat.ListDeviceTaintRules(s.kube)); apierrors.IsNotFound(r.err) {
			r.err = nil // the API server has no such objects
		}
	}
	return cluster.Lacking(r.err, metav1.NamespaceAll, claimRules...)
}
