package fit

import (
	"slices"

	v1 "k8s.io/api/core/v1"
	resourceapi "k8s.io/api/resource/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	schedconfig "k8s.io/kubernetes/pkg/scheduler/apis/config"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins/names"
)

// Own is what each pod that is tried has of its own, and shares with no other: what
// controllers make of templates for each pod.
type Own struct {
	// Volumes are claims to volumes, by the name of the pod's volume.
	Volumes map[string]v1.PersistentVolumeClaimSpec
	// Claims are resource claims, by the name of the pod's claim.
	Claims map[string]resourceapi.ResourceClaimSpec
}

// of makes what the pod has of its own, and has the pod refer to it.
func (o *Own) of(pod *v1.Pod) (all []runtime.Object) {
	meta := func(name string) metav1.ObjectMeta {
		name = pod.Name + "-" + name
		return metav1.ObjectMeta{Namespace: pod.Namespace, Name: name, UID: types.UID("plimsoll.io/" + name), CreationTimestamp: pod.CreationTimestamp}
	}
	for i := range pod.Spec.Volumes {
		volume := &pod.Spec.Volumes[i]
		if spec, ok := o.Volumes[volume.Name]; ok {
			claim := &v1.PersistentVolumeClaim{ObjectMeta: meta(volume.Name), Spec: *spec.DeepCopy(), Status: v1.PersistentVolumeClaimStatus{Phase: v1.ClaimPending}}
			volume.VolumeSource = v1.VolumeSource{PersistentVolumeClaim: &v1.PersistentVolumeClaimVolumeSource{ClaimName: claim.Name}}
			all = append(all, claim)
		}
	}
	for i := range pod.Spec.ResourceClaims {
		reference := &pod.Spec.ResourceClaims[i]
		if spec, ok := o.Claims[reference.Name]; ok {
			claim := &resourceapi.ResourceClaim{ObjectMeta: meta(reference.Name), Spec: *spec.DeepCopy()}
			reference.ResourceClaimName, reference.ResourceClaimTemplateName = &claim.Name, nil
			all = append(all, claim)
		}
	}
	return all
}

// withoutBinding returns the profile without what binds volumes once a pod has got its
// node: that waits for controllers, which a copy has not. The next pods count a volume as
// taken all the same, from when the plugin has reserved it.
func withoutBinding(profile *schedconfig.KubeSchedulerProfile) *schedconfig.KubeSchedulerProfile {
	own := profile.DeepCopy()
	if own.Plugins == nil {
		own.Plugins = &schedconfig.Plugins{}
	}
	isIt := func(p schedconfig.Plugin) bool { return p.Name == names.VolumeBinding }
	set := &own.Plugins.PreBind
	set.Enabled = slices.DeleteFunc(set.Enabled, isIt)
	if !slices.ContainsFunc(set.Disabled, isIt) {
		set.Disabled = append(set.Disabled, schedconfig.Plugin{Name: names.VolumeBinding})
	}
	return own
}
