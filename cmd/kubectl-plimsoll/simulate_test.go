package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// plimsoll runs the command in this process and returns what it printed.
func plimsoll(t *testing.T, args ...string) (stdout, stderr string, exit int) {
	t.Helper()
	var out, errs bytes.Buffer
	exit = run(t.Context(), "v9.9.9", args, &out, &errs)
	return out.String(), errs.String(), exit
}

func TestVersionNamesPlimsollAndKubernetes(t *testing.T) {
	stdout, _, exit := plimsoll(t, "--version")
	if exit != 0 || !strings.HasPrefix(stdout, "kubectl-plimsoll v9.9.9 (Kubernetes v") {
		t.Errorf("--version: exit status %d, printed %q", exit, stdout)
	}
}

func TestHelpReadsAsOfKubectl(t *testing.T) {
	for _, args := range [][]string{{}, {"--help"}, {"help", "simulate"}, {"simulate", "-h"}} {
		stdout, stderr, exit := plimsoll(t, args...)
		if exit != 0 || stderr != "" || !strings.Contains(stdout, "Usage:\n  kubectl plimsoll") {
			t.Errorf("%q: exit status %d, printed %q and %q", args, exit, stdout, stderr)
		}
	}
}

func TestFlagsThatMakeNoSense(t *testing.T) {
	dir := t.TempDir()
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"an unknown command":    {[]string{"simulte"}, `unknown command "simulte"`},
		"an unknown flag":       {[]string{"simulate", "--node", "x"}, "unknown flag: --node\nSee 'kubectl plimsoll simulate --help'"},
		"an argument":           {[]string{"simulate", "config.yaml"}, `unknown command "config.yaml"`},
		"nodes alone":           {[]string{"simulate", "--nodes", "n.csv"}, "--nodes: --pods and --series are missing as well"},
		"no series":             {[]string{"simulate", "--nodes", "n.csv", "--pods", "p.csv"}, "--nodes, --pods: --series is missing as well"},
		"two sources":           {[]string{"simulate", "--pods", "p.csv", "--cluster", dir}, "--cluster and --pods are two sources"},
		"an unknown load":       {[]string{"simulate", "--load", "cold"}, `--load "cold": must be calm or hot`},
		"an unknown format":     {[]string{"simulate", "-o", "yaml"}, `--output "yaml": must be table or json`},
		"a negative number":     {[]string{"simulate", "--parallel", "-1"}, "--parallel -1: must be at least 1"},
		"an unknown parameter":  {[]string{"simulate", "--model", "colour=red"}, `--model colour: unknown; known here: `},
		"an unknown event":      {[]string{"simulate", "--churn", "rollouts,rollins"}, `--churn "rollins": unknown; known here: rollouts, `},
		"no number":             {[]string{"simulate", "--model", modelNames()[0] + "=many"}, "--model " + modelNames()[0] + "=many: "},
		"no such file":          {[]string{"simulate", "--config", filepath.Join(dir, "none.yaml")}, "none.yaml"},
		"an unknown profile":    {[]string{"simulate", "--profiles", "plimsol"}, `"plimsol"`},
		"a report in no folder": {[]string{"simulate", "--report", filepath.Join(dir, "none", "out.html")}, "--report " + dir},
		"a report in a folder":  {[]string{"simulate", "--report", dir}, "is a directory"},
	} {
		t.Run(name, func(t *testing.T) {
			stdout, stderr, exit := plimsoll(t, test.args...)
			if exit != exitError || stdout != "" {
				t.Errorf("exit status %d, printed %q", exit, stdout)
			}
			if !strings.HasPrefix(stderr, "error: ") || !strings.Contains(stderr, test.want) {
				t.Errorf("the error is %q, want %q in it", stderr, test.want)
			}
			if strings.Contains(stderr, "Usage:") {
				t.Errorf("the usage is dumped: %q", stderr)
			}
		})
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) > 0 {
		t.Errorf("files are left behind: %v, %v", files, err)
	}
}

// smallModel is a cluster that is simulated in no time.
const smallModel = "nodes=4,workloads=5,fill-time=10m,churn-time=20m"

