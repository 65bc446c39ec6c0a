package scenarios

import (
	"context"
	"fmt"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func deploymentOf(name string, replicas int32, like *corev1.Pod) *appsv1.Deployment {
	labels := map[string]string{"app": name}
	spec := *like.Spec.DeepCopy()
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: appsv1.DeploymentSpec{
			Replicas: &replicas,
			Strategy: appsv1.DeploymentStrategy{Type: appsv1.RecreateDeploymentStrategyType},
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: spec},
		},
	}
}

// Two schedulers that know nothing of each other give the same devices to two pods. The
// kubelet refuses the second. Its controller makes another, which waits for its turn.
func TestTwoSchedulersRace(t *testing.T) {
	scenario(t, "two schedulers race for the last devices: one refusal, no flapping", func(ctx context.Context, s *stage) {
		// Whether they race is a matter of milliseconds: another scheduler that is late
		// for sure is the test itself, which binds a pod that it saw before the devices
		// were taken.
		s.deployment(ctx, "winner", 1, on(s.pod("winner", container{npu: 4}), realNode))
		s.replicas(ctx, "winner", 1)
		late := on(s.pod("late", container{npu: 4}), realNode)
		late.Spec.SchedulerName = "another"
		s.deployment(ctx, "late", 1, late)
		first := s.bindOne(ctx)
		s.wait(ctx, "the kubelet to refuse the pod", func(ctx context.Context) (bool, error) {
			pod := s.get(ctx, first)
			return pod.Status.Phase == corev1.PodFailed, fmt.Errorf("it is %s", pod.Status.Phase)
		})
		t.Log("refused: ", s.failed(ctx))
		s.checkDevices(ctx)
		// The next one of the controller is Plimsoll's: it waits, and nothing else fails.
		if _, err := w.Kubectl(ctx, "--namespace", s.namespace, "patch", "deployment", "late", "-p", `{"spec": {"template": {"spec": {"schedulerName": "plimsoll"}}}}`); err != nil {
			t.Fatal(err)
		}
		next := s.waitingOne(ctx, "late", "plimsoll")
		s.waits(ctx, next)
		if failed := s.failed(ctx); len(failed) != 1 {
			t.Errorf("%d pods were refused, want one: %v", len(failed), failed)
		}
		if _, err := w.Kubectl(ctx, "--namespace", s.namespace, "scale", "deployment", "winner", "--replicas", "0"); err != nil {
			t.Fatal(err)
		}
		s.replicas(ctx, "late", 1)
		if failed := s.failed(ctx); len(failed) != 1 {
			t.Errorf("%d pods were refused, want one: %v", len(failed), failed)
		}
	})
}

// bindOne binds the pod of the other scheduler to the real node, and returns its name.
func (s *stage) bindOne(ctx context.Context) (name string) {
	s.Helper()
	name = s.waitingOne(ctx, "late", "another")
	err := w.Clientset.CoreV1().Pods(s.namespace).Bind(ctx, &corev1.Binding{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Target:     corev1.ObjectReference{Kind: "Node", Name: realNode},
	}, metav1.CreateOptions{})
	if err != nil {
		s.Fatal(err)
	}
	return name
}

// waitingOne returns a pod of the app and the scheduler that has no node, when there is one.
func (s *stage) waitingOne(ctx context.Context, app, scheduler string) (name string) {
	s.Helper()
	s.wait(ctx, "a pod of "+app+" without a node", func(ctx context.Context) (bool, error) {
		list, err := w.Clientset.CoreV1().Pods(s.namespace).List(ctx, metav1.ListOptions{LabelSelector: "app=" + app})
		if err != nil {
			return false, err
		}
		for i := range list.Items {
			pod := &list.Items[i]
			if pod.Spec.SchedulerName == scheduler && pod.Spec.NodeName == "" && pod.DeletionTimestamp == nil {
				name = pod.Name
			}
		}
		return name != "", nil
	})
	return name
}
