package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"k8s.io/component-base/metrics/legacyregistry"
	"k8s.io/klog/v2"
	appconfig "k8s.io/kubernetes/cmd/kube-scheduler/app/config"
	kubescheduler "k8s.io/kubernetes/pkg/scheduler"
	"k8s.io/kubernetes/pkg/scheduler/backend/cache"
	"k8s.io/utils/clock"

	"github.com/plimsoll-scheduler/plimsoll/pkg/compat/process"
	"github.com/plimsoll-scheduler/plimsoll/pkg/load"
	"github.com/plimsoll-scheduler/plimsoll/pkg/observe"
	"github.com/plimsoll-scheduler/plimsoll/pkg/status"
)

// checkObserve reports what is wrong with --observe, which names other schedulers.
func checkObserve(names []string, profiles []string) error {
	for _, name := range names {
		if name == "" {
			return fmt.Errorf("--observe: an empty name: must be the names of other schedulers, such as default-scheduler")
		}
		if slices.Contains(profiles, name) {
			return fmt.Errorf("--observe %s: a profile of this scheduler has this name: must be the name of another scheduler; profiles here are %s", name, strings.Join(profiles, ", "))
		}
	}
	return nil
}

// observeInstead has the scheduler observe the pods of other schedulers instead of
// scheduling its own, once it leads. Call it before the informers start.
func observeInstead(ctx context.Context, names []string, cc *appconfig.CompletedConfig, s *kubescheduler.Scheduler, model func() *load.Model, reporters *status.Reporters) error {
	profiles := make([]string, 0, len(s.Profiles))
	for name := range s.Profiles {
		profiles = append(profiles, name)
	}
	slices.Sort(profiles)
	if err := checkObserve(names, profiles); err != nil {
		return err
	}
	profile := cc.ComponentConfig.Profiles[0].SchedulerName
	snapshot, ok := s.Profiles[profile].SnapshotSharedLister().(*cache.Snapshot)
	if !ok || model() == nil {
		return fmt.Errorf("--observe: the profile %s has none of Plimsoll's plugins, so there is nothing to compare", profile)
	}
	metrics := observe.NewMetrics()
	legacyregistry.MustRegister(metrics.All()...)
	observer := observe.New(names, profile, &observe.Framework{
		Profile: s.Profiles[profile], Refresh: refreshing(ctx, s, snapshot), Model: model(), Reporters: reporters.Of(profile),
	}, metrics, clock.RealClock{})
	if err := observer.Watch(cc.InformerFactory); err != nil {
		return err
	}
	process.InsteadOfScheduling(ctx, s, func() {
		klog.FromContext(ctx).Info("Observing: this scheduler places no pod, and tells where it would have put those of others", "schedulers", names, "profile", profile)
		observer.Run(ctx)
	})
	return nil
}
