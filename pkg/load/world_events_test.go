package load

import (
	"fmt"
	"maps"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/line"
)

// names is how many pods there are at a time.
const names = 24

// anyNode returns one of the nodes, nil if there is none.
func (w *world) anyNode() *trueNode {
	all := slices.Sorted(maps.Keys(w.nodes))
	if len(all) == 0 {
		return nil
	}
	return w.nodes[all[w.random.IntN(len(all))]]
}

// anyPod returns one of the pods for which ok, nil if there is none.
func (w *world) anyPod(ok func(*truePod) bool) *truePod {
	pods := slices.DeleteFunc(w.sorted(), func(p *truePod) bool { return !ok(p) })
	if len(pods) == 0 {
		return nil
	}
	return pods[w.random.IntN(len(pods))]
}

// create makes a pod of the name on the node. All pods of a name are alike.
func (w *world) create(name string, number int, n *trueNode) *truePod {
	w.count++
	p := &truePod{
		name: name, uid: types.UID(fmt.Sprint("uid", w.count)), node: n,
		uses: int64(1 + number%3), early: int64(number / 3 % 3), onFailure: w.hazards.inits && number%4 == 0, heaps: w.hazards.heaps,
	}
	for i := range 1 + number%2 {
		p.containers = append(p.containers, &trueContainer{name: fmt.Sprint("c", i), asks: int64(120 * (1 + (number+i)%4))})
	}
	if w.hazards.inits && number%3 == 0 {
		p.containers = append([]*trueContainer{{name: "init", init: true, asks: int64(120 * (1 + number%6))}}, p.containers...)
	}
	_, asks := p.expected()
	w.pods[name], w.byUID[p.uid], n.pods[p.uid] = p, p, p
	w.known[p] = &knowledge{largest: p.most(), asks: asks, resized: -warmUpSeconds}
	return p
}

// operate has one thing happen.
func (w *world) operate() {
	switch w.random.IntN(14) {
	case 0, 1, 2:
		w.place()
	case 3, 4, 5, 6:
		w.start()
	case 7:
		w.end()
	case 8, 9:
		if w.hazards.crashes {
			w.crash()
		}
	case 10:
		if w.hazards.resizes > 0 {
			w.resize()
		}
	case 11:
		if w.hazards.inits {
			w.finish()
		}
	case 12:
		if w.hazards.recreated {
			w.recreate()
		}
	case 13:
		w.nodesComeAndGo()
	}
	w.deliver()
}

// place reserves a pod, and binds it or does not. Some are bound by another scheduler.
func (w *world) place() {
	number := w.random.IntN(names)
	name, n := fmt.Sprint("p", number), w.anyNode()
	if n == nil || w.pods[name] != nil || len(w.queue[name]) > 0 {
		return
	}
	p := w.create(name, number, n)
	if w.random.IntN(4) > 0 {
		w.known[p].present = true
		for range 1 + w.random.IntN(2) {
			w.Reserve(p.object(), n.name)
			w.check("reserved " + name)
		}
		w.pass(w.random.IntN(4))
		if w.random.IntN(4) == 0 && w.nodes[n.name] == n {
			w.known[p].present = false
			w.Unreserve(p.object())
			w.drop(p)
			w.check("unreserved " + name)
			return
		}
	}
	w.change(p, func() {})
	if w.random.IntN(4) == 0 {
		w.Unreserve(p.object()) // the binding is reported as failed, and was carried out
		w.known[p].present = w.known[p].bound
	}
}

// start has a container start that can.
func (w *world) start() {
	p := w.anyPod(func(p *truePod) bool { return p.next() != nil })
	if p == nil {
		return
	}
	c := p.next()
	w.change(p, func() {
		c.runs = append(c.runs, trueRun{from: w.second, to: never, fromStamp: w.stamp(p)})
	})
}

// next returns a container that does not run and is to: init containers first.
func (p *truePod) next() *trueContainer {
	for _, c := range p.containers {
		switch {
		case !c.ended && c.running() == nil:
			return c
		case c.init && !c.ended:
			return nil
		}
	}
	return nil
}

