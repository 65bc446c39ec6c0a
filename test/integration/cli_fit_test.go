package integration

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	v1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/plimsoll-scheduler/plimsoll/pkg/fit"
)

// tried is what fit -o json prints.
type tried struct {
	fit.Answer
	Notes []string `json:"notes"`
}

// fitOf runs kubectl plimsoll fit as the administrator.
func (p *pool) fitOf(s *scheduler, args ...string) (got tried, err error) {
	p.t.Helper()
	admin := &cli{pool: p, kubeconfig: p.local.Kubeconfig}
	out, err := admin.run(append([]string{"fit", "-o", "json", "--scheduler-url", "https://" + s.DecisionsAddress()}, args...)...)
	if out == "" {
		return got, err
	}
	p.must(json.Unmarshal([]byte(out), &got))
	p.t.Logf("fit %v: %+v", args, got)
	return got, nil
}

// manifest writes an object to a file.
func (p *pool) manifest(object any) string {
	p.t.Helper()
	content, err := yaml.Marshal(object)
	p.must(err)
	file := filepath.Join(p.t.TempDir(), "object.yaml")
	p.must(os.WriteFile(file, content, 0o600))
	return file
}

// fit says how many pods that claim devices fit, and as many do.
func TestFitWithResourceClaims(t *testing.T) {
	t.Parallel()
	p := newPool(t, node{name: "a", uses: "1"}, node{name: "b", uses: "1"})
	p.publishDevices(3, nil, "a", "b")
	s := startScheduler(t, "plimsoll.yaml", nil)
	taken := withCPU(p.claiming(p.pod("taken", "plimsoll"), 2), "100m")
	p.create(taken)
	p.allocated(taken)

	like := withCPU(p.claiming(p.pod("like", "plimsoll"), 1), "100m")
	like.TypeMeta, like.Namespace = metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"}, "default"
	got, err := p.fitOf(s, "-f", p.manifest(like), "--replicas", "6")
	p.must(err)
	if got.Fit != 4 || got.ByRequests != 4 || !strings.Contains(got.Blocked, "cannot allocate all claims") {
		t.Errorf("%+v, want four of six devices", got)
	}
	var pods []*v1.Pod
	for i := range 6 {
		pod := withCPU(p.pod(fmt.Sprint("p", i), "plimsoll"), "100m")
		pod.Spec.ResourceClaims, pod.Spec.Containers[0].Resources.Claims = like.Spec.ResourceClaims, like.Spec.Containers[0].Resources.Claims
		pods = append(pods, pod)
	}
	p.create(pods...)
	p.wait("four to have a node, and two to wait", func(ctx context.Context) (bool, error) {
		placed, waiting := 0, 0
		for _, pod := range pods {
			now := p.get(pod.Name)
			if now.Spec.NodeName != "" {
				placed++
			} else if unschedulable(now) != "" {
				waiting++
			}
		}
		return placed == got.Fit && waiting == 2, fmt.Errorf("%d have a node, %d wait", placed, waiting)
	})

	// Where there is no such template, it says so.
	like.Spec.ResourceClaims[0].ResourceClaimTemplateName = new("no-such")
	if _, err := p.fitOf(s, "-f", p.manifest(like)); err == nil || !strings.Contains(err.Error(), "is of the template no-such, and there is none in the namespace default") {
		t.Error(err)
	}
}

