package kube

import (
	"context"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/klog/v2"
	internalqueue "k8s.io/kubernetes/pkg/scheduler/backend/queue"
	"k8s.io/kubernetes/pkg/scheduler/framework"
)

// Routine is something that the scheduler's process does at its start and then
// again and again.
type Routine struct {
	Interval time.Duration
	Run      func(context.Context)
}

const (
	// flushInterval and flushAfter are those of kube-scheduler's queue: how often
	// it looks for pods that wait for an event in vain, and how long those wait.
	flushInterval = 30 * time.Second
	flushAfter    = internalqueue.DefaultPodMaxInUnschedulablePodsDuration
	// reliefDelay is that of load.Model.Run.
	reliefDelay = time.Second
)

// Routines returns all routines. Of those that are due at the same time, the
// first is to run first.
func (c *Cluster) Routines() []Routine {
	routines := []Routine{{flushInterval, func(context.Context) { c.Flush() }}}
	if c.model != nil {
		routines = append(routines, Routine{c.modelConfig.Interval, c.Poll}, Routine{reliefDelay, c.NotifyIfRelieved})
	}
	return routines
}

// Poll has the load model read its source, as load.Model.Run does on the
// interval of NodeLoad's arguments. Pods that a node takes by then are retried.
func (c *Cluster) Poll(ctx context.Context) {
	if c.model == nil {
		return
	}
	ctx = klog.NewContext(ctx, c.logger)
	c.model.Poll(ctx)
	for _, shadow := range c.shadows {
		shadow.Poll(ctx)
	}
}

// NotifyIfRelieved has those pods retried that a node takes since a pod left it
// or it grew, as load.Model.Run does within a second.
func (c *Cluster) NotifyIfRelieved(ctx context.Context) {
	if c.model != nil {
		c.model.NotifyIfRelieved(klog.NewContext(ctx, c.logger))
	}
}

// Flush has those pods retried that have waited for an event for more than five
// minutes, as kube-scheduler's queue does every 30 seconds.
func (c *Cluster) Flush() {
	now := c.clock.Now()
	due := map[types.UID]bool{}
	for _, pod := range c.scheduler.SchedulingQueue.UnschedulablePods() {
		if last, ok := c.failed[pod.UID]; ok && now.Sub(last.at) > flushAfter {
			last.at = now
			c.failed[pod.UID] = last
			due[pod.UID] = true
		}
	}
	if len(due) > 0 {
		c.retry(func(pod *v1.Pod) bool { return due[pod.UID] })
	}
}

// RetryRejectedBy has those pods retried that the plugin rejected when they were
// tried last: for a plugin whose reasons end without an event of the cluster.
func (c *Cluster) RetryRejectedBy(plugin string) {
	c.retry(func(pod *v1.Pod) bool { return c.failed[pod.UID].rejectedBy[plugin] })
}

func (c *Cluster) retry(chosen func(*v1.Pod) bool) {
	c.scheduler.SchedulingQueue.MoveAllToActiveOrBackoffQueue(c.logger, framework.EventUnschedulableTimeout, nil, nil, chosen)
}