func (w *world) crash() {
	if p := w.anyPod(func(p *truePod) bool { return p.running() != nil }); p != nil {
		w.change(p, func() { w.stop(p, p.running()) })
	}
}

// running returns a container that runs, nil if none does.
func (p *truePod) running() *trueContainer {
	for _, c := range p.containers {
		if c.running() != nil {
			return c
		}
	}
	return nil
}

// finish has a container do its work and end: an init container, or one that runs
// again only on failure.
func (w *world) finish() {
	ends := func(p *truePod) bool { c := p.running(); return c != nil && (c.init || p.onFailure) }
	if p := w.anyPod(ends); p != nil {
		c := p.running()
		w.change(p, func() {
			w.stop(p, c)
			c.ended = true
		})
	}
}

func (w *world) resize() {
	p := w.anyPod(func(p *truePod) bool { return w.known[p].bound && w.known[p].resizes < w.hazards.resizes })
	if p == nil {
		return
	}
	w.known[p].resizes++
	c := p.containers[len(p.containers)-1]
	w.change(p, func() {
		if c.asks *= 2; c.asks > 1000 {
			c.asks = 120
		}
	})
}

// end has a pod end: without notice, with its containers' ends told, or with notice.
func (w *world) end() {
	p := w.anyPod(func(p *truePod) bool { return w.known[p].bound })
	if p == nil {
		return
	}
	object := p.object() // as it was last told
	switch how := w.random.IntN(3); {
	case how == 0 && w.hazards.late == 0:
		w.drop(p)
	case how == 1:
		stamp := w.clock.Now()
		object.DeletionTimestamp, object.DeletionGracePeriodSeconds = new(metav1.NewTime(stamp.Add(30*time.Second))), new(int64(30))
		w.tell(told{pod: p, object: object, version: w.known[p].changed, asks: w.known[p].asks})
		w.drop(p)
	default:
		w.drop(p)
		object = p.object()
	}
	w.tell(told{pod: p, object: object, gone: true})
}

// recreate has a pod be deleted and made again under its name, elsewhere, by another
// scheduler. A watch shows the one in place of the other.
func (w *world) recreate() {
	p, n := w.anyPod(func(p *truePod) bool { return w.known[p].bound }), w.anyNode()
	if p == nil || n == nil {
		return
	}
	w.drop(p)
	w.tell(told{pod: p, object: p.object(), gone: true})
	var number int
	if _, err := fmt.Sscanf(p.name, "p%d", &number); err != nil {
		w.t.Fatal(err)
	}
	w.change(w.create(p.name, number, n), func() {})
}

// nodesComeAndGo has a node go, with its pods, or come back, or its clock be set.
func (w *world) nodesComeAndGo() {
	if w.hazards.jumps && w.random.IntN(4) == 0 {
		if n := w.anyNode(); n != nil {
			n.ahead, n.jumps = w.hazards.ahead[w.random.IntN(len(w.hazards.ahead))], append(n.jumps, w.second)
		}
	}
	if !w.hazards.replaced || w.random.IntN(8) > 0 {
		return
	}
	name := fmt.Sprint("n", w.random.IntN(4))
	n := w.nodes[name]
	if n == nil {
		w.addNode(name)
		return
	}
	if w.hazards.rebooted && w.random.IntN(2) == 0 {
		w.reboot(n)
		return
	}
	pods := slices.DeleteFunc(w.sorted(), func(p *truePod) bool { return p.node != n })
	for _, p := range pods {
		w.drop(p)
		w.tell(told{pod: p, object: p.object(), gone: true})
	}
	delete(w.nodes, name)
	w.RemoveNode(name)
	w.check("removed " + name)
}

// reboot has a node boot anew: its pods stay, and run again.
func (w *world) reboot(n *trueNode) {
	w.RemoveNode(n.name)
	n.scrapes, n.born = nil, w.second
	w.SetNode(n.name, amount.Vector{1 << 20, 1 << 20}, line.Own{})
	for _, p := range w.sorted() {
		if p.node == n && p.running() != nil {
			w.known[p].rebooted = w.known[p].upToDate() && w.known[p].bound
			w.change(p, func() {
				for _, c := range p.containers {
					w.stop(p, c)
				}
			})
		}
	}
	w.check("rebooted " + n.name)
}
