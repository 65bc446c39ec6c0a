package explain

import (
	"iter"
	"sync"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	fwk "k8s.io/kube-scheduler/framework"

	"github.com/plimsoll-scheduler/plimsoll/pkg/load"
)

// Account is one plugin's part in the explanation of a cycle. It is asked after
// the cycle, by another goroutine.
type Account interface {
	// Reason says for what a node was rejected that the plugin's marks have rejected.
	Reason(why int) string
	// Describe puts what the plugin knows of the node into the entry, and what it made
	// of it.
	Describe(e *Entry, node *load.Node, made Outcome)
	// WaitsFor says what has to happen for one of the nodes that the plugin rejected,
	// each for its reason, to take the pod. Empty is nothing.
	WaitsFor(rejected iter.Seq2[*load.Node, int]) string
}

// Entry is a node's entry in an explanation.
type Entry struct {
	*Node
	numbers *numbers
}

// SetLoad shows the prediction for the node.
func (e *Entry) SetLoad(loads Loads) {
	e.numbers.loads = loads
	e.Load = &e.numbers.loads
}

// SetFragmentation shows how the node's fragmentation would change.
func (e *Entry) SetFragmentation(f Fragmentation) {
	e.numbers.fragmentation = f
	e.Fragmentation = &e.numbers.fragmentation
}

// Trace is what the plugins noted in a scheduling cycle. It is in the cycle's
// state, where the first plugin puts it and the others find it. Its methods do
// nothing if it is nil, or a copy: copies of a cycle's state are for trying things
// out.
type Trace struct {
	log     *Log // nil for a copy
	pod     *v1.Pod
	profile string
	view    load.View

	mu     sync.Mutex
	parts  []part
	since  time.Time // zero if no attempt before was rejected
	result Result    // the last that was told; empty if none was
	node   string
	ranked bool
}

// part is what one plugin noted.
type part struct {
	account Account
	marks   Marks
}

const traceKey fwk.StateKey = "plimsoll.io/explain"

// Clone returns a trace that notes nothing.
func (t *Trace) Clone() fwk.StateData { return &Trace{} }

// Begin returns the trace of the cycle, a new one if no plugin has begun it. The
// new one ends that of the profile's cycle before. A nil log explains nothing.
func (l *Log) Begin(state fwk.CycleState, profile string, pod *v1.Pod, view *load.View) *Trace {
	if l == nil {
		return nil
	}
	l.cycles.Lock()
	t, before := Of(state), l.last[profile]
	if t != nil {
		l.cycles.Unlock()
		return t
	}
	t = &Trace{log: l, pod: pod, profile: profile, view: *view}
	state.Write(traceKey, t)
	l.last[profile] = t
	l.cycles.Unlock()
	before.end()
	return t
}

// Of returns the cycle's trace, or nil if nothing is noted.
func Of(state fwk.CycleState) *Trace {
	data, err := state.Read(traceKey)
	if err != nil {
		return nil
	}
	return data.(*Trace)
}

// Join has the plugin take part in the explanation, and returns what it is to note
// of each node in, by the slot in its view of the load model.
func (t *Trace) Join(account Account) Marks {
	if t == nil || t.log == nil {
		return nil
	}
	marks := make(Marks, t.view.Slots())
	t.mu.Lock()
	defer t.mu.Unlock()
	t.parts = append(t.parts, part{account: account, marks: marks})
	return marks
}

// Since says that the pod has waited since then. Each of the plugins may say so; the
// earliest counts.
func (t *Trace) Since(since time.Time) {
	if t == nil || since.IsZero() {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.since.IsZero() || since.Before(t.since) {
		t.since = since
	}
}

// Ranks says that nodes take the pod, and are ranked: a cycle of which no more is
// heard has not failed for want of a node.
func (t *Trace) Ranks() {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ranked = true
}

// Conclude says what became of the pod; node is the one that was chosen, empty if
// none was. Each of the plugins may say so.
func (t *Trace) Conclude(result Result, node string) {
	if t == nil || t.log == nil {
		return
	}
	t.mu.Lock()
	told := t.result == result && t.node == node
	t.result, t.node = result, node
	t.mu.Unlock()
	if !told {
		t.log.Add(func() *Decision {
			d := t.decision(result, node)
			t.log.tell(t.pod, d)
			return d
		})
	}
}

// Observe concludes that the pod, which another scheduler has bound to a node, would have
// got the chosen one; empty if none. uid is that of the pod itself: what was tried may have
// another.
func (t *Trace) Observe(chosen, bound string, uid types.UID) {
	if t == nil || t.log == nil {
		return
	}
	t.mu.Lock()
	t.result, t.node = Observed, chosen
	t.mu.Unlock()
	t.log.Add(func() *Decision {
		d := t.decision(Observed, chosen)
		d.Bound, d.UID = bound, uid
		return d
	})
}

// Rejects reports whether one of the plugins rejected the node.
func (t *Trace) Rejects(node string) bool {
	if t == nil {
		return false
	}
	slot, known := t.view.Slot(node)
	if !known {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	by, _ := t.rejectedBy(slot)
	return by >= 0
}

// end concludes that the pod waits, if nothing else is known of it.
func (t *Trace) end() {
	if t == nil {
		return
	}
	t.mu.Lock()
	open := t.result == "" && !t.ranked
	t.mu.Unlock()
	if open {
		t.Conclude(Waits, "")
	}
}
