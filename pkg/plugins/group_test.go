//go:build !k8s136 && !k8s135

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

	"github.com/plimsoll-scheduler/plimsoll/pkg/explain"
)

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
