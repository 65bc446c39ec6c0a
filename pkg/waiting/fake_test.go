package waiting

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/component-base/metrics"
	"k8s.io/klog/v2"
	st "k8s.io/kubernetes/pkg/scheduler/testing"
	testingclock "k8s.io/utils/clock/testing"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/line"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load"
)

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// noSource is for nodes of which only what they can allocate counts.
type noSource struct{}

func (noSource) Poll(context.Context) ([]load.Reading, error) { return nil, nil }

// closed is the class of pods that no node takes.
const closed = "closed"

// cluster is nodes n0, n1 and so on, of whose room the test decides, pods that ask
// for CPU, and a Set. It is the Set's Rules and Handle.
type cluster struct {
	*Set[string]
	t         testing.TB
	clock     *testingclock.FakeClock
	model     *load.Model
	informers informers.SharedInformerFactory
	room      map[string]int64  // by node; a node that is not in it takes none
	class     map[string]string // by pod
	learned   int64             // what all pods need, unless that is 0
	polls     uint64
	registry  metrics.KubeRegistry
	activated []string
}

func newCluster(t testing.TB, rooms ...int64) *cluster {
	c := &cluster{
		t: t, clock: testingclock.NewFakeClock(epoch), room: map[string]int64{}, class: map[string]string{},
		informers: informers.NewSharedInformerFactory(fake.NewClientset(), 0),
	}
	c.model = load.NewModel(load.Config{Clock: c.clock}, noSource{})
	for i, room := range rooms {
		c.addNode("n"+strconv.Itoa(i), room)
	}
	counted := NewMetrics()
	c.registry = metrics.NewKubeRegistry()
	c.registry.MustRegister(counted.All()...)
	c.Set = NewSet(Config[string]{
		Handle: c, Rules: c, View: c.view, Metrics: counted, Plugin: "Fake", Reasons: []string{"", "one", "", "three"},
	})
	return c
}

// shown returns the value of a metric by its labels' values, in the order of their
// names: that of a gauge or counter, the sum of a histogram.
func (c *cluster) shown(name string) map[string]float64 {
	c.t.Helper()
	families, err := c.registry.Gather()
	if err != nil {
		c.t.Fatal(err)
	}
	shown := map[string]float64{}
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			if family.GetName() != name {
				continue
			}
			var labels []string
			for _, label := range metric.GetLabel() {
				labels = append(labels, label.GetValue())
			}
			shown[strings.Join(labels, ",")] = metric.GetGauge().GetValue() + metric.GetCounter().GetValue() + metric.GetHistogram().GetSampleSum()
		}
	}
	return shown
}

// view is the model's, with how often single pods were measured as the test says.
func (c *cluster) view() load.View {
	view := c.model.View()
	view.PodPolls = c.polls
	return view
}

func (c *cluster) ProfileName() string                                    { return "plimsoll" }
func (c *cluster) SharedInformerFactory() informers.SharedInformerFactory { return c.informers }
func (c *cluster) Activate(_ klog.Logger, pods map[string]*v1.Pod) {
	for _, pod := range pods {
		c.activated = append(c.activated, pod.Name)
	}
}

func (c *cluster) Class(_ *load.View, pod *v1.Pod, _ History) string { return c.class[pod.Name] }

func (c *cluster) Need(pod *v1.Pod) amount.Vector {
	if c.learned != 0 {
		return amount.Vector{amount.CPU: c.learned}
	}
	return amount.Vector{amount.CPU: pod.Spec.Containers[0].Resources.Requests.Cpu().MilliValue()}
}

func (c *cluster) Room(_ *load.View, node *load.Node, class string, taken amount.Vector) (amount.Vector, bool) {
	room, ok := c.room[node.Name]
	return amount.Vector{amount.CPU: room - taken[amount.CPU], amount.Memory: line.Unlimited}, ok && class != closed
}

func (c *cluster) addNode(name string, room int64) {
	c.model.SetNode(name, amount.Vector{amount.CPU: 1000}, line.Own{})
	c.room[name] = room
}

// pod is a pending pod that needs so many millicores.
func (c *cluster) pod(name string, priority int32, need int64) *v1.Pod {
	c.t.Helper()
	pod := st.MakePod().Name(name).Namespace("ns").UID(name).Priority(priority).
		Req(map[v1.ResourceName]string{"cpu": strconv.FormatInt(need, 10) + "m"}).Obj()
	c.store(pod)
	return pod
}

// store has the informer know the pod.
func (c *cluster) store(pod *v1.Pod) {
	c.t.Helper()
	if err := c.informers.Core().V1().Pods().Informer().GetStore().Add(pod); err != nil {
		c.t.Fatal(err)
	}
}

// try has the nodes reject the pod, and says so.
func (c *cluster) try(pod *v1.Pod, nodes ...string) *Attempt {
	attempt, view := c.Begin(pod, false)
	reject(attempt, &view, nodes...)
	return attempt
}

func reject(attempt *Attempt, view *load.View, nodes ...string) {
	for _, name := range nodes {
		node := view.Node(name)
		var allocatable amount.Vector
		if node != nil {
			allocatable = node.Allocatable
		}
		attempt.Reject(node, allocatable, 1)
	}
}

// all are the nodes.
func (c *cluster) all() []string { return slices.Sorted(maps.Keys(c.room)) }

// woken returns the pods that a round wakes.
func (c *cluster) woken() []string {
	c.t.Helper()
	c.activated = nil
	c.Wake(c.t.Context())
	slices.Sort(c.activated)
	return c.activated
}

func (c *cluster) wantWoken(when string, want ...string) {
	c.t.Helper()
	if got := c.woken(); !slices.Equal(got, want) {
		c.t.Errorf("%s: woken %v, want %v", when, got, want)
	}
}
