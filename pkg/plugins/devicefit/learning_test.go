package devicefit

import (
	"context"
	"fmt"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework"
	st "k8s.io/kubernetes/pkg/scheduler/testing"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
)

// The mix is learned from the pods of all schedulers, as they are created; one
// that changes later is not counted again.
func TestMixIsLearnedFromPods(t *testing.T) {
	c := newCluster()
	pod := func(name string, requests resources) *v1.Pod {
		pod := st.MakePod().Name(name).Namespace("default").UID(name).CreationTimestamp(metav1.NewTime(c.clock.Now())).Req(requests).Obj()
		pod.Spec.SchedulerName = "another"
		return pod
	}
	client := fake.NewClientset(
		pod("three", resources{gpu: "3", "cpu": "1500m", "memory": "1Gi"}),
		pod("plain", resources{"cpu": "1"}),
	)
	c.informers = informers.NewSharedInformerFactory(client, 0)
	pl := pluginOf(t, c, `{}`)
	c.informers.Start(t.Context().Done())
	// learned waits until so many devices of pods with as many each are known.
	learned := func(count int64, devices float64, total float64) {
		t.Helper()
		var weight float64
		err := wait.PollUntilContextTimeout(t.Context(), time.Millisecond, 30*time.Second, true, func(context.Context) (bool, error) {
			c.clock.Step(time.Second)
			weight = 0
			for _, s := range pl.learner.Mix().Shapes(gpu) {
				if s.Count == count {
					if s.Requests != (amount.Vector{1500, 1 << 30}) {
						return false, fmt.Errorf("the shape asks for %v", s.Requests)
					}
					weight += s.Weight
				}
			}
			return weight > devices/total-1e-3 && weight < devices/total+1e-3, nil
		})
		if err != nil {
			t.Fatalf("pods with %d devices weigh %v, want %v: %v", count, weight, devices/total, err)
		}
	}
	learned(3, 3, 32+3)
	five := pod("five", resources{gpu: "5", "cpu": "1500m", "memory": "1Gi"})
	if _, err := client.CoreV1().Pods("default").Create(t.Context(), five, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	learned(5, 5, 32+3+5)
	five.Labels = map[string]string{"a": "b"}
	if _, err := client.CoreV1().Pods("default").Update(t.Context(), five, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	// This one comes after the update, and so does what is known then.
	if _, err := client.CoreV1().Pods("default").Create(t.Context(), pod("seven", resources{gpu: "7", "cpu": "1500m", "memory": "1Gi"}), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	learned(7, 7, 32+3+5+7)
	learned(5, 5, 32+3+5+7)
}

// The mix leaves out what asks for more devices than the largest node has, whatever
// extension point comes first, and whether or not anything is counted for metrics.
func TestMixIsFittedToTheNodes(t *testing.T) {
	for name, begin := range map[string]func(*DeviceFit, fwk.CycleState, *v1.Pod){
		"PreFilter": func(pl *DeviceFit, state fwk.CycleState, pod *v1.Pod) { pl.PreFilter(t.Context(), state, pod, nil) },
		"PreScore":  func(pl *DeviceFit, state fwk.CycleState, pod *v1.Pod) { pl.PreScore(t.Context(), state, pod, nil) },
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster()
			pl := pluginOf(t, c, `{}`)
			largest := func() (count int64) {
				c.clock.Step(fitsEvery)
				state, pod := framework.NewCycleState(), st.MakePod().Req(resources{gpu: "1"}).Obj()
				begin(pl, state, pod)
				for _, shape := range pl.cycleOf(state, pod).mix.Shapes(gpu) {
					count = max(count, shape.Count)
				}
				return count
			}
			c.setNodes(newNode(t, "a", resources{gpu: "4"}), newNode(t, "b", resources{gpu: "2"}))
			if got := largest(); got != 4 {
				t.Errorf("the largest shape has %d devices, want 4 as the largest node has", got)
			}
			c.setNodes(newNode(t, "b", resources{gpu: "2"}))
			if got := largest(); got != 2 {
				t.Errorf("the largest shape has %d devices, want 2 since the larger node is gone", got)
			}
		})
	}
}
