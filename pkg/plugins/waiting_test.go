package plugins_test

import (
	"slices"
	"strings"
	"testing"

	v1 "k8s.io/api/core/v1"
	schedulingv1beta1 "k8s.io/api/scheduling/v1beta1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	featuregatetesting "k8s.io/component-base/featuregate/testing"
	"k8s.io/kubernetes/pkg/features"

	"github.com/plimsoll-scheduler/plimsoll/pkg/apis/config"
	"github.com/plimsoll-scheduler/plimsoll/pkg/explain"
)

// latest has what was measured last decide, and nothing but that.
const latest = "{window: 0s}"

// DefaultPreemption ends the cycle of a pod for which it evicts another one. The
// pod is retried when that is gone all the same.
func TestPreemptorIsRetriedWhenItsVictimIsGone(t *testing.T) {
	c := newCluster(t, latest, 1, "n")
	c.running("base", "n", 1000, "4")
	victim := c.running("victim", "n", 0, "5")
	c.start()
	c.eventually("it to be known what the victim uses", func() bool {
		trial := c.model.Try("n")
		return trial != nil && trial.Remove(victim)
	})
	c.create(pending("preemptor", 1000, "1"))
	c.wantBound("preemptor")
	c.eventually("its place to be explained", func() bool {
		d := c.decisions.Get("default/preemptor")
		return d != nil && d.Result == explain.Placed
	})
	if _, err := c.CoreV1().Pods("default").Get(t.Context(), "victim", metav1.GetOptions{}); err == nil {
		t.Error("the victim was not evicted")
	}
}

// PostFilter does not run for the pods of a group.
func TestPodGroupIsRetriedWhenLoadDrops(t *testing.T) {
	featuregatetesting.SetFeatureGateDuringTest(t, utilfeature.DefaultFeatureGate, features.GenericWorkload, true)
	// Or an idle scheduler would retry a group again and again, and before an hour.
	featuregatetesting.SetFeatureGateDuringTest(t, utilfeature.DefaultFeatureGate, features.SchedulerPopFromBackoffQ, false)
	c := newCluster(t, latest, 3600, "n")
	c.running("user", "n", 1000, "5")
	group := &schedulingv1beta1.PodGroup{ObjectMeta: metav1.ObjectMeta{Name: "group", Namespace: "default", UID: "group"}}
	group.Spec.SchedulingPolicy.Gang = &schedulingv1beta1.GangSchedulingPolicy{MinCount: 2}
	_, err := c.SchedulingV1beta1().PodGroups("default").Create(t.Context(), group, metav1.CreateOptions{})
	c.must(err)
	for _, name := range []string{"a", "b"} { // there is room for one
		pod := pending(name, 0, "2")
		pod.Spec.SchedulingGroup = &v1.PodSchedulingGroup{PodGroupName: &group.Name}
		c.create(pod)
	}
	c.start()
	c.eventually("the group to back off", func() bool { return len(c.SchedulingQueue.PodsInBackoffQ()) == 2 })
	c.create(pending("next", 0, "100m"))
	c.wantBound("next")
	c.eventually("one of the pods to be explained as taken back, and the other as waiting", func() bool {
		a, b := c.decisions.Get("default/a"), c.decisions.Get("default/b")
		return a != nil && b != nil && slices.Contains([]explain.Result{a.Result, b.Result}, explain.TakenBack) &&
			strings.Contains(a.WaitsFor+b.WaitsFor, "closest is n, whose cpu has to fall by")
	})
	c.annotate("user", useAnnotation, "1")
	c.wantBound("a", "b")
}

// A node that is added is not measured yet, which under Reject is a reason to
// reject it. Its first sample is no event of the cluster.
func TestPodsAreRetriedWhenANewNodeIsMeasured(t *testing.T) {
	c := newCluster(t, "{window: 0s, stalePolicy: Reject}", 1, "hot")
	c.running("user", "hot", 1000, "9")
	c.create(pending("p", 0, "1"))
	c.setMeasured("new", false)
	c.start()
	c.waitRejected("p")
	c.addNode("new")
	c.eventually("the load model to know the node", func() bool {
		view := c.model.View()
		return view.Node("new") != nil
	})
	c.waitRejected("p")
	c.setMeasured("new", true)
	c.wantBound("p")
}

func TestPodsAreRetriedWhenTheirAnnotationsChange(t *testing.T) {
	for name, annotation := range map[string][2]string{
		"estimate":           {config.EstimateAnnotation, `{"cpu": "100m"}`},
		"when-unsatisfiable": {config.WhenUnsatisfiableAnnotation, string(config.ScheduleAnyway)},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, latest, 1, "n")
			c.running("user", "n", 1000, "8")
			c.create(pending("p", 0, "1"))
			c.start()
			c.waitRejected("p")
			c.annotate("p", annotation[0], annotation[1])
			c.wantBound("p")
		})
	}
}

func TestPodsAreRetriedWhenANodesThresholdsChange(t *testing.T) {
	c := newCluster(t, latest, 1, "n")
	c.running("user", "n", 1000, "8")
	c.create(pending("p", 0, "1"))
	c.start()
	c.waitRejected("p")
	node, err := c.CoreV1().Nodes().Get(t.Context(), "n", metav1.GetOptions{})
	c.must(err)
	node.Annotations = map[string]string{config.ThresholdsAnnotation: `{"cpu": 95}`}
	node.ResourceVersion += "1"
	_, err = c.CoreV1().Nodes().Update(t.Context(), node, metav1.UpdateOptions{})
	c.must(err)
	c.wantBound("p")
}
