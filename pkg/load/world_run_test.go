package load

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load/ledger"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load/workload"
)

// describe writes down the pods of a node.
func (w *world) describe(n *trueNode, s *scrape) string {
	var b strings.Builder
	for p, k := range w.known {
		if p.node != n || !k.present && s.parts[p.uid] == (amount.Vector{}) {
			continue
		}
		fmt.Fprintf(&b, "\n  %s %s: %d halves (%d), told %d of %d, present %t, bound %t, read %t, shown %t, resized %d, in the sample %v:", p.name, p.uid, p.uses, p.early, k.version, k.changed, k.present, k.bound, k.read, w.isShownBy(p, s), k.resized, s.parts[p.uid])
		for _, c := range p.containers {
			fmt.Fprintf(&b, " %s asks %d ended %t runs", c.name, c.asks, c.ended)
			for _, r := range c.runs {
				fmt.Fprintf(&b, " %d-%d", r.from, r.to)
			}
		}
		if known := w.Model.pods[types.NamespacedName{Name: p.name}]; known != nil && known.uid == p.uid {
			expected, seen := known.Expected(w.clock.Now(), warmUp)
			fmt.Fprintf(&b, " model: %v expected %v seen %t", known.Phase, expected, seen)
		}
	}
	return b.String()
}

// quiet has all that is there run, and then nothing happen for a while.
func (w *world) quiet() {
	for {
		p := w.anyPod(func(p *truePod) bool { return p.next() != nil || p.running() != nil && p.running().init })
		if p == nil {
			break
		}
		if c := p.next(); c != nil {
			w.change(p, func() { c.runs = append(c.runs, trueRun{from: w.second, to: never, fromStamp: w.stamp(p)}) })
			continue
		}
		w.change(p, func() {
			c := p.running()
			w.stop(p, c)
			c.ended = true
		})
	}
	w.hazards.samples, w.hazards.readings = false, false
	w.pass(int((ledger.Patience + 5*time.Minute + warmUp + 3*window).Seconds()))
}

// worlds are those that are tried, with what may happen in each.
func worlds() map[string]hazards {
	return map[string]hazards{
		"pods come and go":                     {},
		"statuses are late, lost and repeated": {late: 40, lost: true},
		"single pods are read":                 {reads: true},
		"memory grows":                         {heaps: true, reads: true},
		"samples are late, lost and repeated":  {samples: true, heaps: true},
		"readings are lost":                    {reads: true, readings: true, heaps: true},
		"pods are made again":                  {reads: true, recreated: true, late: 20},
		"nodes come and go":                    {reads: true, replaced: true, late: 20},
		"containers do their work and end":     {inits: true, late: 20, lost: true},
		"pods are resized":                     {resizes: 1, reads: true},
		"nodes boot anew":                      {replaced: true, rebooted: true},
		"clocks differ":                        {reads: true, ahead: []int{0, 10, 25, 60, 300, 7200, -300, -7200}},
		"containers fail":                      {crashes: true},
		"containers that are read fail":        {crashes: true, reads: true},
		"containers that grow and fail":        {crashes: true, reads: true, readings: true, heaps: true},
		"containers fail, seen late":           {crashes: true, late: 40, lost: true},
		"samples and readings":                 {reads: true, samples: true, readings: true},
		"init containers, read":                {reads: true, inits: true},
		"resized up and down":                  {resizes: 10},
		"clocks a bit behind":                  {reads: true, ahead: []int{-10, -30, -60}},
		"clocks that jump":                     {reads: true, ahead: []int{0, 10, 25, 60, 300}, jumps: true},
		"nodes boot anew, seen late":           {replaced: true, rebooted: true, late: 40},
		"all of that":                          {reads: true, readings: true, late: 20, lost: true, recreated: true, replaced: true, ahead: []int{0, 10, 60, 300}},
	}
}

// Whatever happens, in whichever order, and however much of it is seen late or not at
// all: the prediction is within its bounds (see bounds), what a trial promises comes
// about, views never change, and in the end nothing is left.
func TestRandomWorlds(t *testing.T) {
	for name, h := range worlds() {
		t.Run(name, func(t *testing.T) { runWorld(t, 1, 500, h) })
	}
}

func runWorld(t *testing.T, seed uint64, steps int, h hazards) {
	w := newWorld(t, seed, h)
	for range steps {
		w.operate()
		w.pass(w.random.IntN(8))
		w.keepView()
	}
	w.quiet()
	view := w.View()
	for n := range view.All {
		want := w.nodes[n.Name].scrapes
		for s, got := range n.Predicted {
			for r := range got {
				if diff := got[r] - want[len(want)-1].usage[r]; diff < -2 || diff > 2 {
					t.Errorf("nothing has happened for long: statistic %d of %s is predicted to be %v, want %v", s, n.Name, got, want[len(want)-1].usage)
				}
			}
		}
	}
	w.clear()
}

// clear has all pods and nodes go: nothing is left of them.
func (w *world) clear() {
	for i, p := range w.sorted() {
		w.drop(p)
		w.tell(told{pod: p, object: p.object(), gone: true})
		if i%3 == 0 {
			w.pass(1)
		}
	}
	w.pass(w.hazards.late + 1)
	for _, name := range slices.Sorted(maps.Keys(w.nodes)) {
		delete(w.nodes, name)
		w.RemoveNode(name)
	}
	w.clock.Step(workload.Grace + time.Second)
	w.Poll(w.t.Context())
	w.View()
	m := w.Model
	for what, count := range map[string]int{
		"pods": len(m.pods), "nodes": len(m.nodes.byName), "changed nodes": len(m.nodes.dirty), "freed slots": len(m.nodes.freed),
		"workloads": m.workloads.Len(), "unread pods": len(m.agenda.unread), "victims": len(m.agenda.victims), "leaving pods": len(m.agenda.terminating),
	} {
		if count != 0 {
			w.t.Errorf("%d %s are left in an empty cluster", count, what)
		}
	}
	if len(m.nodes.slots) > 4 || len(m.nodes.freeSlots) != len(m.nodes.slots) {
		w.t.Errorf("%d slots, %d of them free, and there were no more than 4 nodes", len(m.nodes.slots), len(m.nodes.freeSlots))
	}
}
