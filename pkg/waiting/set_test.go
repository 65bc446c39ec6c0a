package waiting

import (
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load"
)

// Since when a pod waits is when it was first rejected, whatever became of it
// since but for its being bound.
func TestHistory(t *testing.T) {
	c := newCluster(t, 0)
	p := c.pod("p", 0, 1)
	want := func(when string, want History) {
		t.Helper()
		if got := c.History(p.UID); got != want {
			t.Errorf("%s: %+v, want %+v", when, got, want)
		}
	}
	want("before the first attempt", History{})
	c.try(p)
	want("after an attempt without a rejection", History{})
	c.clock.Step(time.Second)
	attempt, view := c.Begin(p, false)
	if attempt.Before() != (History{}) {
		t.Errorf("before the first rejection: %+v", attempt.Before())
	}
	attempt.Reject(view.Node("n0"), amount.Vector{300, 1}, 0)
	attempt.Reject(nil, amount.Vector{200, 5}, 0)
	first := History{Since: epoch.Add(time.Second), Largest: amount.Vector{300, 5}}
	want("while the attempt goes on", first)
	c.clock.Step(time.Hour)
	if got := c.try(p).Before(); got != first {
		t.Errorf("before the next attempt: %+v, want %+v", got, first)
	}
	want("after an attempt in which another plugin rejected the pod", first)
	attempt, _ = c.Begin(p, false)
	attempt.Reject(nil, amount.Vector{100, 1}, 0)
	first.Largest = amount.Vector{100, 1}
	want("after another rejection", first)
	c.Reserve(p.UID, "n0")
	c.Unreserve(p.UID)
	want("after it was placed, and that was taken back", first)
	c.Reserve(p.UID, "n0")
	bound := p.DeepCopy()
	bound.Spec.NodeName = "n0"
	c.store(bound)
	c.woken()
	want("after it was bound", History{})
}

func TestReserve(t *testing.T) {
	c := newCluster(t, 9)
	rejected, taken := c.pod("rejected", 0, 1), c.pod("taken", 0, 1)
	c.try(rejected, "n0")
	c.try(taken)
	for range 2 {
		c.Reserve(rejected.UID, "n0")
		c.Reserve(taken.UID, "n0")
	}
	c.Reserve("never tried", "n0")
	c.wantWoken("of pods that have a node")
	if c.Len() != 1 {
		t.Errorf("%d pods are remembered, want the one that waits again if it is taken back", c.Len())
	}
	for range 2 {
		c.Unreserve(rejected.UID)
		c.Unreserve(taken.UID)
	}
	c.wantWoken("after that was taken back", "rejected")
}

func TestFailedAttempts(t *testing.T) {
	c := newCluster(t, 0)
	wantFailed := func(when string, one, three float64) {
		t.Helper()
		want := map[string]float64{"Fake,plimsoll,one": one, "Fake,plimsoll,three": three}
		if got := c.shown("plimsoll_rejections_total"); !maps.Equal(got, want) {
			t.Errorf("%s: attempts failed for %v, want %v", when, got, want)
		}
	}
	p, q := c.pod("p", 0, 1), c.pod("q", 0, 1)
	attempt := c.try(p, "n0")
	attempt.Reject(nil, amount.Vector{}, 3)
	wantFailed("while the attempt goes on", 0, 0)
	for range 2 {
		c.Finish(attempt)
	}
	wantFailed("when it is over", 1, 1)
	c.try(p, "n0")
	c.try(q)
	wantFailed("when the next one has begun: no other plugin ends an attempt unseen", 2, 1)
	c.try(p, "n0")
	c.Reserve(p.UID, "n0")
	c.try(q)
	wantFailed("when the pod was placed", 2, 1)
	c.Finish(attempt)
	c.Finish(c.try(q))
	wantFailed("when it was over already, or rejected by nobody", 2, 1)
}

func TestAttemptsOfNobody(t *testing.T) {
	var a *Attempt
	a.Reject(&load.Node{}, amount.Vector{1, 1}, 0)
	a.RejectTrial(nil, amount.Vector{1, 1})
	a.Wish()
}

func TestRejectDoesNotAllocate(t *testing.T) {
	c := newCluster(t, 1, 1, 1)
	attempt, view := c.Begin(c.pod("p", 0, 1), false)
	c.woken() // so that each rejection asks for a round
	node := view.Node("n2")
	if allocs := testing.AllocsPerRun(100, func() { attempt.Reject(node, node.Allocatable, 1); attempt.Wish() }); allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}

func TestSlots(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{1, 63, 64, 65, 300} {
		rooms := make([]int64, n)
		c := newCluster(t, rooms...)
		attempt, view := c.Begin(c.pod("p", 0, 1), false)
		some, want := newSet(view.Slots()), []int{}
		var group sync.WaitGroup
		for node := range view.All {
			if random.IntN(2) == 0 {
				some.add(node.Slot)
			}
			if random.IntN(2) == 0 {
				group.Go(func() { attempt.Reject(node, node.Allocatable, 0) })
				if some.has(node.Slot) {
					want = append(want, node.Slot)
				}
			}
		}
		group.Wait()
		// A node that the view has no slot for is rejected all the same.
		attempt.Reject(&load.Node{Slot: 1 << 20}, amount.Vector{}, 0)
		if got := slices.AppendSeq([]int{}, attempt.each(some, some)); !slices.Equal(got, want) {
			t.Errorf("of %d: %v, want %v", n, got, want)
		}
	}
}

func TestMetrics(t *testing.T) {
	c := newCluster(t, 0, 1)
	want := func(when string, name string, want map[string]float64) {
		t.Helper()
		if got := c.shown("plimsoll_" + name); !maps.Equal(got, want) {
			t.Errorf("%s: %s is %v, want %v", when, name, got, want)
		}
	}
	const of = "Fake,plimsoll"
	waiting := func(when string, one, three, longest float64) {
		t.Helper()
		want(when, "pods_waiting", map[string]float64{of + ",one": one, of + ",three": three})
		want(when, "pods_longest_wait_seconds", map[string]float64{of: longest})
	}
	waiting("at the start", 0, 0, 0)
	want("at the start", "pods_woken_total", map[string]float64{of: 0})
	want("at the start", "pods_woken_wait_seconds", map[string]float64{of: 0})

	large, small := c.pod("large", 0, 9), c.pod("small", 0, 1)
	c.try(large, "n0")
	c.clock.Step(5 * time.Second)
	c.try(small, "n0", "n1").Reject(nil, amount.Vector{}, 3)
	c.clock.Step(7 * time.Second)
	c.wantWoken("that for which there is room", "small")
	waiting("with two pods", 2, 1, 12)
	for range 3 { // woken again without an attempt is not counted again
		c.clock.Step(time.Minute)
		c.woken()
	}
	want("after it was woken", "pods_woken_total", map[string]float64{of: 1})
	want("after it was woken", "pods_woken_wait_seconds", map[string]float64{of: 7})

	c.Reserve(large.UID, "n1")
	c.woken()
	waiting("when the one that has waited longest has a node", 1, 1, 187)
	if err := c.informers.Core().V1().Pods().Informer().GetStore().Delete(small); err != nil {
		t.Fatal(err)
	}
	c.woken()
	waiting("when the other is gone", 0, 0, 0)
}
