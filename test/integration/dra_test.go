package integration

import (
	"context"
	"fmt"
	"strings"
	"testing"

	v1 "k8s.io/api/core/v1"
	resourceapi "k8s.io/api/resource/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// driver returns the name of the pool's driver of dynamic resource allocation.
func (p *pool) driver() string { return p.name + ".example.com" }

// publishDevices publishes so many devices on each of the nodes, as the driver
// on the node would, and a class of them that has the name of the pool. What it
// creates is removed at the end of the test.
func (p *pool) publishDevices(count int, extended *string, nodes ...string) {
	p.t.Helper()
	api := p.local.Clientset.ResourceV1()
	p.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(p.t.Context()), timeout)
		defer cancel()
		if err := api.DeviceClasses().Delete(ctx, p.name, metav1.DeleteOptions{}); err != nil {
			p.t.Error(err)
		}
		for _, node := range nodes {
			if err := api.ResourceSlices().Delete(ctx, p.nodeName(node), metav1.DeleteOptions{}); err != nil {
				p.t.Error(err)
			}
		}
	})
	var devices []resourceapi.Device
	for i := range count {
		devices = append(devices, resourceapi.Device{Name: fmt.Sprint("device-", i)})
	}
	for _, node := range nodes {
		_, err := api.ResourceSlices().Create(p.t.Context(), &resourceapi.ResourceSlice{
			ObjectMeta: metav1.ObjectMeta{Name: p.nodeName(node)},
			Spec: resourceapi.ResourceSliceSpec{
				Driver: p.driver(), NodeName: new(p.nodeName(node)), Devices: devices,
				Pool: resourceapi.ResourcePool{Name: p.nodeName(node), Generation: 1, ResourceSliceCount: 1},
			},
		}, metav1.CreateOptions{})
		p.must(err)
	}
	ofDriver := resourceapi.DeviceSelector{CEL: &resourceapi.CELDeviceSelector{Expression: fmt.Sprintf("device.driver == %q", p.driver())}}
	_, err := api.DeviceClasses().Create(p.t.Context(), &resourceapi.DeviceClass{
		ObjectMeta: metav1.ObjectMeta{Name: p.name},
		Spec:       resourceapi.DeviceClassSpec{Selectors: []resourceapi.DeviceSelector{ofDriver}, ExtendedResourceName: extended},
	}, metav1.CreateOptions{})
	p.must(err)
}

// claiming has the pod claim so many devices of the pool's class, by a template.
func (p *pool) claiming(pod *v1.Pod, count int64) *v1.Pod {
	p.t.Helper()
	api := p.local.Clientset.ResourceV1().ResourceClaimTemplates("default")
	template, err := api.Create(p.t.Context(), &resourceapi.ResourceClaimTemplate{
		ObjectMeta: metav1.ObjectMeta{Name: pod.Name},
		Spec: resourceapi.ResourceClaimTemplateSpec{Spec: resourceapi.ResourceClaimSpec{Devices: resourceapi.DeviceClaim{
			Requests: []resourceapi.DeviceRequest{{
				Name: "devices", Exactly: &resourceapi.ExactDeviceRequest{DeviceClassName: p.name, Count: count},
			}},
		}}},
	}, metav1.CreateOptions{})
	p.must(err)
	p.t.Cleanup(func() {
		if err := api.Delete(context.WithoutCancel(p.t.Context()), template.Name, metav1.DeleteOptions{}); err != nil {
			p.t.Error(err)
		}
	})
	pod.Spec.ResourceClaims = []v1.PodResourceClaim{{Name: "devices", ResourceClaimTemplateName: &template.Name}}
	pod.Spec.Containers[0].Resources.Claims = []v1.ResourceClaim{{Name: "devices"}}
	return pod
}

// allocated returns how many devices of the node that the pod is on are allocated
// to its claims, and fails the test for those of another.
func (p *pool) allocated(pod *v1.Pod) (count int) {
	p.t.Helper()
	node := p.nodeName(p.nodeOf(pod))
	claims, err := p.local.Clientset.ResourceV1().ResourceClaims("default").List(p.t.Context(), metav1.ListOptions{})
	p.must(err)
	for _, claim := range claims.Items {
		owner := metav1.GetControllerOf(&claim)
		if owner == nil || owner.Name != pod.Name || claim.Status.Allocation == nil {
			continue
		}
		for _, device := range claim.Status.Allocation.Devices.Results {
			if device.Driver != p.driver() || device.Pool != node {
				p.t.Errorf("%s on %s got device %s of %s/%s", pod.Name, node, device.Device, device.Driver, device.Pool)
			}
			count++
		}
	}
	return count
}

