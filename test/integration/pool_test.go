package integration

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/plimsoll-scheduler/plimsoll/test/cluster"
)

// timeout bounds each wait. It is generous: the machine may be slow.
const timeout = 2 * time.Minute

const gpu = "nvidia.com/gpu"

// pool is the nodes of one test, which its pods, and no other pods, go to.
// Nothing of a test may depend on other tests' pools, which come and go
// meanwhile: node names have the pool's name in front, and so have the profiles
// of schedulers, so that these leave alone what is not theirs.
type pool struct {
	t    *testing.T
	name string
	// local is the cluster that the nodes are in.
	local *cluster.Cluster
}

// node describes a node of a pool: 10 cores, 100 GiB.
type node struct {
	name  string
	gpus  int
	cores int // 0 means 10
	// uses is the cores that its pods use, "" for none, which leaves the node
	// without an entry in NodeMetrics. requests is the cores they request.
	uses, requests string
}

// newPool creates the nodes and waits until metrics-server shows the use of
// each. All are removed at the end of the test.
func newPool(t *testing.T, nodes ...node) *pool {
	t.Helper()
	return newPoolIn(t, local, nodes...)
}

// ownCluster starts a cluster for one test.
func ownCluster(t *testing.T) *cluster.Cluster {
	t.Helper()
	own, err := cluster.Start(t.Context(), clusterOptions())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := own.Close(); err != nil {
			t.Error(err)
		}
	})
	return own
}

// newPoolIn is newPool for another cluster than the one that all tests share.
func newPoolIn(t *testing.T, in *cluster.Cluster, nodes ...node) *pool {
	t.Helper()
	p := &pool{t: t, name: poolName(t), local: in}
	t.Cleanup(p.remove)
	for _, n := range nodes {
		p.must(p.local.CreateNodes(t.Context(), p.clusterNode(n)))
		p.must(p.load(n))
	}
	p.waitUsage(nodes...)
	return p
}

func poolName(t *testing.T) string {
	return strings.ToLower(strings.ReplaceAll(t.Name(), "/", "-"))
}

// profile returns what a profile of config/ is called in this pool (see
// startScheduler).
func (p *pool) profile(name string) string { return p.name + "-" + name }

func (p *pool) clusterNode(n node) cluster.Node {
	if n.cores == 0 {
		n.cores = 10
	}
	devices := map[string]string{}
	if n.gpus > 0 {
		devices[gpu] = strconv.Itoa(n.gpus)
	}
	return cluster.Node{
		Name: p.nodeName(n.name), CPU: strconv.Itoa(n.cores), Memory: "100Gi", Devices: devices,
		Labels: map[string]string{"pool": p.name},
		Taints: []v1.Taint{{Key: "pool", Value: p.name, Effect: v1.TaintEffectNoSchedule}},
	}
}

// load puts a pod on the node that makes it as described.
func (p *pool) load(n node) error {
	if n.uses == "" && n.requests == "" {
		return nil
	}
	pod := p.pod(loadName(n.name), "")
	pod.Spec.NodeName = p.nodeName(n.name)
	pod.Spec.PriorityClassName = "system-node-critical" // no pod of a test may preempt it
	pod.Annotations = cluster.Usage{CPU: orZero(n.uses), Memory: "1Gi"}.Annotations()
	pod.Spec.Containers[0].Resources.Requests = v1.ResourceList{v1.ResourceCPU: resource.MustParse(orZero(n.requests))}
	_, err := p.local.Clientset.CoreV1().Pods("default").Create(p.t.Context(), pod, metav1.CreateOptions{})
	return err
}

func orZero(quantity string) string {
	if quantity == "" {
		return "0"
	}
	return quantity
}

func loadName(node string) string { return "load-" + node }

// setUse changes what the node's pods use, and waits until metrics-server shows it.
func (p *pool) setUse(node string, cores string) {
	p.t.Helper()
	p.must(p.local.SetUsage(p.t.Context(), "default", p.podName(loadName(node)), cluster.Usage{CPU: cores}))
}

// usageError is how far off what metrics-server shows may be, as a part of it: it
// divides what counters say by times that are not exactly theirs.
const usageError = 0.05

