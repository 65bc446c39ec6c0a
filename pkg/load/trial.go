package load

import (
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load/history"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load/ledger"
)

// Trial is a private copy of what is known of a node, on which it is tried how its
// predicted use would fall if pods were gone. It is the same arithmetic by which
// it falls when they really go. It is not safe for use from several goroutines.
type Trial struct {
	model   *Model
	history history.History
	now     time.Time
	present map[types.UID]*ledger.Record
	gone    map[types.UID]*ledger.Record
	left    []*ledger.Record // before the trial
	scratch history.Scratch
}

// Try returns a trial of the node, nil if the node is not known.
func (m *Model) Try(nodeName string) *Trial {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := m.nodes.known(nodeName)
	if n == nil {
		return nil
	}
	t := &Trial{
		model: m, history: n.history.Clone(), now: n.clock.now(m.clock.Now()),
		present: make(map[types.UID]*ledger.Record, len(n.pods)), gone: map[types.UID]*ledger.Record{},
	}
	for _, p := range n.pods {
		clone := p.Clone()
		t.present[p.uid] = &clone
	}
	for _, r := range n.departed {
		clone := r.Clone()
		t.left = append(t.left, &clone)
	}
	return t
}

// Clone returns a trial that goes on from here, apart from t.
func (t *Trial) Clone() *Trial {
	clone := *t
	clone.scratch = history.Scratch{}
	clone.present, clone.gone = make(map[types.UID]*ledger.Record, len(t.present)), make(map[types.UID]*ledger.Record, len(t.gone))
	for uid, r := range t.present {
		clone.present[uid] = r
	}
	for uid, r := range t.gone {
		clone.gone[uid] = r
	}
	return &clone
}

// Remove tries to do without the pod. known is false if it is not known what it
// uses: then its removal is taken to relieve nothing, and the pod is among the first
// to be measured at the next poll.
func (t *Trial) Remove(pod *v1.Pod) (known bool) {
	r := t.present[pod.UID]
	if r == nil {
		return t.gone[pod.UID] != nil
	}
	delete(t.present, pod.UID)
	t.gone[pod.UID] = r
	newest := t.history.Newest()
	if newest == nil || r.Phase.Unseen() {
		return true
	}
	if _, known = r.UsedIn(newest, t.model.config.WarmUp); !known {
		t.model.Want(pod)
	}
	return known
}

// Restore takes back Remove, and reports whether the pod was removed.
func (t *Trial) Restore(pod *v1.Pod) bool {
	r := t.gone[pod.UID]
	if r == nil {
		return false
	}
	delete(t.gone, pod.UID)
	t.present[pod.UID] = r
	return true
}

// Predicted returns the statistic of the use to expect.
func (t *Trial) Predicted(s Statistic) amount.Vector {
	present := make([]*ledger.Record, 0, len(t.present))
	for _, r := range t.present {
		present = append(present, r)
	}
	departed := append([]*ledger.Record(nil), t.left...)
	for _, r := range t.gone {
		clone := r.Clone()
		if clone.Depart(t.now, t.model.config.WarmUp); clone.Phase == ledger.Departing && !clone.LastRead().IsZero() {
			departed = append(departed, &clone)
		}
	}
	prediction := ledger.Predict(&t.history, present, departed, t.now, t.model.config.WarmUp, &t.scratch)
	return prediction.Statistics()[s]
}
