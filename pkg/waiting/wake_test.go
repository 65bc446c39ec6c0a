package waiting

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/klog/v2"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load"
)

// waits is a pod that waits: rejected by these nodes.
type waits struct {
	name     string
	priority int32
	need     int64
	nodes    []string
}

func TestWake(t *testing.T) {
	tests := []struct {
		name  string
		rooms []int64
		pods  []waits // in the order in which they were rejected
		want  []string
	}{
		{name: "no pod waits", rooms: []int64{10}},
		{name: "no node has room", rooms: []int64{0, 1}, pods: []waits{{"a", 0, 2, []string{"n0", "n1"}}}},
		{
			name: "room for three wakes three, those that wait longest", rooms: []int64{3},
			pods: []waits{{"a", 0, 1, []string{"n0"}}, {"b", 0, 1, []string{"n0"}}, {"c", 0, 1, []string{"n0"}}, {"d", 0, 1, []string{"n0"}}},
			want: []string{"a", "b", "c"},
		},
		{
			name: "priority goes before age", rooms: []int64{2},
			pods: []waits{{"old", 0, 1, []string{"n0"}}, {"lowly", -7, 1, []string{"n0"}}, {"urgent", 7, 1, []string{"n0"}}},
			want: []string{"old", "urgent"},
		},
		{
			name: "a small pod goes where a large one does not fit", rooms: []int64{3},
			pods: []waits{{"large", 5, 4, []string{"n0"}}, {"small", 0, 3, []string{"n0"}}},
			want: []string{"small"},
		},
		{
			name: "only nodes that rejected the pod count", rooms: []int64{0, 9},
			pods: []waits{{"a", 0, 1, []string{"n0"}}, {"b", 0, 1, []string{"n1"}}, {"c", 0, 1, nil}},
			want: []string{"b"},
		},
		{
			name: "the room of several nodes", rooms: []int64{1, 0, 2},
			pods: []waits{{"a", 0, 2, []string{"n0", "n1", "n2"}}, {"b", 0, 1, []string{"n0", "n1", "n2"}}, {"c", 0, 1, []string{"n0", "n1", "n2"}}},
			want: []string{"a", "b"},
		},
		{name: "a pod that needs nothing does not fit where there is less", rooms: []int64{-1}, pods: []waits{{"a", 0, 0, []string{"n0"}}}},
		{name: "but where there is nothing", rooms: []int64{0}, pods: []waits{{"a", 0, 0, []string{"n0"}}}, want: []string{"a"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := newCluster(t, tt.rooms...)
			for _, w := range tt.pods {
				c.try(c.pod(w.name, w.priority, w.need), w.nodes...)
				c.clock.Step(time.Millisecond)
			}
			c.wantWoken("at first", tt.want...)
			// Pods that were woken hold the room that they were woken for.
			c.wantWoken("in the next round")
			if c.Len() != len(tt.pods) {
				t.Errorf("%d pods wait, want %d: a pod waits until it is placed", c.Len(), len(tt.pods))
			}
		})
	}
}

func TestRoomIsSharedByClasses(t *testing.T) {
	c := newCluster(t, 2)
	for _, name := range []string{"a", "b", "c"} {
		c.class[name] = name
		c.try(c.pod(name, 0, 1), "n0")
		c.clock.Step(time.Millisecond)
	}
	c.class["z"] = closed
	c.try(c.pod("z", 9, 1), "n0")
	c.wantWoken("room for two of four classes", "a", "b")
}

