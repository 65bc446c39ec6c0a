package main

import (
	"context"
	"fmt"

	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
	kubescheduler "k8s.io/kubernetes/pkg/scheduler"
	"k8s.io/kubernetes/pkg/scheduler/backend/cache"
)

// snapshotsOf returns what returns the nodes with the pods on them, assumed ones
// included: from a snapshot of the scheduler's cache that is apart from the one that
// scheduling cycles decide on. Of nodes that have not changed since the last call it
// takes nothing.
func snapshotsOf(ctx context.Context, s *kubescheduler.Scheduler) func() ([]fwk.NodeInfo, error) {
	return refreshing(ctx, s, cache.NewEmptySnapshot())
}

// refreshing returns what brings the snapshot up to date and returns its nodes.
func refreshing(ctx context.Context, s *kubescheduler.Scheduler, snapshot *cache.Snapshot) func() ([]fwk.NodeInfo, error) {
	logger := klog.FromContext(ctx)
	return func() ([]fwk.NodeInfo, error) {
		if err := s.Cache.UpdateSnapshot(logger, snapshot); err != nil {
			return nil, fmt.Errorf("take a snapshot of the nodes: %w", err)
		}
		return snapshot.NodeInfos().List()
	}
}
