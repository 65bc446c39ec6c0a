package scenarios

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	resourceapi "k8s.io/api/resource/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/plimsoll-scheduler/plimsoll/pkg/status"
)

const (
	accel = "accel.example.com"
	// accelDevices is what Plimsoll calls devices of the class.
	accelDevices = "deviceclass.resource.kubernetes.io/" + accel
)

// waitClass waits until Plimsoll counts so many devices of the class, of which so many
// are used.
func (s *stage) waitClass(ctx context.Context, allocatable, used int64) {
	s.Helper()
	s.wait(ctx, fmt.Sprintf("Plimsoll to count %d of %d devices of the class used", used, allocatable), func(ctx context.Context) (bool, error) {
		counted, err := w.counted(ctx)
		if err != nil {
			return false, err
		}
		i := slices.IndexFunc(counted.Devices, func(d status.Devices) bool { return d.Resource == accelDevices })
		if i < 0 {
			return false, fmt.Errorf("it counts none: %+v", counted.Devices)
		}
		return counted.Devices[i].Allocatable == allocatable && counted.Devices[i].Used == used, fmt.Errorf("it counts %+v", counted.Devices[i])
	})
}

// Devices of a class: published by their driver, allocated by the scheduler, prepared by
// the driver, seen by the container, counted by Plimsoll.
func TestClaims(t *testing.T) {
	scenario(t, "a claim: published, allocated, prepared, counted, and let go", func(ctx context.Context, s *stage) {
		manifest := filepath.Join(w.root, "test", "dradriver", "daemonset.yaml")
		if _, err := w.Kubectl(ctx, "apply", "-f", manifest); err != nil {
			t.Fatal(err)
		}
		s.waitClass(ctx, 2, 0)
		template := &resourceapi.ResourceClaimTemplate{ObjectMeta: metav1.ObjectMeta{Name: "both"}}
		template.Spec.Spec.Devices.Requests = []resourceapi.DeviceRequest{{Name: "all", Exactly: &resourceapi.ExactDeviceRequest{DeviceClassName: accel, Count: 2}}}
		if _, err := w.Clientset.ResourceV1().ResourceClaimTemplates(s.namespace).Create(ctx, template, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		claiming := func(name string) *corev1.Pod {
			pod := s.pod(name, container{})
			pod.Spec.ResourceClaims = []corev1.PodResourceClaim{{Name: "devices", ResourceClaimTemplateName: new("both")}}
			pod.Spec.Containers[0].Resources.Claims = []corev1.ResourceClaim{{Name: "devices"}}
			return pod
		}
		pod := s.start(ctx, claiming("first"))
		body, err := ask(ctx, http.MethodGet, pod.Status.PodIP, firstPort, "/devices")
		if err != nil {
			t.Fatal(err)
		}
		var seen struct{ Nodes []string }
		if err := json.Unmarshal([]byte(body), &seen); err != nil || !slices.Equal(seen.Nodes, []string{"accel-0", "accel-1"}) {
			t.Errorf("the container sees %s, %v, want accel-0 and accel-1", body, err)
		}
		s.waitClass(ctx, 2, 2)
		s.create(ctx, claiming("second"))
		s.waits(ctx, "second")
		s.delete(ctx, "first")
		s.ready(ctx, "second")
		s.waitClass(ctx, 2, 2)
		s.delete(ctx, "second")
		s.waitClass(ctx, 2, 0)
		if _, err := w.Kubectl(ctx, "delete", "-f", manifest); err != nil {
			t.Fatal(err)
		}
	})
}
