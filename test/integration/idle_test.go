package integration

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	attempts   = "scheduler_schedule_attempts_total"
	woken      = "plimsoll_pods_woken_total"
	cpuSeconds = "process_cpu_seconds_total"
)

// While many pods wait for a hot pool to cool down, the scheduler does nothing
// but poll; and when there is room for a few of them, only as many are retried.
//
// It is not parallel: a new node, of whichever test, is a reason to retry all
// pods that wait for load, because it may be one that takes them. Therefore
// there are no more pods than it takes to tell all of them from a few: with
// 5,000 it holds as well, but the other tests wait a minute longer.
func TestWaitingPodsLeaveSchedulerIdle(t *testing.T) {
	const count, room = 2000, 3
	var nodes []node
	for i := range 5 {
		nodes = append(nodes, node{name: fmt.Sprint("n", i), uses: "9"})
	}
	p := newPool(t, nodes...)
	s := startScheduler(t, "plimsoll.yaml", func(config map[string]any) {
		args(config)["source"] = map[string]any{"interval": "5s", "timeout": "5s"}
	})
	pods := make([]*v1.Pod, count)
	for i := range pods {
		pods[i] = p.pod(fmt.Sprint("p", i), "plimsoll")
	}
	begin := time.Now()
	p.createAtOnce(pods)
	s.waitMetric(`scheduler_pending_pods{queue="unschedulable"}`, func(pending float64) bool { return pending == count })
	t.Logf("%d pods were created and rejected in %v", count, time.Since(begin).Round(time.Second))
	if why := p.rejected(pods[count-1]); !strings.Contains(why, "5 node(s) over the cpu load line") {
		t.Errorf("rejected with %q", why)
	}

	s.waitPolls()
	begin = time.Now()
	before := s.counts()
	p.waitSamples("n0", 2) // without asking the scheduler, which would keep it busy
	after := s.counts()
	t.Logf("with %d pods waiting the scheduler (race detector: %s) uses %.3f cores",
		count, raceDetector, (after[cpuSeconds]-before[cpuSeconds])/time.Since(begin).Seconds())
	if polled := after[polls] - before[polls]; polled < 2 {
		t.Fatalf("there were only %v polls", polled)
	}
	// The queue itself would retry a pod five minutes after its rejection.
	if after[attempts] != before[attempts] || after[woken] != before[woken] {
		t.Errorf("on a hot pool %v pods were woken and %v attempts made, want none",
			after[woken]-before[woken], after[attempts]-before[attempts])
	}

	// Room below the line at 7.5 cores for three pods of one core.
	p.setUse("n0", "4")
	s.waitMetric(attempts, func(now float64) bool { return now >= after[attempts]+room })
	s.waitPolls()
	if now := s.counts(); now[attempts] != after[attempts]+room || now[woken] != after[woken]+room {
		t.Errorf("room for %d pods had %v be woken and %v attempts",
			room, now[woken]-after[woken], now[attempts]-after[attempts])
	}
	if got := p.bound(); got != room {
		t.Errorf("%d pods are bound, want %d", got, room)
	}
}

// counts returns how much the scheduler has done so far.
func (s *scheduler) counts() map[string]float64 {
	s.t.Helper()
	counts := map[string]float64{}
	for _, name := range []string{attempts, woken, polls, cpuSeconds} {
		value, _, err := s.metric(s.t.Context(), name) // 0 if nothing was counted yet
		if err != nil {
			s.t.Fatal(err)
		}
		counts[name] = value
	}
	return counts
}

// createAtOnce creates many pods as fast as the API server takes them.
func (p *pool) createAtOnce(pods []*v1.Pod) {
	p.t.Helper()
	group, ctx := errgroup.WithContext(p.t.Context())
	group.SetLimit(30)
	for _, pod := range pods {
		group.Go(func() error {
			_, err := p.local.Clientset.CoreV1().Pods("default").Create(ctx, pod, metav1.CreateOptions{})
			return err
		})
	}
	p.must(group.Wait())
}

// bound returns how many pods of the pool a scheduler has bound.
func (p *pool) bound() (count int) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), timeout)
	defer cancel()
	list, err := p.local.Clientset.CoreV1().Pods("default").List(ctx, metav1.ListOptions{LabelSelector: "pool=" + p.name, FieldSelector: "spec.nodeName!="})
	p.must(err)
	for i := range list.Items {
		if list.Items[i].Spec.SchedulerName == p.profile("plimsoll") {
			count++
		}
	}
	return count
}
