package device

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/kubernetes/pkg/scheduler/framework"
	st "k8s.io/kubernetes/pkg/scheduler/testing"
)

// withAllocatable returns a node of which only this is allocatable, with pods that
// make these requests.
func withAllocatable(capacity, allocatable resources, requests ...resources) *framework.NodeInfo {
	info := newNode(capacity, requests...)
	node := info.Node().DeepCopy()
	node.Status.Allocatable = nodeWith("", allocatable).Status.Allocatable
	info.SetNode(node)
	return info
}

// Devices that are away count only where they are asked for, with those that are
// there, and with what pods still have of them.
func TestViewsWithWhatIsAway(t *testing.T) {
	now := newClock()
	c := NewCatalogue(newMatcher(t, "*", "!acme.com/license"), NoClasses{}, now)
	all := resources{"cpu": "8", gpu: "8", fpga: "2", "acme.com/license": "1", "virt.example.com/kvm": "1000"}
	c.SetNode(nodeWith("node", all))
	now.SetTime(now.Now().Add(time.Hour))
	gone := withAllocatable(all, resources{"cpu": "8", fpga: "1"}, resources{gpu: "3", fpga: "1"})
	c.SetNode(gone.Node())
	mark := c.View().Mark("node")
	expect := func(when string, withAway ...Stock) {
		t.Helper()
		if got, in := stocksOf(c.View(), gone); !slices.Equal(got, []Stock{{fpga, 1, 1}}) || in != (InClasses{}) {
			t.Errorf("%s: stocks %v, %v", when, got, in)
		}
		got, _ := stocksOf(c.View().WithAway(), gone)
		if !slices.Equal(got, withAway) {
			t.Errorf("%s: stocks with what is away %v, want %v", when, got, withAway)
		}
	}
	expect("at once", Stock{gpu, 8, 3}, Stock{fpga, 2, 1})
	if got := c.Requests(st.MakePod().Req(resources{gpu: "1"}).Obj()); !slices.Equal(got, []Request{{gpu, 1}}) {
		t.Errorf("a pod that asks for what is away: %v", got)
	}
	now.SetTime(now.Now().Add(awayFor - time.Second))
	expect("to the last second", Stock{gpu, 8, 3}, Stock{fpga, 2, 1})
	view := c.View()
	if got := view.Remaining(6, "node", mark); got != 6 {
		t.Errorf("%d devices remain free, want 6", got)
	}
	now.SetTime(now.Now().Add(time.Second))
	expect("after it", Stock{fpga, 1, 1})
	if got := c.View().Remaining(10, "node", mark); got != 1 {
		t.Errorf("%d of 10 devices remain free, want 1: 9 of them were away", got)
	}
	if got, _ := stocksOf(view.WithAway(), gone); len(got) != 2 {
		t.Errorf("a view that was taken before has changed: %v", got)
	}
	c.RemoveNode("node")
	if len(c.kinds.latest.Load().away) != 0 {
		t.Error("nodes that are gone are remembered")
	}
}

// A node that is not known as the scheduler knows it, and one that was made anew,
// have no past.
func TestNodesWithoutAPast(t *testing.T) {
	c := NewCatalogue(newMatcher(t, "*"), NoClasses{}, newClock())
	of := func(uid types.UID, has resources) *framework.NodeInfo {
		info := withAllocatable(nil, has)
		node := info.Node().DeepCopy()
		node.UID = uid
		info.SetNode(node)
		return info
	}
	none := of("b", resources{gpu: "0"})
	expect := func(when string, want int) {
		t.Helper()
		if got, _ := stocksOf(c.View().WithAway(), none); len(got) != want {
			t.Errorf("%s: %v", when, got)
		}
	}
	expect("unknown", 0)
	c.SetNode(of("a", resources{gpu: "8"}).Node())
	c.SetNode(of("a", resources{gpu: "0"}).Node())
	expect("of the node of this name", 1)
	c.SetNode(none.Node())
	expect("made anew, which was not seen to be deleted", 0)
	c.SetNode(of("b", resources{gpu: "8"}).Node())
	c.RemoveNode("node")
	c.RemoveNode("node")
	c.SetNode(none.Node())
	expect("deleted and made again", 0)
}

