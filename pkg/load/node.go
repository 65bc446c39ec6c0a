package load

import (
	"cmp"
	"maps"
	"slices"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/demand"
	"github.com/plimsoll-scheduler/plimsoll/pkg/line"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load/history"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load/ledger"
)

// node is the mutable state behind a Node.
type node struct {
	name string
	// slot is -1 until the API server has told us of the node: pods may be seen
	// before their node is.
	slot        int
	born        uint64    // see Node.Born
	since       time.Time // when the API server was told of it, by its clock; zero if that does not matter
	told        time.Time // when we were, by ours
	older       time.Time // the newest timestamp of a sample from before since
	allocatable amount.Vector
	own         line.Own
	doubt       dropReason    // why a part of its last reading was not believed
	dropped     dropReason    // for what its readings are dropped, as was said
	inherited   bool          // see Node.Inherited
	incomplete  time.Time     // since when readings lack a part that was never known
	believed    amount.Vector // the last value of each resource that was believed
	clock       nodeClock
	seenAt      time.Time // see Node.seenAt
	history     history.History
	pods        []*pod           // those on it, in no order
	departed    []*ledger.Record // those that have left and that samples still show

	prediction ledger.Prediction // derived of the above
	requested  amount.Vector     // likewise: the sum of the pods' requests
	demand     demand.Demand     // likewise: see Node.Demand
	unseen     demand.Demand     // likewise: see Node.Unseen
}

// add puts the pod on the node.
func (n *node) add(p *pod) {
	p.node, p.index = n, len(n.pods)
	n.pods = append(n.pods, p)
}

// remove takes the pod off the node.
func (n *node) remove(p *pod) {
	last := len(n.pods) - 1
	n.pods[p.index] = n.pods[last]
	n.pods[p.index].index = p.index
	n.pods[last] = nil
	n.pods = n.pods[:last]
}

// records returns the records of the pods on the node, in memory to be used again.
func (n *node) records(to []*ledger.Record) []*ledger.Record {
	to = to[:0]
	for _, p := range n.pods {
		to = append(to, &p.Record)
	}
	return to
}

// requestedOfSeen returns what the pods request that a sample shows, or shows in part.
func (n *node) requestedOfSeen() (sum amount.Vector) {
	for _, p := range n.pods {
		if !p.Phase.Unseen() {
			sum = sum.Add(p.Requested)
		}
	}
	return sum
}

// dropDeparted drops the departures that no sample shows any more.
func (n *node) dropDeparted() {
	kept := n.departed[:0]
	for _, r := range n.departed {
		if n.history.Oldest().Start().Before(r.Left()) {
			kept = append(kept, r)
			continue
		}
		r.On(ledger.Forget)
	}
	clear(n.departed[len(kept):])
	n.departed = kept
}

// doubtAbsurd doubts the values of the sample that the node cannot use. It returns the
// reason if nothing is left to believe.
func (n *node) doubtAbsurd(sample *history.Sample, doubt *doubts) dropReason {
	for r, use := range sample.Usage {
		if most := n.allocatable[r]; most > 0 && most <= amount.Limit/absurd && use > absurd*most {
			sample.Usage[r], doubt[r] = 0, dropAbsurd
		}
	}
	return doubt.all()
}

// doubtZero doubts the values of the sample that are zero although a container runs
// on the node: no node with pods uses nothing. It returns the reason if nothing is
// left to believe.
func (n *node) doubtZero(sample *history.Sample, doubt *doubts) dropReason {
	if sample.Usage[amount.CPU] > 0 && sample.Usage[amount.Memory] > 0 || !slices.ContainsFunc(n.pods, func(p *pod) bool { return p.Phase >= ledger.Starting }) {
		return ""
	}
	for r := range sample.Usage {
		if sample.Usage[r] == 0 && doubt[r] == "" {
			doubt[r] = dropZero
		}
	}
	return doubt.all()
}

// awaitsRest reports whether the reading is of a node that was never measured and
// lacks a part, which may yet come: a source that has just begun to measure a node
// may know its memory before its CPU. After the expiration it is not waited for.
func (n *node) awaitsRest(doubt *doubts, now time.Time, expiration time.Duration) bool {
	if doubt.any() == "" || n.history.Newest() != nil {
		n.incomplete = time.Time{}
		return false
	}
	if n.incomplete.IsZero() {
		n.incomplete = now
	}
	return now.Sub(n.incomplete) < expiration
}

