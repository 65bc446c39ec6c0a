package plugins_test

import (
	"context"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/client-go/tools/events"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler"
	schedconfig "k8s.io/kubernetes/pkg/scheduler/apis/config"
	"k8s.io/kubernetes/pkg/scheduler/apis/config/scheme"
	st "k8s.io/kubernetes/pkg/scheduler/testing"
	"k8s.io/utils/clock"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/apis/config"
	"github.com/plimsoll-scheduler/plimsoll/pkg/compat/process"
	"github.com/plimsoll-scheduler/plimsoll/pkg/explain"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load"
	"github.com/plimsoll-scheduler/plimsoll/pkg/plugins"
)

// cluster is kube-scheduler, with its queue, its own plugins and ours, over a
// client that stands in for the API server. It is the load source, too: a node uses
// what its pods say that they use.
//
// The queue itself retries nothing for an hour that no event or plugin asks for.
type cluster struct {
	*fake.Clientset
	*scheduler.Scheduler
	t         *testing.T
	model     *load.Model
	decisions *explain.Log

	mu      sync.Mutex
	unknown map[string]bool // nodes that are not measured
}

// useAnnotation is how many cores a pod uses.
const useAnnotation = "test/cores"

const header = "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n"

// newCluster returns a cluster with the nodes, of 10 cores each, whose scheduler
// runs NodeLoad with these arguments, in YAML. The load line is at 7.5 cores. Pods
// that fail back off for as many seconds. Call start when it has its first pods.
func newCluster(t *testing.T, nodeLoad string, backoff int64, nodes ...string) *cluster {
	c := &cluster{t: t, Clientset: fake.NewClientset(), unknown: map[string]bool{}, decisions: explain.NewLog(clock.RealClock{})}
	c.PrependReactor("create", "pods", c.bind)
	for _, name := range nodes {
		c.addNode(name)
	}
	obj, _, err := scheme.Codecs.UniversalDecoder().Decode([]byte(header+`profiles:
- schedulerName: plimsoll
  plugins: {multiPoint: {enabled: [{name: NodeLoad}, {name: DeviceFit}]}}
  pluginConfig: [{name: NodeLoad, args: `+nodeLoad+"}]\n"), nil, nil)
	c.must(err)
	profile := obj.(*schedconfig.KubeSchedulerConfiguration).Profiles[0]
	profiles, errs := config.DecodeProfiles([]schedconfig.KubeSchedulerProfile{profile})
	c.must(errs.ToAggregate())
	shared := plugins.NewShared(profiles, func(_ context.Context, handle fwk.Handle) (*load.Model, error) {
		if c.model == nil {
			cfg := plugins.ModelConfig(profiles.Shared())
			cfg.Interval, cfg.WarmUp = 50*time.Millisecond, time.Second
			c.model = load.NewModel(cfg, c)
			if _, err := c.model.Watch(handle.SharedInformerFactory()); err != nil {
				return nil, err
			}
		}
		return c.model, nil
	})
	shared.Decisions = c.decisions
	ctx := klog.NewContext(t.Context(), klog.Logger{})
	factory := informers.NewSharedInformerFactory(c, 0)
	recorder := func(string) process.EventRecorder { return discard{} }
	c.Scheduler, err = scheduler.New(ctx, c, factory, nil, recorder,
		scheduler.WithComponentConfigVersion("kubescheduler.config.k8s.io/v1"), scheduler.WithProfiles(profile),
		scheduler.WithFrameworkOutOfTreeRegistry(shared.Registry()), scheduler.WithPodMaxInUnschedulablePodsDuration(time.Hour),
		scheduler.WithPodInitialBackoffSeconds(backoff), scheduler.WithPodMaxBackoffSeconds(backoff))
	c.must(err)
	factory.Start(t.Context().Done())
	factory.WaitForCacheSync(t.Context().Done())
	c.must(c.WaitForHandlersSync(ctx))
	return c
}

// start begins to poll, and then to schedule.
func (c *cluster) start() {
	ctx := klog.NewContext(c.t.Context(), klog.Logger{})
	c.model.Poll(ctx)
	go c.model.Run(ctx)
	go c.decisions.Run(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.Run(ctx)
	}()
	c.t.Cleanup(func() { <-done }) // the test's context has ended by then
}

// discard drops events.
type discard struct{}

func (discard) Eventf(runtime.Object, runtime.Object, string, string, string, string, ...any) {}
func (discard) AnnotatedEventf(runtime.Object, runtime.Object, map[string]string, string, string, string, string, ...any) {
}
func (d discard) WithLogger(klog.Logger) events.EventRecorderLogger { return d }

func (c *cluster) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

// bind does what the API server does for pods/binding.
func (c *cluster) bind(action clienttesting.Action) (bool, runtime.Object, error) {
	create := action.(clienttesting.CreateAction)
	binding, ok := create.GetObject().(*v1.Binding)
	if !ok {
		return false, nil, nil
	}
	pods := v1.SchemeGroupVersion.WithResource("pods")
	object, err := c.Tracker().Get(pods, binding.Namespace, binding.Name)
	if err != nil {
		return true, nil, err
	}
	pod := object.(*v1.Pod).DeepCopy()
	pod.Spec.NodeName = binding.Target.Name
	return true, binding, c.Tracker().Update(pods, pod, binding.Namespace)
}

