package integration

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/plimsoll-scheduler/plimsoll/test/cluster"
)

// The cluster's own scheduler runs, and has its lease.
func TestTheLeaseOfTheClustersOwnScheduler(t *testing.T) {
	t.Parallel()
	p := newPool(t)
	named := func(profile string) cluster.SchedulerOptions {
		return cluster.SchedulerOptions{
			Program: program, Config: filepath.Join(root, "config", "plimsoll.yaml"),
			Change: func(config map[string]any) {
				delete(config, "leaderElection")
				config["profiles"].([]any)[0].(map[string]any)["schedulerName"] = profile
			},
		}
	}
	_, err := local.StartScheduler(t.Context(), named(p.profile("plimsoll")))
	if err == nil || !strings.Contains(err.Error(), "leaderElection.resourceName: Invalid value: ") {
		t.Errorf("a second scheduler with that lease: %v", err)
	}

	s := runScheduler(t, named("default-scheduler"))
	p.wait("the log to say who holds the lease", func(ctx context.Context) (bool, error) {
		lease, err := local.Clientset.CoordinationV1().Leases("kube-system").Get(ctx, "kube-scheduler", metav1.GetOptions{})
		if err != nil || lease.Spec.HolderIdentity == nil {
			return false, err
		}
		log, err := s.Log()
		return err == nil && strings.Contains(log, fmt.Sprintf("lease=%q holder=%q", "kube-system/kube-scheduler", *lease.Spec.HolderIdentity)), err
	})
	if leads, err := s.leads(t.Context()); err != nil || leads {
		t.Errorf("it leads: %v, %v", leads, err)
	}
}
