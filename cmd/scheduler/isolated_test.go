package main

import (
	"testing"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/apis/scheduling"
	"k8s.io/kubernetes/pkg/scheduler/framework"

	"github.com/plimsoll-scheduler/plimsoll/pkg/apis/config"
)

func TestIsolatedPodsAreEvictedForTheSystemAlone(t *testing.T) {
	isolated := &v1.Pod{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{config.IsolatedAnnotation: "{}"}}}
	owned := isolated.DeepCopy()
	owned.OwnerReferences = []metav1.OwnerReference{{Kind: "ReplicaSet", Name: "web", Controller: new(true)}}
	ordinary, critical := int32(1000), scheduling.SystemCriticalPriority
	for _, test := range []struct {
		name     string
		victim   *v1.Pod
		priority int32
		want     bool
	}{
		{"a pod like others", &v1.Pod{}, ordinary, true},
		{"an isolated pod", isolated, ordinary, false},
		{"an isolated pod, for the system", isolated, critical, true},
		{"a replica whose template has the annotation", owned, ordinary, true},
	} {
		preemptor := &v1.Pod{Spec: v1.PodSpec{Priority: &test.priority}}
		info, err := framework.NewPodInfo(test.victim)
		if err != nil {
			t.Fatal(err)
		}
		if got := mayEvict([]fwk.PodInfo{info}, preemptor); got != test.want {
			t.Errorf("%s may be evicted: %t, want %t", test.name, got, test.want)
		}
	}
}
