package chart

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/plimsoll-scheduler/plimsoll/test/cluster"
)

// checkAlerts has a real Prometheus scrape the scheduler as the ServiceMonitor of the
// release says, and evaluate the alerts: all can be evaluated, each goes by a metric that
// there is, and that of a scheduler that is down is on once it is. It ends the scheduler.
func checkAlerts(t *testing.T, c *cluster.Cluster, scheduler *cluster.Scheduler) {
	t.Helper()
	exposition := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		metrics, err := scheduler.Metrics(r.Context())
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		fmt.Fprint(w, metrics)
	}))
	t.Cleanup(exposition.Close)
	rule := rendering{release: installed, namespace: installed}.render(t, "prometheusRule: {enabled: true}").get(t, "PrometheusRule "+installedFullname)
	p := startPrometheus(t, c, strings.TrimPrefix(exposition.URL, "http://"), rule.Object["spec"])

	// What the expressions select, with their labels, as far as a scheduler without
	// nodes has it. TestDashboard of test/integration has the rest.
	selectors := regexp.MustCompile(`[a-z0-9_:]+\{[^}]*\}`).FindAllString(text(t, rule.Object["spec"]), -1)
	if len(selectors) < 20 {
		t.Fatalf("only %q were found in the alerts", selectors)
	}
	for _, selector := range selectors {
		if !idle.MatchString(selector) {
			continue
		}
		must(t, cluster.WaitFor(t.Context(), selector+" to be there", func(ctx context.Context) (bool, error) {
			var answer struct {
				Data struct{ Result []any }
			}
			err := p.get(ctx, "/api/v1/query?query="+url.QueryEscape("count("+selector+")"), &answer)
			return err == nil && len(answer.Data.Result) > 0, err
		}))
	}
	p.waitAlerts(t, "to be well", func(states map[string]string) bool {
		return states["PlimsollDown"] == "inactive" && states["PlimsollHasNoLeader"] == "inactive" && states["PlimsollPollsFail"] == "inactive"
	})
	scheduler.Kill()
	p.waitAlerts(t, "to tell that the scheduler is down", func(states map[string]string) bool { return states["PlimsollDown"] == "pending" })
}

// idle is what a scheduler without nodes has series of.
var idle = regexp.MustCompile(`^(up|leader_election_master_status|plimsoll_(nodes|source_poll_\w+|pods_\w+|prediction_ratio_\w+))\{`)

// prometheus is a Prometheus server.
type prometheus struct{ address string }

// startPrometheus starts a server with alerts, which scrapes the target as the release's.
// It ends with the test.
func startPrometheus(t *testing.T, c *cluster.Cluster, target string, rules any) *prometheus {
	t.Helper()
	program, err := c.Link(filepath.Join(root, "bin", "tools", "prometheus"))
	must(t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	address := listener.Addr().String()
	must(t, listener.Close())

	dir := t.TempDir()
	config := map[string]any{
		"global":     map[string]any{"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
		"rule_files": []string{"rules.yaml"},
		"scrape_configs": []any{map[string]any{"job_name": installedFullname, "static_configs": []any{
			map[string]any{"targets": []string{target}, "labels": map[string]any{"namespace": installed}},
		}}},
	}
	for name, content := range map[string]any{"prometheus.yaml": config, "rules.yaml": rules} {
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(text(t, content)), 0o600))
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	must(t, err)
	defer log.Close()
	cmd := exec.CommandContext(withoutCancel(t), program, "--config.file="+filepath.Join(dir, "prometheus.yaml"),
		"--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+address)
	cmd.Stdout, cmd.Stderr = log, log
	must(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed
	})
	p := &prometheus{address: "http://" + address}
	if err := cluster.WaitFor(t.Context(), "Prometheus to be ready", func(ctx context.Context) (bool, error) {
		err := p.get(ctx, "/api/v1/rules", &struct{}{})
		return err == nil, err
	}); err != nil {
		written, _ := os.ReadFile(log.Name())
		t.Fatalf("%v; its log:\n%s", err, written)
	}
	return p
}

func (p *prometheus) get(ctx context.Context, path string, into any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.address+path, http.NoBody)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", path, response.Status)
	}
	return json.NewDecoder(response.Body).Decode(into)
}

// waitAlerts waits until all alerts were evaluated without a fault, and their states
// satisfy the condition.
func (p *prometheus) waitAlerts(t *testing.T, what string, condition func(states map[string]string) bool) {
	t.Helper()
	must(t, cluster.WaitFor(t.Context(), "alerts "+what, func(ctx context.Context) (bool, error) {
		var answer struct {
			Data struct {
				Groups []struct {
					Rules []struct{ Name, State, Health, LastError string }
				}
			}
		}
		if err := p.get(ctx, "/api/v1/rules", &answer); err != nil {
			return false, err
		}
		states, healthy := map[string]string{}, true
		var told []string
		for _, group := range answer.Data.Groups {
			for _, rule := range group.Rules {
				states[rule.Name] = rule.State
				healthy = healthy && rule.Health == "ok"
				told = append(told, fmt.Sprintf("%s is %s (%s %s)", rule.Name, rule.State, rule.Health, rule.LastError))
			}
		}
		slices.Sort(told)
		return healthy && len(states) > 10 && condition(states), fmt.Errorf("%s", strings.Join(told, ", "))
	}))
}
