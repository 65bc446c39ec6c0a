package main

import (
	"testing"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/apis/scheduling"
	"k8s.io/kubernetes/pkg/scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework/preemption"

	"github.com/plimsoll-scheduler/plimsoll/pkg/apis/config"
)

// candidate is a pod that preemption might evict.
type candidate struct {
	preemption.Victim
	pod *v1.Pod
}

func (c candidate) Pods() []fwk.PodInfo {
	info, err := framework.NewPodInfo(c.pod)
	if err != nil {
		panic(err)
	}
	return []fwk.PodInfo{info}
}
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
		if got := mayEvict(nil, candidate{pod: test.victim}, preemptor); got != test.want {
			t.Errorf("%s may be evicted: %t, want %t", test.name, got, test.want)
		}
	}
}
