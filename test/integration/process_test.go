package integration

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"testing"

	v1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/plimsoll-scheduler/plimsoll/pkg/compat"
	"github.com/plimsoll-scheduler/plimsoll/test/cluster"
)

// Two replicas with the manifests' configuration, ServiceAccount and RBAC:
// one leads, the other takes over with a warm load model, and the API server
// forbids neither anything (checkLog).
func TestManifests(t *testing.T) {
	t.Parallel() // no other test may use the manifests' profile and lease, both called plimsoll
	base := filepath.Join(root, "manifests", "base")
	if _, err := local.Kubectl(t.Context(), "apply", "-k", base); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := local.Kubectl(context.WithoutCancel(t.Context()), "delete", "-k", base, "--wait=false"); err != nil {
			t.Error(err)
		}
	})
	p := newPool(t, node{name: "hot", gpus: 8, uses: "9"}, node{name: "cool", gpus: 8, uses: "1"})
	kubeconfig, err := local.ServiceAccountKubeconfig(t.Context(), "plimsoll-system", "plimsoll")
	p.must(err)
	replicas := map[string]*scheduler{}
	for range 2 {
		s := runScheduler(t, cluster.SchedulerOptions{Config: filepath.Join(base, "config.yaml"), Kubeconfig: kubeconfig})
		s.waitFreshNodes() // a standby's model is warm, too
		replicas[s.LogFile] = s
	}

	first := withGPUs(p.pod("first", ""), "1")
	first.Spec.SchedulerName = "plimsoll"
	p.create(first)
	if got := p.nodeOf(first); got != "cool" {
		t.Errorf("the pod is on %s", got)
	}
	leader := leaderOf(t, replicas)
	leader.Kill()
	delete(replicas, leader.LogFile)
	second := withGPUs(p.pod("second", ""), "1")
	second.Spec.SchedulerName = "plimsoll"
	p.create(second)
	if got := p.nodeOf(second); got != "cool" {
		t.Errorf("after the leader was killed the pod is on %s", got)
	}
	leaderOf(t, replicas)
	checkRights(p)
}

// checkRights checks that nothing was forbidden to the manifests' ServiceAccount, and that it
// has used each right that the manifests give it beside the built-in roles.
func checkRights(p *pool) {
	p.t.Helper()
	unused := map[string]bool{}
	for _, rule := range ownRules(p.t) {
		for _, group := range rule.APIGroups {
			for _, resource := range rule.Resources {
				for _, verb := range rule.Verbs {
					unused[verb+" "+resource+"."+group] = true
				}
			}
		}
	}
	if len(unused) < 5 {
		p.t.Fatalf("the manifests give only %v", unused)
	}
	p.wait("each right to be used", func(context.Context) (bool, error) {
		requests, err := p.local.Requests()
		if err != nil {
			return false, err
		}
		for i := range requests {
			r := &requests[i]
			if r.ResponseStatus.Code == http.StatusForbidden {
				p.t.Fatalf("forbidden: %s %s", r.Verb, r.RequestURI)
			}
			if r.ObjectRef != nil && r.ObjectRef.Subresource == "" && r.ResponseStatus.Code < http.StatusBadRequest {
				delete(unused, r.Verb+" "+r.ObjectRef.Resource+"."+r.ObjectRef.APIGroup)
			}
		}
		return len(unused) == 0, fmt.Errorf("never used: %v", slices.Sorted(maps.Keys(unused)))
	})
}

// ownRules returns what the manifests' own roles grant the scheduler.
func ownRules(t *testing.T) []rbacv1.PolicyRule {
	t.Helper()
	return append(rulesOf(t, "ClusterRole", "plimsoll:metrics-reader"), rulesOf(t, "Role", "plimsoll:leader-election")...)
}

// leads reports whether the scheduler is the replica that leads.
func (s *scheduler) leads(ctx context.Context) (bool, error) {
	leads, _, err := s.metric(ctx, "leader_election_master_status")
	return leads == 1, err
}

// waitToLead waits until the scheduler leads.
func (s *scheduler) waitToLead() {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), timeout)
	defer cancel()
	if err := cluster.WaitFor(ctx, "the scheduler to lead", s.leads); err != nil {
		s.t.Fatal(err)
	}
}

// leaderOf returns the replica that leads.
func leaderOf(t *testing.T, replicas map[string]*scheduler) *scheduler {
	t.Helper()
	for _, s := range replicas {
		leads, err := s.leads(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if leads {
			return s
		}
	}
	t.Fatal("no replica leads")
	return nil
}

// With the batch profile pods of one shape share filtering and scoring.
func TestBatchProfileBatches(t *testing.T) {
	t.Parallel()
	var nodes []node
	for i := range 8 {
		nodes = append(nodes, node{name: fmt.Sprint("n", i), gpus: 8, uses: fmt.Sprint(1 + i%4)})
	}
	p := newPool(t, nodes...)
	count, gpus := 40, "1"
	if compat.Minor < "1.37" {
		count, gpus = 8, "8" // what is shared is of use only if each pod fills its node
	}
	var pods []*v1.Pod
	for i := range count {
		pods = append(pods, withCPU(withGPUs(p.pod(fmt.Sprint("p", i), "plimsoll"), gpus), "100m"))
	}
	p.create(pods...) // before the scheduler runs, so that it finds them all waiting
	s := startScheduler(t, "batch.yaml", nil)
	p.placed(pods...)
	hints, _, err := s.metric(t.Context(), fmt.Sprintf(`scheduler_batch_attempts_total{profile=%q,result="hint_used"}`, p.profile("plimsoll")))
	p.must(err)
	if hints < float64(len(pods))/2 {
		metrics, _ := s.Metrics(t.Context())
		t.Errorf("%v of %d identical pods were batched, want at least half; metrics:\n%s", hints, len(pods), metrics)
	}
}
