package rejection

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	corev1listers "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
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

// nodes returns a view of nodes n0, n1 and so on with that many millicores.
func nodes(cores ...int64) *load.View {
	model := load.NewModel(load.Config{Clock: testingclock.NewFakeClock(epoch)}, noSource{})
	for i, allocatable := range cores {
		model.SetNode("n"+strconv.Itoa(i), amount.Vector{amount.CPU: allocatable}, line.Own{})
	}
	view := model.View()
	return &view
}

// rules are those of a plugin that asks nodes for CPU.
func rules() Rules[int64] {
	return Rules[int64]{
		IsPending: func(*v1.Pod) bool { return true },
		Least:     func(a, b int64) int64 { return min(a, b) },
		Takes: func(node *load.Node, ask int64, taken amount.Vector) (amount.Vector, bool) {
			taken[amount.CPU] += ask
			return taken, taken[amount.CPU] <= node.Allocatable[amount.CPU]
		},
	}
}

func waiting(name string, priority int32, since time.Duration, ask int64, rejectedBy ...int) *Pod[int64] {
	slots := NewSlots(128)
	for _, slot := range rejectedBy {
		slots.Add(slot)
	}
	pod := st.MakePod().Name(name).Namespace("ns").UID(name).Priority(priority).Obj()
	return &Pod[int64]{Pod: pod, Ask: ask, RejectedBy: slots, Since: epoch.Add(since)}
}

func put(pods ...*Pod[int64]) *Waiting[int64] {
	w := NewWaiting[int64]()
	for _, p := range pods {
		w.Put(p)
	}
	return w
}

func names(pods []*Pod[int64]) []string {
	names := []string{}
	for _, p := range pods {
		names = append(names, p.Pod.Name)
	}
	return names
}

func TestWoken(t *testing.T) {
	tests := []struct {
		name  string
		nodes []int64
		pods  []*Pod[int64]
		want  []string
	}{
		{name: "no pod waits", nodes: []int64{10}, want: []string{}},
		{name: "no node has room", nodes: []int64{0, 1}, pods: []*Pod[int64]{waiting("a", 0, 0, 2, 0, 1)}, want: []string{}},
		{
			name: "room for three wakes three, those that wait longest", nodes: []int64{3},
			pods: []*Pod[int64]{
				waiting("e", 0, 5, 1, 0), waiting("c", 0, 3, 1, 0), waiting("a", 0, 1, 1, 0), waiting("d", 0, 4, 1, 0), waiting("b", 0, 2, 1, 0),
			},
			want: []string{"a", "b", "c"},
		},
		{
			name: "priority goes before age", nodes: []int64{2},
			pods: []*Pod[int64]{waiting("old", 0, 0, 1, 0), waiting("urgent", 7, 9, 1, 0), waiting("lowly", -7, 0, 1, 0)},
			want: []string{"urgent", "old"},
		},
		{
			name: "pods that came together go by their names", nodes: []int64{2},
			pods: []*Pod[int64]{waiting("c", 0, 0, 1, 0), waiting("a", 0, 0, 1, 0), waiting("b", 0, 0, 1, 0)},
			want: []string{"a", "b"},
		},
		{
			name: "a small pod goes where a large one does not fit", nodes: []int64{3},
			pods: []*Pod[int64]{waiting("large", 5, 0, 4, 0), waiting("small", 0, 1, 3, 0)},
			want: []string{"small"},
		},
		{
			name: "only nodes that rejected the pod count", nodes: []int64{0, 9},
			pods: []*Pod[int64]{waiting("a", 0, 0, 1, 0), waiting("b", 0, 1, 1, 1), waiting("c", 0, 2, 1)},
			want: []string{"b"},
		},
		{
			name: "the room of several nodes", nodes: []int64{1, 0, 2},
			pods: []*Pod[int64]{
				waiting("a", 0, 1, 2, 0, 1, 2), waiting("b", 0, 2, 1, 0, 1, 2), waiting("c", 0, 3, 1, 0, 1, 2),
			},
			want: []string{"a", "b"},
		},
		{
			name: "slots beyond those of when the pod was rejected", nodes: slices.Repeat([]int64{5}, 200),
			pods: []*Pod[int64]{{Pod: st.MakePod().Name("a").UID("a").Obj(), Ask: 1, RejectedBy: NewSlots(1)}},
			want: []string{},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := put(tt.pods...)
			for range 3 { // waking changes nothing: a pod waits until it is scheduled
				if got := names(w.Woken(nodes(tt.nodes...), rules())); !slices.Equal(got, tt.want) {
					t.Fatalf("woken: %v, want %v", got, tt.want)
				}
			}
			if w.Len() != len(tt.pods) {
				t.Errorf("%d pods wait, want %d", w.Len(), len(tt.pods))
			}
		})
	}
}

