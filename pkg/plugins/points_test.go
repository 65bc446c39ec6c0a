package plugins_test

import (
	"context"
	"fmt"
	"testing"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
	fwk "k8s.io/kube-scheduler/framework"
	schedconfig "k8s.io/kubernetes/pkg/scheduler/apis/config"
	"k8s.io/kubernetes/pkg/scheduler/backend/cache"
	"k8s.io/kubernetes/pkg/scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins/defaultbinder"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins/queuesort"
	frameworkruntime "k8s.io/kubernetes/pkg/scheduler/framework/runtime"
	"k8s.io/kubernetes/pkg/scheduler/metrics"
	st "k8s.io/kubernetes/pkg/scheduler/testing"
	"k8s.io/utils/clock"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/apis/config"
	"github.com/plimsoll-scheduler/plimsoll/pkg/explain"
	"github.com/plimsoll-scheduler/plimsoll/pkg/line"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load"
	"github.com/plimsoll-scheduler/plimsoll/pkg/plugins"
	"github.com/plimsoll-scheduler/plimsoll/pkg/waiting"
)

// points are the extension points that a profile may enable a plugin at.
func points() []func(*schedconfig.Plugins) *schedconfig.PluginSet {
	return []func(*schedconfig.Plugins) *schedconfig.PluginSet{
		func(p *schedconfig.Plugins) *schedconfig.PluginSet { return &p.PreFilter },
		func(p *schedconfig.Plugins) *schedconfig.PluginSet { return &p.Filter },
		func(p *schedconfig.Plugins) *schedconfig.PluginSet { return &p.PostFilter },
		func(p *schedconfig.Plugins) *schedconfig.PluginSet { return &p.PreScore },
		func(p *schedconfig.Plugins) *schedconfig.PluginSet { return &p.Score },
		func(p *schedconfig.Plugins) *schedconfig.PluginSet { return &p.Reserve },
	}
}

// hot is a load source by which the node n uses 9 cores.
type hot struct{}

func (hot) Poll(context.Context) ([]load.Reading, error) {
	return []load.Reading{{Node: "n", Timestamp: clock.RealClock{}.Now(), Usage: [amount.NumResources]float64{9, 1 << 30}}}, nil
}