// waitUsage waits until metrics-server shows the use of each node.
func (p *pool) waitUsage(nodes ...node) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), timeout)
	defer cancel()
	p.must(p.local.WaitNodeUsage(ctx, func(usage map[string]v1.ResourceList) bool {
		for _, n := range nodes {
			if n.uses == "" {
				continue
			}
			want, got := resource.MustParse(n.uses), usage[p.nodeName(n.name)][v1.ResourceCPU]
			if ratio := got.AsApproximateFloat64() / want.AsApproximateFloat64(); math.Abs(ratio-1) > usageError {
				return false
			}
		}
		return true
	}))
}

func (p *pool) nodeName(node string) string { return p.name + "-" + node }
func (p *pool) podName(pod string) string   { return p.name + "-" + pod }

// pod returns a pod of the pool, of one core and 1 GiB, for the profile as it is
// named in config/, or for none.
func (p *pool) pod(name, profile string) *v1.Pod {
	grace := int64(0)
	if profile != "" {
		profile = p.profile(profile)
	}
	return &v1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: p.podName(name), Labels: map[string]string{"pool": p.name}},
		Spec: v1.PodSpec{
			SchedulerName: profile,
			NodeSelector:  map[string]string{"pool": p.name},
			Tolerations:   []v1.Toleration{{Key: "pool", Value: p.name}},
			Containers: []v1.Container{{
				Name: "c", Image: "simulated",
				Resources: v1.ResourceRequirements{Requests: v1.ResourceList{
					v1.ResourceCPU: resource.MustParse("1"), v1.ResourceMemory: resource.MustParse("1Gi"),
				}},
			}},
			TerminationGracePeriodSeconds: &grace,
		},
	}
}

func withGPUs(pod *v1.Pod, count string) *v1.Pod { return asking(pod, gpu, count) }

// asking has the pod ask for so many units of an extended resource.
func asking(pod *v1.Pod, name v1.ResourceName, count string) *v1.Pod {
	resources := &pod.Spec.Containers[0].Resources
	resources.Requests[name] = resource.MustParse(count)
	resources.Limits = v1.ResourceList{name: resource.MustParse(count)}
	return pod
}

func withCPU(pod *v1.Pod, cores string) *v1.Pod {
	pod.Spec.Containers[0].Resources.Requests[v1.ResourceCPU] = resource.MustParse(cores)
	return pod
}

func (p *pool) create(pods ...*v1.Pod) {
	p.t.Helper()
	for _, pod := range pods {
		_, err := p.local.Clientset.CoreV1().Pods("default").Create(p.t.Context(), pod, metav1.CreateOptions{})
		p.must(err)
	}
}

// placed waits until all pods are bound and returns how many are on each node.
func (p *pool) placed(pods ...*v1.Pod) map[string]int {
	p.t.Helper()
	count := map[string]int{}
	for _, pod := range pods {
		count[p.nodeOf(pod)]++
	}
	return count
}

// nodeOf waits until the pod is bound and returns the node, as named in the test.
func (p *pool) nodeOf(pod *v1.Pod) (node string) {
	p.t.Helper()
	return p.awaitNode(timeout, pod)
}

// boundWithin is nodeOf for a pod that has to be bound within so long from now. It
// is for TestPodsWakeInTime.
func (p *pool) boundWithin(limit time.Duration, pod *v1.Pod) (node string) {
	p.t.Helper()
	if !strings.HasPrefix(p.t.Name(), "TestPodsWakeInTime/") {
		p.t.Fatal("beside other tests how long something takes says nothing: use nodeOf")
	}
	return p.awaitNode(limit, pod)
}

func (p *pool) awaitNode(limit time.Duration, pod *v1.Pod) (node string) {
	p.t.Helper()
	p.waitAtMost(limit, "pod "+pod.Name+" to be bound", func(ctx context.Context) (bool, error) {
		got, err := p.local.Clientset.CoreV1().Pods("default").Get(ctx, pod.Name, metav1.GetOptions{})
		if err != nil {
			return false, err
		}
		node = strings.TrimPrefix(got.Spec.NodeName, p.name+"-")
		return node != "", fmt.Errorf("not bound, nominated to %q: %s", got.Status.NominatedNodeName, unschedulable(got))
	})
	return node
}

