package devicefit

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/backend/cache"
	"k8s.io/kubernetes/pkg/scheduler/framework"
	st "k8s.io/kubernetes/pkg/scheduler/testing"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/apis/config"
	"github.com/plimsoll-scheduler/plimsoll/pkg/compat"
)

// onePerDevice is a core for each free device: on nodes of 64 cores with 8 free
// devices, up to 56 may be in use.
const onePerDevice = `{"headroomPerDevice": {"cpu": "1"}}`

// mostWakesAgain is after how long a pod that was woken is woken again if it was
// not tried: see package waiting.
const mostWakesAgain = 5 * time.Minute

// waitingPod is one without devices that the API server knows of.
func (c *cluster) waitingPod(t *testing.T, name, cores string, priority int32) *v1.Pod {
	t.Helper()
	pod := st.MakePod().Name(name).UID(name).Namespace("default").Priority(priority).Req(resources{"cpu": cores}).Obj()
	if err := c.informers.Core().V1().Pods().Informer().GetStore().Add(pod); err != nil {
		t.Fatal(err)
	}
	return pod
}

// attempt has the plugin filter the nodes for the pod, and returns those that it
// rejects. If it rejects all, the pod waits.
func (c *cluster) attempt(t *testing.T, pl *DeviceFit, pod *v1.Pod, nodes ...fwk.NodeInfo) (rejecting []string) {
	t.Helper()
	var objects []*v1.Node
	for _, node := range nodes {
		objects = append(objects, node.Node())
	}
	*c.lister = *cache.NewSnapshot(nil, objects)
	state, statuses := framework.NewCycleState(), framework.NewDefaultNodeToStatus()
	if _, status := pl.PreFilter(t.Context(), state, pod, nodes); status.IsSkip() {
		return nil
	} else if !status.IsSuccess() {
		t.Fatal(status.AsError())
	}
	for _, node := range nodes {
		if status := pl.Filter(t.Context(), state, pod, node); !status.IsSuccess() {
			statuses.Set(node.Node().Name, status.WithPlugin(Name))
			rejecting = append(rejecting, node.Node().Name)
		}
	}
	if len(rejecting) == len(nodes) {
		if _, status := pl.PostFilter(t.Context(), state, pod, statuses); status.Code() != fwk.Unschedulable {
			t.Errorf("PostFilter: %v, want that it leaves the pod unschedulable", status)
		}
	}
	return rejecting
}

// wokenBy returns the pods that the next poll puts back into the queue, which
// shows so many cores in use on the node.
func (c *cluster) wokenBy(t *testing.T, node string, cores float64) []string {
	t.Helper()
	c.clock.Step(15 * time.Second)
	c.use[node] = [amount.NumResources]float64{cores, 1 << 30}
	c.activated = nil
	c.model.Poll(t.Context())
	slices.Sort(c.activated)
	return c.activated
}

func TestRejectedPodsWakeAsThereIsRoom(t *testing.T) {
	c := newCluster()
	a, b := c.addNode(t, "a", 60), c.addNode(t, "b", 60)
	c.model.Poll(t.Context())
	pl := pluginOf(t, c, onePerDevice)
	for i, priority := range []int32{0, 0, 0, 5, 0} {
		pod := c.waitingPod(t, fmt.Sprint("p", i), "2", priority)
		if got := c.attempt(t, pl, pod, a, b); len(got) != 2 {
			t.Fatalf("rejected by %v, want both nodes", got)
		}
		c.clock.Step(time.Second)
	}
	large := c.waitingPod(t, "large", "30", 0)
	c.attempt(t, pl, large, a, b)
	for _, step := range []struct {
		node  string
		cores float64
		want  []string
	}{
		{"a", 54.1, nil},
		{"a", 54, []string{"p3"}},
		{"b", 50, []string{"p0", "p1", "p2", "p3"}}, // one on a, three on b
		{"a", 60, []string{"p0", "p1", "p3"}},
		{"b", 6, []string{"large", "p0", "p1", "p2", "p3", "p4"}},
		{"b", 60, nil},
	} {
		c.clock.Step(mostWakesAgain) // for those that were woken before
		if got := c.wokenBy(t, step.node, step.cores); !slices.Equal(got, step.want) {
			t.Errorf("%v cores in use on %s: woken %v, want %v", step.cores, step.node, got, step.want)
		}
	}
}

// filter has the node reject the pod in a cycle that another plugin ends.
func (c *cluster) filter(t *testing.T, pl *DeviceFit, pod *v1.Pod, node fwk.NodeInfo) {
	t.Helper()
	state := framework.NewCycleState()
	pl.PreFilter(t.Context(), state, pod, nil)
	if pl.Filter(t.Context(), state, pod, node).IsSuccess() {
		t.Fatalf("%s takes the pod", node.Node().Name)
	}
}

