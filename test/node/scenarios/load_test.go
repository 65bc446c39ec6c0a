package scenarios

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
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

// available returns how much memory the kubelet sees that is available, in bytes.
func (w *world) available(ctx context.Context) (int64, error) {
	body, err := w.Clientset.CoreV1().RESTClient().Get().AbsPath("/api/v1/nodes/" + realNode + "/proxy/stats/summary").DoRaw(ctx)
	if err != nil {
		return 0, err
	}
	var summary struct {
		Node struct {
			Memory struct {
				AvailableBytes int64 `json:"availableBytes"`
			} `json:"memory"`
		} `json:"node"`
	}
	if err := json.Unmarshal(body, &summary); err != nil {
		return 0, err
	}
	if summary.Node.Memory.AvailableBytes <= 0 {
		return 0, fmt.Errorf("there is no availableBytes in %s", body)
	}
	return summary.Node.Memory.AvailableBytes, nil
}

// underPressure waits until the node says that it is short of memory, or no more.
func (s *stage) underPressure(ctx context.Context, want corev1.ConditionStatus) {
	s.Helper()
	s.wait(ctx, "the node's MemoryPressure to be "+string(want), func(ctx context.Context) (bool, error) {
		object, err := w.Clientset.CoreV1().Nodes().Get(ctx, realNode, metav1.GetOptions{})
		if err != nil {
			return false, err
		}
		for _, c := range object.Status.Conditions {
			if c.Type == corev1.NodeMemoryPressure {
				return c.Status == want, fmt.Errorf("%s: %s: %s", c.Status, c.Reason, c.Message)
			}
		}
		return false, errors.New("there is no such condition")
	})
}

// A node that is short of memory evicts who uses more than it requested, and takes no
// pod meanwhile. A pod with devices that keeps to its request keeps them.
//
// The node's memory is this whole machine's, which is not to be short of any. So the
// kubelet is told to begin to evict at more than what is available while somebody holds
// much, and at less than what is available without.
func TestMemoryPressure(t *testing.T) {
	const held = 1 << 30
	scenario(t, "the node is short of memory: the greedy pod is evicted, devices stay", func(ctx context.Context, s *stage) {
		s.start(ctx, on(s.pod("keeps", container{npu: 1}), realNode))
		greedy := s.pod("greedy", container{npu: 1})
		s.deployment(ctx, "greedy", 1, on(greedy, realNode))
		pod := s.replicas(ctx, "greedy", 1)[0]
		before, err := w.available(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := askPatiently(ctx, http.MethodPost, pod.Status.PodIP, firstPort, fmt.Sprintf("/hold?mib=%d", held>>20)); err != nil {
			t.Fatal(err)
		}
		var available int64
		s.wait(ctx, "the kubelet to see what is held", func(ctx context.Context) (bool, error) {
			var err error
			available, err = w.available(ctx)
			return err == nil && before-available > held*3/4, fmt.Errorf("%d MiB are available, %d were: %w", available>>20, before>>20, err)
		})
		configure := func(fields map[string]any) {
			if err := w.node.Configure(ctx, fields); err != nil {
				t.Fatal(err)
			}
		}
		defer func() {
			if t.Failed() { // else the scenarios after it would be
				_ = w.node.Configure(context.WithoutCancel(ctx), nil)
			}
		}()
		configure(map[string]any{
			"evictionHard":                     map[string]string{"memory.available": strconv.FormatInt(available+held/2, 10)},
			"evictionPressureTransitionPeriod": "20s", // 5 min; how long the node is under pressure after that
		})
		s.underPressure(ctx, corev1.ConditionTrue)
		s.wait(ctx, "the greedy pod to be evicted", func(ctx context.Context) (bool, error) {
			status := s.get(ctx, pod.Name).Status
			ended := status.Phase == corev1.PodFailed || status.Phase == corev1.PodSucceeded // as its container ends
			return ended && slices.ContainsFunc(status.Conditions, func(c corev1.PodCondition) bool {
				return c.Type == corev1.DisruptionTarget && c.Status == corev1.ConditionTrue && c.Reason == corev1.PodReasonTerminationByKubelet
			}), fmt.Errorf("%s %s, conditions %+v", status.Phase, status.Reason, status.Conditions)
		})
		s.create(ctx, s.pod("elsewhere", container{npu: 1}))
		s.wait(ctx, "a device pod to be placed", func(ctx context.Context) (bool, error) {
			node := s.get(ctx, "elsewhere").Spec.NodeName
			return node != "", fmt.Errorf("it is on %q", node)
		})
		if node := s.get(ctx, "elsewhere").Spec.NodeName; node != simulated {
			t.Errorf("a device pod was placed on %s, which is under pressure", node)
		}
		s.checkDevices(ctx)
		s.underPressure(ctx, corev1.ConditionFalse)
		configure(nil)               // else so little is allocatable that the node is over its line
		s.replicas(ctx, "greedy", 1) // the replacement of the one that was evicted
		for _, failed := range s.failed(ctx) {
			if !strings.HasPrefix(failed, pod.Name) {
				t.Errorf("a pod has failed: %s", failed)
			}
		}
		if pod := s.ready(ctx, "keeps"); pod.Status.ContainerStatuses[0].RestartCount > 0 {
			t.Errorf("the pod that kept to its request has restarted")
		}
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
