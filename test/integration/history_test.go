package integration

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"strings"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/plimsoll-scheduler/plimsoll/test/cluster"
)

const overCPULine = "node(s) over the cpu load line"

// Fifty pods come at once, pull their images for 40 s, and use what they ask
// for from one minute after that. Samples show their nodes as idle for 100 s,
// but none may end up over the line; nor may pods that come in that time make
// it so.
func TestBurstThatStartsSlowly(t *testing.T) {
	t.Parallel()
	const (
		starting = 40 * time.Second
		idle     = time.Minute
		line     = 0.75 * 48
	)
	// Up to the line the idlest has room for 11 pods of 3 cores, the others for
	// 10 each: 51 together. By requests 16 would fit on each.
	nodes := []node{{name: "idlest", cores: 48, uses: "500m"}}
	for i := range 4 {
		nodes = append(nodes, node{name: fmt.Sprint("n", i), cores: 48, uses: "4"})
	}
	p := newPool(t, nodes...)
	s := startScheduler(t, "plimsoll.yaml", pollEvery(2*time.Second))
	var burst []*v1.Pod
	for i := range 50 {
		pod := using(withCPU(p.pod(fmt.Sprint("burst-", i), "plimsoll"), "3"), "3")
		maps.Copy(pod.Annotations, cluster.StartAfter(starting))
		maps.Copy(pod.Annotations, cluster.UseAfter(starting+idle))
		burst = append(burst, pod)
	}
	p.create(burst[:20]...)
	if got := p.placed(burst[:20]...); got["idlest"] > 10 {
		t.Errorf("of the first 20 pods %d are on the idlest of 5 nodes, where a pod costs hardly less than on others: %v", got["idlest"], got)
	}
	p.create(burst[20:]...)
	t.Logf("the burst is on %v", p.placed(burst...))

	p.waitSampledAfterStart(0, burst...)
	for _, pod := range burst {
		got, start, err := p.startOf(t.Context(), pod)
		p.must(err)
		if took := start.Sub(got.CreationTimestamp.Time); took < starting-time.Second { // both are in whole seconds
			t.Fatalf("pod %s started after %v, want %v", pod.Name, took, starting)
		}
	}
	s.waitPolls() // the scheduler knows samples in which the burst runs, and uses nothing
	var late []*v1.Pod
	for i := range 5 {
		pod := withCPU(p.pod(fmt.Sprint("late-", i), "plimsoll"), "3")
		late = append(late, using(pod, "3"))
	}
	p.create(late...)
	waiting := p.waitSettled(1, late...)

	p.waitMeasured()
	s.waitPolls()
	p.checkRealUse(line)
	for _, pod := range waiting {
		if why := p.rejected(pod); !strings.Contains(why, "5 "+overCPULine) {
			t.Errorf("%s was rejected with %q", pod.Name, why)
		}
	}
}

// A workload asks for 500m and uses 2 cores. By its requests all forty pods
// would fit; placed by what the first ten use, seven fit on each node.
func TestLaterPodsArePlacedByWhatEarlierOnesUse(t *testing.T) {
	t.Parallel()
	const line = 0.75 * 20
	var nodes []node
	for i := range 4 {
		nodes = append(nodes, node{name: fmt.Sprint("n", i), cores: 20, uses: "200m"})
	}
	p := newPool(t, nodes...)
	s := startScheduler(t, "plimsoll.yaml", func(config map[string]any) {
		pollEvery(time.Second)(config)
		args(config)["estimate"] = map[string]any{"warmUp": "5s"}
	})
	template := using(withCPU(p.pod("w", "plimsoll"), "500m"), "2")
	p.deploy("w", 10, template)
	p.waitBound("w", 10)
	p.waitMeasured()
	p.waitLearned(s, 5*time.Minute, "w")

	p.scale("w", 40)
	p.waitBound("w", 28)
	p.waitMeasured() // by now they are measured, and estimates play no part
	s.waitPolls()
	p.checkRealUse(line)
	if bound, waiting := p.workload("w"); len(bound) != 28 || len(waiting) != 12 {
		t.Errorf("%d pods are bound and %d wait, want 28 and 12", len(bound), len(waiting))
	}
}

