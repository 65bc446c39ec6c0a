package integration

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	v1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/plimsoll-scheduler/plimsoll/test/cluster"
)

const monitoring = root + "/charts/plimsoll/monitoring/"

// Under load no panel of the dashboard is empty, and the rules go by series that there
// are: a real Prometheus, which scrapes the scheduler, evaluates all of them.
func TestDashboard(t *testing.T) {
	t.Parallel()
	p := newPool(t,
		node{name: "hot", gpus: 4, uses: "9.5"}, node{name: "cools", gpus: 4, uses: "9"},
		node{name: "cool", gpus: 4, uses: "1"}, node{name: "plain", uses: "9"},
	)
	s := p.runScheduler(cluster.SchedulerOptions{
		Config: filepath.Join(root, "config", "plimsoll.yaml"), Change: ofPool(t, func(config map[string]any) {
			config["leaderElection"] = map[string]any{"resourceName": p.name, "resourceNamespace": "default"}
			args(config)["source"], args(config)["window"] = map[string]any{"interval": "1s", "timeout": "1s"}, "1m"
			args(config)["estimate"] = map[string]any{"warmUp": "1s"}
			profile := config["profiles"].([]any)[0].(map[string]any)
			profile["pluginConfig"].([]any)[1].(map[string]any)["args"] = map[string]any{"headroomPerDevice": map[string]any{"cpu": "500m"}}
		}),
	})
	server := newPrometheus(t, exposition(t, s))
	server.jobs, server.labels = []string{"plimsoll"}, map[string]string{"namespace": "plimsoll-system"}
	expressions := rules(t)
	server.rules = filepath.Join(server.dir, "rules.yaml")
	p.must(os.WriteFile(server.rules, []byte(expressions.spec), 0o600))
	server.start()
	s.waitFreshNodes()
	p.work()

	maps.Copy(expressions.byName, panels(t))
	for name, expression := range expressions.byName {
		p.wait(name+" to have a value: "+expression, func(ctx context.Context) (bool, error) {
			return server.hasValue(ctx, expression)
		})
	}
	p.wait("all rules to be evaluated", server.rulesAreWell)

	documented, err := os.ReadFile(root + "/docs/metrics.md")
	p.must(err)
	served, err := s.Metrics(t.Context())
	p.must(err)
	for _, family := range regexp.MustCompile(`(?m)^# TYPE (plimsoll_\w+)`).FindAllStringSubmatch(served, -1) {
		if !strings.Contains(string(documented), "`"+family[1]+"`") {
			t.Errorf("docs/metrics.md does not list %s: test/metrics is to know it", family[1])
		}
	}
}

// work has pods placed, rejected for load and for what free devices need, and woken.
func (p *pool) work() {
	p.t.Helper()
	starves := withGPUs(p.pod("starves", ""), "1")
	starves.Spec.NodeName = p.nodeName("hot")
	runs := withGPUs(p.pod("runs", "plimsoll"), "1")
	runs.Annotations = cluster.Usage{CPU: "2", Memory: "1Gi"}.Annotations()
	p.create(starves, runs)
	p.nodeOf(runs)
	strands := withCPU(p.pod("strands", "plimsoll"), "4500m") // 5.5 cores are left below the line at most, and 3 devices need 1.5
	wakes := p.pod("wakes", "plimsoll")
	wakes.Spec.NodeSelector[v1.LabelHostname] = p.nodeName("cools")
	p.create(strands, wakes)
	p.rejected(strands)
	p.rejected(wakes)
	p.setUse("cools", "1")
	p.nodeOf(wakes)
}

// exposition serves the scheduler's metrics, which it serves with a certificate of its
// own, without one.
func exposition(t *testing.T, s *scheduler) *exporter {
	t.Helper()
	served := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		metrics, err := s.Metrics(r.Context())
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		fmt.Fprint(w, metrics)
	}))
	t.Cleanup(served.Close)
	return &exporter{Server: served}
}

// ruleFile is what is in prometheusrule.yaml.
type ruleFile struct {
	spec string
	// byName are expressions: what is recorded, and each selector of alerts, which
	// themselves are empty when all is well.
	byName map[string]string
}

