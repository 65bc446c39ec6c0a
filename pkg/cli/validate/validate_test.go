package validate

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const header = "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\nleaderElection: {resourceName: plimsoll}\n"

// validate runs the command on a file of this content.
func validate(t *testing.T, content string, flags ...string) (out string, err error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "f.yaml")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return run(append(flags, "-f", path)...)
}

func run(args ...string) (string, error) {
	cmd, out := NewCommand(), &bytes.Buffer{}
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetArgs(args)
	cmd.SetOut(out)
	err := cmd.ExecuteContext(context.Background())
	return out.String(), err
}

func TestFaultsAreToldWithTheirLines(t *testing.T) {
	const ours = "profiles:\n- schedulerName: plimsoll\n  plugins: {multiPoint: {enabled: [{name: NodeLoad}]}}\n  pluginConfig:\n  - name: NodeLoad\n    args:\n"
	for name, test := range map[string]struct {
		content string
		want    []string // line, object if there is one, and the beginning of the message
	}{
		"a value out of range":         {header + ours + "      filter:\n        thresholds: {cpu: 140}\n", []string{"11: profiles[0].pluginConfig[NodeLoad].args.filter.thresholds[cpu]: Invalid value: 140"}},
		"an unknown argument":          {header + ours + "      window: 15m\n      sorce: {}\n", []string{"11: profiles[0].pluginConfig[NodeLoad].args.sorce: Forbidden"}},
		"an unknown field":             {header + "profils: []\n", []string{`4: unknown field "profils"`}},
		"a field twice":                {header + ours + "      window: 15m\n      window: 5m\n", []string{`11: key "window" already set`}},
		"what is missing":              {strings.ReplaceAll(header, "leaderElection: {resourceName: plimsoll}\n", "") + "profiles:\n- schedulerName: p\n", []string{"1: leaderElection.resourceName: Invalid value"}},
		"two documents":                {header + "---\n" + header, []string{"1: there is more than one YAML document"}},
		"no YAML":                      {"a: [\nb", []string{"2: not YAML or JSON"}},
		"nothing":                      {"# nothing\n", []string{" is empty"}},
		"a list without objects":       {"- a\n", []string{"1: must be an object of the Kubernetes API"}},
		"no kind":                      {"a: 1\n", []string{"1: has no kind"}},
		"another version":              {"apiVersion: kubescheduler.config.k8s.io/v1beta3\nkind: KubeSchedulerConfiguration\n", []string{` no kind "KubeSchedulerConfiguration" is registered for version`}},
		"a configuration in a map":     {"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata:\n  other: text\n  config.yaml: |\n    apiVersion: kubescheduler.config.k8s.io/v1\n    kind: KubeSchedulerConfiguration\n    profils: []\n", []string{`9: ConfigMap c data[config.yaml]: unknown field "profils"`}},
		"an annotation of a pod":       {"kind: Pod\nmetadata:\n  name: p\n  namespace: a\n  annotations:\n    plimsoll.io/estimate: much\n", []string{"6: Pod a/p: metadata.annotations[plimsoll.io/estimate]: Invalid value"}},
		"an annotation nobody reads":   {"kind: Pod\nmetadata:\n  generateName: p-\n  annotations: {plimsoll.io/estimat: '1'}\n", []string{"4: Pod p-*: metadata.annotations[plimsoll.io/estimat]: Forbidden: there is no such annotation"}},
		"two faults of an annotation":  {"kind: Node\nmetadata:\n  name: n\n  annotations:\n    plimsoll.io/thresholds: '{\"cpu\": 400, \"gpu\": 1}'\n", []string{"5: Node n: metadata.annotations[plimsoll.io/thresholds][cpu]: Invalid", "5: Node n: metadata.annotations[plimsoll.io/thresholds][gpu]: Invalid"}},
		"a Deployment's pods":          {"kind: Deployment\nmetadata: {name: d}\nspec:\n  template:\n    metadata:\n      annotations:\n        plimsoll.io/when-unsatisfiable: Never\n", []string{"7: Deployment d: spec.template.metadata.annotations[plimsoll.io/when-unsatisfiable]: Unsupported value"}},
		"a CronJob's pods, in a list":  {"kind: List\nitems:\n- kind: CronJob\n  metadata: {name: c}\n  spec:\n    jobTemplate:\n      spec:\n        template:\n          metadata:\n            annotations: {plimsoll.io/estimate: '{}'}\n", []string{"10: CronJob c: spec.jobTemplate.spec.template.metadata.annotations[plimsoll.io/estimate]: Invalid value"}},
		"an object that is not right":  {"kind: Pod\nmetadata: {name: p, annotations: [1]}\n", []string{"1: Pod p: "}},
		"the second of three":          {"kind: Pod\nmetadata: {name: a}\n---\nkind: Pod\nmetadata: {name: b, annotations: {plimsoll.io/x: '1'}}\n---\nkind: Secret\n", []string{"5: Pod b: metadata.annotations[plimsoll.io/x]: Forbidden"}},
		"a fault behind an anchor":     {header + "profiles:\n- schedulerName: plimsoll\n  plugins: {multiPoint: {enabled: [{name: NodeLoad}]}}\n  pluginConfig:\n  - &same\n    name: NodeLoad\n    args: {window: 9h}\n- schedulerName: other\n  plugins: {multiPoint: {enabled: [{name: NodeLoad}]}}\n  pluginConfig: [*same]\n", []string{"10: profiles[0].pluginConfig[NodeLoad].args.window", "10: profiles[1].pluginConfig[NodeLoad].args.window"}},
		"a line for each line of CRLF": {strings.ReplaceAll(header+"profils: []\n", "\n", "\r\n"), []string{`4: unknown field "profils"`}},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := validate(t, test.content)
			if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("there is %d fault", len(test.want))) && !strings.Contains(err.Error(), fmt.Sprintf("there are %d faults", len(test.want))) {
				t.Errorf("%v, want %d faults", err, len(test.want))
			}
			for _, want := range test.want {
				if !strings.Contains(out, "f.yaml:"+want) {
					t.Errorf("no %q in\n%s", want, out)
				}
			}
		})
	}
}

