package integration

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"
)

// lease has the schedulers of the test elect a leader, quickly.
func (p *pool) lease(config map[string]any) {
	config["leaderElection"] = map[string]any{
		"leaderElect": true, "resourceName": p.name, "resourceNamespace": "default",
		"leaseDuration": "3s", "renewDeadline": "2s", "retryPeriod": "500ms",
	}
}

// Pods wait for hot nodes while the scheduler ends and another begins, before it has
// been told what nodes use. It places none of them, and says what it waits for.
func TestNoPodGetsOntoAHotNodeAfterAStart(t *testing.T) {
	t.Parallel()
	const (
		count = 12
		held  = 8 * time.Second // more than the lease
	)
	withoutPreFilter := func(config map[string]any) {
		profile := config["profiles"].([]any)[0].(map[string]any)
		enabled := map[string]any{"enabled": []any{map[string]any{"name": "NodeLoad"}}}
		profile["plugins"] = map[string]any{"filter": enabled, "score": enabled}
		profile["pluginConfig"] = profile["pluginConfig"].([]any)[:1]
	}
	for name, test := range map[string]struct {
		change   func(*pool, map[string]any)
		standsBy bool // the next scheduler starts while the first one leads
	}{
		"Restart":                 {change: func(*pool, map[string]any) {}},
		"RestartWithoutPreFilter": {change: func(_ *pool, config map[string]any) { withoutPreFilter(config) }},
		"NewLeader":               {change: func(p *pool, config map[string]any) { p.lease(config) }, standsBy: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, m := newMeteredPool(t, node{name: "a", cores: 16, uses: "15"}, node{name: "b", cores: 16, uses: "15"})
			change := func(config map[string]any) {
				args(config)["source"] = map[string]any{"interval": "1m", "timeout": "1m"}
				args(config)["expiration"], args(config)["window"] = "5m", "0s"
				test.change(p, config)
			}
			first := m.start(change)
			pods := p.createSmall("p", count)
			p.allRejected(pods...)

			resume := m.stall()
			if !test.standsBy {
				first.Kill()
			}
			next := m.startUnready(change)
			first.Kill()
			p.waitUntil("the hold to be seen", time.Now().Add(held))
			ready, checks, err := next.Ready(t.Context())
			if p.must(err); ready || !strings.Contains(checks, "[-]node-metrics-polled failed") {
				t.Errorf("before the first poll: ready %t, checks:\n%s", ready, checks)
			}
			p.checkWaiting("before the first poll", pods...)
			resume()
			p.wait("each pod to be tried", func(ctx context.Context) (bool, error) {
				rejected, _, err := next.metric(ctx, `scheduler_pending_pods{queue="unschedulable"}`)
				bound := p.bound()
				return err == nil && int(rejected)+bound == count, fmt.Errorf("%v are rejected, %d bound: %w", rejected, bound, err)
			})
			p.checkWaiting("after the first poll", pods...)
			p.waitReady(next)
		})
	}
}

// waitReady waits until the scheduler is ready.
func (p *pool) waitReady(s *scheduler) {
	p.t.Helper()
	p.wait("the scheduler to be ready", func(ctx context.Context) (bool, error) {
		ready, checks, err := s.Ready(ctx)
		return ready && strings.Contains(checks, "[+]node-metrics-polled ok"), fmt.Errorf("%s: %w", checks, err)
	})
}

// Metrics that never come hold up neither a leader nor a standby for long.
func TestReadyWithoutMetrics(t *testing.T) {
	t.Parallel()
	p, m := newMeteredPool(t, node{name: "n", uses: "9"})
	defer m.stall()()
	var replicas []*scheduler
	for range 2 {
		replicas = append(replicas, m.startUnready(func(config map[string]any) {
			args(config)["source"] = map[string]any{"interval": "10s", "timeout": "10s"}
			p.lease(config)
		}))
	}
	for _, s := range replicas {
		if ready, checks, err := s.Ready(t.Context()); err != nil || ready || !strings.Contains(checks, "[-]node-metrics-polled failed") {
			t.Errorf("ready %t (%v) while the first poll is under way, checks:\n%s", ready, err, checks)
		}
	}
	for _, s := range replicas {
		p.waitReady(s)
	}
	pod := p.pod("pod", "plimsoll")
	p.create(pod)
	if got := p.nodeOf(pod); got != "n" { // by its requests
		t.Errorf("the pod is on %q", got)
	}
}