// While the only node with a resource has none for a moment, its verdict stays.
func TestVerdictsOutliveARestart(t *testing.T) {
	now := newClock()
	kinds := NewKinds(newMatcher(t, "*"), now)
	kinds.Set(nodeWith("n", resources{"acme.com/slots": "12", "acme.com/accel": "8"}))
	kinds.Set(nodeWith("giant", resources{"acme.com/slots": "20"}))
	kinds.Remove("giant") // the margin keeps it a counter
	before := kinds.Resources()
	kinds.Set(nodeWith("n", nil))
	if got := kinds.Resources(); !slices.Equal(got, before) || got[1].Verdict != Counter || got[0].Verdict != Device {
		t.Errorf("%v, were %v", got, before)
	}
	now.SetTime(now.Now().Add(awayFor))
	if got := kinds.Resources(); len(got) != 0 {
		t.Errorf("nobody has it any more: %v", got)
	}
}

// Marks tell that a resource is no device any more, and not that one is now.
func TestMarksOfVerdicts(t *testing.T) {
	c := newCatalogue(t, "*")
	for i := range 4 {
		c.SetNode(nodeWith(fmt.Sprint(i), nil))
	}
	c.SetNode(nodeWith("n", resources{gpu: "8"}))
	mark := c.View().Mark("n")
	c.SetNode(nodeWith("n", resources{gpu: "8", "acme.com/accel": "8"}))
	if got := c.View().Remaining(8, "n", mark); got != 8 {
		t.Errorf("%d of 8 remain after another device came", got)
	}
	c.SetNode(nodeWith("giant", resources{"acme.com/accel": "100"}))
	if got := c.View().Remaining(8, "n", mark); got != 0 {
		t.Errorf("%d remain after it turned out to be no device, want none", got)
	}
	mark = c.View().Mark("n")
	c.SetNode(nodeWith("giant", resources{"acme.com/accel": "99"}))
	if got := c.View().Remaining(8, "n", mark); got != 8 {
		t.Errorf("%d of 8 remain after a number changed", got)
	}
}

func TestViewsWithWhatIsAwayDoNotAllocate(t *testing.T) {
	now := newClock()
	c := NewCatalogue(newMatcher(t, "*"), NoClasses{}, now)
	all := resources{"cpu": "8", gpu: "4", fpga: "2", "acme.com/slots": "100"}
	c.SetNode(nodeWith("other", all))
	node := withAllocatable(all, resources{"cpu": "8", fpga: "1"})
	c.SetNode(node.Node())
	plain := newNode(resources{"cpu": "8"})
	var free int64
	if allocs := testing.AllocsPerRun(100, func() {
		var buffer [4]Stock
		view := c.View().WithAway()
		stocks, in := view.AppendStocks(buffer[:0], node)
		free = in.Free(stocks)
		view.AppendStocks(buffer[:0], plain)
		view.Remaining(free, "node", view.Mark("node"))
	}); allocs != 0 || free != 6 {
		t.Errorf("%v allocations, want 0; %d free", allocs, free)
	}
}

// Nodes change while views are taken and read.
func TestViewsWhileNodesChange(t *testing.T) {
	now := newClock()
	c := NewCatalogue(newMatcher(t, "*"), NoClasses{}, now)
	node := newNode(resources{gpu: "8", "acme.com/accel": "4"})
	var group sync.WaitGroup
	for range 3 {
		group.Go(func() {
			for range 500 {
				view := c.View().WithAway()
				if stocks, in := view.AppendStocks(nil, node); in.Free(stocks) < 8 {
					t.Errorf("the node has 8 GPUs in any case: %v", stocks)
				}
				view.Mark("node")
				c.Resources()
			}
		})
	}
	group.Go(func() {
		for i := range 500 {
			now.SetTime(now.Now().Add(time.Minute))
			has := []resources{{gpu: "8", "acme.com/accel": "4"}, {gpu: "0"}, {gpu: "8", "acme.com/accel": "40"}}[i%3]
			c.SetNode(nodeWith("node", has))
			if i%7 == 0 {
				c.RemoveNode("node")
			}
		}
	})
	group.Wait()
}

// One operation is a change of a node in a cluster in which a tenth of the nodes
// have devices away.
func BenchmarkSetNode(b *testing.B) {
	m, err := NewMatcher([]string{"*"})
	if err != nil {
		b.Fatal(err)
	}
	c := NewCatalogue(m, NoClasses{}, newClock())
	full, none := resources{gpu: "8", "virt.example.com/kvm": "1000", "acme.com/accel": "4"}, resources{"virt.example.com/kvm": "1000"}
	var nodes [2][]*v1.Node
	for i := range 5000 {
		name := fmt.Sprint(i)
		nodes[0], nodes[1] = append(nodes[0], nodeWith(name, full)), append(nodes[1], nodeWith(name, none))
		c.SetNode(nodes[0][i])
		if i%10 == 0 {
			c.SetNode(nodes[1][i])
		}
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		c.SetNode(nodes[i/5000%2][i%5000])
		i++
	}
}
