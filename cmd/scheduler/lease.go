package main

import (
	"context"
	"slices"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/klog/v2"
	configv1 "k8s.io/kube-scheduler/config/v1"
	appconfig "k8s.io/kubernetes/cmd/kube-scheduler/app/config"
	schedconfig "k8s.io/kubernetes/pkg/scheduler/apis/config"
	"k8s.io/utils/clock"
)

// checkLease returns a fault if a second scheduler is to share the lease of the
// cluster's own, which it does unless leaderElection says otherwise.
//
// That is refused, not warned of. Of the two only the holder schedules, for as
// long as it lives. Mostly that is the cluster's own, and then the pods that chose
// this scheduler wait for ever, while all looks well. But as soon as the cluster's
// own restarts, this one may take the lease; then all other pods of the cluster
// wait, and the fault is looked for there. A start that fails is seen by who
// caused it, at once.
//
// With a profile called default-scheduler this scheduler takes the place of the
// cluster's own, and the lease is the way to hand over.
func checkLease(cfg *schedconfig.KubeSchedulerConfiguration) field.ErrorList {
	election := &cfg.LeaderElection
	takesItsPlace := slices.ContainsFunc(cfg.Profiles, func(p schedconfig.KubeSchedulerProfile) bool {
		return p.SchedulerName == v1.DefaultSchedulerName
	})
	if !election.LeaderElect || takesItsPlace || !isClusters(election.ResourceNamespace, election.ResourceName) {
		return nil
	}
	return field.ErrorList{field.Invalid(field.NewPath("leaderElection", "resourceName"), election.ResourceName,
		"in the namespace "+election.ResourceNamespace+" this is the lease of the cluster's own scheduler, and the default: of the two only the holder would schedule. "+
			ownLease+". Only a scheduler that takes the place of the cluster's own, with a profile called "+v1.DefaultSchedulerName+", shares its lease")}
}

// ownLease says how to get one.
const ownLease = "A scheduler beside it needs a lease of its own: leaderElection: {resourceName: plimsoll, resourceNamespace: plimsoll-system}"

// isClusters reports whether the lease is that of the cluster's own scheduler.
func isClusters(namespace, name string) bool {
	return namespace == configv1.SchedulerDefaultLockObjectNamespace && name == configv1.SchedulerDefaultLockObjectName
}

// sayWhoLeads has the log say for whom this process waits. kube-scheduler does not
// say. Call it before the election begins.
func sayWhoLeads(cc *appconfig.CompletedConfig, clock clock.PassiveClock) {
	if cc.LeaderElection == nil {
		return
	}
	lock := &announcedLock{Interface: cc.LeaderElection.Lock, clock: clock}
	if election := &cc.ComponentConfig.LeaderElection; isClusters(election.ResourceNamespace, election.ResourceName) {
		// The holder may be one that never gives it up.
		lock.again = time.Minute
		lock.remedy = "If the holder is the cluster's own scheduler, stop it: this one is to take its place, as it has a profile called " + v1.DefaultSchedulerName +
			". Or remove that profile. " + ownLease
	}
	cc.LeaderElection.Lock = lock
}

// announcedLock says in the log who else holds the lock whenever that is news, and
// again from time to time. The election asks for it every few seconds while this
// process waits, from one goroutine.
type announcedLock struct {
	resourcelock.Interface
	clock clock.PassiveClock
	// again is after which time it is said again; 0 is never.
	again time.Duration
	// remedy is what to do if that is not as it should be; may be empty.
	remedy string

	holder string    // who was last said to hold it
	said   time.Time // and when
}

// Get implements resourcelock.Interface.
func (l *announcedLock) Get(ctx context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	record, raw, err := l.Interface.Get(ctx)
	if err == nil {
		l.announce(klog.FromContext(ctx), record.HolderIdentity)
	}
	return record, raw, err
}

func (l *announcedLock) announce(logger klog.Logger, holder string) {
	if holder == "" || holder == l.Identity() {
		l.holder = ""
		return
	}
	now := l.clock.Now()
	if holder == l.holder && (l.again == 0 || now.Sub(l.said) < l.again) {
		return
	}
	l.holder, l.said = holder, now
	values := []any{"lease", l.Describe(), "holder", holder}
	if l.remedy != "" {
		values = append(values, "remedy", l.remedy)
	}
	logger.Info("Another process holds the lease; this one schedules no pod until it gives it up", values...)
}