// small returns arguments that simulate it.
func small(args ...string) []string {
	return append([]string{"simulate", "--model", smallModel}, args...)
}

func TestTable(t *testing.T) {
	stdout, stderr, exit := plimsoll(t, small()...)
	if exit != 0 {
		t.Fatalf("exit status %d: %s", exit, stderr)
	}
	for _, want := range []string{"\nplimsoll ", "\nstock ", "LOAD OF THE NODES", "to stock", "PODS AND DEVICES", "no public trace links"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("the table lacks %q:\n%s", want, stdout)
		}
	}
	if stderr != "" {
		t.Errorf("something is printed beside the table, with no terminal to show progress on: %q", stderr)
	}
}

func TestErrorsOfEstimatesAreReportedByKindWithChurn(t *testing.T) {
	stdout, stderr, exit := plimsoll(t, "simulate", "--model", "nodes=6,workloads=12,fill-time=10m,churn-time=3h,life=1h,start-max=1m", "-o", "json", "--churn", "cronjobs")
	if exit != 0 {
		t.Fatalf("exit status %d: %s", exit, stderr)
	}
	var got struct {
		Policies []struct {
			Name      string
			Estimates []struct {
				Kind                    string
				Pods                    int
				Request, ByUID, Learned map[string]float64
			}
		}
	}
	if err := json.Unmarshal([]byte(stdout), &got); err != nil {
		t.Fatal(err)
	}
	for _, p := range got.Policies {
		var kinds []string
		for _, e := range p.Estimates {
			kinds = append(kinds, e.Kind)
			if e.Pods == 0 || e.Request["errorCores"] <= 0 || e.ByUID["errorPercent"] <= 0 || len(e.Learned) != 4 {
				t.Errorf("%s: the errors are %+v", p.Name, e)
			}
		}
		want := "service cronjob"
		if p.Name == "stock" {
			want = "" // it estimates nothing
		}
		if got := strings.Join(kinds, " "); got != want {
			t.Errorf("%s: the kinds are %q, want %q", p.Name, got, want)
		}
	}
}

func TestJSON(t *testing.T) {
	stdout, stderr, exit := plimsoll(t, small("-o", "json", "--seed", "7", "--profiles", "stock,plimsoll")...)
	if exit != 0 {
		t.Fatalf("exit status %d: %s", exit, stderr)
	}
	var got struct {
		Seed     *uint64
		Policies []map[string]any
	}
	if err := json.Unmarshal([]byte(stdout), &got); err != nil {
		t.Fatalf("%v in %s", err, stdout)
	}
	if got.Seed == nil || *got.Seed != 7 || len(got.Policies) != 2 {
		t.Fatalf("seed %v and %d policies, want 7 and 2", got.Seed, len(got.Policies))
	}
	if got.Policies[0]["name"] != "stock" || got.Policies[1]["name"] != "plimsoll" {
		t.Errorf("the policies are not in the order of --profiles: %v", stdout)
	}
	for _, p := range got.Policies {
		for _, field := range []string{
			"starvedDeviceMinutes", "hotNodeMinutes80", "hotNodeMinutes100", "podsScheduled",
			"devicesAllocatedPercent", "fragmentedDevicesPercent", "decisionsPerSecond",
		} {
			if _, ok := p[field].(float64); !ok {
				t.Errorf("%s of %s is %v, want a number", field, p["name"], p[field])
			}
		}
		for field, parts := range map[string][]string{"waitSeconds": {"p50", "p99"}, "utilization": {"mean", "stddev", "p99"}} {
			object, _ := p[field].(map[string]any)
			for _, part := range parts {
				if _, ok := object[part].(float64); !ok {
					t.Errorf("%s.%s of %s is %v, want a number", field, part, p["name"], object[part])
				}
			}
		}
	}
}

