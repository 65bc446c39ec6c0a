// Package workload learns what the pods of a workload really use, so that the
// next one is not estimated by its requests.
package workload

import (
	"cmp"
	"maps"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/plimsoll-scheduler/plimsoll/pkg/amount"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load/history"
)

// Key tells pods apart that may use different amounts: by their controller, their
// template, and what they request. Never by a pod's name.
type Key struct {
	controller types.UID
	template   string
	requests   amount.Vector
}

// KeyOf returns the key of the pod's workload, and whether it has one. requests is
// what its requests suggest that it uses.
func KeyOf(pod *v1.Pod, requests amount.Vector) (Key, bool) {
	controller := metav1.GetControllerOfNoCopy(pod)
	if controller == nil {
		return Key{}, false
	}
	template := pod.Labels[appsv1.DefaultDeploymentUniqueLabelKey]
	if template == "" {
		template = pod.Labels[appsv1.ControllerRevisionHashLabelKey]
	}
	return Key{controller: controller.UID, template: template, requests: requests}, true
}

// compare orders keys, so that what is done in turn does not depend on the order
// of a map.
func (k Key) compare(other Key) int {
	return cmp.Or(
		cmp.Compare(k.controller, other.controller),
		cmp.Compare(k.template, other.template),
		slices.Compare(k.requests[:], other.requests[:]))
}

const (
	// LearnAfter is how much time samples must stand for before a workload is
	// believed to be known: less would be the start of a single pod.
	LearnAfter = 5 * time.Minute
	// percentile of the time a pod uses no more than its estimate.
	percentile = 0.90
	// halfLife is when a sample counts half.
	halfLife = 6 * time.Hour
	// Grace is how long a workload without pods is remembered: a Job or a
	// Deployment that restarts has none for a moment.
	Grace = 10 * time.Minute
	// Limit bounds the memory, at about 1 KiB each. Beyond it, workloads are
	// estimated by their requests.
	Limit = 20_000
)

// Workload is what is known of the real use of the pods of one template. Pod is
// whatever stands for a running pod.
type Workload[Pod comparable] struct {
	key  Key
	pods []Pod // that run, in no order
	next int   // of pods, to be measured
	// asked is when a pod of it was last measured, emptied when the last pod left.
	asked, emptied time.Time
	use            [amount.NumResources]histogram
	// estimate is for the next pod. It means something only if known.
	estimate amount.Vector
	known    bool
}

// Book has the workloads of a cluster. It takes no lock.
type Book[Pod comparable] struct {
	workloads map[Key]*Workload[Pod]
}

// NewBook returns a book that knows no workload.
func NewBook[Pod comparable]() *Book[Pod] { return &Book[Pod]{workloads: map[Key]*Workload[Pod]{}} }

// Len returns how many workloads are known.
func (b *Book[Pod]) Len() int { return len(b.workloads) }

// Estimate returns what the pods of the workload use, and whether that is known.
func (b *Book[Pod]) Estimate(key Key) (amount.Vector, bool) {
	w := b.workloads[key]
	if w == nil || !w.known {
		return amount.Vector{}, false
	}
	return w.estimate, true
}

// Join adds a running pod to its workload, which it returns: nil if there are too
// many.
func (b *Book[Pod]) Join(key Key, pod Pod) *Workload[Pod] {
	w, known := b.workloads[key]
	if !known {
		if len(b.workloads) >= Limit {
			return nil
		}
		w = &Workload[Pod]{key: key}
		b.workloads[key] = w
	}
	w.pods = append(w.pods, pod)
	return w
}

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

// InTurn calls yield for each workload, the one that has not been asked for the
// longest first, until it returns false.
func (b *Book[Pod]) InTurn(yield func(*Workload[Pod]) bool) {
	keys := slices.SortedFunc(maps.Keys(b.workloads), func(x, y Key) int {
		return cmp.Or(b.workloads[x].asked.Compare(b.workloads[y].asked), x.compare(y))
	})
	for _, key := range keys {
		if !yield(b.workloads[key]) {
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

// Learn takes in a sample of a pod that has warmed up.
func (w *Workload[Pod]) Learn(sample history.Sample) {
	w.known = true
	for r := range w.use {
		w.use[r].add(sample.Usage[r], sample.Timestamp, max(sample.Window, time.Second))
		w.estimate[r] = w.use[r].percentile(percentile)
		w.known = w.known && w.use[r].observed >= LearnAfter
	}
}
