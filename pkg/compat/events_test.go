package compat_test

import (
	"slices"
	"testing"

	v1 "k8s.io/api/core/v1"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework"
	st "k8s.io/kubernetes/pkg/scheduler/testing"

	"github.com/plimsoll-scheduler/plimsoll/pkg/compat"
)

// What a plugin is asked about is the same for all minors, whatever events it gets.
func TestPluginsAreAskedAboutTheEventsThatTheyAreFor(t *testing.T) {
	const assigned = fwk.EventResource("AssignedPod")
	own, others := fwk.EventResource("TargetPod"), fwk.EventResource("UnscheduledPod")
	if slices.Contains([]string{"1.36", "1.35"}, compat.Minor) {
		own, others = "UnschedulablePod", "UnschedulablePod"
	}
	waiting := st.MakePod().UID("waiting").Obj()
	other, placed := st.MakePod().UID("other").Obj(), st.MakePod().UID("placed").Node("n").Obj()
	for _, test := range []struct {
		name           string
		resource       fwk.EventResource
		action         fwk.ActionType
		oldObj, newObj any
		own, assigned  bool // which hint is asked
	}{
		{"the pod itself changes", own, fwk.Update, waiting, waiting, true, false},
		{"the pod itself gets labels", own, fwk.UpdatePodLabel, waiting, waiting, true, false},
		{"the pod itself requests less", own, fwk.UpdatePodScaleDown, waiting, waiting, true, false},
		{"another pod that waits changes", others, fwk.Update, other, other, false, false},
		{"another pod that waits requests less", others, fwk.UpdatePodScaleDown, other, other, false, false},
		{"another pod that waits is new", others, fwk.Add, nil, other, false, false},
		{"a pod is placed", assigned, fwk.Add, nil, placed, false, true},
		{"a placed pod is gone", assigned, fwk.Delete, placed, nil, false, true},
		{"a placed pod requests less", assigned, fwk.UpdatePodScaleDown, placed, placed, false, true},
		{"a placed pod gets labels", assigned, fwk.UpdatePodLabel, placed, placed, false, false},
		{"a node changes", fwk.Node, fwk.UpdateNodeLabel, &v1.Node{}, &v1.Node{}, false, false},
	} {
		asked := func(register func(fwk.QueueingHintFn) fwk.ClusterEventWithHint) (asked bool) {
			registered := register(func(klog.Logger, *v1.Pod, any, any) (fwk.QueueingHint, error) {
				asked = true
				return fwk.Queue, nil
			})
			if framework.MatchClusterEvents(registered.Event, fwk.ClusterEvent{Resource: test.resource, ActionType: test.action}) {
				hint, err := registered.QueueingHintFn(klog.Background(), waiting, test.oldObj, test.newObj)
				if err != nil || asked != (hint == fwk.Queue) {
					t.Errorf("%s: hint %v, %v, and the plugin was asked: %t", test.name, hint, err, asked)
				}
			}
			return asked
		}
		if got := asked(compat.WhenOwnPodChanges); got != test.own {
			t.Errorf("%s: the hint for the pod itself is asked: %t, want %t", test.name, got, test.own)
		}
		if got := asked(compat.WhenAssignedPodsChange); got != test.assigned {
			t.Errorf("%s: the hint for placed pods is asked: %t, want %t", test.name, got, test.assigned)
		}
	}
}
