package main

import (
	"context"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/klog/v2"
	appconfig "k8s.io/kubernetes/cmd/kube-scheduler/app/config"
	"k8s.io/utils/clock"

	"github.com/plimsoll-scheduler/plimsoll/pkg/configfile"
)

// sayWhoLeads has the log say for whom this process waits. kube-scheduler does not
// say. Call it before the election begins.
func sayWhoLeads(cc *appconfig.CompletedConfig, clock clock.PassiveClock) {
	if cc.LeaderElection == nil {
		return
	}
	lock := &announcedLock{Interface: cc.LeaderElection.Lock, clock: clock}
	if election := &cc.ComponentConfig.LeaderElection; configfile.IsClusters(election.ResourceNamespace, election.ResourceName) {
		// The holder may be one that never gives it up.
		lock.again = time.Minute
		lock.remedy = "If the holder is the cluster's own scheduler, stop it: this one is to take its place, as it has a profile called " + v1.DefaultSchedulerName +
			". Or remove that profile. " + configfile.OwnLease
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
