package scenarios

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/plimsoll-scheduler/plimsoll/test/node"
)

// waits returns when the pod is known to have no node.
func (s *stage) waits(ctx context.Context, name string) {
	s.Helper()
	s.wait(ctx, "pod "+name+" to wait", func(ctx context.Context) (bool, error) {
		pod := s.get(ctx, name)
		if pod.Spec.NodeName != "" {
			s.Fatalf("pod %s was placed on %s", name, pod.Spec.NodeName)
		}
		return slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
			return c.Type == corev1.PodScheduled && c.Reason == corev1.PodReasonUnschedulable
		}), fmt.Errorf("its conditions are %v", pod.Status.Conditions)
	})
}

// failed returns the reasons of pods that have failed.
func (s *stage) failed(ctx context.Context) (reasons []string) {
	s.Helper()
	pods, err := w.Clientset.CoreV1().Pods(s.namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		s.Fatal(err)
	}
	for i := range pods.Items {
		if pod := &pods.Items[i]; pod.Status.Phase == corev1.PodFailed {
			reasons = append(reasons, pod.Name+": "+pod.Status.Reason+": "+pod.Status.Message)
		}
	}
	return reasons
}

// runsOn checks that the pod runs as it did: none of its containers has restarted.
func (s *stage) runsOn(ctx context.Context, name string) {
	s.Helper()
	pod := s.ready(ctx, name)
	for _, status := range pod.Status.ContainerStatuses {
		if status.RestartCount > 0 {
			s.Errorf("container %s of %s has restarted: %+v", status.Name, name, status.LastTerminationState)
		}
	}
	if failed := s.failed(ctx); len(failed) > 0 {
		s.Errorf("pods have failed: %v", failed)
	}
}

// A device that is not healthy is none to be had. The pod that has it keeps it.
func TestUnhealthyDevice(t *testing.T) {
	scenario(t, "a device turns unhealthy, another vanishes, both come back", func(ctx context.Context, s *stage) {
		s.start(ctx, on(s.pod("has", container{npu: 1}), realNode))
		s.setDevice(ctx, "npu-0", "unhealthy") // that of the pod
		s.setDevice(ctx, "npu-3", "gone")
		s.waitAllocatable(ctx, 2)
		s.create(ctx, on(s.pod("wants", container{npu: 3}), realNode))
		s.waits(ctx, "wants")
		s.checkDevices(ctx)
		s.setDevice(ctx, "npu-0", "healthy")
		s.setDevice(ctx, "npu-3", "healthy")
		s.waitAllocatable(ctx, 4)
		s.runsOn(ctx, "wants")
		s.runsOn(ctx, "has")
	})
}

// Without its plugin a node has no devices to give, and with it again as many as before.
func TestPluginRestart(t *testing.T) {
	scenario(t, "the device plugin is away: nothing allocatable, until it is back", func(ctx context.Context, s *stage) {
		s.start(ctx, on(s.pod("before", container{npu: 2}), realNode))
		label := func(value string) {
			if _, err := w.Kubectl(ctx, "label", "node", realNode, "example.com/devices="+value, "--overwrite"); err != nil {
				t.Fatal(err)
			}
		}
		label("false")
		s.waitAllocatable(ctx, 0)
		s.create(ctx, on(s.pod("meanwhile", container{npu: 1}), realNode))
		s.waits(ctx, "meanwhile")
		label("true")
		s.waitAllocatable(ctx, 4)
		s.runsOn(ctx, "meanwhile")
		s.runsOn(ctx, "before")
	})
}

// A plugin whose resource the kubelet does not take says so, and why, and harms no other.
func TestBadResourceName(t *testing.T) {
	scenario(t, "a device plugin registers a name that the kubelet refuses", func(ctx context.Context, s *stage) {
		s.start(ctx, on(s.pod("has", container{npu: 1}), realNode))
		good := s.plugin(ctx)
		bad := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "bad", Namespace: s.namespace}, Spec: *good.Spec.DeepCopy()}
		bad.Spec.SchedulerName, bad.Spec.PriorityClassName, bad.Spec.Priority = "", "", nil
		bad.Spec.Containers[0].Args = []string{"--resource=bad.kubernetes.io/gpu=1"}
		s.create(ctx, bad)
		s.wait(ctx, "the plugin to tell what the kubelet said", func(ctx context.Context) (bool, error) {
			log, err := w.Clientset.CoreV1().Pods(s.namespace).GetLogs("bad", &corev1.PodLogOptions{}).DoRaw(ctx)
			return strings.Contains(string(log), `register with the kubelet`) && strings.Contains(string(log), `the ResourceName "bad.kubernetes.io/gpu" is invalid`),
				fmt.Errorf("%w: it said %s", err, log)
		})
		s.delete(ctx, "bad")
		object, err := w.Clientset.CoreV1().Nodes().Get(ctx, realNode, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if count, has := object.Status.Capacity["bad.kubernetes.io/gpu"]; has {
			t.Errorf("the node has %v of a resource that was refused", &count)
		}
		s.waitAllocatable(ctx, 4)
		s.runsOn(ctx, "has")
		if left, err := w.node.Exec(ctx, "ls", "/var/lib/kubelet/device-plugins"); err != nil || strings.Contains(left, "gpu") {
			t.Errorf("it left its socket: %s %v", left, err)
		}
	})
}