// snapshotFiles are of a cluster with one node and two pods, one of which waits.
func snapshotFiles(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	pod := `{"metadata": {"namespace": "default", "name": "NAME", "uid": "NAME", "creationTimestamp": "2026-01-02T03:04:05Z"},
		"spec": {"nodeName": "NODE", "containers": [{"name": "c", "resources": {"requests": {"cpu": "2", "memory": "1Gi"}}}]},
		"status": {"phase": "PHASE"}}`
	for name, text := range map[string]string{
		"nodes.json": `{"items": [{"metadata": {"name": "n1"}, "status": {"allocatable": {"cpu": "8", "memory": "16Gi", "pods": "110"}}}]}`,
		"pods.json": `{"items": [` + strings.NewReplacer("NAME", "a", "NODE", "n1", "PHASE", "Running").Replace(pod) + "," +
			strings.NewReplacer("NAME", "b", "NODE", "", "PHASE", "Pending").Replace(pod) + `]}`,
		"nodemetrics.json": `{"items": [{"metadata": {"name": "n1"}, "usage": {"cpu": "1500m", "memory": "2Gi"}}]}`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestSnapshotOfACluster(t *testing.T) {
	dir := snapshotFiles(t)
	args := []string{"simulate", "--cluster", dir, "--model", "fill-time=10m,churn-time=20m"}
	stdout, stderr, exit := plimsoll(t, args...)
	if exit != 0 || !strings.Contains(stdout, filepath.Base(dir)+": 1 nodes") {
		t.Errorf("exit status %d, printed %q and %q", exit, stdout, stderr)
	}
	if err := os.WriteFile(filepath.Join(dir, "pods.json"), []byte("{\n\"items\": [{,"), 0o600); err != nil {
		t.Fatal(err)
	}
	stdout, stderr, exit = plimsoll(t, args...)
	if want := filepath.Join(dir, "pods.json") + ":2: "; exit != exitError || stdout != "" || !strings.Contains(stderr, want) {
		t.Errorf("exit status %d, the error is %q, want %q in it", exit, stderr, want)
	}
}

func TestOddFilesAreReadWithWarnings(t *testing.T) {
	dir := snapshotFiles(t)
	lost := `{"metadata": {"namespace": "default", "name": "lost", "uid": "lost"}, "spec": {"nodeName": "gone", "containers": [{"name": "c"}]}, "status": {"phase": "Running"}}`
	file := filepath.Join(dir, "pods-2.json")
	if err := os.WriteFile(file, []byte("\ufeff"+`{"kind": "PodList", "items": [`+lost+`]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	stdout, stderr, exit := plimsoll(t, "simulate", "--cluster", dir, "--model", "fill-time=10m,churn-time=20m", "-o", "json")
	if want := "warning: " + file + ":1: pod default/lost is on node gone, which is not in the snapshot: the pod is left out\n"; exit != 0 || stderr != want {
		t.Errorf("exit status %d, on stderr is %q, want %q", exit, stderr, want)
	}
	if !json.Valid([]byte(stdout)) {
		t.Errorf("the result is not JSON: %q", stdout)
	}
}

func TestFillReadsOddListsOnceWithWarnings(t *testing.T) {
	dir := t.TempDir()
	nodes, pods := filepath.Join(dir, "nodes.csv"), filepath.Join(dir, "pods.csv")
	for file, text := range map[string]string{
		nodes: "sn;CPU_milli;memory_mib;gpu\rn1;8000.0;16384;2\rn2;0;16384;2",
		pods:  "name,cpu_milli,memory_mib,num_gpu\np1,1000,1024,1\nbig,9000,1024,1\n",
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	stdout, stderr, exit := plimsoll(t, "fill", "--nodes", nodes, "--pods", pods, "--seeds", "2")
	want := "warning: " + nodes + ":3: node n2 has 0 millicores and 16384 MiB: it is left out\n" +
		"warning: " + pods + ":3: no node has room for pod big: 9000 millicores, 1024 MiB and 1 GPUs; it is left out\n"
	if exit != 0 || stderr != want || !strings.Contains(stdout, "pods") {
		t.Errorf("exit status %d, printed %q and %q, want %q", exit, stdout, stderr, want)
	}
	if err := os.WriteFile(pods, []byte("name,cpu_milli,memory_mib,num_gpu\np1,1000,1024,\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, stderr, exit = plimsoll(t, "fill", "--nodes", nodes, "--pods", pods)
	if want := "error: " + pods + ": none of the 1 pods in it can be used\n  " + pods + `:2: num_gpu is "": must be a whole number from 0 to `; exit != exitError || !strings.Contains(stderr, want) {
		t.Errorf("exit status %d, the error is %q, want %q in it", exit, stderr, want)
	}
}

func TestFaultsOfAConfigurationNameFileAndField(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config.yaml")
	text := `apiVersion: kubescheduler.config.k8s.io/v1
kind: KubeSchedulerConfiguration
profiles:
- schedulerName: mine
  pluginConfig:
  - name: NodeLoad
    args: {filter: {thresholds: {cpu: 140}}}
`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	_, stderr, exit := plimsoll(t, small("--config", file)...)
	for _, want := range []string{file, "profiles[0].pluginConfig[NodeLoad].args.filter.thresholds[cpu]", "140"} {
		if exit != exitError || !strings.Contains(stderr, want) {
			t.Errorf("exit status %d, the error is %q, want %q in it", exit, stderr, want)
		}
	}
}

func TestPoliciesOfAConfigurationAreComparedWithStockAndPeers(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config.yaml")
	text := "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\nprofiles: [{schedulerName: a}, {schedulerName: b, plugins: {multiPoint: {enabled: [{name: NodeLoad}]}}}]\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for flags, want := range map[string]string{
		"":                     "a b stock",
		"--profiles=stock,b":   "stock b",
		"--knowing":            "a b stock b-knowing",
		"--profiles=a --peers": "a TargetLoadPacking LoadVariationRiskBalancing LowRiskOverCommitment LoadAwareScheduling",
	} {
		o := &simulateOptions{}
		cmd := &cobra.Command{}
		o.addFlags(cmd)
		if err := cmd.ParseFlags(append(strings.Fields(flags), "--config", file)); err != nil {
			t.Fatal(err)
		}
		policies, err := o.policies()
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, p := range policies {
			names = append(names, p.Name)
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%q compares %s, want %s", flags, got, want)
		}
	}
}

func TestNothingToKnow(t *testing.T) {
	_, stderr, exit := plimsoll(t, small("--profiles", "stock", "--knowing")...)
	if exit != exitError || !strings.Contains(stderr, "--knowing: no profile has NodeLoad") {
		t.Errorf("exit status %d, the error is %q", exit, stderr)
	}
}

func TestReport(t *testing.T) {
	file := filepath.Join(t.TempDir(), "out.html")
	_, stderr, exit := plimsoll(t, small("--report", file)...)
	if exit != 0 || !strings.HasPrefix(stderr, "report: "+file) {
		t.Fatalf("exit status %d: %s", exit, stderr)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"<svg", "<figcaption>plimsoll</figcaption>", "<figcaption>stock</figcaption>", "</html>"} {
		if !bytes.Contains(text, []byte(want)) {
			t.Errorf("the page lacks %q", want)
		}
	}
}

func TestInterruptKeepsTheOldReport(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "out.html")
	if err := os.WriteFile(file, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var stdout, stderr bytes.Buffer
	if exit := run(ctx, "v9.9.9", small("--report", file), &stdout, &stderr); exit != exitInterrupted {
		t.Errorf("exit status %d: %s", exit, stderr.String())
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != "old" {
		t.Errorf("the report is %q, %v", text, err)
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != 1 {
		t.Errorf("files are left behind: %v, %v", files, err)
	}
}

func TestCompletion(t *testing.T) {
	for args, want := range map[string]string{
		"simul":                      "simulate",
		"simulate --load ":           "hot",
		"simulate --output ":         "json",
		"simulate --profiles ":       "plimsoll",
		"simulate --profiles stock,": "stock,plimsoll",
		"simulate --model ":          modelNames()[0] + "=",
		"simulate --churn rollouts,": "rollouts,cronjobs",
	} {
		stdout, stderr, exit := plimsoll(t, append([]string{"__complete"}, strings.Split(args, " ")...)...)
		if exit != 0 || !strings.Contains("\n"+stdout, "\n"+want) {
			t.Errorf("%q is completed by %q (%s), want %q", args, stdout, stderr, want)
		}
	}
}