// Replicas of a StatefulSet get volumes of their own: as many fit as there are volumes, on
// the nodes that have them.
func TestFitWithVolumes(t *testing.T) {
	t.Parallel()
	p := newPool(t, node{name: "a", uses: "1"}, node{name: "b", uses: "1"})
	p.localVolumes("a", "b", "b")
	s := startScheduler(t, "plimsoll.yaml", nil)
	template := withCPU(p.pod("set", "plimsoll"), "100m")
	template.Spec.Containers[0].VolumeMounts = []v1.VolumeMount{{Name: "data", MountPath: "/data"}}
	set := map[string]any{
		"apiVersion": "apps/v1", "kind": "StatefulSet",
		"metadata": metav1.ObjectMeta{Namespace: "default", Name: p.podName("set")},
		"spec": map[string]any{
			"replicas": 5, "serviceName": "set", "selector": metav1.LabelSelector{MatchLabels: template.Labels},
			"template": v1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: template.Labels}, Spec: template.Spec},
			"volumeClaimTemplates": []v1.PersistentVolumeClaim{{
				ObjectMeta: metav1.ObjectMeta{Name: "data"},
				Spec: v1.PersistentVolumeClaimSpec{
					AccessModes: []v1.PersistentVolumeAccessMode{v1.ReadWriteOnce}, StorageClassName: &p.name,
					Resources: v1.VolumeResourceRequirements{Requests: v1.ResourceList{v1.ResourceStorage: resource.MustParse("1Gi")}},
				},
			}},
		},
	}
	file := p.manifest(set)
	got, err := p.fitOf(s, "-f", file)
	p.must(err)
	placed := map[string]int{}
	for _, n := range got.Nodes {
		placed[strings.TrimPrefix(n.Name, p.name+"-")] = len(n.Order)
	}
	if got.Fit != 3 || placed["a"] != 1 || placed["b"] != 2 || !strings.Contains(got.Blocked, "persistent volume") {
		t.Errorf("%+v on %v, want three, where the volumes are", got, placed)
	}

	_, err = p.local.Kubectl(t.Context(), "apply", "-f", file)
	p.must(err)
	sets := p.local.Clientset.AppsV1().StatefulSets("default")
	p.removeController(func(ctx context.Context, opts metav1.DeleteOptions) error {
		return sets.Delete(ctx, p.podName("set"), opts)
	})
	p.wait("three to have nodes", func(ctx context.Context) (bool, error) {
		list, err := p.local.Clientset.CoreV1().Pods("default").List(ctx, metav1.ListOptions{LabelSelector: "pool=" + p.name})
		if err != nil {
			return false, err
		}
		on, waits := 0, ""
		for i := range list.Items {
			pod := &list.Items[i]
			switch {
			case metav1.GetControllerOf(pod) == nil:
			case pod.Spec.NodeName != "":
				on++
			default:
				waits = unschedulable(pod)
			}
		}
		return on == 3 && strings.Contains(waits, "persistent volume"), fmt.Errorf("%d have a node; one waits: %q", on, waits)
	})
	// A pod like one that runs has a volume of its own, too: there is none left.
	got, err = p.fitOf(s, "--like", p.podName("set")+"-0")
	p.must(err)
	if got.Fit != 0 || !strings.Contains(got.Blocked, "persistent volume") {
		t.Errorf("like one that runs: %+v, want none", got)
	}
}

// localVolumes makes a storage class of the pool's name and a volume on each of the nodes.
func (p *pool) localVolumes(nodes ...string) {
	p.t.Helper()
	ctx, core, classes := p.t.Context(), p.local.Clientset.CoreV1(), p.local.Clientset.StorageV1().StorageClasses()
	mode := storagev1.VolumeBindingWaitForFirstConsumer
	_, err := classes.Create(ctx, &storagev1.StorageClass{
		ObjectMeta: metav1.ObjectMeta{Name: p.name}, Provisioner: "kubernetes.io/no-provisioner", VolumeBindingMode: &mode,
	}, metav1.CreateOptions{})
	p.must(err)
	p.t.Cleanup(func() {
		ctx := context.WithoutCancel(ctx)
		if err := classes.Delete(ctx, p.name, metav1.DeleteOptions{}); err != nil {
			p.t.Error(err)
		}
		claims, err := core.PersistentVolumeClaims("default").List(ctx, metav1.ListOptions{})
		if err != nil {
			p.t.Error(err)
			return
		}
		for i := range claims.Items {
			if c := &claims.Items[i]; c.Spec.StorageClassName != nil && *c.Spec.StorageClassName == p.name {
				_ = core.PersistentVolumeClaims("default").Delete(ctx, c.Name, metav1.DeleteOptions{})
			}
		}
		for i, name := range nodes {
			if err := core.PersistentVolumes().Delete(ctx, p.volumeName(name, i), metav1.DeleteOptions{}); err != nil {
				p.t.Error(err)
			}
		}
	})
	for i, name := range nodes {
		_, err := core.PersistentVolumes().Create(ctx, &v1.PersistentVolume{
			ObjectMeta: metav1.ObjectMeta{Name: p.volumeName(name, i)},
			Spec: v1.PersistentVolumeSpec{
				Capacity: v1.ResourceList{v1.ResourceStorage: resource.MustParse("1Gi")}, AccessModes: []v1.PersistentVolumeAccessMode{v1.ReadWriteOnce},
				StorageClassName: p.name, PersistentVolumeSource: v1.PersistentVolumeSource{Local: &v1.LocalVolumeSource{Path: "/data"}},
				NodeAffinity: &v1.VolumeNodeAffinity{Required: &v1.NodeSelector{NodeSelectorTerms: []v1.NodeSelectorTerm{{
					MatchExpressions: []v1.NodeSelectorRequirement{{Key: v1.LabelHostname, Operator: v1.NodeSelectorOpIn, Values: []string{p.nodeName(name)}}},
				}}}},
			},
		}, metav1.CreateOptions{})
		p.must(err)
	}
}

func (p *pool) volumeName(node string, i int) string { return fmt.Sprint(p.nodeName(node), "-", i) }
