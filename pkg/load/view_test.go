package load

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/kubernetes/pkg/scheduler/framework"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/line"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load/history"
)

// What a view says of the scheduler's node is what it says of the node's name,
// whichever nodes came, went and took slots of others before, and also to those
// who look at older views.
func TestNodeOfIsNode(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	f := newFixture(t)
	infos := make([]*framework.NodeInfo, 2*chunkSize)
	for i := range infos {
		infos[i] = framework.NewNodeInfo()
	}
	var views []View
	for range 2000 {
		i := random.IntN(len(infos))
		name := fmt.Sprint("n", i)
		if random.IntN(2) == 0 {
			f.SetNode(name, amount.Vector{1, 1}, line.Own{})
		} else {
			f.RemoveNode(name)
		}
		infos[i].SetNode(&v1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}})
		views = append(views[max(0, len(views)-3):], f.View())
		for _, view := range views {
			for _, info := range infos {
				if info.Node() == nil {
					continue
				}
				if got, want := view.NodeOf(info), view.Node(info.Node().Name); got != want {
					t.Fatalf("%+v, want %+v", got, want)
				}
			}
		}
	}
}

// A view stays as it was when taken, whatever becomes of the nodes, and however many
// come at once; and the next one has it all.
func TestViewsStayAsTheyWere(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 8))
	f := newFixture(t)
	present := map[string]amount.Vector{}
	check := func(view *View, want map[string]amount.Vector) {
		t.Helper()
		got := map[string]amount.Vector{}
		for n := range view.All {
			if view.At(n.Slot) != n || view.Node(n.Name) != n {
				t.Fatalf("%s is not what its slot, %d, has", n.Name, n.Slot)
			}
			got[n.Name] = n.Allocatable
		}
		if !maps.Equal(got, want) {
			t.Fatalf("a view has %d nodes, want %d, or they are not as they were", len(got), len(want))
		}
	}
	before, was := f.View(), maps.Clone(present)
	for range 60 {
		for range 1 << random.IntN(12) {
			name := fmt.Sprint("n", random.IntN(3*groupSize*chunkSize))
			if random.IntN(4) == 0 {
				f.RemoveNode(name)
				delete(present, name)
				continue
			}
			present[name] = amount.Vector{1 + random.Int64N(9), 1}
			f.SetNode(name, present[name], line.Own{})
		}
		after := f.View()
		check(&before, was)
		check(&after, present)
		before, was = after, maps.Clone(present)
	}
	if before.Slots() <= groupSize*chunkSize {
		t.Errorf("%d slots are in one group: the test says nothing of several", before.Slots())
	}
}

func TestMemo(t *testing.T) {
	const slots, generations = 1 << slotBits, 1 << (64 - slotBits)
	for _, test := range []struct {
		generation int64
		slot       int
		remembered bool
	}{
		{1, 0, true},
		{generations - 1, slots - 2, true},
		{0, 3, false},
		{-1, 3, false},
		{generations, 3, false},
		{generations + 1, 3, false},
		{math.MaxInt64, 3, false},
		{1, slots - 1, false},
		{1, slots, false},
	} {
		m := make(memo, 4)
		m.note(test.generation, test.slot)
		if slot, known := m.slot(test.generation); known != test.remembered || known && slot != test.slot {
			t.Errorf("%+v: slot %d, known %t", test, slot, known)
		}
		if _, known := m.slot(test.generation + 4); known {
			t.Errorf("%+v: another generation has the slot", test)
		}
	}
	// Of generations that share entries as many are known as there are entries, and the
	// one noted last in any case.
	m := make(memo, 2*memoWays)
	for i := range int64(100) {
		shared := 1 + 2*i
		m.note(shared, int(i))
		if slot, known := m.slot(shared); !known || slot != int(i) {
			t.Fatalf("generation %d, noted last: slot %d, known %t", shared, slot, known)
		}
		if _, known := m.slot(shared + 1); known {
			t.Fatalf("generation %d is known, which was not noted", shared+1)
		}
	}
	known := 0
	for i := range int64(100) {
		if slot, ok := m.slot(1 + 2*i); ok {
			known++
			if slot != int(i) {
				t.Errorf("generation %d: slot %d, want %d", 1+2*i, slot, i)
			}
		}
	}
	if known != memoWays {
		t.Errorf("%d generations are known, want %d", known, memoWays)
	}
}

func TestShort(t *testing.T) {
	now := time.Unix(1700000000, 0)
	view := View{Now: now, expiration: time.Minute}
	node := func(age time.Duration, usage amount.Vector) *Node {
		return &Node{Sampled: true, seenAt: now.Add(-age).UnixNano(), Allocatable: amount.Vector{1000, 1000}, Measured: history.Statistics{Latest: usage}}
	}
	for name, test := range map[string]struct {
		node *Node
		want [amount.NumResources]bool
	}{
		"below":        {node(0, amount.Vector{899, 899}), [amount.NumResources]bool{}},
		"of CPU":       {node(time.Minute, amount.Vector{900, 0}), [amount.NumResources]bool{amount.CPU: true}},
		"of memory":    {node(0, amount.Vector{0, 2000}), [amount.NumResources]bool{amount.Memory: true}},
		"stale":        {node(time.Minute+1, amount.Vector{1000, 1000}), [amount.NumResources]bool{}},
		"not measured": {&Node{}, [amount.NumResources]bool{}},
		"not known":    {nil, [amount.NumResources]bool{}},
	} {
		if got := view.Short(test.node); got != test.want {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}
