package cluster

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"
)

// kwok starts the containers of a pod and then leaves their status alone. What
// follows changes it as a kubelet does when one of them fails.

// FailContainer has a container that runs end with an error.
func (c *Cluster) FailContainer(ctx context.Context, namespace, pod, container string) error {
	return c.changeContainer(ctx, namespace, pod, container, func(status *corev1.ContainerStatus) error {
		if status.State.Running == nil {
			return fmt.Errorf("it does not run: %+v", status.State)
		}
		status.State = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
			ExitCode: 1, Reason: "Error", StartedAt: status.State.Running.StartedAt, FinishedAt: metav1.Now(),
		}}
		status.Ready, status.Started = false, new(false)
		return nil
	})
}

// BackOffContainer has a container that has failed wait for its restart.
func (c *Cluster) BackOffContainer(ctx context.Context, namespace, pod, container string, delay time.Duration) error {
	return c.changeContainer(ctx, namespace, pod, container, func(status *corev1.ContainerStatus) error {
		if status.State.Terminated == nil {
			return fmt.Errorf("it has not failed: %+v", status.State)
		}
		status.LastTerminationState = status.State
		status.State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{
			Reason: "CrashLoopBackOff", Message: fmt.Sprintf("back-off %s restarting failed container=%s pod=%s", delay, container, pod),
		}}
		return nil
	})
}

// RestartContainer starts a container that has failed, whether it was backed off
// or not.
func (c *Cluster) RestartContainer(ctx context.Context, namespace, pod, container string) error {
	return c.changeContainer(ctx, namespace, pod, container, func(status *corev1.ContainerStatus) error {
		if status.State.Running != nil {
			return fmt.Errorf("it runs: %+v", status.State)
		}
		if status.State.Terminated != nil {
			status.LastTerminationState = status.State
		}
		status.State = corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.Now()}}
		status.RestartCount++
		status.Ready, status.Started = true, new(true)
		return nil
	})
}

func (c *Cluster) changeContainer(ctx context.Context, namespace, pod, container string, change func(*corev1.ContainerStatus) error) error {
	pods := c.Clientset.CoreV1().Pods(namespace)
	err := retry.RetryOnConflict(retry.DefaultRetry, func() error {
		object, err := pods.Get(ctx, pod, metav1.GetOptions{})
		if err != nil {
			return err
		}
		statuses := object.Status.ContainerStatuses
		i := slices.IndexFunc(statuses, func(status corev1.ContainerStatus) bool { return status.Name == container })
		if i < 0 {
			return fmt.Errorf("it has no status")
		}
		if err := change(&statuses[i]); err != nil {
			return err
		}
		setReady(object)
		_, err = pods.UpdateStatus(ctx, object, metav1.UpdateOptions{})
		return err
	})
	if err != nil {
		return fmt.Errorf("change container %s of pod %s/%s: %w", container, namespace, pod, err)
	}
	return nil
}

// setReady has the pod's conditions say whether all of its containers are ready.
func setReady(pod *corev1.Pod) {
	ready := corev1.ConditionTrue
	for i := range pod.Status.ContainerStatuses {
		if !pod.Status.ContainerStatuses[i].Ready {
			ready = corev1.ConditionFalse
		}
	}
	for i := range pod.Status.Conditions {
		condition := &pod.Status.Conditions[i]
		if (condition.Type == corev1.PodReady || condition.Type == corev1.ContainersReady) && condition.Status != ready {
			condition.Status, condition.LastTransitionTime = ready, metav1.Now()
		}
	}
}
