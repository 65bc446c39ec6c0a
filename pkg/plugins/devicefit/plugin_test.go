package devicefit

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/apis/scheduling"
	schedconfig "k8s.io/kubernetes/pkg/scheduler/apis/config"
	"k8s.io/kubernetes/pkg/scheduler/backend/cache"
	"k8s.io/kubernetes/pkg/scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins/defaultbinder"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins/queuesort"
	frameworkruntime "k8s.io/kubernetes/pkg/scheduler/framework/runtime"
	"k8s.io/kubernetes/pkg/scheduler/metrics"
	st "k8s.io/kubernetes/pkg/scheduler/testing"
	testingclock "k8s.io/utils/clock/testing"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/apis/config"
	"github.com/plimsoll-scheduler/plimsoll/pkg/compat/process"
	"github.com/plimsoll-scheduler/plimsoll/pkg/device"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load/estimate"
	"github.com/plimsoll-scheduler/plimsoll/pkg/waiting"
)

const (
	gpu   v1.ResourceName = "nvidia.com/gpu"
	fpga  v1.ResourceName = "xilinx.com/fpga"
	class v1.ResourceName = "deviceclass.resource.kubernetes.io/gpu"
)

type resources = map[v1.ResourceName]string

// cluster is what a profile under test sees: the load of nodes, and pods.
type cluster struct {
	clock     *testingclock.FakeClock
	model     *load.Model
	use       map[string][amount.NumResources]float64 // cores and bytes, by node
	informers informers.SharedInformerFactory
	inventory device.ClassInventory
	metrics   *Metrics
	counters  *waiting.Metrics
	nodeLoad  *config.NodeLoadArgs // of the profile; nil if it does not use NodeLoad
	lister    *cache.Snapshot
	activated []string
	led       int // how often it was told that this replica leads
}

func newCluster() *cluster {
	metrics.Register() // the framework records into metrics that are nil before
	c := &cluster{
		clock: testingclock.NewFakeClock(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)), use: map[string][amount.NumResources]float64{},
		informers: informers.NewSharedInformerFactory(fake.NewClientset(), 0), metrics: NewMetrics(), counters: waiting.NewMetrics(), lister: cache.NewEmptySnapshot(),
		inventory: device.NoClasses{},
	}
	c.model = load.NewModel(load.Config{
		Interval: 15 * time.Second, Timeout: time.Second, Expiration: 90 * time.Second, WarmUp: time.Minute, Clock: c.clock,
		Estimator: estimate.Estimator{Factors: [amount.NumResources]int64{100, 100}},
		Lead:      func() { c.led++ },
	}, c)
	return c
}

// Poll makes the cluster its own load source.
func (c *cluster) Poll(context.Context) ([]load.Reading, error) {
	var readings []load.Reading
	for name, usage := range c.use {
		readings = append(readings, load.Reading{Node: name, Timestamp: c.clock.Now(), Window: 15 * time.Second, Usage: usage})
	}
	return readings, nil
}

// Activate stands in for the scheduling queue.
func (c *cluster) Activate(_ klog.Logger, pods map[string]*v1.Pod) {
	for _, pod := range pods {
		c.activated = append(c.activated, pod.Name)
	}
}

// shared is what the plugins of all profiles share.
func (c *cluster) shared() Shared {
	shared := Shared{
		Model:     func(context.Context, fwk.Handle) (*load.Model, error) { return c.model, nil },
		Inventory: func(context.Context, fwk.Handle) (device.ClassInventory, error) { return c.inventory, nil },
		Metrics:   c.metrics, Waiting: c.counters, Clock: c.clock, Dispatch: waiting.Inline(),
	}
	if c.nodeLoad != nil {
		shared.Profiles = config.Profiles{"plimsoll": c.nodeLoad}
	}
	return shared
}

