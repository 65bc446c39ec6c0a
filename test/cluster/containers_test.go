package cluster_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/plimsoll-scheduler/plimsoll/test/cluster"
)

// A node is not measured for a while, and a container of a pod there fails and
// is restarted: kwok leaves the status that says so alone, and has the pod use
// what its annotation says, for each container that is not idle.
func TestFaultsOfNodesAndContainers(t *testing.T) {
	t.Parallel()
	ctx := testContext(t)
	c := start(ctx, t)
	if err := c.CreateNodes(ctx, cluster.Node{Name: "node", CPU: "8", Memory: "32Gi"}); err != nil {
		t.Fatal(err)
	}
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "pod", Annotations: cluster.Usage{CPU: "2"}.Annotations()},
		Spec: corev1.PodSpec{NodeName: "node", Containers: []corev1.Container{
			{Name: "main", Image: "simulated"}, {Name: cluster.IdleContainer, Image: "simulated"},
		}},
	}
	if _, err := c.Clientset.CoreV1().Pods("default").Create(ctx, pod, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := c.WaitNodeUsage(ctx, near("node", "2")); err != nil {
		t.Fatal(err)
	}

	if err := c.StopMeasuring(ctx, "node"); err != nil {
		t.Fatal(err)
	}
	for _, step := range []func() error{
		func() error { return c.FailContainer(ctx, "default", "pod", cluster.IdleContainer) },
		func() error { return c.BackOffContainer(ctx, "default", "pod", cluster.IdleContainer, 0) },
		func() error { return c.RestartContainer(ctx, "default", "pod", cluster.IdleContainer) },
		func() error { return c.FailContainer(ctx, "default", "pod", cluster.IdleContainer) },
	} {
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.WaitNodeUsage(ctx, func(usage map[string]corev1.ResourceList) bool { return len(usage) == 0 }); err != nil {
		t.Error(err)
	}
	if err := c.StartMeasuring(ctx, "node"); err != nil {
		t.Fatal(err)
	}
	if err := c.WaitNodeUsage(ctx, func(usage map[string]corev1.ResourceList) bool {
		cpu := usage["node"][corev1.ResourceCPU]
		return cpu.Cmp(resource.MustParse("1900m")) > 0
	}); err != nil {
		t.Error(err)
	}

	pod, err := c.Clientset.CoreV1().Pods("default").Get(ctx, "pod", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	main, idle := pod.Status.ContainerStatuses[0], pod.Status.ContainerStatuses[1]
	if pod.Status.Phase != corev1.PodRunning || main.State.Running == nil || main.RestartCount != 0 || !main.Ready {
		t.Errorf("phase %s, container that runs: %+v", pod.Status.Phase, main)
	}
	if idle.State.Terminated == nil || idle.LastTerminationState.Terminated == nil || idle.RestartCount != 1 || idle.Ready {
		t.Errorf("container that has failed twice: %+v", idle)
	}
	if err := c.BackOffContainer(ctx, "default", "pod", "main", 0); err == nil {
		t.Error("a container that runs is backed off")
	}
}