// A compressed day: batch pods run only where online load leaves a node below
// 50 %, as many as fit below that, while online pods run up to 75 %.
func TestBatchFillsTheTroughOfTheDay(t *testing.T) {
	t.Parallel()
	p := newPool(t, node{name: "a", uses: "5600m"}, node{name: "b", uses: "5600m"})
	s := startScheduler(t, "plimsoll.yaml", func(config map[string]any) {
		pollEvery(time.Second)(config)
		args(config)["bands"] = []any{map[string]any{"maxPriority": -1, "thresholds": map[string]any{"cpu": 50}}}
		args(config)["estimate"] = map[string]any{"warmUp": "5s"}
	})
	batchClass := p.priority(-10)
	for i := range 12 {
		pod := using(p.pod(fmt.Sprint("batch-", i), "plimsoll"), "1")
		pod.Labels["workload"] = "batch"
		pod.Spec.PriorityClassName = batchClass
		p.create(pod)
		if i == 0 {
			if why := p.rejected(pod); !strings.Contains(why, "2 "+overCPULine) {
				t.Errorf("at 56 %% the first batch pod was rejected with %q", why)
			}
		}
	}
	online := using(p.pod("online", "plimsoll"), "1")
	p.create(online)
	p.nodeOf(online) // while batch waits; one node now uses a core more than the other

	for _, step := range []struct {
		use     string // of each node, without the pods above
		running int    // batch pods
		why     string
		finish  bool // the batch pods that run
	}{
		{use: "5600m", running: 0, why: "the morning's load is above the batch line"},
		{use: "3600m", running: 1, why: "only the node without the online pod has room, for one"},
		{use: "1600m", running: 5, why: "5 cores on each node, of which 1.6 and the online pod are taken"},
		{use: "3600m", running: 5, why: "load rises: what runs stays, nothing comes"},
		// The peak is as high as this because KWOK forgets what a pod has used
		// since the last scrape when it is deleted: the next sample does not show
		// it for a time in which it ran.
		{use: "7200m", running: 0, finish: true, why: "those that finish at the peak have no successors"},
		{use: "1600m", running: 5, why: "the next trough"},
	} {
		p.setUse("a", step.use)
		p.setUse("b", step.use)
		if step.finish {
			p.waitMeasured()
			s.waitPolls()
			p.deleteBound("batch")
		}
		p.waitBound("batch", step.running)
		p.waitMeasured() // also what has just come in
		s.waitPolls()
		bound, waiting := p.workload("batch")
		t.Logf("at %s: %d batch pods run, %d wait", step.use, len(bound), len(waiting))
		if len(bound) != step.running {
			t.Errorf("at %s %d batch pods run, want %d: %s", step.use, len(bound), step.running, step.why)
		}
	}
}

