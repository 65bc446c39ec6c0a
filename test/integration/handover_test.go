package integration

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"

	"github.com/plimsoll-scheduler/plimsoll/test/cluster"
)

// While 2,000 pods come one after another, the replica that leads is stopped as
// Kubernetes stops a pod, and the next one killed. Each time a replica that stands by
// goes on: no pod is lost, none is bound twice, and no node gets more than it has.
//
// It runs by itself, before the parallel tests go on: so many pods would slow them down.
func TestReplicasTakeOverUnderAStreamOfPods(t *testing.T) {
	const (
		nodes   = 25
		pods    = 2000
		perNode = 100 // devices, so that there are some to spare
	)
	p := &pool{t: t, name: poolName(t), local: local}
	t.Cleanup(p.remove)
	for i := range nodes {
		p.must(local.CreateNodes(t.Context(), p.clusterNode(node{name: fmt.Sprintf("n%02d", i), cores: 200, gpus: perNode})))
	}
	replica := func() *scheduler {
		return p.runScheduler(cluster.SchedulerOptions{
			Config: filepath.Join(root, "config", "plimsoll.yaml"),
			Change: ofPool(t, func(config map[string]any) {
				lease := config["leaderElection"].(map[string]any)
				lease["resourceName"], lease["resourceNamespace"] = p.name, metav1.NamespaceDefault
			}),
		})
	}
	first := replica()
	first.waitToLead()
	second, third := replica(), replica()

	bindings := p.watchBindings()
	go func() {
		for i := range pods {
			pod := withGPUs(withCPU(p.pod(fmt.Sprintf("p%04d", i), "plimsoll"), "10m"), "1")
			if _, err := local.Clientset.CoreV1().Pods(metav1.NamespaceDefault).Create(t.Context(), pod, metav1.CreateOptions{}); err != nil {
				bindings.fail(err)
				return
			}
		}
	}()

	bindings.waitFor(pods / 4)
	asked := time.Now()
	p.must(first.Stop())
	if code := first.ExitCode(); code != 0 {
		t.Errorf("the leader that was asked to stop ended with %d", code)
	}
	if log, err := first.Log(); err != nil || !strings.Contains(log, "All bindings in flight have ended") {
		t.Errorf("the log of the leader that was asked to stop does not say that all it had begun was bound: %v", err)
	}
	bindings.waitFor(pods / 2)
	t.Logf("SIGTERM: between two bindings passed %v at most", bindings.longestPause(asked))

	rest := map[string]*scheduler{second.LogFile: second, third.LogFile: third}
	leader := leaderOf(t, rest)
	killed := time.Now()
	leader.Kill()
	delete(rest, leader.LogFile)
	bindings.waitFor(pods)
	t.Logf("SIGKILL: between two bindings passed %v at most", bindings.longestPause(killed))

	leaderOf(t, rest) // the one that was left
	bound, err := p.pods(t.Context(), "")
	p.must(err)
	on := map[string]int{}
	for i := range bound {
		if on[bound[i].Spec.NodeName]++; bound[i].Spec.NodeName == "" || bindings.nodeOf(bound[i].Name) != bound[i].Spec.NodeName {
			t.Errorf("pod %s was bound to %q and is on %q", bound[i].Name, bindings.nodeOf(bound[i].Name), bound[i].Spec.NodeName)
		}
	}
	if len(bound) != pods {
		t.Errorf("%d pods of %d are there", len(bound), pods)
	}
	for node, count := range on {
		if count > perNode {
			t.Errorf("%s has %d devices, and %d pods that ask for one", node, perNode, count)
		}
	}
}

// bindings are those of the pool's pods, as an informer shows them.
type bindings struct {
	p *pool

	mu    sync.Mutex
	nodes map[string]string // by pod
	times []time.Time       // of the bindings, in order
	err   error
}

// watchBindings watches the pool's pods until the test ends. A pod that changes its
// node is an error.
func (p *pool) watchBindings() *bindings {
	p.t.Helper()
	b := &bindings{p: p, nodes: map[string]string{}}
	factory := informers.NewSharedInformerFactoryWithOptions(p.local.Clientset, 0, informers.WithTweakListOptions(func(o *metav1.ListOptions) {
		o.LabelSelector = "pool=" + p.name
	}))
	see := func(object any) {
		if pod := object.(*v1.Pod); pod.Spec.NodeName != "" {
			b.see(pod.Name, pod.Spec.NodeName)
		}
	}
	_, err := factory.Core().V1().Pods().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: see, UpdateFunc: func(_, object any) { see(object) },
	})
	p.must(err)
	factory.Start(p.t.Context().Done())
	factory.WaitForCacheSync(p.t.Context().Done())
	return b
}

// fail ends waiting.
func (b *bindings) fail(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.err = err
}

func (b *bindings) see(pod, node string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch before, seen := b.nodes[pod]; {
	case !seen:
		b.nodes[pod] = node
		b.times = append(b.times, time.Now())
	case before != node:
		b.p.t.Errorf("pod %s was on %s and is on %s", pod, before, node)
	}
}

func (b *bindings) nodeOf(pod string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.nodes[pod]
}

// longestPause returns the longest time between two bindings of which the latter was
// seen after then.
func (b *bindings) longestPause(then time.Time) (longest time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := 1; i < len(b.times); i++ {
		if b.times[i].After(then) {
			longest = max(longest, b.times[i].Sub(b.times[i-1]))
		}
	}
	return longest
}

func (b *bindings) waitFor(count int) {
	b.p.t.Helper()
	b.p.waitAtMost(5*time.Minute, fmt.Sprintf("%d pods to be bound", count), func(context.Context) (bool, error) {
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.err != nil {
			b.p.t.Fatal(b.err)
		}
		return len(b.times) >= count, fmt.Errorf("%d are", len(b.times))
	})
}
