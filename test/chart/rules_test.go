package chart

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// promtool runs it in a folder.
func promtool(t *testing.T, dir string, args ...string) string {
	t.Helper()
	program, err := filepath.Abs(filepath.Join(root, "bin", "tools", "promtool"))
	must(t, err)
	if _, err := os.Stat(program); err != nil {
		t.Fatalf("%v: run \"make tools\"", err)
	}
	command := exec.CommandContext(t.Context(), program, args...)
	command.Dir = dir
	out, err := command.CombinedOutput()
	if err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// What rules say of given series, by promtool's own engine.
func TestRules(t *testing.T) {
	dir := t.TempDir()
	rules := render(t, "prometheusRule: {enabled: true}").get(t, "PrometheusRule plimsoll")
	must(t, os.WriteFile(filepath.Join(dir, "rules.yaml"), []byte(text(t, rules.Object["spec"])), 0o600))
	tests, err := os.ReadFile("testdata/rules_test.yaml")
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dir, "rules_test.yaml"), tests, 0o600))
	promtool(t, dir, "check", "rules", "--lint=all", "--lint-fatal", "rules.yaml")
	promtool(t, dir, "test", "rules", "rules_test.yaml")
}

// Each alert is tested to be on, and to be off when all is well.
func TestEachAlertIsTested(t *testing.T) {
	content, err := os.ReadFile("testdata/rules_test.yaml")
	must(t, err)
	var file struct {
		Tests []struct {
			Name   string
			Alerts []struct {
				Alertname string
				Expected  []any `json:"exp_alerts"`
			} `json:"alert_rule_test"`
		}
	}
	must(t, yaml.Unmarshal(content, &file))
	on, off := map[string]bool{}, map[string]bool{}
	for _, test := range file.Tests {
		for _, alert := range test.Alerts {
			on[alert.Alertname] = on[alert.Alertname] || len(alert.Expected) > 0
			off[alert.Alertname] = off[alert.Alertname] || test.Name == "all is well" && len(alert.Expected) == 0
		}
	}
	for name := range alerts(t) {
		if !on[name] || !off[name] {
			t.Errorf("%s is tested to be on: %t, and off when all is well: %t", name, on[name], off[name])
		}
	}
}

type alert struct {
	Alert, Expr string
	Labels      struct{ Severity string }
	Annotations struct {
		Summary, Description string
		Runbook              string `json:"runbook_url"`
	}
}

// alerts are those of the chart, by name.
func alerts(t *testing.T) map[string]alert {
	t.Helper()
	rules := render(t, "prometheusRule: {enabled: true}").get(t, "PrometheusRule plimsoll")
	var spec struct{ Groups []struct{ Rules []alert } }
	must(t, yaml.Unmarshal([]byte(text(t, rules.Object["spec"])), &spec))
	found := map[string]alert{}
	for _, group := range spec.Groups {
		for _, rule := range group.Rules {
			if rule.Alert != "" {
				found[rule.Alert] = rule
			}
		}
	}
	if len(found) < 7 {
		t.Fatalf("only %d alerts were found", len(found))
	}
	return found
}

// Each alert has a page, which its link leads to, and each page an alert.
func TestEachAlertHasARunbook(t *testing.T) {
	const folder = root + "/docs/runbooks/"
	index, err := os.ReadFile(folder + "README.md")
	must(t, err)
	var pages []string
	for name, alert := range alerts(t) {
		page := name + ".md"
		pages = append(pages, page)
		if want := "https://github.com/plimsoll-scheduler/plimsoll/blob/main/docs/runbooks/" + page; alert.Annotations.Runbook != want {
			t.Errorf("%s links to %s, want %s", name, alert.Annotations.Runbook, want)
		}
		content, err := os.ReadFile(folder + page)
		if err != nil || !strings.HasPrefix(string(content), "# "+name+"\n") || !strings.Contains(string(content), "## Find out") {
			t.Errorf("%s: there is no page of that name that says how to find the cause (%v)", page, err)
		}
		if !strings.Contains(string(index), "["+name+"]("+page+") | "+alert.Labels.Severity+" |") {
			t.Errorf("the index of runbooks lacks %s with its severity, %s", name, alert.Labels.Severity)
		}
	}
	found, err := filepath.Glob(folder + "*.md")
	must(t, err)
	for _, file := range found {
		if name := filepath.Base(file); name != "README.md" && !slices.Contains(pages, name) {
			t.Errorf("%s is of no alert", name)
		}
	}
}

// A release's rules go by its own series alone.
func TestRulesAreOfTheRelease(t *testing.T) {
	made := rendering{release: "gpu", namespace: "machines"}.render(t, "prometheusRule: {enabled: true}").get(t, "PrometheusRule gpu-plimsoll")
	spec := strings.Join(strings.Fields(text(t, made.Object["spec"])), " ") // YAML breaks lines where it likes
	const own = `job="gpu-plimsoll", namespace="machines"`
	for _, selector := range regexp.MustCompile(`[a-z0-9_:]+\{[^}]*\}`).FindAllString(spec, -1) {
		if !strings.Contains(selector, own) {
			t.Errorf("%s: must select %s", selector, own)
		}
	}
	if strings.Contains(spec, "plimsoll-system") {
		t.Errorf("the rules name the namespace of manifests/base:\n%s", spec)
	}
}
