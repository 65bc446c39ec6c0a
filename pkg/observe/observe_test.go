package observe

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/component-base/metrics/testutil"
	testingclock "k8s.io/utils/clock/testing"
)

// choices is a Trier that chooses a node for each pod by its name.
type choices struct {
	node    map[string]string
	rejects map[string]bool
	clock   *testingclock.FakePassiveClock
	tried   []string
	told    []string
}

func (c *choices) Try(_ context.Context, pod *v1.Pod) (*Trial, error) {
	c.tried = append(c.tried, pod.Name)
	node, ok := c.node[pod.Name]
	if !ok {
		return nil, errors.New("cannot")
	}
	return &Trial{
		At: c.clock.Now(), Node: node, Rejects: func(node string) bool { return c.rejects[node] },
		Share: func(node string) (float64, bool) {
			return map[string]float64{"a": 0.5, "hot": 1.3}[node], node != "unknown"
		},
		Conclude: func(bound string) { c.told = append(c.told, pod.Name+" "+node+" "+bound) },
	}, nil
}

func newObserver() (*Observer, *choices, *testingclock.FakePassiveClock) {
	clock := testingclock.NewFakePassiveClock(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	trier := &choices{node: map[string]string{"same": "a", "other": "a", "hot": "a", "late": "", "off": ""}, rejects: map[string]bool{"hot": true}, clock: clock}
	metrics := NewMetrics()
	for _, m := range metrics.All() {
		m.Create(nil)
	}
	return New([]string{"default-scheduler"}, "plimsoll", trier, metrics, clock), trier, clock
}

func pod(name, node string) *v1.Pod {
	return &v1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(name)}, Spec: v1.PodSpec{SchedulerName: "default-scheduler", NodeName: node}}
}

// work has the observer do what is pending.
func (o *Observer) work(ctx context.Context) {
	for len(o.pending) > 0 {
		pod := <-o.pending
		if pod.Spec.NodeName == "" {
			o.try(ctx, pod)
		} else {
			o.compare(pod)
		}
	}
}

func (o *Observer) counted(t *testing.T, result Result) int {
	t.Helper()
	n, err := testutil.GetCounterMetricValue(o.metrics.pods.WithLabelValues("plimsoll", string(result)))
	if err != nil {
		t.Fatal(err)
	}
	return int(n)
}

func TestChoicesAreCompared(t *testing.T) {
	o, trier, _ := newObserver()
	for _, p := range []struct{ name, bound string }{{"same", "a"}, {"other", "b"}, {"hot", "hot"}, {"late", "b"}, {"off", "hot"}, {"broken", "b"}} {
		o.see(pod(p.name, ""))
		o.see(pod(p.name, p.bound))
		o.see(pod(p.name, p.bound)) // its status has changed
	}
	o.see(pod("before", "a"))
	foreign := pod("foreign", "")
	foreign.Spec.SchedulerName = "third"
	o.see(foreign)
	gated := pod("gated", "")
	gated.Spec.SchedulingGates = []v1.PodSchedulingGate{{Name: "g"}}
	o.see(gated)
	o.work(t.Context())
	for result, want := range map[Result]int{Same: 1, Other: 1, Rejected: 2, Waits: 1, Missed: 1} {
		if got := o.counted(t, result); got != want {
			t.Errorf("%s: %d, want %d", result, got, want)
		}
	}
	if got := fmt.Sprint(trier.tried); got != "[same other hot late off broken]" {
		t.Errorf("%s were tried", got)
	}
	if got := fmt.Sprint(trier.told); got != "[same a a other a b hot a hot late  b off  hot]" {
		t.Errorf("%s were explained", got)
	}
	if len(o.entries) != 0 {
		t.Errorf("%d pods are remembered", len(o.entries))
	}
	for by, want := range map[string]uint64{"observed": 5, "plimsoll": 3} {
		got, err := testutil.GetHistogramMetricCount(o.metrics.share.WithLabelValues("plimsoll", by))
		if err != nil || got != want {
			t.Errorf("%s: %d nodes against their lines (%v), want %d", by, got, err, want)
		}
	}
}

// A pod that waits is tried anew, but not at each change of its status.
func TestPodsThatWaitAreTriedAgain(t *testing.T) {
	o, trier, clock := newObserver()
	o.see(pod("same", ""))
	o.see(pod("same", ""))
	o.work(t.Context())
	o.see(pod("same", ""))
	clock.SetTime(clock.Now().Add(again))
	o.see(pod("same", ""))
	o.work(t.Context())
	if got := fmt.Sprint(trier.tried); got != "[same same]" {
		t.Errorf("%s", got)
	}
	o.forget("same")
	if o.work(t.Context()); len(o.entries) != 0 {
		t.Error("a pod that is gone is remembered")
	}
}

// When more comes than can be tried, it is counted, and nothing waits.
func TestTooMuchIsCounted(t *testing.T) {
	o, _, _ := newObserver()
	for i := range maxPending + 10 {
		o.see(pod(fmt.Sprint("p", i), ""))
	}
	if got := o.counted(t, Missed); got != 10 || len(o.entries) != maxPending {
		t.Errorf("%d missed, %d remembered", got, len(o.entries))
	}
}