func TestPodsToRetryAnyway(t *testing.T) {
	w := put(waiting("a", 9, 0, 1, 0), waiting("b", 0, 1, 1, 0), waiting("c", 0, 2, 5, 0), waiting("d", 0, 3, 1))
	r := rules()
	r.Anyway = func(p *Pod[int64]) bool { return p.Pod.Name == "c" }
	// c is retried for another reason than room, and takes none from b.
	if got := names(w.Woken(nodes(2), r)); !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Errorf("woken: %v", got)
	}
	if got := names(w.Woken(nodes(0), r)); !slices.Equal(got, []string{"c"}) {
		t.Errorf("woken on a hot cluster: %v", got)
	}
}

func TestPodsThatNoNodeRejectedAreOnlyRemembered(t *testing.T) {
	p := waiting("p", 0, 0, 1)
	p.RejectedBy = nil
	w := put(p)
	r := rules()
	r.Anyway = func(*Pod[int64]) bool { return true }
	if got := names(w.Woken(nodes(2), r)); len(got) != 0 || !w.Has(p.Pod.UID) {
		t.Errorf("woken: %v; still remembered: %t", got, w.Has(p.Pod.UID))
	}
	r.IsPending = func(*v1.Pod) bool { return false }
	if w.Woken(nodes(2), r); w.Has(p.Pod.UID) {
		t.Error("a pod that is gone is remembered")
	}
}

func TestPodsThatAreNotPendingAreForgotten(t *testing.T) {
	w := put(waiting("gone", 0, 0, 1, 0), waiting("waits", 0, 1, 1, 0))
	r := rules()
	r.IsPending = func(pod *v1.Pod) bool { return pod.Name == "waits" }
	if got := names(w.Woken(nodes(1), r)); !slices.Equal(got, []string{"waits"}) {
		t.Errorf("woken: %v, want the one that waits: the other takes no room", got)
	}
	if w.Has("gone") || !w.Has("waits") || w.Len() != 1 {
		t.Errorf("%d pods are remembered", w.Len())
	}
	r.IsPending = func(*v1.Pod) bool { return false }
	if got := w.Woken(nodes(1), r); len(got)+w.Len() != 0 {
		t.Errorf("woken: %v; %d are remembered", names(got), w.Len())
	}
}

func TestPutAndRemove(t *testing.T) {
	w := put(waiting("a", 0, time.Second, 5, 0))
	again := waiting("a", 0, time.Hour, 1, 1)
	w.Put(again)
	got := w.Woken(nodes(0, 1), rules())
	if len(got) != 1 || got[0] != again || w.Len() != 1 {
		t.Fatalf("woken: %v of %d, want what was put last", names(got), w.Len())
	}
	if want := epoch.Add(time.Second); !got[0].Since.Equal(want) {
		t.Errorf("waits since %v, want %v: when it was first rejected", got[0].Since, want)
	}
	for range 2 {
		w.Remove("a")
		w.Remove("never put")
	}
	if w.Has("a") || w.Len() != 0 {
		t.Errorf("%d pods wait", w.Len())
	}
	w.Put(waiting("a", 0, time.Hour, 1, 1))
	if got := w.Woken(nodes(0, 1), rules()); !got[0].Since.Equal(epoch.Add(time.Hour)) {
		t.Error("a pod that was placed in the meantime is remembered")
	}
}

// Woken leaves out nodes that would take nobody before it looks at pods. That
// must not change what it says.
func TestWokenIsWhatGoingThroughAllNodesFinds(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		cores := make([]int64, 1+random.IntN(80))
		for i := range cores {
			cores[i] = random.Int64N(6)
		}
		var pods []*Pod[int64]
		for i := range random.IntN(30) {
			var slots []int
			for slot := range cores {
				if random.IntN(4) == 0 {
					slots = append(slots, slot)
				}
			}
			pods = append(pods, waiting(fmt.Sprintf("p%02d", i), random.Int32N(3), time.Duration(random.IntN(5)), 1+random.Int64N(6), slots...))
		}
		want, left := []string{}, slices.Clone(cores)
		slices.SortFunc(pods, func(a, b *Pod[int64]) int {
			return cmp.Or(cmp.Compare(*b.Pod.Spec.Priority, *a.Pod.Spec.Priority), a.Since.Compare(b.Since), cmp.Compare(a.Pod.Name, b.Pod.Name))
		})
		for _, p := range pods {
			for slot := range cores {
				if p.RejectedBy.Has(slot) && left[slot] >= p.Ask {
					left[slot] -= p.Ask
					want = append(want, p.Pod.Name)
					break
				}
			}
		}
		random.Shuffle(len(pods), func(i, j int) { pods[i], pods[j] = pods[j], pods[i] })
		if got := names(put(pods...).Woken(nodes(cores...), rules())); !slices.Equal(got, want) {
			t.Fatalf("woken: %v, want %v", got, want)
		}
	}
}

