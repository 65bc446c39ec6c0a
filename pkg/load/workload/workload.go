// Package workload learns what the pods of a workload really use, so that the
// next one is not estimated by its requests.
package workload

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/demand"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load/history"
)

const (
	// Grace is how long a workload without pods is remembered: a CronJob has none
	// until its next run, and what is scaled to zero for the weekend none for three
	// days.
	Grace = 4 * 24 * time.Hour
	// Limit bounds the memory, at about 0.5 KiB each. Beyond it those are forgotten
	// that have had no pods for the longest, and if there are none, new ones are
	// estimated by their requests.
	Limit = 20_000
)

// Workload is what is known of the real use of the pods of one workload. Pod is
// whatever stands for a running pod.
type Workload[Pod comparable] struct {
	key  Key
	pods []Pod // that run, in no order
	next int   // of pods, to be measured
	// asked is when a pod of it was last measured, emptied when the last pod left.
	asked, emptied time.Time
	use            [amount.NumResources]moments
	demand         demand.Demand // as of the last Renew
}

// Book has the workloads of a cluster. It takes no lock.
type Book[Pod comparable] struct {
	workloads map[Key]*Workload[Pod]
	prior     Prior
}

// NewBook returns a book that knows no workload.
func NewBook[Pod comparable]() *Book[Pod] {
	b := &Book[Pod]{workloads: map[Key]*Workload[Pod]{}}
	b.Renew() // the prior, of no workload
	return b
}

// Len returns how many workloads are known.
func (b *Book[Pod]) Len() int { return len(b.workloads) }

// Estimate returns what a pod of the workload is expected to use: what its requests
// suggest now, as far as the workload's pods were not seen to use something else (see
// estimate).
func (b *Book[Pod]) Estimate(key Key, requested amount.Vector) amount.Vector {
	use := requested
	if w := b.workloads[key]; w != nil {
		for r := range use {
			use[r] = w.use[r].estimate(amount.Resource(r), use[r])
		}
	}
	return use
}

// Join adds a running pod to its workload, which it returns: nil if there are too
// many.
func (b *Book[Pod]) Join(key Key, pod Pod) *Workload[Pod] {
	w, known := b.workloads[key]
	if !known {
		if len(b.workloads) >= Limit && !b.forgetOldest() {
			return nil
		}
		w = &Workload[Pod]{key: key, demand: b.prior.Demand(key.requests)}
		b.workloads[key] = w
	}
	w.pods = append(w.pods, pod)
	return w
}

// forgetOldest forgets the tenth of the workloads that have had no pods for the
// longest, and reports whether there was one: so that this is done rarely.
func (b *Book[Pod]) forgetOldest() bool {
	var empty []*Workload[Pod]
	for _, w := range b.workloads {
		if len(w.pods) == 0 {
			empty = append(empty, w)
		}
	}
	slices.SortFunc(empty, func(x, y *Workload[Pod]) int {
		return cmp.Or(x.emptied.Compare(y.emptied), x.key.compare(&y.key))
	})
	for _, w := range empty[:min(len(empty), Limit/10)] {
		delete(b.workloads, w.key)
	}
	return len(empty) > 0
}

// Key returns the key of the workload.
func (w *Workload[Pod]) Key() Key { return w.key }

// Leave removes a pod from its workload.
func (w *Workload[Pod]) Leave(pod Pod, now time.Time) {
	if i := slices.Index(w.pods, pod); i >= 0 {
		last := len(w.pods) - 1
		w.pods[i] = w.pods[last]
		clear(w.pods[last:])
		w.pods = w.pods[:last]
	}
	if len(w.pods) == 0 {
		w.emptied = now
		w.pods = nil
	}
}

// Forget drops the workloads that are gone.
func (b *Book[Pod]) Forget(now time.Time) {
	for key, w := range b.workloads {
		if len(w.pods) == 0 && now.Sub(w.emptied) > Grace {
			delete(b.workloads, key)
		}
	}
}

// InTurn calls yield for each workload with pods, the one that has not been asked
// for the longest first, until it returns false.
func (b *Book[Pod]) InTurn(yield func(*Workload[Pod]) bool) {
	var present []*Workload[Pod]
	for w := range maps.Values(b.workloads) {
		if len(w.pods) > 0 {
			present = append(present, w)
		}
	}
	slices.SortFunc(present, func(x, y *Workload[Pod]) int {
		return cmp.Or(x.asked.Compare(y.asked), x.key.compare(&y.key))
	})
	for _, w := range present {
		if !yield(w) {
			return
		}
	}
}

// Asked notes that a pod of w is measured now.
func (w *Workload[Pod]) Asked(now time.Time) { w.asked = now }

// Next returns the pod of w to measure next of those that are ready, and whether
// there is one.
func (w *Workload[Pod]) Next(ready func(Pod) bool) (pod Pod, found bool) {
	for range w.pods {
		w.next = (w.next + 1) % len(w.pods)
		if pod := w.pods[w.next]; ready(pod) {
			return pod, true
		}
	}
	return pod, false
}

// Learn takes in a sample of a pod that has warmed up. short says of which
// resources the pod's node had too little: there a pod uses less than it would.
func (w *Workload[Pod]) Learn(sample history.Sample, short [amount.NumResources]bool) {
	for r := range w.use {
		expected := w.use[r].estimate(amount.Resource(r), w.key.requests[r])
		if short[r] && sample.Usage[r] < expected {
			continue
		}
		w.use[r].add(float64(sample.Usage[r]), sample.Timestamp, max(sample.Window, time.Second))
	}
}