func TestRejectedPodsWakeWhoeverEndsTheCycle(t *testing.T) {
	c := newCluster()
	node := c.addNode(t, "n", 60)
	c.model.Poll(t.Context())
	pl := pluginOf(t, c, onePerDevice)
	c.filter(t, pl, c.waitingPod(t, "p", "2", 0), node)
	if got := c.wokenBy(t, "n", 1); !slices.Equal(got, []string{"p"}) {
		t.Errorf("woken: %v", got)
	}
}

// The source may fail for so long that what was last measured counts no more: then
// requests do, by which the node may have headroom. One attempt tells.
func TestRejectedPodsWakeWhenTheNodeIsNoLongerMeasured(t *testing.T) {
	c := newCluster()
	node := c.addNode(t, "n", 60, resources{"cpu": "60"})
	c.model.Poll(t.Context())
	pl := pluginOf(t, c, onePerDevice)
	pod := c.waitingPod(t, "p", "2", 0)
	poll := func() []string {
		c.activated = nil
		c.model.Poll(t.Context())
		return c.activated
	}
	c.filter(t, pl, pod, node)
	delete(c.use, "n")
	c.clock.Step(time.Minute)
	if got := poll(); len(got) != 0 {
		t.Errorf("woken while the sample counts: %v", got)
	}
	c.clock.Step(9 * time.Minute)
	if got := poll(); len(got) != 0 {
		t.Errorf("woken although nothing is known to have changed: %v", got)
	}
	c.clock.Step(time.Hour)
	if got := poll(); !slices.Equal(got, []string{"p"}) {
		t.Errorf("woken when the sample is too old: %v", got)
	}
	c.filter(t, pl, pod, node)
	c.clock.Step(time.Hour)
	if got := poll(); len(got) != 0 {
		t.Errorf("woken after requests were the reason: %v", got)
	}
}

// The scheduler may know a node before the load model does.
func TestRejectedPodsWakeWhenANewNodeHasHeadroom(t *testing.T) {
	c := newCluster()
	c.addNode(t, "hot", 60)
	c.model.Poll(t.Context())
	pl := pluginOf(t, c, onePerDevice)
	node := newNode(t, "new", resources{gpu: "8", "cpu": "64", "memory": "256Gi"}, resources{"cpu": "60"})
	pod := c.waitingPod(t, "p", "2", 0)
	c.filter(t, pl, pod, node)
	c.measure(node, 10)
	if got := c.wokenBy(t, "hot", 60); !slices.Equal(got, []string{"p"}) {
		t.Errorf("woken: %v", got)
	}
}

// A cycle of a pod that has a node, which is to be resized, is none of ours.
func TestPodsThatHaveANode(t *testing.T) {
	c := newCluster()
	node := c.addNode(t, "n", 63)
	c.model.Poll(t.Context())
	pl := pluginOf(t, c, onePerDevice)
	pod := c.waitingPod(t, "p", "2", 0)
	pod.Spec.NodeName = "n"
	pod.Status.Conditions = []v1.PodCondition{{Type: v1.PodResizePending, Status: v1.ConditionTrue, Reason: v1.PodReasonDeferred}}
	state := framework.NewCycleState()
	if _, status := pl.PreFilter(t.Context(), state, pod, nil); !status.IsSkip() {
		t.Errorf("PreFilter: %v, want that Filter is skipped", status)
	}
	if status := pl.Filter(t.Context(), state, pod, node); !status.IsSuccess() {
		t.Errorf("Filter: %v", status)
	}
	if status := pl.PreScore(t.Context(), state, pod, nil); !status.IsSkip() {
		t.Errorf("PreScore: %v, want that Score is skipped", status)
	}
	if _, status := pl.Score(t.Context(), state, pod, node); !status.IsSuccess() {
		t.Errorf("Score: %v", status)
	}
	pl.Reserve(t.Context(), state, pod, "n")
	pl.Unreserve(t.Context(), state, pod, "n")
	pl.PostFilter(t.Context(), state, pod, framework.NewDefaultNodeToStatus())
	if pl.waiting.Len() != 0 {
		t.Error("it is remembered as a pod that waits for load")
	}
	if got := c.wokenBy(t, "n", 1); len(got) != 0 {
		t.Errorf("woken: %v", got)
	}
}

func TestRejectedPodsWakeOnlyForNodesThatRejectedThem(t *testing.T) {
	c := newCluster()
	a, b := c.addNode(t, "a", 60), c.addNode(t, "b", 60)
	c.model.Poll(t.Context())
	pl := pluginOf(t, c, onePerDevice)
	c.attempt(t, pl, c.waitingPod(t, "p", "2", 0), a)
	_ = b
	if got := c.wokenBy(t, "b", 1); len(got) != 0 {
		t.Errorf("woken for another node: %v", got)
	}
	if got := c.wokenBy(t, "a", 1); !slices.Equal(got, []string{"p"}) {
		t.Errorf("woken: %v", got)
	}
}

