package integration

import (
	"context"
	"fmt"
	"testing"

	v1 "k8s.io/api/core/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/plimsoll-scheduler/plimsoll/test/cluster"
)

// priority makes a priority class for the test and returns its name.
func (p *pool) priority(value int32) string {
	p.t.Helper()
	name := fmt.Sprintf("%s-%d", p.name, value)
	class := &schedulingv1.PriorityClass{ObjectMeta: metav1.ObjectMeta{Name: name}, Value: value}
	_, err := p.local.Clientset.SchedulingV1().PriorityClasses().Create(p.t.Context(), class, metav1.CreateOptions{})
	p.must(err)
	p.t.Cleanup(func() {
		err := p.local.Clientset.SchedulingV1().PriorityClasses().Delete(context.WithoutCancel(p.t.Context()), name, metav1.DeleteOptions{})
		if err != nil {
			p.t.Error(err)
		}
	})
	// The API server takes pods of the class a moment after it took the class.
	trial := p.pod("trial-"+name, "")
	trial.Spec.PriorityClassName = name
	p.wait("priority class "+name+" to be known", func(ctx context.Context) (bool, error) {
		_, err := p.local.Clientset.CoreV1().Pods("default").Create(ctx, trial, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		return err == nil, err
	})
	return name
}

// user is a pod on the node that uses so many cores, and requests next to none.
func (p *pool) user(name, node, class, cores string) *v1.Pod {
	pod := withCPU(p.pod(name, ""), "10m")
	pod.Spec.NodeName = p.nodeName(node)
	pod.Spec.PriorityClassName = class
	pod.Annotations = cluster.Usage{CPU: cores, Memory: "1Gi"}.Annotations()
	return pod
}

// quickly has pods count as warm after five seconds, and the latest sample
// decide alone.
func quickly(config map[string]any) {
	args(config)["window"] = "0s"
	args(config)["source"] = map[string]any{"interval": "5s", "timeout": "5s"}
	args(config)["estimate"] = map[string]any{"warmUp": "5s"}
}

// A preemptor evicts the pod whose removal makes room, though another requests
// as much, and evicts it once.
func TestPreemptionEvictsWhatRelievesTheNode(t *testing.T) {
	t.Parallel()
	p := newPool(t, node{name: "n"})
	low, high := p.priority(1), p.priority(1000)
	base, heavy, light := p.user("base", "n", high, "3900m"), p.user("heavy", "n", low, "4"), p.user("light", "n", low, "300m")
	p.create(base, heavy, light)
	p.waitUsage(node{name: "n", uses: "8200m"})
	startScheduler(t, "plimsoll.yaml", quickly)

	preemptor := withCPU(p.pod("preemptor", "plimsoll"), "2")
	preemptor.Spec.PriorityClassName = high
	p.create(preemptor)
	if got := p.nodeOf(preemptor); got != "n" {
		t.Errorf("the preemptor is on %s", got)
	}
	if !p.isGone(heavy) || p.isGone(light) || p.isGone(base) {
		t.Errorf("evicted: heavy %t, light %t, base %t, want only the heavy one", p.isGone(heavy), p.isGone(light), p.isGone(base))
	}
}

// Nothing is evicted where no eviction can help.
func TestPreemptionEvictsNothingInVain(t *testing.T) {
	t.Parallel()
	p := newPool(t, node{name: "n"})
	low, high := p.priority(1), p.priority(1000)
	base, light := p.user("base", "n", high, "8500m"), p.user("light", "n", low, "200m")
	p.create(base, light)
	p.waitUsage(node{name: "n", uses: "8700m"})
	s := startScheduler(t, "plimsoll.yaml", quickly)

	preemptor := withCPU(p.pod("preemptor", "plimsoll"), "2")
	preemptor.Spec.PriorityClassName = high
	p.create(preemptor)
	p.rejected(preemptor)
	// Its candidates are measured by then. If it was not known before what they use,
	// it is tried again, in vain.
	for range 3 {
		s.waitPolls()
	}
	p.rejected(preemptor)
	if p.isGone(light) || p.isGone(base) {
		t.Error("a pod was evicted in vain")
	}
}

// isGone reports whether the pod is deleted, or about to be.
func (p *pool) isGone(pod *v1.Pod) bool {
	p.t.Helper()
	got, err := p.local.Clientset.CoreV1().Pods("default").Get(p.t.Context(), pod.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return true
	}
	p.must(err)
	return got.DeletionTimestamp != nil
}