// newProfile returns a profile of the real framework that runs DeviceFit with
// the arguments, as JSON, at the extension points for which points returns a
// set, by default all.
func (c *cluster) newProfile(ctx context.Context, args string, points ...func(*schedconfig.Plugins) *schedconfig.PluginSet) (framework.Framework, error) {
	enabled := func(name string) schedconfig.PluginSet {
		return schedconfig.PluginSet{Enabled: []schedconfig.Plugin{{Name: name, Weight: 1}}}
	}
	plugins := &schedconfig.Plugins{
		QueueSort:  enabled(queuesort.Name),
		Bind:       enabled(defaultbinder.Name),
		MultiPoint: enabled(Name),
	}
	if len(points) > 0 {
		plugins.MultiPoint = schedconfig.PluginSet{}
	}
	for _, point := range points {
		*point(plugins) = enabled(Name)
	}
	return frameworkruntime.NewFramework(ctx, frameworkruntime.Registry{
		queuesort.Name:     queuesort.New,
		defaultbinder.Name: defaultbinder.New,
		Name:               Factory(c.shared()),
	}, &schedconfig.KubeSchedulerProfile{
		SchedulerName: "plimsoll",
		Plugins:       plugins,
		PluginConfig:  []schedconfig.PluginConfig{{Name: Name, Args: rawArgs(args)}},
	}, frameworkruntime.WithInformerFactory(c.informers), frameworkruntime.WithSnapshotSharedLister(c.lister), frameworkruntime.WithPodActivator(c))
}

func newProfile(ctx context.Context, args string, points ...func(*schedconfig.Plugins) *schedconfig.PluginSet) (framework.Framework, error) {
	return newCluster().newProfile(ctx, args, points...)
}

// rawArgs returns the arguments, as JSON, as the scheduler hands those of a
// plugin that is not its own to the factory.
func rawArgs(args string) *runtime.Unknown {
	return &runtime.Unknown{Raw: []byte(args), ContentType: runtime.ContentTypeJSON}
}

func mustProfile(t testing.TB, args string, points ...func(*schedconfig.Plugins) *schedconfig.PluginSet) framework.Framework {
	t.Helper()
	profile, err := newProfile(t.Context(), args, points...)
	if err != nil {
		t.Fatal(err)
	}
	return profile
}

// scores returns the scores of the nodes by name as the framework has them
// from DeviceFit, nil if it was skipped.
func scores(t testing.TB, profile framework.Framework, pod *v1.Pod, nodes ...fwk.NodeInfo) map[string]int64 {
	t.Helper()
	state := framework.NewCycleState()
	if status := profile.RunPreScorePlugins(t.Context(), state, pod, nodes); !status.IsSuccess() {
		t.Fatal(status)
	}
	all, status := profile.RunScorePlugins(t.Context(), state, pod, nodes)
	if !status.IsSuccess() {
		t.Fatal(status)
	}
	var scores map[string]int64
	for _, node := range all {
		for _, score := range node.Scores {
			if scores == nil {
				scores = map[string]int64{}
			}
			scores[node.Name] = score.Score
		}
	}
	return scores
}

func newNode(t testing.TB, name string, capacity resources, requests ...resources) fwk.NodeInfo {
	t.Helper()
	node := framework.NewNodeInfo()
	node.SetNode(st.MakeNode().Name(name).Capacity(capacity).Obj())
	for _, r := range requests {
		pod, err := framework.NewPodInfo(st.MakePod().Req(r).Obj())
		if err != nil {
			t.Fatal(err)
		}
		node.AddPodInfo(pod)
	}
	return node
}

func TestNewNamesEveryFault(t *testing.T) {
	const path = "profiles[plimsoll].pluginConfig[DeviceFit].args."
	tests := []struct {
		name, args string
		want       []string
	}{
		{name: "a pattern without a domain", args: `{"resources": ["gpu"]}`, want: []string{path + `resources[0]: Invalid value: "gpu": must be`}},
		{name: "a malformed pattern", args: `{"resources": ["*", "nvidia.com/[a"]}`, want: []string{path + `resources[1]: Invalid value: "nvidia.com/[a": must be`}},
		{name: "a class that holds the slash", args: `{"resources": ["[a/]b"]}`, want: []string{path + `resources`, `"[a/]b": must be`}},
		{name: "a resource that is no extended one", args: `{"resources": ["kubernetes.io/x"]}`, want: []string{path + "resources[0]"}},
		{name: "no resources", args: `{"resources": []}`, want: []string{path + "resources: Required value"}},
		{name: "a strategy", args: `{"strategy": "Tightest"}`, want: []string{path + `strategy: Unsupported value: "Tightest": supported values: "LeastFragmentation", "MostAllocated", "LeastAllocated"`}},
		{name: "an unknown field", args: `{"headroom": 1}`, want: []string{path + "headroom: Forbidden: unknown field"}},
		{name: "a wrong type", args: `{"avoidDeviceNodes": "yes"}`, want: []string{path + `avoidDeviceNodes: Invalid value: "yes": must be true or false`}},
		{
			name: "all of it", args: `{"resources": ["gpu"], "strategy": 1, "avoidDeviceNodes": 1, "x": 1}`,
			want: []string{path + "resources[0]", path + "strategy", path + "avoidDeviceNodes", path + "x"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := newProfile(t.Context(), tt.args)
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q does not say %q", err, want)
				}
			}
		})
	}
}

