package load

import (
	"maps"
	"math"
	"slices"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load/ledger"
)

var patienceSeconds = int(ledger.Patience.Seconds())

// counts reports whether a container surely counts as one that is to run: it runs,
// or has not run yet, or fails for not so long that it may not count any more. For
// over says that it may count.
func (c *trueContainer) counts(now, slack int) bool {
	switch {
	case c.ended:
		return false
	case len(c.runs) == 0 || c.running() != nil:
		return true
	}
	failing := c.runs[0].to
	for _, run := range c.runs {
		if run.to-run.from >= warmUpSeconds {
			failing = run.to
		}
	}
	return now < failing+patienceSeconds+slack
}

// slack is by how much the world and the model may differ on since when a container
// fails, or how old something is: clocks, and lateness.
const slack = 2 * 60

// knownUse is the least that the model may count for a pod of which it was told all:
// what it requests or uses, whichever is less; all it uses once it was read.
func (w *world) knownUse(p *truePod) (use int64) {
	halves := p.uses
	if !w.known[p].read {
		halves = min(halves, 2)
	}
	for _, c := range p.containers {
		switch counts := c.counts(w.second, -slack); {
		case c.init && !c.ended && !counts:
			return 0 // what is to run after it will not
		case !c.init && counts:
			use += c.asks * halves / 2
		}
	}
	return use
}

// isShownBy reports whether the sample shows all of the pod, and the model can tell.
func (w *world) isShownBy(p *truePod, s *scrape) bool {
	k := w.known[p]
	if !k.upToDate() || !k.bound || w.pods[p.name] != p || s.start() < k.resized+warmUpSeconds {
		return false
	}
	for _, c := range p.containers {
		if run := c.running(); c.counts(w.second, slack) && (run == nil || run.from+warmUpSeconds > s.start()) {
			return false
		}
	}
	return true
}

// bounds are between what the prediction for a node must be, by the sample that the
// model has of it. The sample has a part of each pod, which is known to the world.
//
// It is never emptier than what is known: of a pod of which all was told, no less
// counts than it is known to use; of one that has left, no more is taken off than
// the sample shows. And nothing counts twice but for a bounded time: beside the
// sample, a pod counts only until it is shown by it. Nothing is known of pods of which
// something happened near a time in which the clock of their node was set.
func (w *world) bounds(n *trueNode, s *scrape) (low, high amount.Vector) {
	low, high = s.usage, s.usage
	rounding := int64(4)
	for p, k := range w.known {
		part := s.parts[p.uid]
		if p.node == n && k.present {
			rounding += 4
		}
		for r := range amount.NumResources {
			switch {
			case p.node != n:
			case !k.present && k.bound && p.isClouded():
				low[r] -= k.largest
			case p.isClouded():
				high[r] += k.largest
			case !k.present:
				if k.bound {
					low[r] -= part[r]
				}
			default:
				if k.upToDate() && w.pods[p.name] == p {
					low[r] += max(0, w.knownUse(p)-part[r])
				}
				if !w.isShownBy(p, s) {
					high[r] += k.largest
				}
			}
		}
	}
	for r := range amount.NumResources {
		low[r] = max(0, low[r]-rounding)
		high[r] += rounding
	}
	return low, high
}

// most is the most that the pod may be expected to use as it is now: what it requests
// or uses, whichever is more, and what is learned of readings of which some were of a
// part of it, which is 1.28 standard deviations above their mean.
func (p *truePod) most() int64 {
	expected, asks := p.expected()
	use := max(expected, asks*p.uses/2)
	return use + use*2/5 + 2
}

// check looks at all that must hold at any time.
func (w *world) check(when string) {
	w.t.Helper()
	view := w.View()
	count := 0
	for node := range view.All {
		count++
		n := w.nodes[node.Name]
		if n == nil {
			w.t.Fatalf("second %d, %s: a view has %s, which is gone", w.second, when, node.Name)
		}
		w.checkNode(when, node, n)
	}
	if count != len(w.nodes) {
		w.t.Fatalf("second %d, %s: a view has %d of %d nodes", w.second, when, count, len(w.nodes))
	}
	w.checkParts(when)
}