func rules(t *testing.T) ruleFile {
	t.Helper()
	var object struct {
		Spec struct {
			Groups []struct {
				Name  string `json:"name"`
				Rules []struct {
					Record      string            `json:"record,omitempty"`
					Alert       string            `json:"alert,omitempty"`
					Expr        string            `json:"expr"`
					For         string            `json:"for,omitempty"`
					Labels      map[string]string `json:"labels,omitempty"`
					Annotations map[string]string `json:"annotations,omitempty"`
				} `json:"rules"`
			} `json:"groups"`
		} `json:"spec"`
	}
	readYAML(t, monitoring+"prometheusrule.yaml", &object)
	spec, err := yaml.Marshal(object.Spec)
	if err != nil {
		t.Fatal(err)
	}
	found := ruleFile{spec: string(spec), byName: map[string]string{}}
	for _, group := range object.Spec.Groups {
		for _, rule := range group.Rules {
			if rule.Record != "" {
				found.byName[rule.Record] = rule.Expr
			}
			for _, selector := range regexp.MustCompile(`[a-z0-9_:]+\{[^}]*\}`).FindAllString(rule.Expr, -1) {
				found.byName[rule.Record+rule.Alert+": "+selector] = selector
			}
		}
	}
	if len(found.byName) < 20 {
		t.Fatalf("only %q were found", slices.Sorted(maps.Keys(found.byName)))
	}
	return found
}

// panels returns the expressions of the dashboard's panels, with values for Grafana's
// variables, and of those variables.
func panels(t *testing.T) map[string]string {
	t.Helper()
	var read struct {
		Panels []struct {
			Title   string
			Targets []struct{ RefID, Expr string }
		}
		Templating struct {
			List []struct {
				Name, Type string
				Definition string
			}
		}
	}
	readYAML(t, monitoring+"dashboard.json", &read)
	given := strings.NewReplacer("$__rate_interval", "1m", "$__range", "10m", "$namespace", ".*", "$job", ".*", "$profile", ".*")
	found := map[string]string{}
	for _, panel := range read.Panels {
		for _, target := range panel.Targets {
			found["panel "+panel.Title+" "+target.RefID] = given.Replace(target.Expr)
		}
	}
	for _, variable := range read.Templating.List {
		if variable.Type != "query" {
			continue
		}
		parts := regexp.MustCompile(`^label_values\((\w+)(?:\{(.*)\})?, (\w+)\)$`).FindStringSubmatch(variable.Definition)
		if parts == nil {
			t.Fatalf("variable %s: this test does not know the form of %s", variable.Name, variable.Definition)
		}
		matchers := strings.TrimPrefix(given.Replace(parts[2])+", "+parts[3]+`!=""`, ", ")
		found["variable "+variable.Name] = parts[1] + "{" + matchers + "}"
	}
	for name, expression := range found {
		if strings.Contains(expression, "$") {
			t.Errorf("%s has a variable that this test does not know: %s", name, expression)
		}
	}
	if len(found) < 30 {
		t.Fatalf("only %q were found", slices.Sorted(maps.Keys(found)))
	}
	return found
}

// readYAML reads a file of YAML or JSON.
func readYAML(t *testing.T, path string, into any) {
	t.Helper()
	content, err := os.ReadFile(path)
	if err == nil {
		err = yaml.Unmarshal(content, into)
	}
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// hasValue reports whether the expression has a series whose value is a number.
func (p *prometheusServer) hasValue(ctx context.Context, expression string) (bool, error) {
	var answer struct {
		Error string
		Data  struct {
			Result []struct {
				Metric map[string]string
				Value  [2]any
			}
		}
	}
	if err := p.get(ctx, "/api/v1/query?query="+url.QueryEscape(expression), &answer); err != nil {
		return false, err
	}
	if answer.Error != "" {
		p.t.Fatalf("%s: %s", expression, answer.Error)
	}
	for _, series := range answer.Data.Result {
		if series.Value[1] != "NaN" {
			return true, nil
		}
	}
	return false, fmt.Errorf("it has %v", answer.Data.Result)
}

// rulesAreWell reports whether all rules were evaluated without a fault.
func (p *prometheusServer) rulesAreWell(ctx context.Context) (bool, error) {
	var answer struct {
		Data struct {
			Groups []struct {
				Rules []struct{ Name, Health, LastError string }
			}
		}
	}
	if err := p.get(ctx, "/api/v1/rules", &answer); err != nil {
		return false, err
	}
	rules := 0
	for _, group := range answer.Data.Groups {
		for _, rule := range group.Rules {
			if rules++; rule.Health != "ok" {
				return false, fmt.Errorf("%s is %s: %s", rule.Name, rule.Health, rule.LastError)
			}
		}
	}
	return rules > 0, errors.New("there are none")
}

// get asks the server, whose errors are JSON as well.
func (p *prometheusServer) get(ctx context.Context, path string, into any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.address+path, http.NoBody)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	return json.NewDecoder(response.Body).Decode(into)
}
