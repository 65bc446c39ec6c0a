package fit

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	v1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	storageutil "k8s.io/kubernetes/pkg/apis/storage/util"

	"github.com/plimsoll-scheduler/plimsoll/pkg/cli/cluster"
)

// What volumes take to be read.
var volumeRules = []cluster.Rule{
	{Resources: "persistentvolumes, persistentvolumeclaims", Verbs: "get, list"},
	{Group: storagev1.GroupName, Resources: "storageclasses, csinodes, csidrivers, csistoragecapacities, volumeattachments", Verbs: "list"},
}

// volumes has the pod's volumes looked at: each pod that is tried gets those of its own
// that are made of templates, and shares the others.
func (s *subject) volumes(ctx context.Context, from *source) error {
	persistent := func(v v1.Volume) bool { return v.PersistentVolumeClaim != nil || v.Ephemeral != nil }
	if !slices.ContainsFunc(s.pod.Spec.Volumes, persistent) {
		return nil
	}
	if from.kube == nil {
		s.notes = append(s.notes, "the pod has persistent volumes: they are not looked at, because a snapshot has none, and may rule out nodes")
		s.pod.Spec.Volumes = slices.DeleteFunc(slices.Clone(s.pod.Spec.Volumes), persistent)
		return nil
	}
	if err := s.ownVolumes(ctx, from); err != nil {
		return err
	}
	if err := from.readVolumes(ctx); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(s.own.Volumes)) { // so that notes have an order
		spec := s.own.Volumes[name]
		s.complete(name, &spec, from)
	}
	s.noteShared(from)
	return nil
}

// ownVolumes finds the volumes that each replica has of its own, beside those that the
// object in the file has templates for: ephemeral ones, and those of a pod of a
// StatefulSet that others are to be like.
func (s *subject) ownVolumes(ctx context.Context, from *source) error {
	controller := metav1.GetControllerOf(s.pod)
	for i := range s.pod.Spec.Volumes {
		volume := &s.pod.Spec.Volumes[i]
		switch {
		case volume.Ephemeral != nil:
			s.setOwn(volume.Name, volume.Ephemeral.VolumeClaimTemplate.Spec)
		case volume.PersistentVolumeClaim != nil && s.likeName != "" && controller != nil && controller.Kind == "StatefulSet" &&
			strings.HasSuffix(volume.PersistentVolumeClaim.ClaimName, "-"+s.likeName):
			claim, err := from.kube.CoreV1().PersistentVolumeClaims(s.pod.Namespace).Get(ctx, volume.PersistentVolumeClaim.ClaimName, metav1.GetOptions{})
			if err != nil {
				return cluster.Lacking(fmt.Errorf("read the claim of the pod's volume %s: %w", volume.Name, err), metav1.NamespaceAll, volumeRules...)
			}
			spec := claim.Spec
			spec.VolumeName = ""
			s.setOwn(volume.Name, spec)
		}
	}
	return nil
}

func (s *subject) setOwn(volume string, spec v1.PersistentVolumeClaimSpec) {
	if s.own.Volumes == nil {
		s.own.Volumes = map[string]v1.PersistentVolumeClaimSpec{}
	}
	s.own.Volumes[volume] = spec
}

// complete gives the claim of a volume what the API server would, the default class. Where
// a volume comes from that is made before its pod has a node is not known: it is left out.
func (s *subject) complete(volume string, spec *v1.PersistentVolumeClaimSpec, from *source) {
	if spec.StorageClassName == nil {
		if class := from.defaultClass(); class != nil {
			spec.StorageClassName = &class.Name
		}
	}
	if spec.VolumeMode == nil {
		mode := v1.PersistentVolumeFilesystem
		spec.VolumeMode = &mode
	}
	name := ""
	if spec.StorageClassName != nil {
		name = *spec.StorageClassName
	}
	if class := from.class(name); class != nil && class.VolumeBindingMode != nil && *class.VolumeBindingMode == storagev1.VolumeBindingWaitForFirstConsumer {
		s.own.Volumes[volume] = *spec
		return
	}
	delete(s.own.Volumes, volume)
	s.pod.Spec.Volumes = slices.DeleteFunc(slices.Clone(s.pod.Spec.Volumes), func(v v1.Volume) bool { return v.Name == volume })
	s.notes = append(s.notes, fmt.Sprintf("the volume %s is not looked at: its storage class %q does not wait for the pod to have a node (volumeBindingMode: WaitForFirstConsumer), and where its volumes will be is not known; they may rule out nodes", volume, name))
}

// noteShared notes the claims without a volume that all replicas share.
func (s *subject) noteShared(from *source) {
	for _, volume := range s.pod.Spec.Volumes {
		if _, own := s.own.Volumes[volume.Name]; own || volume.PersistentVolumeClaim == nil {
			continue
		}
		for _, object := range from.objects {
			claim, ok := object.(*v1.PersistentVolumeClaim)
			if ok && claim.Namespace == s.pod.Namespace && claim.Name == volume.PersistentVolumeClaim.ClaimName && claim.Spec.VolumeName == "" {
				s.notes = append(s.notes, fmt.Sprintf("all share the claim %s, which has no volume yet: the others are tried on the node of the first alone, and may fit elsewhere if nodes can share its volume", claim.Name))
			}
		}
	}
}

func (s *source) class(name string) *storagev1.StorageClass {
	for _, object := range s.objects {
		if class, ok := object.(*storagev1.StorageClass); ok && class.Name == name {
			return class
		}
	}
	return nil
}

// defaultClass returns the class of claims that name none, as the API server finds it.
func (s *source) defaultClass() (found *storagev1.StorageClass) {
	for _, object := range s.objects {
		class, ok := object.(*storagev1.StorageClass)
		if !ok || !storageutil.IsDefaultAnnotation(class.ObjectMeta) {
			continue
		}
		if found == nil || found.CreationTimestamp.Before(&class.CreationTimestamp) {
			found = class
		}
	}
	return found
}

// readVolumes reads what volumes there are, and what can be made.
func (s *source) readVolumes(ctx context.Context) error {
	core, storage := s.kube.CoreV1(), s.kube.StorageV1()
	r := &reader{ctx: ctx, to: s}
	read(r, "volumes", core.PersistentVolumes().List)
	read(r, "claims to volumes", core.PersistentVolumeClaims(metav1.NamespaceAll).List)
	read(r, "storage classes", storage.StorageClasses().List)
	read(r, "CSI nodes", storage.CSINodes().List)
	read(r, "CSI drivers", storage.CSIDrivers().List)
	read(r, "storage capacities", storage.CSIStorageCapacities(metav1.NamespaceAll).List)
	read(r, "volume attachments", storage.VolumeAttachments().List)
	return cluster.Lacking(r.err, metav1.NamespaceAll, volumeRules...)
}

// reader reads objects until some cannot be read.
type reader struct {
	ctx context.Context
	to  *source
	err error
}

// read reads all objects of a kind.
func read[L runtime.Object](r *reader, what string, list func(context.Context, metav1.ListOptions) (L, error)) {
	if r.err != nil {
		return
	}
	if err := cluster.EachObject(r.ctx, list, func(o runtime.Object) { r.to.objects = append(r.to.objects, o) }); err != nil {
		r.err = fmt.Errorf("list %s: %w", what, err)
	}
}
