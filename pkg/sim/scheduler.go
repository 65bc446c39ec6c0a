package sim

import (
	"context"
	"fmt"
	"time"

	"github.com/go-logr/logr"
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	coreinformers "k8s.io/client-go/informers/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
	kubescheduler "k8s.io/kubernetes/pkg/scheduler"
	schedconfig "k8s.io/kubernetes/pkg/scheduler/apis/config"
	internalcache "k8s.io/kubernetes/pkg/scheduler/backend/cache"
	internalqueue "k8s.io/kubernetes/pkg/scheduler/backend/queue"
	"k8s.io/kubernetes/pkg/scheduler/framework"

	"github.com/plimsoll-scheduler/plimsoll/pkg/load"
)

// scheduler is kube-scheduler with its cache, snapshot, queue, framework and
// plugins, driven one scheduling cycle at a time in simulated time.
//
// Three things differ from kube-scheduler's process. Informers call their
// handlers at once (see informer). A binding is not sent anywhere: the
// simulation is told of it. And the queue is not run, because its goroutines
// wait by the wall clock: what they do is done here (flush), but for moving
// pods whose backoff has ended, which is not needed, because an idle
// kube-scheduler pops pods that back off (SchedulerPopFromBackoffQ), and here
// it is idle at the end of each moment.
//
// Nodes are filtered by one goroutine instead of sixteen, so that which nodes
// are found first does not depend on chance; how many are looked at
// (percentageOfNodesToScore) and where the search begins are as always.
type scheduler struct {
	*kubescheduler.Scheduler
	logger      klog.Logger
	nodes, pods *informer
	snapshot    *internalcache.Snapshot
	outcomes    chan outcome
	// failed is when pods were tried last in vain, or flushed since, and by
	// which plugins they were rejected.
	failed map[types.UID]failure

	model    *load.Model // nil if no plugin uses it
	interval time.Duration
	trimaran []*trimaranPlugin
	reports  *reports // nil without Koordinator's plugin
}

type failure struct {
	at         time.Time
	rejectedBy map[string]bool
}

// outcome is what a scheduling cycle has come to.
type outcome struct {
	pod  types.NamespacedName
	node string // empty: none takes it
	err  error
}

func newScheduler(ctx context.Context, e *engine) (*scheduler, error) {
	s := &scheduler{
		logger:   logr.Discard(),
		snapshot: internalcache.NewEmptySnapshot(),
		outcomes: make(chan outcome, 1),
		failed:   map[types.UID]failure{},
	}
	ctx = klog.NewContext(ctx, s.logger)
	client := newClient()
	factory := informers.NewSharedInformerFactory(client, 0)
	s.pods = &informer{}
	factory.InformerFor(&v1.Pod{}, func(c kubernetes.Interface, resync time.Duration) cache.SharedIndexInformer {
		s.pods.SharedIndexInformer = coreinformers.NewPodInformer(c, v1.NamespaceAll, resync, cache.Indexers{cache.NamespaceIndex: cache.MetaNamespaceIndexFunc})
		return s.pods
	})
	s.nodes = &informer{}
	factory.InformerFor(&v1.Node{}, func(c kubernetes.Interface, resync time.Duration) cache.SharedIndexInformer {
		s.nodes.SharedIndexInformer = coreinformers.NewNodeInformer(c, resync, cache.Indexers{})
		return s.nodes
	})
	for _, set := range e.scenario.ReplicaSets {
		if err := factory.Apps().V1().ReplicaSets().Informer().GetStore().Add(set); err != nil {
			return nil, fmt.Errorf("add ReplicaSet %s: %w", set.Name, err)
		}
	}
	profile := e.policy.Profile.DeepCopy()
	registry, err := s.registry(e, profile)
	if err != nil {
		return nil, err
	}
	s.Scheduler, err = kubescheduler.New(ctx, client, factory, nil, newRecorder,
		kubescheduler.WithComponentConfigVersion(componentConfigVersion),
		kubescheduler.WithProfiles([]schedconfig.KubeSchedulerProfile{*profile}...),
		kubescheduler.WithFrameworkOutOfTreeRegistry(registry),
		kubescheduler.WithParallelism(1),
		kubescheduler.WithClock(e.clock),
		kubescheduler.WithNodeInfoSnapshot(s.snapshot))
	if err != nil {
		return nil, err
	}
	for name, inner := range s.Profiles {
		s.Profiles[name] = &boundFramework{Framework: inner, outcomes: s.outcomes, engine: e}
	}
	handle := s.FailureHandler
	s.FailureHandler = func(ctx context.Context, f framework.Framework, info *framework.QueuedPodInfo, status *fwk.Status, nominating *fwk.NominatingInfo, start time.Time) {
		handle(ctx, f, info, status, nominating, start)
		s.outcomes <- s.failure(e, info, status)
	}
	return s, nil
}

// componentConfigVersion is the version of the configurations that profiles
// come from.
const componentConfigVersion = "kubescheduler.config.k8s.io/v1"