func TestPodsRejectedByRequestsWakeWithMetrics(t *testing.T) {
	c := newCluster()
	node := c.addNode(t, "n", -1, resources{"cpu": "60"})
	c.use["n"] = [amount.NumResources]float64{1, 1 << 30}
	c.model.Poll(t.Context())
	delete(c.use, "n")
	c.clock.Step(time.Hour) // what was measured once is too old
	pl := pluginOf(t, c, onePerDevice)
	pod := c.waitingPod(t, "p", "2", 0)
	state, statuses := framework.NewCycleState(), framework.NewDefaultNodeToStatus()
	*c.lister = *cache.NewSnapshot(nil, []*v1.Node{node.Node()})
	pl.PreFilter(t.Context(), state, pod, nil)
	status := pl.Filter(t.Context(), state, pod, node)
	if status.IsSuccess() {
		t.Fatal("60 cores are requested of 64, and the node takes 2 more")
	}
	statuses.Set("n", status.WithPlugin(Name))
	pl.PostFilter(t.Context(), state, pod, statuses)
	c.model.Poll(t.Context())
	if len(c.activated) != 0 {
		t.Errorf("woken by a sample that is too old: %v", c.activated)
	}
	if got := c.wokenBy(t, "n", 57); len(got) != 0 {
		t.Errorf("woken: %v", got)
	}
	if got := c.wokenBy(t, "n", 10); !slices.Equal(got, []string{"p"}) {
		t.Errorf("the node is measured to be idle: woken %v", got)
	}
}

func TestPodsThatWaitNoMoreAreForgotten(t *testing.T) {
	c := newCluster()
	node := c.addNode(t, "n", 60)
	c.model.Poll(t.Context())
	pl := pluginOf(t, c, onePerDevice)
	var pods []*v1.Pod
	for _, name := range []string{"deleted", "bound", "recreated", "retried"} {
		pods = append(pods, c.waitingPod(t, name, "2", 0))
		c.attempt(t, pl, pods[len(pods)-1], node)
	}
	bound, recreated := pods[1].DeepCopy(), pods[2].DeepCopy()
	bound.Spec.NodeName, recreated.UID = "n", "another"
	if err := c.informers.Core().V1().Pods().Informer().GetStore().Replace([]any{bound, recreated, pods[3]}, ""); err != nil {
		t.Fatal(err)
	}
	pl.PreFilter(t.Context(), framework.NewCycleState(), pods[3], nil) // it is being scheduled right now
	if got := c.wokenBy(t, "n", 1); len(got) != 0 {
		t.Errorf("woken: %v", got)
	}
	if pl.waiting.Len() != 1 {
		t.Errorf("%d pods are remembered, want the one that is being scheduled", pl.waiting.Len())
	}
}

func TestNothingIsWokenAfterOtherRejections(t *testing.T) {
	for _, args := range []string{`{}`, onePerDevice} {
		c := newCluster()
		node := c.addNode(t, "n", 60)
		c.model.Poll(t.Context())
		pl := pluginOf(t, c, args)
		state, pod := framework.NewCycleState(), c.waitingPod(t, "p", "2", 0)
		statuses := framework.NewDefaultNodeToStatus()
		statuses.Set("n", fwk.NewStatus(fwk.Unschedulable, "no").WithPlugin("NodeResourcesFit"))
		pl.PreFilter(t.Context(), state, pod, []fwk.NodeInfo{node})
		if _, status := pl.PostFilter(t.Context(), state, pod, statuses); status.Code() != fwk.Unschedulable {
			t.Errorf("PostFilter: %v", status)
		}
		if got := c.wokenBy(t, "n", 1); len(got) != 0 {
			t.Errorf("args %s: a pod that another plugin rejected is woken: %v", args, got)
		}
	}
}

// A poll looks for pods to wake while a cycle has one wait. Whatever the order,
// the poll after that finds the pod with all that is needed to wake it.
func TestPodsThatBeginToWaitDuringAPoll(t *testing.T) {
	c := newCluster()
	node := c.addNode(t, "n", 60)
	c.model.Poll(t.Context())
	pl := pluginOf(t, c, onePerDevice)
	for i := range 200 {
		pod := c.waitingPod(t, fmt.Sprint("p", i), "2", 0)
		var group sync.WaitGroup
		group.Go(func() { pl.waiting.Wake(t.Context()) })
		c.attempt(t, pl, pod, node)
		group.Wait()
		if got := c.wokenBy(t, "n", 1); !slices.Equal(got, []string{pod.Name}) {
			t.Fatalf("woken: %v, want %s", got, pod.Name)
		}
		if err := c.informers.Core().V1().Pods().Informer().GetStore().Delete(pod); err != nil {
			t.Fatal(err)
		}
		c.wokenBy(t, "n", 60)
	}
}