func TestEveryArgumentHasADefault(t *testing.T) {
	for _, args := range []string{``, `{}`, `null`, `{"resources": null}`} {
		if _, err := newProfile(t.Context(), args); err != nil {
			t.Errorf("args %q: %v", args, err)
		}
	}
}

func TestScoreForDevicePods(t *testing.T) {
	nodes := []fwk.NodeInfo{
		newNode(t, "idle", resources{gpu: "8", fpga: "4"}),
		newNode(t, "half", resources{gpu: "8", fpga: "4"}, resources{gpu: "3"}, resources{gpu: "1", fpga: "2"}),
		newNode(t, "gpu full", resources{gpu: "8", fpga: "4"}, resources{gpu: "8"}),
		newNode(t, "failed", resources{gpu: "4", fpga: "4"}, resources{gpu: "8"}),
		newNode(t, "none known", resources{gpu: "0", "cpu": "8"}, resources{gpu: "1"}),
	}
	const most, least = `{"strategy": "MostAllocated"}`, `{"strategy": "LeastAllocated"}`
	tests := []struct {
		name, args string
		pod        *st.PodWrapper
		want       map[string]int64
	}{
		{
			name: "packs", args: most, pod: st.MakePod().Req(resources{gpu: "2"}),
			want: map[string]int64{"idle": 25, "half": 75, "gpu full": 100, "failed": 100, "none known": 0},
		},
		{
			name: "spreads", args: least, pod: st.MakePod().Req(resources{gpu: "2"}),
			want: map[string]int64{"idle": 75, "half": 25, "gpu full": 0, "failed": 0, "none known": 0},
		},
		{
			name: "mean over the kinds that the pod asks for", args: most, pod: st.MakePod().Req(resources{gpu: "2", fpga: "1"}),
			want: map[string]int64{"idle": 25, "half": 75, "gpu full": 62, "failed": 62, "none known": 0},
		},
		{
			name: "spreads by the mean, too", args: least, pod: st.MakePod().Req(resources{gpu: "2", fpga: "1"}),
			want: map[string]int64{"idle": 75, "half": 25, "gpu full": 37, "failed": 37, "none known": 0},
		},
		{
			name: "kinds that are no devices do not count", args: `{"resources": ["xilinx.com/*"], "strategy": "MostAllocated"}`, pod: st.MakePod().Req(resources{gpu: "2", fpga: "1"}),
			want: map[string]int64{"idle": 25, "half": 75, "gpu full": 25, "failed": 25, "none known": 0},
		},
		{
			name: "sidecars and init containers count", args: most,
			pod:  st.MakePod().SidecarReq(resources{gpu: "1"}).InitReq(resources{gpu: "3"}).Req(resources{gpu: "1"}),
			want: map[string]int64{"idle": 50, "half": 100, "gpu full": 100, "failed": 100, "none known": 0},
		},
		{
			name: "a claim beside the request changes nothing", args: most,
			pod:  st.MakePod().Req(resources{gpu: "2"}).PodResourceClaims(v1.PodResourceClaim{Name: "nic"}),
			want: map[string]int64{"idle": 25, "half": 75, "gpu full": 100, "failed": 100, "none known": 0},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := scores(t, mustProfile(t, tt.args), tt.pod.Obj(), nodes...)
			for name, rating := range tt.want {
				// The rating is all but headroomScore of the score.
				if low := float64(rating) * 0.97; float64(got[name]) < low-0.5 || float64(got[name]) > low+headroomScore+1.5 {
					t.Errorf("node %q: score %d for a rating of %d", name, got[name], rating)
				}
			}
			if len(got) != len(tt.want) {
				t.Errorf("scores %v", got)
			}
		})
	}
}