func TestValidFilesAreValid(t *testing.T) {
	out, err := run("-f", "../../../config", "-f", "../../../manifests/base")
	if err != nil || !strings.Contains(out, "valid: ") || strings.Contains(out, "valid: 0") {
		t.Errorf("%v: %s", err, out)
	}
}

func TestStandardInput(t *testing.T) {
	cmd, out := NewCommand(), &bytes.Buffer{}
	cmd.SetArgs([]string{"-f", "-", "-o", "json"})
	cmd.SetOut(out)
	cmd.SetErr(out)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetIn(strings.NewReader("kind: Pod\nmetadata: {name: p, annotations: {plimsoll.io/estimate: '1'}}\n"))
	if err := cmd.ExecuteContext(t.Context()); err == nil {
		t.Error("a fault, and no error")
	}
	report := Report{}
	if err := json.Unmarshal(out.Bytes(), &report); err != nil || len(report.Faults) != 1 || report.Faults[0].Line != 2 || report.Faults[0].File != "-" {
		t.Errorf("%v: %s", err, out)
	}
}

// What is not here is not held against a configuration: its files are in the scheduler's
// container.
func TestFilesOfTheSchedulerAreNotSought(t *testing.T) {
	config := func(file string) string {
		return header + "profiles:\n- schedulerName: plimsoll\n  plugins: {multiPoint: {enabled: [{name: NodeLoad}]}}\n  pluginConfig:\n  - name: NodeLoad\n    args:\n      source: {type: Prometheus, prometheus: {address: 'https://p', bearerTokenFile: " + file + "}}\n"
	}
	if out, err := validate(t, config("/no/such/token")); err != nil || !strings.Contains(out, ":10: profiles[0].pluginConfig[NodeLoad].args.source.prometheus.bearerTokenFile: not checked, as there is no file /no/such/token here") {
		t.Errorf("%v: %s", err, out)
	}
	empty := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := validate(t, config(empty)); err == nil || !strings.Contains(out, "the file is empty") {
		t.Errorf("%v: %s, want that the token is found to be empty", err, out)
	}
}

func TestDifferencesFromWhatIsRecommended(t *testing.T) {
	out, err := validate(t, header+`profiles:
- schedulerName: ours
  plugins:
    multiPoint: {enabled: [{name: NodeLoad, weight: 4}]}
  pluginConfig:
  - name: NodeLoad
    args: {filter: {thresholds: {cpu: 75}}, source: {interval: 30s}}
`, "--diff")
	if err != nil {
		t.Fatal(err, out)
	}
	for _, want := range []string{
		"ours NodeLoad.filter.thresholds.cpu 75 85", "ours NodeLoad.source.interval 30s 15s", "ours weight of NodeLoad 4 10",
		"ours DeviceFit - enabled", "ours weight of NodeResourcesFit 1 -",
	} {
		if !strings.Contains(strings.Join(strings.Fields(out), " "), want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	for _, same := range []string{"NodeLoad.window", "DeviceFit.strategy", "thresholds.memory"} {
		if strings.Contains(out, same) {
			t.Errorf("%s is as recommended, and is told:\n%s", same, out)
		}
	}
	if out, err := run("--diff", "-f", "../../../config/plimsoll.yaml"); err != nil || !strings.Contains(out, "All profiles are as recommended.") {
		t.Errorf("the recommended profile differs from itself: %v\n%s", err, out)
	}
}

func TestBadUse(t *testing.T) {
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"no file":        {nil, `required flag(s) "filename"`},
		"not there":      {[]string{"-f", "/no/such/file"}, "no such file"},
		"empty folder":   {[]string{"-f", t.TempDir()}, "there is no *.yaml"},
		"unknown format": {[]string{"-f", "-", "-o", "xml"}, "must be one of table, wide, json, yaml"},
	} {
		if _, err := run(test.args...); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %s", name, err, test.want)
		}
	}
}