// A node that came after the attempt was not tried, and one that the model did not
// know at the time is told from it by nothing but that.
func TestNodesThatTheAttemptDidNotKnow(t *testing.T) {
	c := newCluster(t, 0)
	c.try(c.pod("p", 0, 1), "n0")
	c.try(c.pod("never rejected", 0, 1))
	unknown := c.pod("unknown", 0, 1)
	c.try(unknown, "n1") // the scheduler knows n1 before the model does
	c.wantWoken("before there is another node")
	c.addNode("n1", 0)
	c.wantWoken("when it has no room")
	delete(c.room, "n1")
	c.wantWoken("when it takes none")
	c.room["n1"] = 2
	c.wantWoken("when it has", "p", "unknown")
	c.try(c.pod("p", 0, 1), "n0")
	c.wantWoken("after the pod was tried on it, and another plugin rejected it")
}

func TestSlotsAreReused(t *testing.T) {
	c := newCluster(t, 0)
	c.try(c.pod("p", 0, 1), "n0")
	c.model.RemoveNode("n0")
	c.wantWoken("when the node is gone")
	c.addNode("another", 1)
	c.wantWoken("when another has its slot", "p")
}

func TestWakesAgainOnlyAfterAnotherRejection(t *testing.T) {
	c := newCluster(t, 1)
	p := c.pod("p", 0, 1)
	c.try(p, "n0")
	c.wantWoken("at first", "p")
	c.try(p)
	c.clock.Step(time.Hour)
	c.wantWoken("after an attempt in which another plugin rejected the pod")
	c.try(p, "n0")
	c.wantWoken("after another rejection", "p")
}

// Another plugin may hold back a pod that is activated, or reject it before the
// attempt begins. It is woken again, each time after twice as long, and does not
// keep the room for itself.
func TestPodsThatAreNotTriedAfterTheyWereWoken(t *testing.T) {
	c := newCluster(t, 1)
	later := 0
	c.retell = func() { later++ }
	c.try(c.pod("held", 1, 1), "n0")
	c.wantWoken("at first", "held")
	if later != 1 {
		t.Errorf("%d later rounds are asked for, want one that sees whether it was tried", later)
	}
	c.clock.Step(time.Millisecond)
	c.try(c.pod("next", 0, 1), "n0")
	c.clock.Step(998 * time.Millisecond)
	c.wantWoken("while it may be on its way")
	for _, pause := range []time.Duration{1, 2, 4, 8} { // seconds
		c.clock.Step(pause * time.Second)
		c.wantWoken("again", "held")
	}
	c.clock.Step(9 * time.Second)
	c.wantWoken("while it may still be on its way")
	c.clock.Step(time.Second)
	c.wantWoken("when it no longer holds the room", "next")
	wakes := 0
	for range 3600 {
		c.clock.Step(time.Second)
		wakes += len(c.woken())
	}
	if wakes < 20 || wakes > 50 {
		t.Errorf("two pods were woken %d times in an hour, want each about every 5 minutes", wakes)
	}
}

// What rejects a pod may not be what the rounds know: room that a nominated pod is to
// get. It must not be tried in vain every second.
func TestPodsThatAreTriedInVain(t *testing.T) {
	c := newCluster(t, 1)
	later := 0
	c.retell = func() { later++ }
	p := c.pod("p", 0, 1)
	c.try(p, "n0")
	c.wantWoken("at first", "p")
	for _, rest := range []time.Duration{1, 2, 4, 8, 10, 10} { // seconds
		c.try(p, "n0")
		c.clock.Step(rest*time.Second - 1)
		later = 0
		if c.wantWoken("too early"); later == 0 {
			t.Errorf("no later round is asked for, %d s before it is time", rest)
		}
		c.clock.Step(1)
		c.wantWoken("in time", "p")
	}
	c.try(p) // another plugin's turn to reject it
	c.try(p, "n0")
	c.wantWoken("when it was tried for another reason than being woken", "p")
}

func TestWishes(t *testing.T) {
	c := newCluster(t, 0)
	c.try(c.pod("wishes", 0, 1), "n0").Wish()
	c.try(c.pod("was not rejected", 0, 1)).Wish()
	c.try(c.pod("wishes nothing", 0, 1), "n0")
	c.wantWoken("before the pods of nodes are measured")
	c.polls++
	c.wantWoken("after it", "wishes")
}