// isOfAnother reports whether a sample of the time is of a machine that had the name
// before. The node is as old as the API server's clock says, and the time is by the
// node's own, which may be behind: samples that go on to come long after we were told
// of the node are its own.
func (n *node) isOfAnother(timestamp, now time.Time, expiration time.Duration) bool {
	if !timestamp.Before(n.since) {
		return false
	}
	advances := !n.older.IsZero() && timestamp.After(n.older)
	if advances && now.Sub(n.told) > expiration {
		n.since = time.Time{}
		return false
	}
	n.older = later(n.older, timestamp)
	return true
}

// see takes in that the newest sample arrived now, of that time by the node's clock. It
// is not from the future; and it is no older than samples are that arrive with the
// delay, if it follows another: then its time says more of the clock.
func (n *node) see(timestamp, now time.Time, delay time.Duration) {
	if n.seenAt = earlier(timestamp, now); n.history.Newest() != nil {
		n.seenAt = later(n.seenAt, now.Add(-delay))
	}
}

// boundStarts takes in that the node's clock is known now: nothing on it began later
// than that shows. What says so is by a clock that has been set back since.
func (n *node) boundStarts(now time.Time) {
	last := n.clock.latest(now).Add(maxClockSkew)
	for _, p := range n.pods {
		for from := range p.Runs {
			if from.After(last) {
				p.correct(func(from time.Time) time.Time { return earlier(from, last) })
				break
			}
		}
	}
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// keepStamps keeps what is known of when containers began and ended, as the node's
// clock is set.
func (n *node) keepStamps() {
	for _, p := range n.pods {
		p.keep()
	}
}

// doubtStarts takes in that the newest sample shows that the clock was set back at some
// time since the one before. What was told since to have begun may have, by the new time;
// so it is taken to begin now.
func (n *node) doubtStarts(now time.Time) {
	for _, p := range n.pods {
		if p.heard+1 >= n.clock.arrived {
			p.correct(func(from time.Time) time.Time { return later(from, n.clock.latest(now)) })
		}
	}
}

// saturated is the part of what a node can allocate from which its pods may get
// less than they would use.
const saturated = 0.9

// short reports of which resources the node has too little for its pods.
func (n *node) short() (short [amount.NumResources]bool) {
	if newest := n.history.Newest(); newest != nil {
		short = shortOf(newest.Usage, n.allocatable)
	}
	return short
}

func shortOf(usage, allocatable amount.Vector) (short [amount.NumResources]bool) {
	for r := range short {
		short[r] = float64(usage[r]) >= saturated*float64(allocatable[r])
	}
	return short
}

// forget drops what was measured of the node.
func (n *node) forget() {
	n.history.Clear()
	n.departed, n.doubt, n.dropped, n.incomplete, n.seenAt = nil, "", "", time.Time{}, time.Time{}
	n.older, n.believed, n.inherited = time.Time{}, amount.Vector{}, false
}

// object returns the node as reports name it. "kubectl describe node" looks for events
// whose UID is the name, as the kubelet's.
func (n *node) object() *v1.Node {
	return &v1.Node{ObjectMeta: metav1.ObjectMeta{Name: n.name, UID: types.UID(n.name)}}
}

// published returns the node as views show it in this version.
func (n *node) published(version uint32) Node {
	result := Node{
		Version: version, Name: n.name, Slot: n.slot, Born: n.born, Allocatable: n.allocatable, Requested: n.requested,
		Demand: n.demand.Compact(), Unseen: n.unseen.Compact(), UnseenUse: n.prediction.Unseen,
		Measured: n.prediction.Measured, Deviation: n.prediction.Deviation, Predicted: n.prediction.Statistics(),
		seenAt: n.seenAt.UnixNano(), ClockSkew: n.clock.skew, Inherited: n.inherited,
	}
	if n.own != (line.Own{}) {
		own := n.own
		result.Own = &own
	}
	if n.history.Newest() != nil {
		result.Sampled, result.CoveredSeconds = true, float32(n.history.Covered().Seconds())
	}
	return result
}

// nodes are the nodes of the cluster, those that pods are on although nobody has
// told of them yet, and what of them is published.
type nodes struct {
	window, interval time.Duration
	byName           map[string]*node
	slots            []*node // by slot; nil is free
	freeSlots        []int
	epoch            uint64 // counts the nodes that were added
	dirty            map[*node]bool
	freed            map[int]bool // slots to be published as free
	reindex          bool         // nodes came or went since the last view
	resized          bool         // or one can allocate more or less
	published        *snapshot
	versions         uint32 // of nodes that were published: see Node.Version
}

func newNodes(window, interval time.Duration) nodes {
	return nodes{
		window: window, interval: interval, byName: map[string]*node{},
		dirty: map[*node]bool{}, freed: map[int]bool{}, published: &snapshot{index: newIndex(nil)},
	}
}

// get returns the record of the named node, a new one if there is none.
func (ns *nodes) get(name string) *node {
	n, ok := ns.byName[name]
	if !ok {
		n = &node{name: name, slot: -1, history: history.New(ns.window, ns.interval)}
		ns.byName[name] = n
	}
	return n
}

// known returns the record of the node if the API server has told of it.
func (ns *nodes) known(name string) *node {
	if n := ns.byName[name]; n != nil && n.slot >= 0 {
		return n
	}
	return nil
}

// set takes in that the node exists, and reports whether that is news.
func (ns *nodes) set(name string, since, now time.Time, allocatable amount.Vector, own line.Own) bool {
	n := ns.get(name)
	if n.slot >= 0 && n.allocatable == allocatable && n.own == own {
		return false
	}
	if n.slot < 0 {
		ns.epoch++
		n.slot, n.born, ns.reindex = ns.takeSlot(n), ns.epoch, true
		n.since, n.told = since, now
	}
	ns.resized = ns.resized || n.allocatable != allocatable || ns.reindex
	n.allocatable, n.own = allocatable, own
	ns.dirty[n] = true
	return true
}

// remove takes in that the node is gone. One that comes back under its name is
// another machine, or the same one after a restart: what was measured says nothing
// of it.
func (ns *nodes) remove(n *node) {
	ns.slots[n.slot] = nil
	ns.freeSlots = append(ns.freeSlots, n.slot)
	ns.freed[n.slot], ns.reindex = true, true
	n.slot, n.own = -1, line.Own{}
	n.forget()
	ns.dropIfUnused(n)
}

// touch has the node published anew.
func (ns *nodes) touch(n *node) {
	if n.slot >= 0 {
		ns.dirty[n] = true
	}
}

// dropIfUnused forgets the record of a node that neither exists nor has pods.
func (ns *nodes) dropIfUnused(n *node) {
	if n.slot < 0 && len(n.pods) == 0 {
		delete(ns.byName, n.name)
		delete(ns.dirty, n)
	}
}

func (ns *nodes) takeSlot(n *node) int {
	if last := len(ns.freeSlots) - 1; last >= 0 {
		slot := ns.freeSlots[last]
		ns.freeSlots = ns.freeSlots[:last]
		ns.slots[slot] = n
		delete(ns.freed, slot)
		return slot
	}
	ns.slots = append(ns.slots, n)
	return len(ns.slots) - 1
}

// publish makes the changes since the last time visible, and returns what is.
// Doing it here, not at each change, makes one copy of a thousand changes.
func (ns *nodes) publish() *snapshot {
	if len(ns.dirty) == 0 && len(ns.freed) == 0 {
		return ns.published
	}
	next := ns.published.next()
	for slot := range ns.freed {
		next.put(slot, nil, ns.published)
	}
	// Those that change together lie together, in the order of their slots, which is about
	// that in which the scheduler goes through them: processors fetch ahead then.
	dirty := slices.SortedFunc(maps.Keys(ns.dirty), func(a, b *node) int { return cmp.Compare(a.slot, b.slot) })
	changed := make([]Node, len(dirty))
	for i, n := range dirty {
		if n.slot < 0 {
			continue // not known to the API server: nobody can ask for it
		}
		ns.versions++ // that they begin anew after 4 billion does no harm: nobody remembers the first
		changed[i] = n.published(ns.versions)
		next.put(n.slot, &changed[i], ns.published)
	}
	if ns.reindex {
		slots := make(map[string]int, len(ns.slots))
		for slot, n := range ns.slots {
			if n != nil {
				slots[n.name] = slot
			}
		}
		next.index = newIndex(slots)
	}
	if ns.reindex || ns.resized {
		next.largest = ns.largest()
	}
	ns.published = next
	clear(ns.dirty)
	clear(ns.freed)
	ns.reindex, ns.resized = false, false
	return ns.published
}

// largest returns the most that any node can allocate of each resource.
func (ns *nodes) largest() (most amount.Vector) {
	for _, n := range ns.slots {
		if n != nil {
			most = most.Max(n.allocatable)
		}
	}
	return most
}