func TestScoreForPodsWithoutDevices(t *testing.T) {
	nodes := []fwk.NodeInfo{
		newNode(t, "plain", resources{"cpu": "8", "hugepages-2Mi": "1Gi"}),
		newNode(t, "all in use", resources{gpu: "8"}, resources{gpu: "8"}),
		newNode(t, "failed", resources{gpu: "4"}, resources{gpu: "8"}),
		newNode(t, "one free", resources{gpu: "8"}, resources{gpu: "7"}),
		newNode(t, "one of many free", resources{gpu: "1000"}, resources{gpu: "999"}),
		newNode(t, "half free", resources{gpu: "8"}, resources{gpu: "4"}),
		newNode(t, "all free", resources{gpu: "8"}),
		newNode(t, "one kind free", resources{gpu: "8", fpga: "4"}, resources{gpu: "8", fpga: "1"}),
		newNode(t, "none known", resources{gpu: "0"}),
	}
	avoid := map[string]int64{ // 47/50 of the rating, and up to 3 for headroom
		"plain": 100, "all in use": 100, "failed": 100, "one free": 44, "one of many free": 50,
		"half free": 25, "all free": 1, "one kind free": 14, "none known": 100,
	}
	const most = `{"strategy": "MostAllocated"}`
	tests := []struct {
		name, args string
		pod        *st.PodWrapper
		want       map[string]int64 // nil: the plugin is skipped
	}{
		{name: "stays off free devices", args: most, pod: st.MakePod().Req(resources{"cpu": "1"}), want: avoid},
		{name: "no requests at all", args: most, pod: st.MakePod().Container("image"), want: avoid},
		{name: "a request for no units", args: most, pod: st.MakePod().Req(resources{gpu: "0"}), want: avoid},
		{
			name: "only matching resources are devices", args: `{"resources": ["xilinx.com/*"], "strategy": "MostAllocated"}`, pod: st.MakePod().Req(resources{gpu: "1"}),
			want: map[string]int64{
				"plain": 100, "all in use": 100, "failed": 100, "one free": 100, "one of many free": 100,
				"half free": 100, "all free": 100, "one kind free": 13, "none known": 100,
			},
		},
		{name: "turned off", args: `{"avoidDeviceNodes": false}`, pod: st.MakePod().Req(resources{"cpu": "1"})},
		{name: "devices through a claim", args: `{}`, pod: st.MakePod().PodResourceClaims(v1.PodResourceClaim{Name: "gpu"})},
		{
			name: "units of a device class that no node has", args: `{}`, pod: st.MakePod().Req(resources{class: "1"}),
			want: map[string]int64{
				"plain": 0, "all in use": 0, "failed": 0, "one free": 0, "one of many free": 0,
				"half free": 0, "all free": 0, "one kind free": 0, "none known": 0,
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			wantScores(t, scores(t, mustProfile(t, tt.args), tt.pod.Obj(), nodes...), tt.want)
		})
	}
}

// A cycle tells that this replica leads, also in a profile without NodeLoad, and only
// the first does.
func TestTheFirstCycleLeads(t *testing.T) {
	c := newCluster()
	profile, err := c.newProfile(t.Context(), "{}")
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		profile.RunPreFilterPlugins(t.Context(), framework.NewCycleState(), st.MakePod().Obj())
		if c.led != 1 {
			t.Errorf("told %d times that it leads, want once", c.led)
		}
	}
}

func TestScoreWithoutPreScore(t *testing.T) {
	profile := mustProfile(t, `{"strategy": "MostAllocated"}`, func(p *schedconfig.Plugins) *schedconfig.PluginSet { return &p.Score })
	nodes := []fwk.NodeInfo{newNode(t, "a", resources{gpu: "8"}, resources{gpu: "6"}), newNode(t, "b", resources{"cpu": "1"})}
	for _, tt := range []struct {
		pod  *st.PodWrapper
		want map[string]int64
	}{
		{st.MakePod().Req(resources{gpu: "1"}), map[string]int64{"a": 87, "b": 0}},
		{st.MakePod().Req(resources{"cpu": "1"}), map[string]int64{"a": 37, "b": 100}},
		{st.MakePod().Req(resources{class: "1"}), map[string]int64{"a": 0, "b": 0}},
	} {
		wantScores(t, scores(t, profile, tt.pod.Obj(), nodes...), tt.want)
	}
}

func wantScores(t *testing.T, got, want map[string]int64) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("scores = %v, want %v", got, want)
		return
	}
	for name := range want {
		if got[name] != want[name] {
			t.Errorf("node %q: score %d, want %d", name, got[name], want[name])
		}
	}
}