// newProfile returns a profile of the framework that runs the plugin at those of
// the points whose bit is set, over a hot node.
func newProfile(t *testing.T, plugin, args string, set int) framework.Framework {
	t.Helper()
	metrics.Register()
	enabled := func(name string) schedconfig.PluginSet {
		return schedconfig.PluginSet{Enabled: []schedconfig.Plugin{{Name: name, Weight: 1}}}
	}
	profile := schedconfig.KubeSchedulerProfile{
		SchedulerName: "plimsoll",
		Plugins:       &schedconfig.Plugins{QueueSort: enabled(queuesort.Name), Bind: enabled(defaultbinder.Name)},
		PluginConfig:  []schedconfig.PluginConfig{{Name: plugin, Args: &runtime.Unknown{Raw: []byte(args), ContentType: runtime.ContentTypeJSON}}},
	}
	for i, point := range points() {
		if set&(1<<i) != 0 {
			*point(profile.Plugins) = enabled(plugin)
		}
	}
	if set == 0 {
		profile.PluginConfig = nil // which nothing would read
	}
	profiles, errs := config.DecodeProfiles([]schedconfig.KubeSchedulerProfile{profile})
	if len(errs) > 0 {
		t.Fatal(errs.ToAggregate())
	}
	shared := plugins.NewShared(profiles, func(context.Context, fwk.Handle) (*load.Model, error) {
		model := load.NewModel(plugins.ModelConfig(config.DefaultNodeLoadArgs()), hot{})
		model.SetNode("n", amount.Vector{10_000, 100 << 30}, line.Own{})
		model.Poll(t.Context())
		return model, nil
	})
	shared.Dispatch, shared.Decisions = waiting.Inline(), explain.NewLog(clock.RealClock{})
	registry := shared.Registry()
	registry[queuesort.Name], registry[defaultbinder.Name] = queuesort.New, defaultbinder.New
	f, err := frameworkruntime.NewFramework(t.Context(), registry, &profile,
		frameworkruntime.WithInformerFactory(informers.NewSharedInformerFactory(fake.NewClientset(), 0)),
		frameworkruntime.WithSnapshotSharedLister(cache.NewEmptySnapshot()))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// A profile may enable a plugin at any of its extension points alone. It rejects
// the node if Filter is among them, and never fails.
func TestAnySubsetOfExtensionPoints(t *testing.T) {
	resizing := st.MakePod().Name("resizing").UID("resizing").Node("n").Req(map[v1.ResourceName]string{"cpu": "1"}).Obj()
	resizing.Status.Conditions = []v1.PodCondition{{Type: v1.PodResizePending, Status: v1.ConditionTrue, Reason: v1.PodReasonDeferred}}
	pods := []*v1.Pod{
		st.MakePod().Name("plain").UID("plain").Req(map[v1.ResourceName]string{"cpu": "1"}).Obj(),
		st.MakePod().Name("devices").UID("devices").Req(map[v1.ResourceName]string{"cpu": "1", "nvidia.com/gpu": "1"}).Obj(),
		st.MakePod().Name("critical").UID("critical").Priority(2_000_000_000).Req(map[v1.ResourceName]string{"cpu": "1"}).Obj(),
		resizing,
	}
	rejects := map[string]map[string]bool{
		config.NodeLoad:  {"plain": true, "devices": true},
		config.DeviceFit: {"plain": true},
	}
	const filter = 1 << 1
	for plugin, args := range map[string]string{config.NodeLoad: `{}`, config.DeviceFit: `{"headroomPerDevice": {"cpu": "1"}}`} {
		for set := range 1 << len(points()) {
			t.Run(fmt.Sprintf("%s %06b", plugin, set), func(t *testing.T) {
				profile := newProfile(t, plugin, args, set)
				node := framework.NewNodeInfo()
				node.SetNode(st.MakeNode().Name("n").Capacity(map[v1.ResourceName]string{"cpu": "10", "memory": "100Gi", "nvidia.com/gpu": "8"}).Obj())
				for _, pod := range pods {
					want := set&filter != 0 && rejects[plugin][pod.Name]
					runCycle(t, profile, pod, node, want)
				}
			})
		}
	}
}

// runCycle runs all of a scheduling cycle, whatever Filter says.
func runCycle(t *testing.T, profile framework.Framework, pod *v1.Pod, node fwk.NodeInfo, rejected bool) {
	t.Helper()
	check := func(point string, status *fwk.Status) {
		t.Helper()
		if status.Code() == fwk.Error {
			t.Errorf("%s of pod %s: %v", point, pod.Name, status.AsError())
		}
	}
	state := framework.NewCycleState()
	_, status, _ := profile.RunPreFilterPlugins(t.Context(), state, pod)
	check("PreFilter", status)
	status = profile.RunFilterPlugins(t.Context(), state, pod, node)
	if check("Filter", status); status.IsRejected() != rejected {
		t.Errorf("pod %s is rejected with %v, want that: %t", pod.Name, status, rejected)
	}
	_, status = profile.RunPostFilterPlugins(t.Context(), state, pod, framework.NewDefaultNodeToStatus())
	check("PostFilter", status)
	check("PreScore", profile.RunPreScorePlugins(t.Context(), state, pod, []fwk.NodeInfo{node}))
	_, status = profile.RunScorePlugins(t.Context(), state, pod, []fwk.NodeInfo{node})
	check("Score", status)
	assumed := pod.DeepCopy()
	assumed.Spec.NodeName = "n"
	check("Reserve", profile.RunReservePluginsReserve(t.Context(), state, assumed, "n"))
	profile.RunReservePluginsUnreserve(t.Context(), state, assumed, "n")
}