// rejected waits until the scheduler says that the pod cannot be placed, and
// returns why.
func (p *pool) rejected(pod *v1.Pod) (why string) {
	p.t.Helper()
	p.wait("pod "+pod.Name+" to be rejected", func(ctx context.Context) (bool, error) {
		got, err := p.local.Clientset.CoreV1().Pods("default").Get(ctx, pod.Name, metav1.GetOptions{})
		if err != nil {
			return false, err
		}
		if got.Spec.NodeName != "" {
			p.t.Fatalf("pod %s is bound to %s", pod.Name, got.Spec.NodeName)
		}
		why = unschedulable(got)
		return why != "", nil
	})
	return why
}

func unschedulable(pod *v1.Pod) string {
	for _, condition := range pod.Status.Conditions {
		if condition.Type == v1.PodScheduled && condition.Status == v1.ConditionFalse {
			return condition.Message
		}
	}
	return ""
}

func (p *pool) wait(what string, condition func(context.Context) (bool, error)) {
	p.t.Helper()
	p.waitAtMost(timeout, what, condition)
}

func (p *pool) waitAtMost(limit time.Duration, what string, condition func(context.Context) (bool, error)) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), limit)
	defer cancel()
	p.must(cluster.WaitFor(ctx, what, condition))
}

func (p *pool) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

// remove deletes the pool's pods and nodes.
func (p *pool) remove() {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(p.t.Context()), timeout)
	defer cancel()
	ofPool := metav1.ListOptions{LabelSelector: "pool=" + p.name}
	now := metav1.DeleteOptions{GracePeriodSeconds: new(int64(0))}
	if err := p.local.Clientset.CoreV1().Pods("default").DeleteCollection(ctx, now, ofPool); err != nil {
		p.t.Error(err)
	}
	if err := p.local.Clientset.CoreV1().Nodes().DeleteCollection(ctx, now, ofPool); err != nil {
		p.t.Error(err)
	}
	err := cluster.WaitFor(ctx, "the pods of pool "+p.name+" to be gone", func(ctx context.Context) (bool, error) {
		pods, err := p.local.Clientset.CoreV1().Pods("default").List(ctx, ofPool)
		return err == nil && len(pods.Items) == 0, err
	})
	if err != nil {
		p.t.Error(err)
	}
}

// scheduler is a running scheduler of a test.
type scheduler struct {
	*cluster.Scheduler
	t *testing.T
}

// startScheduler starts the scheduler with a configuration of config/, whose
// profiles it renames to those of the test's pool, and waits until it has node
// metrics. change, if not nil, changes the configuration first. When the test
// ends the log must be clean.
func startScheduler(t *testing.T, config string, change func(map[string]any), flags ...string) *scheduler {
	t.Helper()
	p := &pool{t: t, name: poolName(t), local: local}
	return p.startScheduler(config, change, flags...)
}

// startScheduler is the function of that name for the cluster that the pool is in.
func (p *pool) startScheduler(config string, change func(map[string]any), flags ...string) *scheduler {
	p.t.Helper()
	s := p.startUnmeasured(config, change, flags...)
	s.waitFreshNodes()
	return s
}

// startUnmeasured is startScheduler without the wait for metrics.
func (p *pool) startUnmeasured(config string, change func(map[string]any), flags ...string) *scheduler {
	p.t.Helper()
	return p.runScheduler(cluster.SchedulerOptions{
		Config: filepath.Join(root, "config", config), Change: ofPool(p.t, change), Args: append(flags, "--leader-elect=false"),
	})
}

// ofPool returns a change of a configuration that names its profiles after the
// test's pool, sets the line that tests reckon with, 75 % of CPU, and then makes
// the other change, if there is one.
func ofPool(t *testing.T, change func(map[string]any)) func(map[string]any) {
	p := &pool{name: poolName(t)}
	return func(config map[string]any) {
		for _, profile := range config["profiles"].([]any) {
			profile := profile.(map[string]any)
			profile["schedulerName"] = p.profile(profile["schedulerName"].(string))
		}
		setLine(args(config), 75)
		if change != nil {
			change(config)
		}
	}
}

