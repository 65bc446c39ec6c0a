package integration

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/types"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/plimsoll-scheduler/plimsoll/test/cluster"
)

// whyOf runs kubectl plimsoll why as the administrator, until it says all of this.
func (p *pool) whyOf(s *scheduler, pod string, want ...string) (screen string) {
	p.t.Helper()
	admin := &cli{pool: p, kubeconfig: p.local.Kubeconfig}
	p.wait("why to tell of "+pod, func(context.Context) (bool, error) {
		out, err := admin.run("why", pod, "--scheduler-url", "https://"+s.DecisionsAddress())
		if screen = out; err != nil {
			screen += err.Error()
		}
		for _, text := range want {
			if !strings.Contains(screen, text) {
				return false, fmt.Errorf("no %q in:\n%s", text, screen)
			}
		}
		return true, nil
	})
	p.t.Logf("why %s:\n%s", pod, screen)
	return screen
}

// A pod that preempts another waits for that to leave; why says of both what goes on, and
// tells of the one that was preempted also when it is gone.
func TestWhyOfPreemption(t *testing.T) {
	t.Parallel()
	const finalizer = "plimsoll.io/test" // it keeps the victim for as long as the test looks
	p := newPool(t, node{name: "n"})
	low, high := p.priority(1), p.priority(1000)
	base, victim := p.user("base", "n", high, "3900m"), p.user("victim", "n", low, "4")
	victim.Spec.SchedulerName, victim.Finalizers = p.profile("plimsoll"), []string{finalizer}
	p.create(base, victim)
	release := func(ctx context.Context) error {
		_, err := p.local.Clientset.CoreV1().Pods("default").Patch(ctx, victim.Name, types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`), metav1.PatchOptions{})
		return err
	}
	t.Cleanup(func() { _ = release(context.WithoutCancel(t.Context())) })
	p.waitUsage(node{name: "n", uses: "7900m"})
	s := startScheduler(t, "plimsoll.yaml", quickly)

	preemptor := withCPU(p.pod("preemptor", "plimsoll"), "2")
	preemptor.Spec.PriorityClassName = high
	p.create(preemptor)
	p.wait("the victim to be evicted", func(context.Context) (bool, error) { return p.isGone(victim), nil })
	p.whyOf(s, preemptor.Name, "It preempts pods on the node "+p.nodeName("n"), "waits for 1 of them to leave: default/"+victim.Name)
	p.whyOf(s, victim.Name, "It is being evicted", "(by pod default/"+preemptor.Name+" on node "+p.nodeName("n")+")", "it is kept by the finalizer "+finalizer)

	p.must(release(t.Context()))
	if got := p.nodeOf(preemptor); got != "n" {
		t.Errorf("the preemptor is on %s", got)
	}
	p.whyOf(s, preemptor.Name, "It is on the node "+p.nodeName("n"))
	p.whyOf(s, victim.Name, "there is no pod "+victim.Name, "was preempted", "by pod default/"+preemptor.Name+" on node "+p.nodeName("n"))
}

// What is short may be memory: it is named, with its numbers, by why and by the event.
func TestWhyOfAPodThatWaitsForMemory(t *testing.T) {
	t.Parallel()
	p := newPool(t, node{name: "n", uses: "1"})
	full := p.user("full", "n", "", "500m")
	full.Annotations = cluster.Usage{CPU: "500m", Memory: "88Gi"}.Annotations()
	p.create(full)
	p.wait("metrics-server to show the memory", func(ctx context.Context) (bool, error) {
		got, err := p.local.Metrics.MetricsV1beta1().NodeMetricses().Get(ctx, p.nodeName("n"), metav1.GetOptions{})
		if err != nil {
			return false, err
		}
		return got.Usage.Memory().Cmp(resource.MustParse("80Gi")) > 0, errors.New(got.Usage.Memory().String())
	})
	s := startScheduler(t, "plimsoll.yaml", nil)
	waits := p.pod("waits", "plimsoll")
	waits.Spec.Containers[0].Resources.Requests[v1.ResourceMemory] = resource.MustParse("4Gi")
	p.create(waits)
	p.rejected(waits)
	screen := p.whyOf(s, waits.Name, "node(s) over the memory load line", "whose memory has to fall by ", "of memory (to ")
	if strings.Contains(screen, "cpu has to fall") || strings.Contains(screen, "falling by 0.00 cores") {
		t.Errorf("CPU is said to be short:\n%s", screen)
	}
	p.waitDescribed("pod", waits.Name, "WaitsForLoad", "closest is "+p.nodeName("n")+", whose memory has to fall by ", "Gi (", "with the pod it is predicted at ", "Gi, and the line is at ")
}