// Pods are grouped by what they must sign: alike within a group, and unlike
// across groups.
func TestSignPod(t *testing.T) {
	groups := map[string][]*st.PodWrapper{
		"no devices": {
			st.MakePod(), st.MakePod().Name("other").Label("a", "b").Priority(7), st.MakePod().Req(resources{gpu: "0"}),
		},
		"no devices, a core": {st.MakePod().Req(resources{"cpu": "1"})},
		"exempt":             {st.MakePod().Priority(scheduling.SystemCriticalPriority)},
		"devices out of sight": {
			st.MakePod().PodResourceClaims(v1.PodResourceClaim{Name: "a"}), st.MakePod().PodResourceClaims(v1.PodResourceClaim{Name: "b"}),
		},
		"a unit of a class": {st.MakePod().Req(resources{class: "1"})},
		"one gpu": {
			st.MakePod().Req(resources{gpu: "1"}), st.MakePod().Name("other").Req(resources{gpu: "1"}),
			st.MakePod().InitReq(resources{gpu: "1"}), st.MakePod().SidecarReq(resources{gpu: "1"}),
			st.MakePod().Req(resources{gpu: "1"}).PodResourceClaims(v1.PodResourceClaim{Name: "a"}),
		},
		"one gpu, four cores": {st.MakePod().Req(resources{gpu: "1", "cpu": "4"})},
		"two gpus": {
			st.MakePod().Req(resources{gpu: "2"}), st.MakePod().Req(resources{gpu: "1"}).Req(resources{gpu: "1"}),
		},
		"one fpga":           {st.MakePod().Req(resources{fpga: "1"})},
		"one gpu, one fpga":  {st.MakePod().Req(resources{gpu: "1", fpga: "1"}), st.MakePod().Req(resources{fpga: "1"}).Req(resources{gpu: "1"})},
		"two gpus, one fpga": {st.MakePod().Req(resources{gpu: "2", fpga: "1"})},
	}
	profile := mustProfile(t, `{}`)
	groupOf := map[string]string{}
	for group, pods := range groups {
		for _, pod := range pods {
			for range 5 { // map order must not show
				signature := string(process.SignPod(t.Context(), profile, pod.Obj()))
				if signature == "" {
					t.Fatalf("%s: a pod is not signed, which turns batching off for it", group)
				}
				if other, ok := groupOf[signature]; ok && other != group {
					t.Errorf("%q and %q sign alike: %s", group, other, signature)
				}
				groupOf[signature] = group
			}
		}
	}
	if len(groupOf) != len(groups) {
		t.Errorf("%d signatures for %d groups: %v", len(groupOf), len(groups), groupOf)
	}
}

// The fragment is what is compared, and the score a function of it: a fault in
// either would let a batch place a pod by the scores of another.
func TestPodsThatSignAlikeScoreAlike(t *testing.T) {
	nodes := []fwk.NodeInfo{
		newNode(t, "idle", resources{gpu: "8", fpga: "4"}),
		newNode(t, "in use", resources{gpu: "8", fpga: "4"}, resources{gpu: "5", fpga: "1"}),
		newNode(t, "plain", resources{"cpu": "4"}),
	}
	names := []v1.ResourceName{gpu, fpga, class, "cpu"}
	counts := []string{"0", "1", "2"}
	var pods []*v1.Pod
	for _, a := range names {
		for _, b := range names {
			for _, n := range counts {
				pods = append(pods,
					st.MakePod().Req(resources{a: n}).Req(resources{b: "1"}).Obj(),
					st.MakePod().InitReq(resources{a: n}).SidecarReq(resources{b: n}).Obj())
			}
		}
	}
	for _, args := range []string{`{}`, `{"avoidDeviceNodes": false}`, `{"resources": ["nvidia.com/*"], "strategy": "LeastAllocated"}`} {
		profile := mustProfile(t, args)
		seen := map[string]string{}
		for _, pod := range pods {
			signature := string(process.SignPod(t.Context(), profile, pod))
			text, err := json.Marshal(scores(t, profile, pod, nodes...))
			if err != nil {
				t.Fatal(err)
			}
			if first, ok := seen[signature]; ok && first != string(text) {
				t.Errorf("args %s: pods that sign %s score %s and %s", args, signature, first, text)
			}
			seen[signature] = string(text)
		}
	}
}