// setLine sets the line of CPU in NodeLoad's arguments, in percent.
func setLine(args map[string]any, percent int) {
	filter, given := args["filter"].(map[string]any)
	if !given {
		filter = map[string]any{}
		args["filter"] = filter
	}
	thresholds, given := filter["thresholds"].(map[string]any)
	if !given {
		thresholds = map[string]any{}
		filter["thresholds"] = thresholds
	}
	thresholds["cpu"] = percent
}

func runScheduler(t *testing.T, opts cluster.SchedulerOptions) *scheduler {
	t.Helper()
	p := &pool{t: t, name: poolName(t), local: local}
	return p.runScheduler(opts)
}

func (p *pool) runScheduler(opts cluster.SchedulerOptions) *scheduler {
	p.t.Helper()
	opts.Program = program
	started, err := p.local.StartScheduler(p.t.Context(), opts)
	p.must(err)
	s := &scheduler{Scheduler: started, t: p.t}
	p.t.Cleanup(func() {
		if s.Running() {
			if err := s.Stop(); err != nil {
				p.t.Error(err)
			}
		}
		s.checkLog()
	})
	return s
}

// checkLog fails the test for what must never be in a log, and shows the log
// of a test that failed.
func (s *scheduler) checkLog() {
	log, err := s.Log()
	if err != nil {
		s.t.Error(err)
	}
	for _, sign := range []string{"DATA RACE", "panic", "forbidden", "Observed a panic"} {
		if strings.Contains(log, sign) {
			s.t.Errorf("the scheduler's log has %q", sign)
		}
	}
	if s.t.Failed() {
		s.t.Logf("the scheduler's log:\n%s", log)
	}
}

// ask reads an answer of the port for decisions.
func (s *scheduler) ask(ctx context.Context, token, path string, answer any) error {
	code, body, err := s.Ask(ctx, token, path)
	if err != nil {
		return err
	}
	if code != http.StatusOK {
		return fmt.Errorf("%s: %d: %s", path, code, body)
	}
	return json.Unmarshal(body, answer)
}

// metric returns the value of a metric, written as in /metrics, and whether
// there is one. A name without labels is the sum over all labels.
func (s *scheduler) metric(ctx context.Context, name string) (value float64, found bool, err error) {
	text, err := s.Metrics(ctx)
	if err != nil {
		return 0, false, err
	}
	line := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(name) + `(?:\{.*\})? (\S+)$`)
	for _, match := range line.FindAllStringSubmatch(text, -1) {
		v, err := strconv.ParseFloat(match[1], 64)
		if err != nil {
			return 0, false, err
		}
		value, found = value+v, true
	}
	return value, found, nil
}

// waitMetric waits until the metric's value satisfies the condition.
func (s *scheduler) waitMetric(name string, condition func(float64) bool) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), timeout)
	defer cancel()
	err := cluster.WaitFor(ctx, "metric "+name, func(ctx context.Context) (bool, error) {
		value, found, err := s.metric(ctx, name)
		if err == nil {
			err = fmt.Errorf("its value is %v (found: %t)", value, found)
		}
		return found && condition(value), err
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

const freshNodes = `plimsoll_nodes{state="fresh"}`

// waitFreshNodes waits until the scheduler has taken in a poll. If it has been
// started after the pool's nodes were measured (see newPool), that has them:
// a poll reads all nodes at once, and they become visible together.
func (s *scheduler) waitFreshNodes() {
	s.t.Helper()
	s.waitMetric(freshNodes, func(nodes float64) bool { return nodes > 0 })
}

// waitPolls waits until the scheduler has read, taken in and acted upon what
// metrics-server says at this moment.
func (s *scheduler) waitPolls() {
	s.t.Helper()
	before, _, err := s.metric(s.t.Context(), polls)
	if err != nil {
		s.t.Fatal(err)
	}
	// One poll may be under way now, and the next is counted before it is taken
	// in; when the one after that is counted, it has been.
	s.waitMetric(polls, func(now float64) bool { return now >= before+3 })
}

const polls = "plimsoll_source_poll_duration_seconds_count"

// args returns NodeLoad's arguments in the first profile of a configuration.
func args(config map[string]any) map[string]any {
	profile := config["profiles"].([]any)[0].(map[string]any)
	return profile["pluginConfig"].([]any)[0].(map[string]any)["args"].(map[string]any)
}