// failure notes that a pod found no node.
func (s *scheduler) failure(e *engine, info *framework.QueuedPodInfo, status *fwk.Status) outcome {
	pod := info.Pod
	if !status.IsRejected() {
		return outcome{err: fmt.Errorf("schedule pod %s: %w", klog.KObj(pod), status.AsError())}
	}
	rejectedBy := map[string]bool{}
	if queued, ok := s.SchedulingQueue.GetPod(pod.Name, pod.Namespace, nil); ok {
		for plugin := range queued.UnschedulablePlugins.Union(queued.PendingPlugins) {
			rejectedBy[plugin] = true
		}
	}
	s.failed[pod.UID] = failure{at: e.clock.Now(), rejectedBy: rejectedBy}
	return outcome{pod: nameOf(pod)}
}

// boundFramework is a framework whose bindings the simulation carries out.
type boundFramework struct {
	framework.Framework
	engine   *engine
	outcomes chan<- outcome
	stored   time.Duration // when results were kept for the next pod of the same signature
}

// RunBindPlugins replaces the plugin that asks the API server to bind the pod.
func (f *boundFramework) RunBindPlugins(context.Context, fwk.CycleState, *v1.Pod, string) *fwk.Status {
	return nil
}

// RunPostBindPlugins ends the binding cycle, which is a goroutine of its own:
// the simulation goes on after that.
func (f *boundFramework) RunPostBindPlugins(ctx context.Context, state fwk.CycleState, pod *v1.Pod, node string) {
	f.Framework.RunPostBindPlugins(ctx, state, pod, node)
	f.outcomes <- outcome{pod: nameOf(pod), node: node}
}

// maxBatchAge is how long the framework keeps the results of a cycle for the
// next pod with the same signature; it goes by the wall clock.
const maxBatchAge = 500 * time.Millisecond

// StoreScheduleResults notes when results are kept.
func (f *boundFramework) StoreScheduleResults(ctx context.Context, signature fwk.PodSignature, hinted, chosen string, others framework.SortedScoredNodes, cycle int64) {
	if len(hinted) == 0 {
		f.stored = f.engine.now
	}
	f.Framework.StoreScheduleResults(ctx, signature, hinted, chosen, others, cycle)
}

// GetNodeHint gives no hint from results that are too old in simulated time.
func (f *boundFramework) GetNodeHint(ctx context.Context, pod *v1.Pod, signature fwk.PodSignature, state fwk.CycleState, cycle int64) string {
	if f.engine.now-f.stored > maxBatchAge {
		return ""
	}
	return f.Framework.GetNodeHint(ctx, pod, signature, state, cycle)
}

// hasWork reports whether there is a pod to try.
func (s *scheduler) hasWork() bool {
	return len(s.SchedulingQueue.PodsInActiveQ()) > 0 || len(s.SchedulingQueue.PodsInBackoffQ()) > 0
}

// scheduleOne runs one scheduling cycle, and its binding cycle. The node is
// empty if none takes the pod.
func (s *scheduler) scheduleOne(ctx context.Context) (node string, pod types.NamespacedName, err error) {
	s.ScheduleOne(klog.NewContext(ctx, s.logger))
	select {
	case o := <-s.outcomes:
		if o.node != "" {
			return o.node, o.pod, nil
		}
		return "", o.pod, o.err
	case <-ctx.Done():
		return "", types.NamespacedName{}, ctx.Err()
	}
}

const (
	// flushInterval and flushAfter are those of kube-scheduler's queue: how often
	// it looks for pods that wait for an event in vain, and how long those wait.
	flushInterval = 30 * time.Second
	flushAfter    = internalqueue.DefaultPodMaxInUnschedulablePodsDuration
	// reliefDelay is that of load.Model.Run.
	reliefDelay = time.Second
)

// plan plans what happens again and again in the scheduler's process.
func (s *scheduler) plan(ctx context.Context, e *engine) {
	ctx = klog.NewContext(ctx, s.logger)
	regularly := func(interval time.Duration, do func()) {
		e.every(0, interval, func() error {
			do()
			return nil
		})
	}
	regularly(flushInterval, func() { s.flush(e) })
	if s.model != nil {
		regularly(s.interval, func() { s.model.Poll(ctx) })
		regularly(reliefDelay, func() { s.model.NotifyIfRelieved(ctx) })
	}
	if len(s.trimaran) > 0 {
		s.planTrimaran(e, regularly)
	}
	if s.reports != nil {
		regularly(time.Second, func() { s.report(e) })
	}
}

// flush retries the pods that have waited for an event for too long.
func (s *scheduler) flush(e *engine) {
	now := e.clock.Now()
	due := map[types.UID]bool{}
	for _, pod := range s.SchedulingQueue.UnschedulablePods() {
		if last, ok := s.failed[pod.UID]; ok && now.Sub(last.at) > flushAfter {
			last.at = now
			s.failed[pod.UID] = last
			due[pod.UID] = true
		}
	}
	if len(due) > 0 {
		s.SchedulingQueue.MoveAllToActiveOrBackoffQueue(s.logger, framework.EventUnschedulableTimeout, nil, nil,
			func(pod *v1.Pod) bool { return due[pod.UID] })
	}
}

// free returns what is not requested of each node.
func (s *scheduler) free() []room {
	if err := s.Cache.UpdateSnapshot(s.logger, s.snapshot); err != nil {
		return nil // the next scheduling cycle fails of it
	}
	nodes, err := s.snapshot.NodeInfos().List()
	if err != nil {
		return nil
	}
	rooms := make([]room, 0, len(nodes))
	for _, node := range nodes {
		rooms = append(rooms, roomOn(node))
	}
	return rooms
}