// The leader is killed. The standby has sampled all along: it decides by the
// average over a minute in which a node was hot, though the newest samples show
// it idle, and counts the pods that the other had placed once.
func TestNewLeaderHasHistory(t *testing.T) {
	t.Parallel()
	p := newPool(t, node{name: "was-hot", uses: "9400m"}, node{name: "cool", uses: "1"})
	byAverage := func(config map[string]any) {
		pollEvery(time.Second)(config)
		args(config)["window"] = "1m"
		args(config)["filter"] = map[string]any{"statistic": "Average", "thresholds": map[string]any{"cpu": 50}}
		args(config)["estimate"] = map[string]any{"warmUp": "10s"}
	}
	replicas := map[string]*scheduler{}
	for range 2 {
		s := runScheduler(t, cluster.SchedulerOptions{
			Config: filepath.Join(root, "config", "plimsoll.yaml"),
			Change: ofPool(t, func(config map[string]any) {
				byAverage(config)
				config["leaderElection"] = map[string]any{
					"resourceName": p.name, "resourceNamespace": "default",
					"leaseDuration": "5s", "renewDeadline": "3s", "retryPeriod": "1s",
				}
			}),
		})
		s.waitFreshNodes()
		replicas[s.LogFile] = s
	}
	var early []*v1.Pod
	for i := range 3 {
		early = append(early, using(p.pod(fmt.Sprint("early-", i), "plimsoll"), "1"))
	}
	p.create(early...)
	if got := p.placed(early...); got["cool"] != 3 {
		t.Fatalf("with a hot node the pods are on %v", got)
	}
	p.waitSamples("was-hot", 5)
	p.setUse("was-hot", "1")
	p.waitMeasured()
	for _, s := range replicas {
		s.waitPolls()
	}
	leader := leaderOf(t, replicas)
	leader.Kill()
	delete(replicas, leader.LogFile)

	// The line is at 5 cores. cool uses 4 and has room for 0.5, but not if one of
	// the early pods counted twice. was-hot has room for 1.5 by its newest sample.
	large := withCPU(p.pod("large", "plimsoll"), "1500m")
	p.create(large)
	if why := p.rejected(large); !strings.Contains(why, "2 "+overCPULine) {
		t.Errorf("the new leader's first pod was rejected with %q", why)
	}
	leaderOf(t, replicas)
	small := withCPU(using(p.pod("small", "plimsoll"), "500m"), "500m")
	p.create(small)
	if got := p.nodeOf(small); got != "cool" {
		t.Errorf("the new leader put the pod that only fits on cool on %s", got)
	}

	// That was history: a scheduler that has just been started sees was-hot idle.
	// It counts the early pods once as well, though it has not seen them start.
	startScheduler(t, "plimsoll.yaml", func(config map[string]any) {
		byAverage(config)
		config["profiles"].([]any)[0].(map[string]any)["schedulerName"] = p.profile("restarted")
	})
	other := withCPU(p.pod("other", "restarted"), "1500m")
	p.create(other)
	if got := p.nodeOf(other); got != "was-hot" {
		t.Errorf("without history the pod is on %s, want was-hot", got)
	}
	tiny := withCPU(p.pod("tiny", "restarted"), "100m")
	tiny.Spec.NodeSelector[v1.LabelHostname] = p.nodeName("cool")
	p.create(tiny)
	p.nodeOf(tiny)
}

// pollEvery returns a change of the configuration: with an interval of a second
// the history is to be shorter than usual.
func pollEvery(interval time.Duration) func(map[string]any) {
	return func(config map[string]any) {
		args(config)["source"] = map[string]any{"interval": interval.String(), "timeout": interval.String()}
		args(config)["window"] = "5m"
	}
}

// using has the pod really use so many cores, from its start.
func using(pod *v1.Pod, cores string) *v1.Pod {
	pod.Annotations = cluster.Usage{CPU: cores}.Annotations()
	return pod
}

// pods returns the pool's pods, of one workload (a label) if it is not empty.
func (p *pool) pods(ctx context.Context, workload string) ([]v1.Pod, error) {
	selector := "pool=" + p.name
	if workload != "" {
		selector += ",workload=" + workload
	}
	list, err := p.local.Clientset.CoreV1().Pods("default").List(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return nil, err
	}
	return list.Items, nil
}

// workload returns which pods of a workload are bound and which wait.
func (p *pool) workload(name string) (bound, waiting []v1.Pod) {
	p.t.Helper()
	pods, err := p.pods(p.t.Context(), name)
	p.must(err)
	for i := range pods {
		if pods[i].Spec.NodeName == "" {
			waiting = append(waiting, pods[i])
		} else {
			bound = append(bound, pods[i])
		}
	}
	return bound, waiting
}

// waitBound waits until so many pods of the workload are bound.
func (p *pool) waitBound(workload string, want int) {
	p.t.Helper()
	p.wait(fmt.Sprintf("%d pods of %s to be bound", want, workload), func(context.Context) (bool, error) {
		bound, waiting := p.workload(workload)
		return len(bound) == want, fmt.Errorf("%d are bound and %d wait", len(bound), len(waiting))
	})
}

// deleteBound deletes the pods of the workload that are bound.
func (p *pool) deleteBound(workload string) {
	p.t.Helper()
	bound, _ := p.workload(workload)
	for i := range bound {
		p.must(p.local.Clientset.CoreV1().Pods("default").Delete(p.t.Context(), bound[i].Name, metav1.DeleteOptions{}))
	}
}

