package integration

import (
	"context"
	"maps"

	appsv1 "k8s.io/api/apps/v1"
	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/plimsoll-scheduler/plimsoll/test/cluster"
)

// deploy creates a Deployment of such pods, which have the label workload.
func (p *pool) deploy(name string, replicas int32, template *v1.Pod) {
	p.t.Helper()
	deployments := p.local.Clientset.AppsV1().Deployments("default")
	selector, pods := podsLike(template, name)
	_, err := deployments.Create(p.t.Context(), &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: p.podName(name)},
		Spec:       appsv1.DeploymentSpec{Replicas: &replicas, Selector: selector, Template: pods},
	}, metav1.CreateOptions{})
	p.must(err)
	p.removeController(func(ctx context.Context, opts metav1.DeleteOptions) error {
		return deployments.Delete(ctx, p.podName(name), opts)
	})
}

// daemonSet creates a DaemonSet of such pods, which have the label workload, on
// the pool's nodes.
func (p *pool) daemonSet(name string, template *v1.Pod) {
	p.t.Helper()
	daemonSets := p.local.Clientset.AppsV1().DaemonSets("default")
	selector, pods := podsLike(template, name)
	_, err := daemonSets.Create(p.t.Context(), &appsv1.DaemonSet{
		ObjectMeta: metav1.ObjectMeta{Name: p.podName(name)},
		Spec:       appsv1.DaemonSetSpec{Selector: selector, Template: pods},
	}, metav1.CreateOptions{})
	p.must(err)
	p.removeController(func(ctx context.Context, opts metav1.DeleteOptions) error {
		return daemonSets.Delete(ctx, p.podName(name), opts)
	})
}

func podsLike(pod *v1.Pod, workload string) (*metav1.LabelSelector, v1.PodTemplateSpec) {
	labels := map[string]string{"workload": workload}
	maps.Copy(labels, pod.Labels)
	return &metav1.LabelSelector{MatchLabels: labels}, v1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: labels, Annotations: pod.Annotations},
		Spec:       pod.Spec,
	}
}

// removeController has the controller of some pods removed at the end of the
// test, before the pool is, so that it does not replace the pods that go.
func (p *pool) removeController(remove func(context.Context, metav1.DeleteOptions) error) {
	p.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(p.t.Context()), timeout)
		defer cancel()
		// In the foreground, so that it is there as long as its pods are.
		foreground := metav1.DeletePropagationForeground
		err := cluster.WaitFor(ctx, "the controller to be gone", func(ctx context.Context) (bool, error) {
			err := remove(ctx, metav1.DeleteOptions{PropagationPolicy: &foreground})
			return apierrors.IsNotFound(err), err
		})
		if err != nil {
			p.t.Error(err)
		}
	})
}

func (p *pool) scale(deployment string, replicas int32) {
	p.t.Helper()
	deployments := p.local.Clientset.AppsV1().Deployments("default")
	scale, err := deployments.GetScale(p.t.Context(), p.podName(deployment), metav1.GetOptions{})
	p.must(err)
	scale.Spec.Replicas = replicas
	_, err = deployments.UpdateScale(p.t.Context(), p.podName(deployment), scale, metav1.UpdateOptions{})
	p.must(err)
}
