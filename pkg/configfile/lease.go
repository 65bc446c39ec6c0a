package configfile

import (
	"slices"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	configv1 "k8s.io/kube-scheduler/config/v1"
	schedconfig "k8s.io/kubernetes/pkg/scheduler/apis/config"
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
	if !election.LeaderElect || takesItsPlace || !IsClusters(election.ResourceNamespace, election.ResourceName) {
		return nil
	}
	return field.ErrorList{field.Invalid(field.NewPath("leaderElection", "resourceName"), election.ResourceName,
		"in the namespace "+election.ResourceNamespace+" this is the lease of the cluster's own scheduler, and the default: of the two only the holder would schedule. "+
			OwnLease+". Only a scheduler that takes the place of the cluster's own, with a profile called "+v1.DefaultSchedulerName+", shares its lease")}
}

// OwnLease says how to get a lease of one's own.
const OwnLease = "A scheduler beside it needs a lease of its own: leaderElection: {resourceName: plimsoll, resourceNamespace: plimsoll-system}"

// IsClusters reports whether the lease is that of the cluster's own scheduler.
func IsClusters(namespace, name string) bool {
	return namespace == configv1.SchedulerDefaultLockObjectNamespace && name == configv1.SchedulerDefaultLockObjectName
}