// checkRealUse checks that no node uses more than its line, in cores.
func (p *pool) checkRealUse(line float64) {
	p.t.Helper()
	for name, cores := range p.realUse() {
		p.t.Logf("node %s uses %.1f cores, line %.1f", name, cores, line)
		if cores > line {
			p.t.Errorf("node %s uses %.1f cores, more than its line of %.1f", name, cores, line)
		}
	}
}

// realUse returns how many cores the pods of each node use, whatever samples say.
func (p *pool) realUse() map[string]float64 {
	p.t.Helper()
	pods, err := p.pods(p.t.Context(), "")
	p.must(err)
	use := map[string]float64{}
	for i := range pods {
		cores := resource.MustParse(orZero(cluster.UsageOf(&pods[i]).CPU))
		if node := strings.TrimPrefix(pods[i].Spec.NodeName, p.name+"-"); node != "" {
			use[node] += cores.AsApproximateFloat64()
		}
	}
	return use
}

// waitMeasured waits until metrics-server shows the real use of each node that
// uses anything (to 5 %).
func (p *pool) waitMeasured() {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), timeout)
	defer cancel()
	p.must(p.local.WaitNodeUsage(ctx, func(usage map[string]v1.ResourceList) bool {
		for node, want := range p.realUse() {
			measured := usage[p.nodeName(node)]
			if got := measured.Cpu().AsApproximateFloat64(); got < 0.95*want || got > 1.05*want {
				return false
			}
		}
		return true
	}))
}

// waitSamples waits until metrics-server has sampled the node so many times more.
func (p *pool) waitSamples(node string, count int) {
	p.t.Helper()
	seen := map[time.Time]bool{}
	p.wait(fmt.Sprintf("%d samples of %s", count, node), func(ctx context.Context) (bool, error) {
		metrics, err := p.local.Metrics.MetricsV1beta1().NodeMetricses().Get(ctx, p.nodeName(node), metav1.GetOptions{})
		if err != nil {
			return false, err
		}
		seen[metrics.Timestamp.Time] = true
		return len(seen) > count, fmt.Errorf("%d are new", len(seen)-1)
	})
}

// startOf returns when the pod's container started, or zero if it has not.
func (p *pool) startOf(ctx context.Context, pod *v1.Pod) (*v1.Pod, time.Time, error) {
	got, err := p.local.Clientset.CoreV1().Pods("default").Get(ctx, pod.Name, metav1.GetOptions{})
	if err != nil || len(got.Status.ContainerStatuses) == 0 || got.Status.ContainerStatuses[0].State.Running == nil {
		return got, time.Time{}, err
	}
	return got, got.Status.ContainerStatuses[0].State.Running.StartedAt.Time, nil
}

// waitSampledAfterStart waits until the containers of all pods run, and the
// samples of their nodes have begun so long after that.
func (p *pool) waitSampledAfterStart(delay time.Duration, pods ...*v1.Pod) {
	p.t.Helper()
	for _, pod := range pods {
		p.wait("a sample that shows "+pod.Name, func(ctx context.Context) (bool, error) {
			got, start, err := p.startOf(ctx, pod)
			if err != nil || start.IsZero() {
				return false, err
			}
			metrics, err := p.local.Metrics.MetricsV1beta1().NodeMetricses().Get(ctx, got.Spec.NodeName, metav1.GetOptions{})
			return err == nil && metrics.Timestamp.Add(-metrics.Window.Duration).After(start.Add(delay)), err
		})
	}
}

// waitSettled waits until each pod is either bound or rejected, so many of them
// bound, and returns the others.
func (p *pool) waitSettled(wantBound int, pods ...*v1.Pod) (waiting []*v1.Pod) {
	p.t.Helper()
	p.wait(fmt.Sprintf("%d of %d pods to be bound", wantBound, len(pods)), func(ctx context.Context) (bool, error) {
		waiting = nil
		bound := 0
		for _, pod := range pods {
			got, err := p.local.Clientset.CoreV1().Pods("default").Get(ctx, pod.Name, metav1.GetOptions{})
			switch {
			case err != nil:
				return false, err
			case got.Spec.NodeName != "":
				bound++
			case unschedulable(got) != "":
				waiting = append(waiting, pod)
			}
		}
		return bound == wantBound && bound+len(waiting) == len(pods), fmt.Errorf("%d are bound, %d rejected", bound, len(waiting))
	})
	return waiting
}