// A wish that is granted takes no room from others.
func TestWishesTakeNoRoom(t *testing.T) {
	c := newCluster(t, 1)
	c.try(c.pod("wishes", 9, 1), "n0").Wish()
	c.try(c.pod("other", 0, 1), "n0")
	c.polls++
	c.wantWoken("room for one", "other", "wishes")
}

// What preemption tries counts as a rejection, but is none of the reasons for
// which the attempt failed.
func TestTrials(t *testing.T) {
	c := newCluster(t, 1)
	attempt, view := c.Begin(c.pod("p", 0, 1), false)
	attempt.RejectTrial(view.Node("n0"), view.Node("n0").Allocatable)
	c.Finish(attempt)
	for labels, failed := range c.shown("plimsoll_rejections_total") {
		if failed != 0 {
			t.Errorf("%v attempts failed for %s", failed, labels)
		}
	}
	c.wantWoken("when the node has room", "p")
}

// What a pod asks for is asked when it matters: estimates are learned, and
// annotations change.
func TestPodsThatChange(t *testing.T) {
	c := newCluster(t, 1)
	c.try(c.pod("p", 0, 5), "n0")
	c.wantWoken("when it needs too much")
	c.pod("p", 0, 1)
	c.wantWoken("when it needs less", "p")
}

func TestNeedsThatAreLearned(t *testing.T) {
	c := newCluster(t, 1)
	c.try(c.pod("p", 0, 5), "n0")
	c.wantWoken("when it needs too much")
	c.learned = 1
	c.clock.Step(asksAgain)
	c.wantWoken("when it turns out that it needs less", "p")
}

func TestPodsThatWaitNoMore(t *testing.T) {
	c := newCluster(t, 9)
	for _, name := range []string{"deleted", "terminating", "bound", "recreated", "waits"} {
		c.try(c.pod(name, 0, 1), "n0")
	}
	store := c.informers.Core().V1().Pods().Informer().GetStore()
	if err := store.Delete(c.pod("deleted", 0, 1)); err != nil {
		t.Fatal(err)
	}
	change := func(name string, change func(*v1.Pod)) {
		pod := c.pod(name, 0, 1)
		change(pod)
		c.store(pod)
	}
	change("terminating", func(p *v1.Pod) { p.DeletionTimestamp = new(metav1.NewTime(epoch)) })
	change("bound", func(p *v1.Pod) { p.Spec.NodeName = "n0" })
	change("recreated", func(p *v1.Pod) { p.UID = "another" })
	c.wantWoken("of five pods", "waits")
	if c.Len() != 1 {
		t.Errorf("%d pods are remembered, want the one that waits", c.Len())
	}
}

// A round leaves out what cannot be, and looks at nodes by the size of their room.
// That must not change what it says.
func TestWakeIsWhatGoingThroughAllNodesFinds(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		rooms := make([]int64, 1+random.IntN(80))
		for i := range rooms {
			rooms[i] = random.Int64N(40) - 2
		}
		c := newCluster(t, rooms...)
		type pod struct {
			name     string
			priority int32
			need     int64
			slots    map[int]bool
		}
		var pods []pod
		for i := range random.IntN(30) {
			p := pod{fmt.Sprintf("p%02d", i), random.Int32N(3), random.Int64N(30), map[int]bool{}}
			var nodes []string
			for slot := range rooms {
				if random.IntN(4) == 0 {
					p.slots[slot] = true
					nodes = append(nodes, "n"+strconv.Itoa(slot))
				}
			}
			c.try(c.pod(p.name, p.priority, p.need), nodes...)
			pods = append(pods, p)
			c.clock.Step(time.Duration(random.IntN(2)))
		}
		// They begin to wait in the order of their names.
		slices.SortStableFunc(pods, func(a, b pod) int { return cmp.Compare(b.priority, a.priority) })
		var want []string
		left := slices.Clone(rooms)
		for _, p := range pods {
			for slot := range rooms {
				if p.slots[slot] && left[slot] >= p.need {
					left[slot] -= p.need
					want = append(want, p.name)
					break
				}
			}
		}
		slices.Sort(want)
		if got := c.woken(); !slices.Equal(got, want) {
			t.Fatalf("woken: %v, want %v", got, want)
		}
	}
}

