package chart

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/plimsoll-scheduler/plimsoll/test/cluster"
)

// releaseBefore has the manifests and the configuration of the release before this one,
// which are not to be changed.
const releaseBefore = "testdata/v0.1.0"

// While pods come one after another, what the release before installed is upgraded to what
// is installed now, and then rolled back. Each time all replicas are replaced, as a rollout
// does. No pod is lost, and no node gets more than it has.
//
// The program is always that of this version: what is tried is that it takes over from, and
// gives way to, manifests, permissions and arguments of before.
func TestUpgradeFromTheReleaseBefore(t *testing.T) {
	const nodes, devices = 30, 100
	n := newNewcomer(t)
	for i := range nodes {
		must(t, n.cluster.CreateNodes(t.Context(), cluster.Node{
			Name: fmt.Sprint("many-", i), CPU: "200", Memory: "400Gi", Devices: map[string]string{"nvidia.com/gpu": fmt.Sprint(devices)},
		}))
	}
	before, err := filepath.Abs(releaseBefore)
	must(t, err)
	now, err := filepath.Abs(filepath.Join(root, "manifests", "base"))
	must(t, err)

	var running []*cluster.Scheduler
	// roll replaces what runs by what these manifests say.
	roll := func(manifests string) {
		t.Helper()
		n.run(root, "kubectl apply -k "+manifests+" && kubectl -n plimsoll-system rollout status deployment/plimsoll --timeout 60s")
		old := running
		running = []*cluster.Scheduler{
			startInstalled(t, n.cluster, "plimsoll-system", "plimsoll"), startInstalled(t, n.cluster, "plimsoll-system", "plimsoll"),
		}
		for _, scheduler := range old {
			must(t, scheduler.Stop())
		}
	}
	roll(before)

	end, created, failed := make(chan struct{}), 0, make(chan error, 1)
	go func() {
		var err error
		created, err = n.stream(t.Context(), end, nodes*devices)
		failed <- err
	}()
	const some = 100
	bound := n.waitBound(some)
	for _, manifests := range []string{now, before, now} {
		roll(manifests)
		bound = n.waitBound(bound + some)
	}
	close(end)
	must(t, <-failed)
	n.waitBound(created)

	list, err := n.cluster.Clientset.CoreV1().Pods("default").List(t.Context(), metav1.ListOptions{})
	must(t, err)
	if len(list.Items) != created {
		t.Errorf("%d pods were created, and %d are there", created, len(list.Items))
	}
	on := map[string]int{}
	for i := range list.Items {
		on[list.Items[i].Spec.NodeName]++
	}
	for node, count := range on {
		if count > devices {
			t.Errorf("%s has %d devices, and %d pods that ask for one", node, devices, count)
		}
	}
	for _, scheduler := range running {
		if log, err := scheduler.Log(); err != nil || strings.Contains(log, "forbidden") {
			t.Errorf("the scheduler may not do all that it does, or has no log (%v):\n%s", err, log)
		}
	}
}

// stream creates pods with a device, twenty a second, until end is closed or there are as
// many as there may be, and returns how many.
func (n *newcomer) stream(ctx context.Context, end <-chan struct{}, most int) (created int, err error) {
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for created < most {
		pod := &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("stream-%04d", created)},
			Spec: corev1.PodSpec{SchedulerName: "plimsoll", Containers: []corev1.Container{{
				Name: "c", Image: "trainer",
				Resources: corev1.ResourceRequirements{Limits: corev1.ResourceList{
					"nvidia.com/gpu": resource.MustParse("1"), corev1.ResourceCPU: resource.MustParse("100m"), corev1.ResourceMemory: resource.MustParse("64Mi"),
				}},
			}}},
		}
		if _, err := n.cluster.Clientset.CoreV1().Pods("default").Create(ctx, pod, metav1.CreateOptions{}); err != nil {
			return created, err
		}
		created++
		select {
		case <-end:
			return created, nil
		case <-ticker.C:
		}
	}
	return created, nil
}

// waitBound waits until so many pods have a node, and returns how many have.
func (n *newcomer) waitBound(count int) (bound int) {
	n.t.Helper()
	must(n.t, cluster.WaitFor(n.t.Context(), fmt.Sprintf("%d pods to have a node", count), func(ctx context.Context) (bool, error) {
		list, err := n.cluster.Clientset.CoreV1().Pods("default").List(ctx, metav1.ListOptions{})
		if err != nil {
			return false, err
		}
		waiting := slices.IndexFunc(list.Items, func(pod corev1.Pod) bool { return pod.Spec.NodeName == "" })
		bound = len(slices.DeleteFunc(slices.Clone(list.Items), func(pod corev1.Pod) bool { return pod.Spec.NodeName == "" }))
		err = fmt.Errorf("%d of %d have", bound, len(list.Items))
		if waiting >= 0 {
			err = errors.Join(err, fmt.Errorf("%s has not: %+v", list.Items[waiting].Name, list.Items[waiting].Status.Conditions))
		}
		return bound >= count, err
	}))
	return bound
}
