package scenarios

import (
	"context"
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// waitOver waits until Plimsoll has the real node over its load line, or no more.
func (s *stage) waitOver(ctx context.Context, over bool) {
	s.Helper()
	s.wait(ctx, fmt.Sprintf("the node to be over its line: %t", over), func(ctx context.Context) (bool, error) {
		counted, err := w.counted(ctx)
		if err != nil {
			return false, err
		}
		return counted.Over != "" == over, fmt.Errorf("over: %q, CPU %+v", counted.Over, counted.CPU.Use)
	})
}

// Load by the counters of control groups, through kubelet and metrics-server.
func TestRealLoad(t *testing.T) {
	scenario(t, "real load: device pods avoid the hot node, and come back when it ends", func(ctx context.Context, s *stage) {
		burner := s.start(ctx, on(s.pod("burner", container{}), realNode))
		s.tell(ctx, burner, "/load?cores=2")
		s.waitOver(ctx, true)
		s.create(ctx, s.pod("elsewhere", container{npu: 1}))
		s.wait(ctx, "a device pod to be placed", func(ctx context.Context) (bool, error) {
			node := s.get(ctx, "elsewhere").Spec.NodeName
			if node == realNode {
				s.Fatal("a device pod was placed on the hot node")
			}
			return node == simulated, nil
		})
		s.create(ctx, s.pod("large", container{npu: 4})) // which the other node cannot take any more
		s.waits(ctx, "large")
		s.tell(ctx, burner, "/load?cores=0")
		s.waitOver(ctx, false)
		if pod := s.ready(ctx, "large"); pod.Spec.NodeName != realNode {
			t.Errorf("the pod is on %s", pod.Spec.NodeName)
		}
	})
}

// A container that uses more memory than it may is killed and starts again, with the
// devices that it had.
func TestOutOfMemory(t *testing.T) {
	scenario(t, "a container is killed for its memory, and restarts", func(ctx context.Context, s *stage) {
		pod := on(s.pod("p", container{npu: 2}, container{npu: 1}), realNode)
		pod.Spec.Containers[0].Resources.Limits[corev1.ResourceMemory] = resource.MustParse("64Mi")
		pod = s.start(ctx, pod)
		if _, err := ask(ctx, "POST", pod.Status.PodIP, firstPort, "/hold?mib=512"); err == nil {
			t.Fatal("it holds 512 MiB, and may 64")
		}
		s.wait(ctx, "the container to have restarted", func(ctx context.Context) (bool, error) {
			status := s.get(ctx, "p").Status.ContainerStatuses[0]
			terminated := status.LastTerminationState.Terminated
			return status.RestartCount == 1 && status.Ready && terminated != nil && terminated.Reason == "OOMKilled", fmt.Errorf("%+v", status)
		})
		s.checkDevices(ctx)
	})
}

// A pod that is resized in place counts by its new size.
func TestResize(t *testing.T) {
	scenario(t, "a device pod is resized in place", func(ctx context.Context, s *stage) {
		s.start(ctx, on(s.pod("p", container{npu: 1}), realNode))
		before, err := w.counted(ctx)
		if err != nil {
			t.Fatal(err)
		}
		const patch = `{"spec": {"containers": [{"name": "c0", "resources": {"requests": {"cpu": "520m"}}}]}}`
		if _, err := w.Clientset.CoreV1().Pods(s.namespace).Patch(ctx, "p", types.StrategicMergePatchType, []byte(patch), metav1.PatchOptions{}, "resize"); err != nil {
			t.Fatal(err)
		}
		s.wait(ctx, "kubelet and Plimsoll to know the new size", func(ctx context.Context) (bool, error) {
			status := s.get(ctx, "p").Status.ContainerStatuses[0]
			counted, err := w.counted(ctx)
			if err != nil || status.Resources == nil {
				return false, err
			}
			more := counted.CPU.Requested - before.CPU.Requested
			return status.Resources.Requests.Cpu().MilliValue() == 520 && more > 0.499 && more < 0.501,
				fmt.Errorf("the kubelet has %v, Plimsoll %.3f cores more than before", status.Resources.Requests, more)
		})
		s.runsOn(ctx, "p")
	})
}