// roomIf is the rules of pods that each node takes if room says so.
type roomIf func() bool

func (r roomIf) Class(*load.View, *v1.Pod, History) string { return "" }

func (r roomIf) Need(*v1.Pod) amount.Vector { return amount.Vector{} }

func (r roomIf) Room(*load.View, *load.Node, string, amount.Vector) (amount.Vector, bool) {
	return amount.Vector{}, r()
}

// activator is a Handle that has activate do it.
type activator struct {
	Handle
	activate func(map[string]*v1.Pod)
}

func (a activator) Activate(_ klog.Logger, pods map[string]*v1.Pod) { a.activate(pods) }

// Attempts begin, reject nodes and end while rounds look at them. Whatever the
// order, a pod that a node with room has rejected is woken by that round or by one
// that the rejection asks for. (Without asking, this fails within a few tries.)
func TestRoundsMissNothing(t *testing.T) {
	c := newCluster(t)
	c.addNode("n0", 0)
	var mu sync.Mutex
	room, woken := false, map[types.UID]bool{}
	c.config.Rules = roomIf(func() bool {
		mu.Lock()
		defer mu.Unlock()
		return room
	})
	c.config.Handle = activator{c, func(pods map[string]*v1.Pod) {
		mu.Lock()
		defer mu.Unlock()
		for _, pod := range pods {
			woken[pod.UID] = true
		}
	}}
	due := make(chan struct{}, 1)
	c.retell = signal(due)
	for i := range 2000 {
		mu.Lock()
		room = false
		mu.Unlock()
		select { // what the try before has asked for
		case <-due:
		default:
		}
		p := c.pod("p"+strconv.Itoa(i), 0, 1)
		attempt, view := c.Begin(p, false)
		var group sync.WaitGroup
		group.Go(func() { // the change, and the round that it is told to
			mu.Lock()
			room = true
			mu.Unlock()
			c.Wake(t.Context())
		})
		reject(attempt, &view, "n0")
		group.Wait()
		select {
		case <-due:
			c.Wake(t.Context())
		default:
		}
		mu.Lock()
		if !woken[p.UID] {
			t.Fatalf("try %d: the node has room, and the pod sleeps", i)
		}
		mu.Unlock()
		c.Reserve(p.UID, "n0")
		if err := c.informers.Core().V1().Pods().Informer().GetStore().Delete(p); err != nil {
			t.Fatal(err)
		}
	}
}

// Cycles of several profiles and rounds use sets at once. (It is the race detector
// that fails here.)
func TestSetIsUsedByMany(t *testing.T) {
	c := newCluster(t, 3, 3)
	pods := make([]*v1.Pod, 200)
	for i := range pods {
		pods[i] = c.pod(strconv.Itoa(i), 0, 1)
	}
	var group sync.WaitGroup
	group.Go(func() {
		for i, p := range pods {
			attempt, view := c.Begin(p, false)
			var filter sync.WaitGroup
			for _, name := range c.all() {
				filter.Go(func() { reject(attempt, &view, name); attempt.Wish() })
			}
			filter.Wait()
			if c.Finish(attempt); i%2 == 0 {
				c.Reserve(p.UID, "n0")
				c.Unreserve(p.UID)
			}
		}
	})
	group.Go(func() {
		for range 50 {
			c.Wake(context.Background())
			c.History("7")
		}
	})
	group.Wait()
	if c.Len() != len(pods) {
		t.Errorf("%d pods wait, want %d", c.Len(), len(pods))
	}
}