func TestEventsAfterWhichNodesTakePods(t *testing.T) {
	c := newCluster()
	c.addNode(t, "measured", 60)
	c.addNode(t, "not measured", -1)
	c.model.Poll(t.Context())
	pl := pluginOf(t, c, onePerDevice)
	events, err := pl.EventsToRegister(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	hint := func(event fwk.ClusterEvent, oldObj, newObj any) (fwk.QueueingHint, error) {
		for _, e := range events {
			if e.Event.Resource != event.Resource || e.Event.ActionType&event.ActionType == 0 {
				continue
			}
			if e.QueueingHintFn == nil {
				return fwk.Queue, nil
			}
			if hint, err := e.QueueingHintFn(klog.Background(), c.waitingPod(t, "p", "2", 0), oldObj, newObj); hint == fwk.Queue {
				return hint, err
			}
		}
		return fwk.QueueSkip, nil
	}
	plain := st.MakePod().Node("measured").Req(resources{"cpu": "8"}).Obj()
	device := st.MakePod().Node("measured").Req(resources{gpu: "1"}).Obj()
	claim := st.MakePod().Node("measured").PodResourceClaims(v1.PodResourceClaim{Name: "gpu"}).Obj()
	unmeasured := st.MakePod().Node("not measured").Req(resources{"cpu": "8"}).Obj()
	own := func() *st.PodWrapper { return st.MakePod().UID("p") }
	estimated := own().Annotation(config.EstimateAnnotation, `{"cpu": "1"}`).Req(resources{"cpu": "8"}).Obj()
	assigned := compat.WhenAssignedPodsChange(nil).Event.Resource
	added := fwk.ClusterEvent{Resource: assigned, ActionType: fwk.Add}
	scaledDown := fwk.ClusterEvent{Resource: assigned, ActionType: fwk.UpdatePodScaleDown}
	changed := compat.WhenOwnPodChanges(nil).Event
	deleted := fwk.ClusterEvent{Resource: assigned, ActionType: fwk.Delete}
	node := func(action fwk.ActionType) fwk.ClusterEvent {
		return fwk.ClusterEvent{Resource: fwk.Node, ActionType: action}
	}
	for _, tt := range []struct {
		name           string
		event          fwk.ClusterEvent
		oldObj, newObj any
		want           fwk.QueueingHint
	}{
		{"a device is given to a pod", added, nil, device, fwk.Queue},
		{"a pod with a claim is placed: what it takes is not counted", added, nil, claim, fwk.QueueSkip},
		{"a pod without devices is placed", added, nil, plain, fwk.QueueSkip},
		{"a pod leaves a measured node: the poll will show", deleted, plain, nil, fwk.QueueSkip},
		{"a pod leaves a node that is not measured", deleted, unmeasured, nil, fwk.Queue},
		{"a node is added", node(fwk.Add), nil, &v1.Node{}, fwk.Queue},
		{"a node's capacity changes", node(fwk.UpdateNodeAllocatable), &v1.Node{}, &v1.Node{}, fwk.Queue},
		{"a node's thresholds change: the load model tells", node(fwk.UpdateNodeAnnotation), &v1.Node{}, &v1.Node{}, fwk.QueueSkip},
		{"a node's labels change", node(fwk.UpdateNodeLabel), &v1.Node{}, &v1.Node{}, fwk.QueueSkip},
		{"a pod on a measured node requests less: the poll will show", scaledDown, plain, plain, fwk.QueueSkip},
		{"a pod on a node that is not measured requests less", scaledDown, unmeasured, unmeasured, fwk.Queue},
		{"the pod asks for less", changed, plain, own().Req(resources{"cpu": "7"}).Obj(), fwk.Queue},
		{"the pod is expected to use less", changed, plain, estimated, fwk.Queue},
		{"the pod changes otherwise", changed, plain, own().Label("a", "b").Req(resources{"cpu": "8"}).Obj(), fwk.QueueSkip},
	} {
		if got, err := hint(tt.event, tt.oldObj, tt.newObj); got != tt.want || err != nil {
			t.Errorf("%s: %v, %v, want %v", tt.name, got, err, tt.want)
		}
	}
	if got, err := hint(added, nil, "no pod"); err == nil || got != fwk.Queue {
		t.Errorf("an event that is not of a pod: %v, %v, want an error, and that the pod is tried", got, err)
	}
}
