// Package observe has Plimsoll tell where it would have put the pods of another scheduler,
// and place none: for a day on which nothing is to change.
//
// Each pod of the other scheduler is tried when it waits for a node: by the profile's own
// framework, with all its plugins, on the scheduler's cache as it is then. When the pod is
// bound, both choices are compared. The framework is used by one goroutine, as in
// scheduling, which must not run beside it.
package observe

import (
	"context"
	"fmt"
	"sync"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"

	"github.com/plimsoll-scheduler/plimsoll/pkg/load"
)

const (
	// again is how old a trial is at the least when a pod that still waits is tried anew.
	again = 5 * time.Second
	// maxPending bounds the pods that are to be tried or compared, and maxTrials those
	// that wait for a node. What is beyond is not observed.
	maxPending = 2000
	maxTrials  = 10_000
)

// Trier tries a pod on the cluster as it is now.
type Trier interface {
	Try(ctx context.Context, pod *v1.Pod) (*Trial, error)
}

// Observer observes the pods of other schedulers.
type Observer struct {
	schedulers map[string]bool
	trier      Trier
	metrics    *Metrics
	profile    string
	clock      clock.PassiveClock
	pending    chan *v1.Pod // that wait, or have got a node

	mu      sync.Mutex
	entries map[types.UID]*entry
}

// entry is what is known of a pod that waits, or has just got a node.
type entry struct {
	trial *Trial // the last; nil if there was none
	// toTry and bound say that it is on its way through pending: to be tried, and with
	// the node that it has got.
	toTry, bound bool
}

// New returns an observer of the pods of these schedulers, which has the trier of the
// profile try them.
func New(schedulers []string, profile string, trier Trier, metrics *Metrics, clock clock.PassiveClock) *Observer {
	o := &Observer{
		schedulers: map[string]bool{}, trier: trier, metrics: metrics, profile: profile, clock: clock,
		pending: make(chan *v1.Pod, maxPending), entries: map[types.UID]*entry{},
	}
	for _, name := range schedulers {
		o.schedulers[name] = true
	}
	return o
}

// Watch has the observer told of pods. Call it before the informers start.
func (o *Observer) Watch(factory informers.SharedInformerFactory) error {
	_, err := factory.Core().V1().Pods().Informer().AddEventHandler(cache.ResourceEventHandlerDetailedFuncs{
		AddFunc: func(obj any, _ bool) {
			if pod, ok := obj.(*v1.Pod); ok && pod.Spec.NodeName == "" {
				o.see(pod)
			}
		},
		UpdateFunc: func(_, obj any) {
			if pod, ok := obj.(*v1.Pod); ok {
				o.see(pod)
			}
		},
		DeleteFunc: func(obj any) {
			if pod, ok := load.LastKnown(obj).(*v1.Pod); ok {
				o.forget(pod.UID)
			}
		},
	})
	if err != nil {
		return fmt.Errorf("watch pods: %w", err)
	}
	return nil
}

// see notes that a pod waits, or has got a node.
func (o *Observer) see(pod *v1.Pod) {
	if !o.schedulers[pod.Spec.SchedulerName] || len(pod.Spec.SchedulingGates) > 0 || pod.DeletionTimestamp != nil {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	e := o.entries[pod.UID]
	waits := pod.Spec.NodeName == ""
	switch {
	case e == nil && !waits:
		return // it had a node when we began, or was compared before
	case e == nil && len(o.entries) >= maxTrials:
		return
	case e == nil:
		e = &entry{}
		o.entries[pod.UID] = e
	case e.bound, waits && (e.toTry || e.trial != nil && o.clock.Since(e.trial.At) < again):
		return
	}
	select {
	case o.pending <- pod:
		e.toTry, e.bound = e.toTry || waits, e.bound || !waits
	default:
		o.metrics.count(o.profile, Missed)
		delete(o.entries, pod.UID)
	}
}

func (o *Observer) forget(uid types.UID) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.entries, uid)
}

// Run tries pods, and compares, until ctx ends.
func (o *Observer) Run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case pod := <-o.pending:
			if pod.Spec.NodeName == "" {
				o.try(ctx, pod)
			} else {
				o.compare(pod)
			}
		}
	}
}

// try tries a pod that waits.
func (o *Observer) try(ctx context.Context, pod *v1.Pod) {
	trial, err := o.trier.Try(ctx, pod)
	if err != nil {
		klog.FromContext(ctx).Error(err, "A pod of another scheduler could not be tried", "pod", klog.KObj(pod))
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if e := o.entries[pod.UID]; e != nil { // else it is gone
		e.toTry = false
		if err == nil {
			e.trial = trial
		}
	}
}

// compare compares what was tried with the node that the pod has got.
func (o *Observer) compare(pod *v1.Pod) {
	o.mu.Lock()
	e := o.entries[pod.UID]
	delete(o.entries, pod.UID)
	o.mu.Unlock()
	switch {
	case e == nil: // it is gone
	case e.trial == nil:
		o.metrics.count(o.profile, Missed)
	default:
		o.metrics.compare(o.profile, e.trial, pod.Spec.NodeName)
		e.trial.Conclude(pod.Spec.NodeName)
	}
}
