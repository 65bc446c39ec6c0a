package integration

import (
	"cmp"
	"context"
	"fmt"
	"testing"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/plimsoll-scheduler/plimsoll/pkg/explain"
)

// With --observe no pod is placed, and it is told where those of the other scheduler would
// have gone.
func TestObserving(t *testing.T) {
	t.Parallel()
	p := newPool(t, node{name: "hot", gpus: 8, uses: "9"}, node{name: "cool", gpus: 8, uses: "1"})
	s := startScheduler(t, "plimsoll.yaml", nil, "--observe=default-scheduler")
	reader := p.reader()
	own := p.pod("own", "plimsoll")
	p.create(own)
	// The other scheduler goes by requests, and is made to choose the hot node.
	theirs := withGPUs(p.pod("theirs", ""), "1")
	theirs.Spec.SchedulerName = "default-scheduler"
	theirs.Spec.Affinity = &v1.Affinity{NodeAffinity: &v1.NodeAffinity{PreferredDuringSchedulingIgnoredDuringExecution: []v1.PreferredSchedulingTerm{{
		Weight: 100, Preference: v1.NodeSelectorTerm{MatchExpressions: []v1.NodeSelectorRequirement{
			{Key: "kubernetes.io/hostname", Operator: v1.NodeSelectorOpIn, Values: []string{p.nodeName("hot")}},
		}},
	}}}}
	before, _, err := s.metric(t.Context(), `plimsoll_observed_pods_total{profile="`+p.profile("plimsoll")+`",result="rejected"}`)
	p.must(err)
	p.create(theirs)
	bound := p.nodeOf(theirs)
	d := explain.Decision{}
	p.wait("the pod to be compared", func(ctx context.Context) (bool, error) {
		var err error
		d, err = p.lastDecision(ctx, s, reader, theirs)
		return err == nil && d.Result == explain.Observed, cmp.Or(err, fmt.Errorf("%+v", d.Summary))
	})
	if d.Node != p.nodeName("cool") || d.Bound != p.nodeName(bound) {
		t.Errorf("%+v, want that it would have gone to cool, and is on %s", d.Summary, bound)
	}
	if bound == "hot" {
		p.wait("the rejection to be counted", func(ctx context.Context) (bool, error) {
			after, _, err := s.metric(ctx, `plimsoll_observed_pods_total{profile="`+p.profile("plimsoll")+`",result="rejected"}`)
			return after > before, err
		})
	}
	got, err := p.local.Clientset.CoreV1().Pods("default").Get(t.Context(), own.Name, metav1.GetOptions{})
	p.must(err)
	if got.Spec.NodeName != "" {
		t.Errorf("a scheduler that observes has placed a pod on %s", got.Spec.NodeName)
	}
}

// What is wrong around the scheduler is in its log, with a remedy, and in a metric.
func TestSelfCheck(t *testing.T) {
	t.Parallel()
	p := newPool(t)
	s := p.startUnmeasured("plimsoll.yaml", nil)
	p.wait("the checks to be made", func(ctx context.Context) (bool, error) {
		for _, check := range []string{"metrics_api", "rbac", "clock"} {
			found, made, err := s.metric(ctx, fmt.Sprintf("plimsoll_self_check_findings{check=%q}", check))
			if err != nil || !made {
				return false, err
			}
			if found != 0 {
				t.Fatalf("%s finds something wrong in a cluster where all is well", check)
			}
		}
		return true, nil
	})
}
