package fit

import (
	"fmt"
	"strings"
	"testing"

	v1 "k8s.io/api/core/v1"
	resourceapi "k8s.io/api/resource/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
)

// small is a pod of which seven fit by requests on an idle node, and that has no devices.
func small(change func(*v1.Pod)) *v1.Pod {
	p := pod("p")
	requests := v1.ResourceList{v1.ResourceCPU: resource.MustParse("100m"), v1.ResourceMemory: resource.MustParse("1Mi")}
	p.Spec.Containers[0].Resources = v1.ResourceRequirements{Requests: requests}
	change(p)
	return p
}

func try(t *testing.T, from *Cluster, p *v1.Pod, own Own) *Answer {
	t.Helper()
	a, err := Try(t.Context(), from, &Question{Profile: profile(t), Pod: p, Own: own, Limit: 20})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func on(a *Answer) string {
	var nodes []string
	for _, n := range a.Nodes {
		nodes = append(nodes, fmt.Sprint(n.Name, ":", len(n.Order)))
	}
	return strings.Join(nodes, " ")
}

const class = "local"

func storageClass(mode storagev1.VolumeBindingMode) *storagev1.StorageClass {
	return &storagev1.StorageClass{ObjectMeta: metav1.ObjectMeta{Name: class}, Provisioner: "kubernetes.io/no-provisioner", VolumeBindingMode: &mode}
}

func volume(name, node string) *v1.PersistentVolume {
	return &v1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(name)},
		Spec: v1.PersistentVolumeSpec{
			Capacity: v1.ResourceList{v1.ResourceStorage: resource.MustParse("10Gi")}, AccessModes: []v1.PersistentVolumeAccessMode{v1.ReadWriteOnce},
			StorageClassName: class, PersistentVolumeSource: v1.PersistentVolumeSource{Local: &v1.LocalVolumeSource{Path: "/" + name}},
			NodeAffinity: &v1.VolumeNodeAffinity{Required: &v1.NodeSelector{NodeSelectorTerms: []v1.NodeSelectorTerm{{
				MatchExpressions: []v1.NodeSelectorRequirement{{Key: v1.LabelHostname, Operator: v1.NodeSelectorOpIn, Values: []string{node}}},
			}}}},
		},
		Status: v1.PersistentVolumeStatus{Phase: v1.VolumeAvailable},
	}
}

func claimSpec() v1.PersistentVolumeClaimSpec {
	mode, name := v1.PersistentVolumeFilesystem, class
	return v1.PersistentVolumeClaimSpec{
		AccessModes: []v1.PersistentVolumeAccessMode{v1.ReadWriteOnce}, StorageClassName: &name, VolumeMode: &mode,
		Resources: v1.VolumeResourceRequirements{Requests: v1.ResourceList{v1.ResourceStorage: resource.MustParse("5Gi")}},
	}
}

// Three local volumes, on two nodes: three pods with a volume of their own.
func TestVolumesOfTheirOwn(t *testing.T) {
	from := cluster(1, 1, 1)
	from.Objects = []runtime.Object{storageClass(storagev1.VolumeBindingWaitForFirstConsumer), volume("a", "n0"), volume("b", "n2"), volume("c", "n2")}
	p := small(func(p *v1.Pod) {
		p.Spec.Volumes = []v1.Volume{{Name: "data", VolumeSource: v1.VolumeSource{PersistentVolumeClaim: &v1.PersistentVolumeClaimVolumeSource{ClaimName: "data"}}}}
	})
	a := try(t, from, p, Own{Volumes: map[string]v1.PersistentVolumeClaimSpec{"data": claimSpec()}})
	if a.Fit != 3 || a.ByRequests != 3 || on(a) != "n0:1 n2:2" && on(a) != "n2:2 n0:1" || !strings.Contains(a.Blocked, "persistent volume") {
		t.Errorf("%d of %d on %s: %s", a.Fit, a.ByRequests, on(a), a.Blocked)
	}
	if from.Objects[1].(*v1.PersistentVolume).ResourceVersion != "" {
		t.Error("the copy shares a volume with the original")
	}
}

