package integration

import (
	"context"
	"maps"
	"slices"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Pods that wait are retried soon after the reason has ended. This runs before the
// tests that are parallel, because beside them how long something takes says nothing.
func TestPodsWakeInTime(t *testing.T) {
	t.Run("AnnotationChanges", annotationWakesPods) // the shortest: not while others start
	tests := map[string]func(*testing.T){
		"VictimIsGone":          preemptorRunsWhenVictimIsGone,
		"LoadDropsForPreemptor": preemptorWakesWhenLoadDrops,
		"LoadDrops":             podWakesWhenLoadDrops,
		"NodeIsMeasured":        nodeIsMeasuredLate,
		"NodeIsMadeAnew":        samplesOlderThanTheirNode,
		"HeadroomForDevices":    headroomForFreeDevices,
	}
	maps.Copy(tests, groupWakes) // where the minor of Kubernetes has groups
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t)
		})
	}
}

// inTime is promptly, with a queue that by itself retries a rejected pod later than
// a test waits for it, whatever happens in the cluster meanwhile.
func inTime(config map[string]any) {
	promptly(config)
	config["podInitialBackoffSeconds"], config["podMaxBackoffSeconds"] = 600, 600
}

// A pod evicts the one that alone makes the node hot, whose use the scheduler
// knows, and is retried when that is gone.
func preemptorRunsWhenVictimIsGone(t *testing.T) {
	const limit = 5 * time.Second
	p := newPool(t, node{name: "n"})
	low, high := p.priority(1), p.priority(1000)
	victim := p.owned(p.user("victim", "n", low, "9"))
	p.create(victim)
	s := p.startScheduler("plimsoll.yaml", inTime)
	p.waitPodMeasured(s, victim)

	preemptor := withCPU(p.pod("preemptor", "plimsoll"), "2")
	preemptor.Spec.PriorityClassName = high
	p.create(preemptor)
	p.waitGone(victim)
	p.boundWithin(limit, preemptor)
}

// A preemptor waits for its victim on one node, which takes long to end; when
// the load of another node drops meanwhile, it is retried and runs there.
func preemptorWakesWhenLoadDrops(t *testing.T) {
	p := newPool(t, node{name: "hot", uses: "9"}, node{name: "full", uses: "500m"})
	low, high := p.priority(1), p.priority(1000)
	victim := withCPU(p.user("victim", "full", low, "100m"), "9")
	victim.Finalizers = []string{"plimsoll.io/test"}
	p.create(victim)
	t.Cleanup(func() { p.release(victim) })
	p.startScheduler("plimsoll.yaml", inTime)

	preemptor := withCPU(p.pod("preemptor", "plimsoll"), "2")
	preemptor.Spec.PriorityClassName = high
	p.create(preemptor)
	p.wait("the preemptor to be nominated", func(ctx context.Context) (bool, error) {
		got, err := local.Clientset.CoreV1().Pods("default").Get(ctx, preemptor.Name, metav1.GetOptions{})
		return err == nil && got.Status.NominatedNodeName == p.nodeName("full") && p.isGone(victim), err
	})
	p.setUse("hot", "1")
	p.waitUsage(node{name: "hot", uses: "1"})
	if got := p.boundWithin(pollInterval+retryLimit, preemptor); got != "hot" {
		t.Errorf("the preemptor is on %s, whose pods have not ended", got)
	}
}

// release lets a deleted pod with finalizers go.
func (p *pool) release(pod *v1.Pod) {
	_, err := p.local.Clientset.CoreV1().Pods("default").Patch(context.WithoutCancel(p.t.Context()), pod.Name,
		types.MergePatchType, []byte(`{"metadata": {"finalizers": null}}`), metav1.PatchOptions{})
	if err != nil {
		p.t.Error(err)
	}
}

// What an annotation changes holds at once, also for pods that wait.
func annotationWakesPods(t *testing.T) {
	// The line is at 7.5 cores and the pods ask for 2.
	cases := []string{"anyway", "estimate", "thresholds"}
	var nodes []node
	for _, name := range cases {
		nodes = append(nodes, node{name: name, uses: "6"})
	}
	p := newPool(t, nodes...)
	p.startScheduler("plimsoll.yaml", inTime)
	waiting := map[string]*v1.Pod{}
	for _, name := range cases {
		waiting[name] = p.on(name, withCPU(p.pod(name, "plimsoll"), "2"))
		p.create(waiting[name])
	}
	p.allRejected(slices.Collect(maps.Values(waiting))...)
	for name, annotate := range map[string]func(){
		"anyway":     func() { p.annotatePod(waiting["anyway"], "plimsoll.io/when-unsatisfiable", "ScheduleAnyway") },
		"estimate":   func() { p.annotatePod(waiting["estimate"], "plimsoll.io/estimate", `{"cpu": "1"}`) },
		"thresholds": func() { p.annotateNode("thresholds", "plimsoll.io/thresholds", `{"cpu": 95}`) },
	} {
		t.Run(name, func(t *testing.T) {
			p := &pool{t: t, name: p.name, local: local}
			annotate()
			p.boundWithin(retryLimit, waiting[name])
		})
	}
}

// With stalePolicy Reject, a node that has just joined takes no pod until it is
// measured, and then at once.
func nodeIsMeasuredLate(t *testing.T) {
	p := newPool(t, node{name: "hot", uses: "9"})
	s := p.startScheduler("plimsoll.yaml", func(config map[string]any) {
		inTime(config)
		args(config)["stalePolicy"] = "Reject"
	})
	pod := p.pod("pod", "plimsoll")
	p.create(pod)
	p.rejected(pod)
	p.join(node{name: "late", uses: "1"})
	s.waitPolls()
	p.checkWaiting("while no node is measured cool", pod)
	p.must(local.StartMeasuring(t.Context(), p.nodeName("late")))
	p.waitNodeMeasured("late", true)
	if got := p.boundWithin(pollInterval+retryLimit, pod); got != "late" {
		t.Errorf("the pod is on %s", got)
	}
}
