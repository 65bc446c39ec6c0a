package kube_test

import (
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/types"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	featuregatetesting "k8s.io/component-base/featuregate/testing"
	"k8s.io/kubernetes/pkg/features"

	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/kube"
)

func TestPodsPreemptIfTheCallerEvicts(t *testing.T) {
	featuregatetesting.SetFeatureGateDuringTest(t, utilfeature.DefaultFeatureGate, features.SchedulerAsyncPreemption, false)
	for name, want := range map[string]struct {
		nominated string
		evicted   []types.NamespacedName
	}{
		"the caller evicts": {nominated: "n", evicted: []types.NamespacedName{nameOf("low")}},
		"it does not":       {},
	} {
		t.Run(name, func(t *testing.T) {
			var evicted []types.NamespacedName
			f := newFixture(t, func(o *kube.Options) {
				if len(want.evicted) > 0 {
					o.Evict = func(pod types.NamespacedName) { evicted = append(evicted, pod) }
				}
			})
			f.addNode("n", 10, 1)
			f.Poll(t.Context())
			f.must(f.AddPod(pod("low", "8")))
			f.schedule()
			high := pod("high", "5")
			priority := int32(100)
			high.Spec.Priority = &priority
			f.must(f.AddPod(high))
			d := f.schedule()
			if d.Node != "" || d.Nominated != want.nominated || !slices.Equal(evicted, want.evicted) {
				t.Errorf("the decision is %+v, and %v were evicted; want a nomination to %q, and %v", d, evicted, want.nominated, want.evicted)
			}
			if got := f.Unschedulable(); !slices.Equal(got, []types.NamespacedName{nameOf("high")}) {
				t.Errorf("%v wait, want high", got)
			}
			f.must(f.DeletePod(nameOf("low")))
			if d := f.schedule(); d.Node != "n" {
				t.Errorf("the decision is %+v when the victim has gone, want n", d)
			}
		})
	}
}

func TestAPodThatIsLostIsGone(t *testing.T) {
	f := newFixture(t, nil)
	f.addNode("n", 10, 1)
	f.Poll(t.Context())
	f.must(f.AddPod(pod("p", "2")))
	f.schedule()
	f.must(f.LosePod(nameOf("p")))
	if _, err := f.Pod(nameOf("p")); err == nil {
		t.Error("the pod is there after it was lost")
	}
	infos, err := f.NodeInfos()
	f.must(err)
	if n := len(infos[0].GetPods()); n != 0 {
		t.Errorf("the scheduler has %d pods on the node, want none", n)
	}
	if states := f.Model().PodsOn("n"); len(states) != 0 {
		t.Errorf("the load model has %+v on the node, want nothing", states)
	}
	if err := f.LosePod(nameOf("p")); err == nil {
		t.Error("a pod can be lost twice")
	}
}