// A claim that pods share and that has its volume keeps all of them where that is.
func TestSharedVolume(t *testing.T) {
	from := cluster(1, 1)
	bound, claim := volume("a", "n1"), &v1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "data", UID: "data"}, Spec: claimSpec()}
	bound.Spec.ClaimRef = &v1.ObjectReference{Namespace: "default", Name: "data", UID: "data"}
	bound.Status.Phase = v1.VolumeBound
	claim.Spec.VolumeName, claim.Status.Phase = "a", v1.ClaimBound
	claim.Annotations = map[string]string{"pv.kubernetes.io/bind-completed": "yes"}
	from.Objects = []runtime.Object{storageClass(storagev1.VolumeBindingWaitForFirstConsumer), bound, claim}
	p := small(func(p *v1.Pod) {
		p.Spec.Volumes = []v1.Volume{{Name: "data", VolumeSource: v1.VolumeSource{PersistentVolumeClaim: &v1.PersistentVolumeClaimVolumeSource{ClaimName: "data"}}}}
	})
	if a := try(t, from, p, Own{}); a.Fit != 20 || on(a) != "n1:20" {
		t.Errorf("%d on %s: %s", a.Fit, on(a), a.Blocked)
	}
	from.Objects = from.Objects[:2]
	if a := try(t, from, p, Own{}); a.Fit != 0 || !strings.Contains(a.Blocked, `persistentvolumeclaim "data" not found`) {
		t.Errorf("%d on %s: %s", a.Fit, on(a), a.Blocked)
	}
}

// devices returns the class, and a slice of so many devices on each node.
func devices(extended *string, counts ...int) (objects []runtime.Object) {
	objects = append(objects, &resourceapi.DeviceClass{ObjectMeta: metav1.ObjectMeta{Name: "fast"}, Spec: resourceapi.DeviceClassSpec{
		ExtendedResourceName: extended,
		Selectors:            []resourceapi.DeviceSelector{{CEL: &resourceapi.CELDeviceSelector{Expression: `device.driver == "d.example.com"`}}},
	}})
	for i, count := range counts {
		name := fmt.Sprint("n", i)
		slice := &resourceapi.ResourceSlice{ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID("slice-" + name)}, Spec: resourceapi.ResourceSliceSpec{
			Driver: "d.example.com", NodeName: &name, Pool: resourceapi.ResourcePool{Name: name, Generation: 1, ResourceSliceCount: 1},
		}}
		for j := range count {
			slice.Spec.Devices = append(slice.Spec.Devices, resourceapi.Device{Name: fmt.Sprint("d", j)})
		}
		objects = append(objects, slice)
	}
	return objects
}

func claimOf(count int64) resourceapi.ResourceClaimSpec {
	return resourceapi.ResourceClaimSpec{Devices: resourceapi.DeviceClaim{Requests: []resourceapi.DeviceRequest{{
		Name: "r", Exactly: &resourceapi.ExactDeviceRequest{DeviceClassName: "fast", AllocationMode: resourceapi.DeviceAllocationModeExactCount, Count: count},
	}}}}
}

func claiming(p *v1.Pod) {
	name := "template"
	p.Spec.ResourceClaims = []v1.PodResourceClaim{{Name: "fast", ResourceClaimTemplateName: &name}}
	p.Spec.Containers[0].Resources.Claims = []v1.ResourceClaim{{Name: "fast"}}
}

// Of 4 and 3 devices, one of which another pod has, pods that claim two each get two and
// one place.
func TestResourceClaimsOfTheirOwn(t *testing.T) {
	from := cluster(1, 1, 1)
	from.Objects = devices(nil, 4, 3)
	taken := &resourceapi.ResourceClaim{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "taken", UID: "taken"}, Spec: claimOf(1)}
	taken.Status.Allocation = &resourceapi.AllocationResult{Devices: resourceapi.DeviceAllocationResult{Results: []resourceapi.DeviceRequestAllocationResult{
		{Request: "r", Driver: "d.example.com", Pool: "n1", Device: "d0"},
	}}}
	from.Objects = append(from.Objects, taken)
	a := try(t, from, small(claiming), Own{Claims: map[string]resourceapi.ResourceClaimSpec{"fast": claimOf(2)}})
	if a.Fit != 3 || a.ByRequests != 3 || on(a) != "n0:2 n1:1" && on(a) != "n1:1 n0:2" || !strings.Contains(a.Blocked, "cannot allocate all claims") {
		t.Errorf("%d of %d on %s: %s", a.Fit, a.ByRequests, on(a), a.Blocked)
	}
}

// Pods that share a claim go where its devices are, once it has them.
func TestSharedResourceClaim(t *testing.T) {
	from := cluster(1, 1)
	from.Objects = append(devices(nil, 0, 1), &resourceapi.ResourceClaim{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "shared", UID: "shared"}, Spec: claimOf(1)})
	p := small(claiming)
	name := "shared"
	p.Spec.ResourceClaims[0] = v1.PodResourceClaim{Name: "fast", ResourceClaimName: &name}
	a := try(t, from, p, Own{})
	if a.Fit != 20 || on(a) != "n1:20" {
		t.Errorf("%d on %s: %s", a.Fit, on(a), a.Blocked)
	}
}