func TestSlots(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{0, 1, 63, 64, 65, 5000} {
		slots, want := NewSlots(n), map[int]bool{}
		for range n / 2 {
			slot := random.IntN(n)
			slots.Add(slot)
			want[slot] = true
		}
		for slot := range n + 200 {
			if slots.Has(slot) != want[slot] {
				t.Fatalf("of %d, slot %d: %v, want %v", n, slot, slots.Has(slot), want[slot])
			}
		}
	}
}

func TestByName(t *testing.T) {
	got := ByName([]*Pod[int64]{waiting("a", 0, 0, 1), waiting("b", 0, 0, 1)})
	if keys := slices.Sorted(maps.Keys(got)); !slices.Equal(keys, []string{"ns/a", "ns/b"}) || got["ns/a"].Name != "a" {
		t.Errorf("%v", got)
	}
}

func TestIsPending(t *testing.T) {
	indexer := cache.NewIndexer(cache.MetaNamespaceKeyFunc, cache.Indexers{cache.NamespaceIndex: cache.MetaNamespaceIndexFunc})
	isPending := IsPending(corev1listers.NewPodLister(indexer))
	podOf := func(uid, node string) *v1.Pod {
		return st.MakePod().Name("p").Namespace("ns").UID(uid).Node(node).Obj()
	}
	waits := podOf("1", "")
	for _, tt := range []struct {
		name    string
		present *v1.Pod
		want    bool
	}{
		{"waits", podOf("1", ""), true},
		{"is bound", podOf("1", "node"), false},
		{"was made anew", podOf("2", ""), false},
		{"is gone", nil, false},
	} {
		var present []any
		if tt.present != nil {
			present = []any{tt.present}
		}
		if err := indexer.Replace(present, ""); err != nil {
			t.Fatal(err)
		}
		if got := isPending(waits); got != tt.want {
			t.Errorf("a pod that %s: pending %v, want %v", tt.name, got, tt.want)
		}
	}
}

// Scheduling cycles put and remove pods while a poll wakes them. (It is the
// race detector that fails here.)
func TestWaitingIsUsedByMany(t *testing.T) {
	w, view := NewWaiting[int64](), nodes(3, 3)
	var group sync.WaitGroup
	for i := range 4 {
		group.Go(func() {
			for j := range 200 {
				name := fmt.Sprint(i, "-", j)
				w.Put(waiting(name, 0, 0, 1, 0, 1))
				if j%2 == 0 {
					w.Remove(types.UID(name))
				}
			}
		})
		group.Go(func() {
			for range 20 {
				if woken := w.Woken(view, rules()); len(woken) > 6 {
					t.Errorf("room for 6 woke %d", len(woken))
				}
			}
		})
	}
	group.Wait()
	if w.Len() != 400 {
		t.Errorf("%d pods wait, want 400", w.Len())
	}
}

// One operation looks at 5,000 pods that wait on 5,000 nodes, of which some have
// room.
func BenchmarkWoken(b *testing.B) {
	const n = 5000
	for _, open := range []int{0, 10, 1000} {
		b.Run(strconv.Itoa(open)+" nodes have room", func(b *testing.B) {
			cores, all := make([]int64, n), make([]int, n)
			for i := range cores {
				all[i] = i
				if i < open {
					cores[i] = 2
				}
			}
			w, view := NewWaiting[int64](), nodes(cores...)
			slots := NewSlots(n)
			for _, slot := range all {
				slots.Add(slot)
			}
			for i := range n {
				p := waiting(strconv.Itoa(i), 0, time.Duration(i), 1)
				p.RejectedBy = slots
				w.Put(p)
			}
			b.ReportAllocs()
			for b.Loop() {
				w.Woken(view, rules())
			}
		})
	}
}