func (w *world) checkNode(when string, node *Node, n *trueNode) {
	w.t.Helper()
	vectors := []amount.Vector{node.Requested, node.Deviation}
	vectors = append(append(vectors, node.Predicted[:]...), node.Measured[:]...)
	for _, v := range vectors {
		if v[amount.CPU] < 0 || v[amount.Memory] < 0 || v[amount.CPU] > math.MaxInt32 {
			w.t.Fatalf("second %d, %s: %v of %+v", w.second, when, v, node)
		}
	}
	var s *scrape
	w.mu.Lock()
	known := w.Model.nodes.known(node.Name)
	clock, newest := known.clock, known.history.Newest()
	w.mu.Unlock()
	for _, one := range n.scrapes {
		if node.Sampled && clock.at(one.timestamp).Equal(newest.Timestamp) && one.usage[amount.Memory] == node.Measured[Latest][amount.Memory] {
			s = one
		}
	}
	if s == nil {
		if node.Sampled {
			w.t.Fatalf("second %d, %s: the sample of %s is none of its", w.second, when, node.Name)
		}
		return
	}
	if n.wasJustSet(s) { // a rate over that time is replaced by what was known before
		filled := *s
		filled.usage, s = node.Measured[Latest], &filled
	}
	low, high := w.bounds(n, s)
	got := node.Predicted[Latest]
	for r := range amount.NumResources {
		if got[r] < low[r] || got[r] > high[r] {
			w.t.Fatalf("second %d, %s: %v is predicted for %s, want %v to %v; sampled %v of %d to %d%s",
				w.second, when, got, node.Name, low, high, s.usage, s.start(), s.end, w.describe(n, s))
		}
	}
}

// checkParts looks at whether the parts of the model agree with each other.
func (w *world) checkParts(when string) {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	onNodes := 0
	for _, n := range w.Model.nodes.byName {
		for i, p := range n.pods {
			onNodes++
			if p.node != n || p.index != i || w.Model.pods.only(p.name) != p {
				w.t.Fatalf("second %d, %s: %v is in %s, and elsewhere", w.second, when, p.name, n.name)
			}
		}
		if n.slot < 0 && len(n.pods) == 0 {
			w.t.Fatalf("second %d, %s: %s is kept, which neither exists nor has pods", w.second, when, n.name)
		}
	}
	if onNodes != len(w.Model.pods) {
		w.t.Fatalf("second %d, %s: %d pods, %d of them on nodes", w.second, when, len(w.Model.pods), onNodes)
	}
	for p := range w.agenda.unread {
		if w.Model.pods.only(p.name) != p {
			w.t.Fatalf("second %d, %s: %v is to be read, and is gone", w.second, when, p.name)
		}
	}
	for p := range w.agenda.terminating {
		if w.Model.pods.only(p.name) != p {
			w.t.Fatalf("second %d, %s: %v is to be read until it is gone, and is gone", w.second, when, p.name)
		}
	}
}

// keepView keeps the view of now, and looks at whether older ones have changed.
func (w *world) keepView() {
	w.t.Helper()
	view := w.View()
	kept := keptView{view: view, nodes: map[string]Node{}}
	for n := range view.All {
		kept.nodes[n.Name] = *n
	}
	w.views = append(w.views[max(0, len(w.views)-10):], kept)
	for _, k := range w.views {
		seen := 0
		for n := range k.view.All {
			if seen++; k.nodes[n.Name] != *n || k.view.Node(n.Name) != n {
				w.t.Fatalf("second %d: a view of %v has %+v, it had %+v", w.second, k.view.Now, *n, k.nodes[n.Name])
			}
		}
		if seen != len(k.nodes) {
			w.t.Fatalf("second %d: a view of %v has %d nodes, it had %d", w.second, k.view.Now, seen, len(k.nodes))
		}
	}
}

// sorted returns the pods that are there, by name.
func (w *world) sorted() (pods []*truePod) {
	for _, name := range slices.Sorted(maps.Keys(w.pods)) {
		pods = append(pods, w.pods[name])
	}
	return pods
}