// Pods that claim 1, 2 and 4 devices fill up nodes, and leave whole ones for
// those that claim 8.
func TestDRAWholeNodesStayFree(t *testing.T) {
	t.Parallel()
	p := newPool(t,
		node{name: "a", cores: 64, uses: "4"},
		node{name: "b", cores: 64, uses: "5"},
		node{name: "c", cores: 64, uses: "6"},
		node{name: "d", cores: 64, uses: "7"},
	)
	p.publishDevices(8, nil, "a", "b", "c", "d")
	s := startScheduler(t, "plimsoll.yaml", nil)
	gauge := fmt.Sprintf(`plimsoll_devices_free{profile=%q,resource="deviceclass.resource.kubernetes.io/%s"}`, p.profile("plimsoll"), p.name)
	var small []*v1.Pod
	for i, count := range []int64{1, 2, 1, 4, 1, 1, 2, 4} {
		pod := p.claiming(p.pod(fmt.Sprint("small-", i), "plimsoll"), count)
		small = append(small, pod)
		p.create(pod)
		if got := p.allocated(pod); got != int(count) {
			t.Errorf("%s has %d devices, want %d", pod.Name, got, count)
		}
		if i == 0 {
			s.waitMetric(gauge, func(free float64) bool { return free == 32 }) // counted in this first cycle
		}
	}
	if got := p.placed(small...); len(got) != 2 {
		t.Errorf("16 devices for small pods are on %v, want two nodes full and two whole", got)
	}
	large := []*v1.Pod{p.claiming(p.pod("large-0", "plimsoll"), 8), p.claiming(p.pod("large-1", "plimsoll"), 8)}
	p.create(large...)
	if got := p.placed(large...); len(got) != 2 {
		t.Errorf("pods with 8 devices are on %v, want one on each whole node", got)
	}
	extra := p.claiming(p.pod("extra", "plimsoll"), 1)
	p.create(extra)
	if why := p.rejected(extra); !strings.Contains(why, "cannot allocate all claims") {
		t.Errorf("a device more than there are: %q", why)
	}
}

// A pod that claims devices is kept off a node that is hot, and one that claims
// none off nodes with free devices.
func TestDRAByLoad(t *testing.T) {
	t.Parallel()
	p := newPool(t,
		node{name: "hot", uses: "9"},
		node{name: "cool", uses: "1"},
		node{name: "plain", uses: "2"},
	)
	p.publishDevices(4, nil, "hot", "cool")
	startScheduler(t, "plimsoll.yaml", nil)
	var pods []*v1.Pod
	for i := range 3 {
		pod := withCPU(p.claiming(p.pod(fmt.Sprint("claims-", i), "plimsoll"), 1), "500m")
		pods = append(pods, pod)
		p.create(pod)
		if got := p.nodeOf(pod); got != "cool" {
			t.Errorf("%s claims a device and is on %s", pod.Name, got)
		}
		plain := withCPU(p.pod(fmt.Sprint("plain-", i), "plimsoll"), "500m")
		p.create(plain)
		if got := p.nodeOf(plain); got != "plain" {
			t.Errorf("%s claims no device and is on %s", plain.Name, got)
		}
	}
	for _, pod := range pods {
		if got := p.allocated(pod); got != 1 {
			t.Errorf("%s has %d devices", pod.Name, got)
		}
	}
}

// A pod without devices may not take the headroom that devices need which nobody
// has claimed: see TestHeadroomForFreeDevices.
func TestDRAHeadroomForFreeDevices(t *testing.T) {
	t.Parallel()
	p := newPool(t, node{name: "n", uses: "3"})
	p.publishDevices(4, nil, "n")
	startScheduler(t, "plimsoll.yaml", func(config map[string]any) {
		profile := config["profiles"].([]any)[0].(map[string]any)
		profile["pluginConfig"].([]any)[1].(map[string]any)["args"].(map[string]any)["headroomPerDevice"] = map[string]any{"cpu": "1"}
	})
	plain := p.pod("plain", "plimsoll")
	p.create(plain)
	if why := p.rejected(plain); !strings.Contains(why, "1 node(s) would strand free devices") {
		t.Errorf("3 cores used and 1 asked for: rejected with %q", why)
	}
	claims := withCPU(p.claiming(p.pod("claims", "plimsoll"), 2), "250m")
	p.create(claims)
	p.placed(claims, plain) // the allocation wakes the pod that waits
}

// An extended resource that no device plugin offers is that of the class behind
// it.
func TestDRAExtendedResource(t *testing.T) {
	t.Parallel()
	p := newPool(t,
		node{name: "a", cores: 64, uses: "4"},
		node{name: "b", cores: 64, uses: "5"},
		node{name: "c", cores: 64, uses: "6"},
	)
	name := v1.ResourceName(p.driver() + "/device")
	p.publishDevices(4, new(string(name)), "a", "b", "c")
	startScheduler(t, "plimsoll.yaml", nil)
	var pods []*v1.Pod
	for i, count := range []string{"1", "2", "1", "2", "1", "1"} {
		pods = append(pods, asking(p.pod(fmt.Sprint("p", i), "plimsoll"), name, count))
	}
	p.create(pods...) // at once: their claims are written and seen while others are placed
	if got := p.placed(pods...); len(got) != 2 {
		t.Errorf("8 devices are on %v, want two nodes full and one whole", got)
	}
	for _, pod := range pods {
		want := pod.Spec.Containers[0].Resources.Limits[name]
		if got := p.allocated(pod); int64(got) != want.Value() {
			t.Errorf("%s has %d devices, want %v", pod.Name, got, want.Value())
		}
	}
}