// Poll makes the cluster its own load source.
func (c *cluster) Poll(ctx context.Context) (readings []load.Reading, err error) {
	uses := map[string]float64{}
	pods, err := c.CoreV1().Pods("").List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	for i := range pods.Items {
		uses[pods.Items[i].Spec.NodeName] += cores(&pods.Items[i])
	}
	nodes, err := c.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range nodes.Items {
		if name := nodes.Items[i].Name; !c.unknown[name] {
			readings = append(readings, load.Reading{
				Node: name, Timestamp: time.Now(), Window: 50 * time.Millisecond, Usage: [amount.NumResources]float64{uses[name], 1 << 30},
			})
		}
	}
	return readings, nil
}

// PollPods makes it a source of what pods use.
func (c *cluster) PollPods(ctx context.Context, names []types.NamespacedName) (readings []load.PodReading, err error) {
	for _, name := range names {
		if pod, err := c.CoreV1().Pods(name.Namespace).Get(ctx, name.Name, metav1.GetOptions{}); err == nil {
			readings = append(readings, load.PodReading{Pod: name, Reading: load.Reading{
				Timestamp: time.Now(), Window: 50 * time.Millisecond, Usage: [amount.NumResources]float64{cores(pod), 1 << 20},
			}})
		}
	}
	return readings, nil
}

func cores(pod *v1.Pod) float64 {
	cores, err := strconv.ParseFloat(pod.Annotations[useAnnotation], 64)
	if err != nil {
		return 0
	}
	return cores
}

func (c *cluster) addNode(name string) {
	c.t.Helper()
	node := st.MakeNode().Name(name).Capacity(map[v1.ResourceName]string{"cpu": "10", "memory": "100Gi", "pods": "110"}).Obj()
	_, err := c.CoreV1().Nodes().Create(c.t.Context(), node, metav1.CreateOptions{})
	c.must(err)
}

// setMeasured says whether the node is measured.
func (c *cluster) setMeasured(node string, measured bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.unknown[node] = !measured
}

// running creates a pod that has been running on the node for an hour and uses so
// many cores.
func (c *cluster) running(name, node string, priority int32, cores string) *v1.Pod {
	c.t.Helper()
	pod := st.MakePod().Name(name).UID(name).Namespace("default").Node(node).Priority(priority).Phase(v1.PodRunning).
		Annotation(useAnnotation, cores).Req(map[v1.ResourceName]string{"cpu": "100m"}).Obj()
	started := metav1.NewTime(time.Now().Add(-time.Hour))
	pod.Status.StartTime = &started
	pod.Status.ContainerStatuses = []v1.ContainerStatus{{
		Name: pod.Spec.Containers[0].Name, State: v1.ContainerState{Running: &v1.ContainerStateRunning{StartedAt: started}},
	}}
	_, err := c.CoreV1().Pods("default").Create(c.t.Context(), pod, metav1.CreateOptions{})
	c.must(err)
	return pod
}

// pending returns a pod to be scheduled, which requests so many cores.
func pending(name string, priority int32, cores string) *v1.Pod {
	return st.MakePod().Name(name).UID(name).Namespace("default").SchedulerName("plimsoll").Priority(priority).
		Req(map[v1.ResourceName]string{"cpu": cores, "memory": "1Gi"}).Obj()
}

func (c *cluster) create(pods ...*v1.Pod) {
	c.t.Helper()
	for _, pod := range pods {
		_, err := c.CoreV1().Pods(pod.Namespace).Create(c.t.Context(), pod, metav1.CreateOptions{})
		c.must(err)
	}
}

// annotate sets an annotation of the pod.
func (c *cluster) annotate(name, key, value string) {
	c.t.Helper()
	pod, err := c.CoreV1().Pods("default").Get(c.t.Context(), name, metav1.GetOptions{})
	c.must(err)
	pod.Annotations = map[string]string{key: value}
	pod.ResourceVersion += "1" // the client does not count
	_, err = c.CoreV1().Pods("default").Update(c.t.Context(), pod, metav1.UpdateOptions{})
	c.must(err)
}

// eventually waits until it is so.
func (c *cluster) eventually(what string, so func() bool) {
	c.t.Helper()
	err := wait.PollUntilContextTimeout(c.t.Context(), 10*time.Millisecond, 20*time.Second, true, func(context.Context) (bool, error) {
		return so(), nil
	})
	if err != nil {
		c.t.Fatalf("%s: %v", what, err)
	}
}

// nodeOf returns the node that the pod is bound to.
func (c *cluster) nodeOf(name string) string {
	pod, err := c.CoreV1().Pods("default").Get(c.t.Context(), name, metav1.GetOptions{})
	if err != nil {
		return ""
	}
	return pod.Spec.NodeName
}

func (c *cluster) wantBound(names ...string) {
	c.t.Helper()
	for _, name := range names {
		c.eventually("pod "+name+" to be bound", func() bool { return c.nodeOf(name) != "" })
	}
}

// waitRejected waits until all of the pods were tried, and wait for an event.
func (c *cluster) waitRejected(names ...string) {
	c.t.Helper()
	c.eventually("pods to be rejected", func() bool {
		waiting := c.SchedulingQueue.UnschedulablePods()
		for _, name := range names {
			if !slices.ContainsFunc(waiting, func(pod *v1.Pod) bool { return pod.Name == name }) {
				return false
			}
		}
		return true
	})
}