// A kubelet that restarts forgets its plugins until they have registered again.
func TestKubeletRestart(t *testing.T) {
	scenario(t, "the kubelet crashes and restarts", func(ctx context.Context, s *stage) {
		s.start(ctx, on(s.pod("before", container{npu: 2}), realNode))
		if err := w.node.KillProgram(node.Kubelet); err != nil {
			t.Fatal(err)
		}
		if err := w.node.StartProgram(ctx, node.Kubelet); err != nil {
			t.Fatal(err)
		}
		s.create(ctx, on(s.pod("after", container{npu: 1}), realNode))
		s.runsOn(ctx, "after")
		s.runsOn(ctx, "before")
		s.waitAllocatable(ctx, 4)
	})
}

// Containers go on without containerd.
func TestContainerdRestart(t *testing.T) {
	scenario(t, "containerd crashes and restarts", func(ctx context.Context, s *stage) {
		s.start(ctx, on(s.pod("before", container{npu: 2}), realNode))
		if err := w.node.KillProgram(node.Containerd); err != nil {
			t.Fatal(err)
		}
		if err := w.node.StartProgram(ctx, node.Containerd); err != nil {
			t.Fatal(err)
		}
		s.create(ctx, on(s.pod("after", container{npu: 1}), realNode))
		s.runsOn(ctx, "after")
		s.runsOn(ctx, "before")
	})
}

// deployment has pods like this one, as many, by a Deployment, which replaces those that
// fail.
func (s *stage) deployment(ctx context.Context, name string, replicas int32, like *corev1.Pod) {
	s.Helper()
	if _, err := w.Clientset.AppsV1().Deployments(s.namespace).Create(ctx, deploymentOf(name, replicas, like), metav1.CreateOptions{}); err != nil {
		s.Fatal(err)
	}
}

// replicas waits until so many of the pods with the label app are ready, and returns them.
func (s *stage) replicas(ctx context.Context, app string, count int) (ready []corev1.Pod) {
	s.Helper()
	s.wait(ctx, fmt.Sprintf("%d replicas of %s to be ready", count, app), func(ctx context.Context) (bool, error) {
		list, err := w.Clientset.CoreV1().Pods(s.namespace).List(ctx, metav1.ListOptions{LabelSelector: "app=" + app})
		if err != nil {
			return false, err
		}
		ready = slices.DeleteFunc(list.Items, func(pod corev1.Pod) bool { return pod.DeletionTimestamp != nil || !isReady(&pod) })
		return len(ready) == count, fmt.Errorf("%d are", len(ready))
	})
	return ready
}

func (w *world) bootID(ctx context.Context) (string, error) {
	object, err := w.Clientset.CoreV1().Nodes().Get(ctx, realNode, metav1.GetOptions{})
	if err != nil {
		return "", err
	}
	return object.Status.NodeInfo.BootID, nil
}

// After a reboot the kubelet may refuse the pods that were there, until the plugin has
// registered: then their controller replaces them. Nothing else is refused.
func TestReboot(t *testing.T) {
	scenario(t, "the node reboots", func(ctx context.Context, s *stage) {
		s.deployment(ctx, "app", 2, on(s.pod("app", container{npu: 1}), realNode))
		s.replicas(ctx, "app", 2)
		before, err := w.bootID(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.node.Reboot(ctx); err != nil {
			t.Fatal(err)
		}
		if after, err := w.bootID(ctx); err != nil || after == before {
			t.Errorf("boot id %s, %v, and it was the same before", after, err)
		}
		s.waitAllocatable(ctx, 4)
		s.replicas(ctx, "app", 2)
		s.refusedOnly(ctx, "UnexpectedAdmissionError")
	})
}

// refusedOnly checks that no pod has failed for another reason.
func (s *stage) refusedOnly(ctx context.Context, reason string) {
	s.Helper()
	for _, failed := range s.failed(ctx) {
		s.Log("failed: ", failed)
		if !strings.Contains(failed, reason) {
			s.Errorf("a pod has failed: %s", failed)
		}
	}
}

// A node that joins under a name that was there before begins with nothing.
func TestRejoin(t *testing.T) {
	scenario(t, "the node is removed, and joins again under its name", func(ctx context.Context, s *stage) {
		s.deployment(ctx, "app", 2, on(s.pod("app", container{npu: 1}), realNode))
		gone := s.replicas(ctx, "app", 2)
		if err := w.node.Leave(ctx); err != nil {
			t.Fatal(err)
		}
		s.wait(ctx, "the pods of the node to be gone", func(ctx context.Context) (bool, error) {
			list, err := w.Clientset.CoreV1().Pods(s.namespace).List(ctx, metav1.ListOptions{})
			if err != nil {
				return false, err
			}
			return !slices.ContainsFunc(list.Items, func(pod corev1.Pod) bool { return pod.UID == gone[0].UID || pod.UID == gone[1].UID }), nil
		})
		if err := w.node.Join(ctx); err != nil {
			t.Fatal(err)
		}
		s.waitAllocatable(ctx, 4)
		s.replicas(ctx, "app", 2)
		if failed := s.failed(ctx); len(failed) > 0 {
			t.Errorf("pods have failed: %v", failed)
		}
	})
}
