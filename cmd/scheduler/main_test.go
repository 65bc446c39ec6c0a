package main

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/pflag"
	"k8s.io/kubernetes/cmd/kube-scheduler/app"
)

// runAsScheduler makes the test binary behave as the scheduler's, so that the
// tests see what a user sees: exit status and messages.
const runAsScheduler = "PLIMSOLL_TEST_RUN_AS_SCHEDULER"

func TestMain(m *testing.M) {
	if os.Getenv(runAsScheduler) != "" {
		os.Exit(run("v9.9.9"))
	}
	os.Exit(m.Run())
}

// scheduler runs the scheduler until it ends and returns what it printed.
func scheduler(t *testing.T, args ...string) (output string, exitCode int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = append(os.Environ(), runAsScheduler+"=1", "KUBE_CONFIG="+kubeconfig(t))
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// setUp runs the scheduler's whole set-up with a configuration, and ends it
// before anything is scheduled (--write-config-to).
func setUp(t *testing.T, configuration string) (output string, exitCode int) {
	t.Helper()
	return setUpWith(t, configuration, "--leader-elect=false")
}

// setUpWith is setUp with flags of the caller's choice.
func setUpWith(t *testing.T, configuration string, flags ...string) (output string, exitCode int) {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "config.yaml")
	// kube-scheduler takes the kubeconfig from the file if there is one.
	configuration += "\nclientConnection:\n  kubeconfig: " + kubeconfig(t) + "\n"
	if err := os.WriteFile(file, []byte(configuration), 0o600); err != nil {
		t.Fatal(err)
	}
	return scheduler(t, append(flags, "--config="+file, "--write-config-to="+filepath.Join(dir, "out.yaml"), "--secure-port=0")...)
}

// kubeconfig returns one that leads to an API server which has nothing: set-up
// asks for nothing that it could not do without.
func kubeconfig(t *testing.T) string {
	t.Helper()
	return kubeconfigOf(t, http.NotFoundHandler())
}

// kubeconfigOf returns one that leads to the API server.
func kubeconfigOf(t *testing.T, api http.Handler) string {
	t.Helper()
	server := httptest.NewServer(api)
	t.Cleanup(server.Close)
	file := filepath.Join(t.TempDir(), "kubeconfig")
	content := `apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "` + server.URL + `"}}]
contexts: [{name: c, context: {cluster: c, user: u}}]
users: [{name: u, user: {}}]
current-context: c
`
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestVersionNamesPlimsollAndKubernetes(t *testing.T) {
	out, code := scheduler(t, "--version")
	if code != 0 || !strings.Contains(out, "Plimsoll v9.9.9 (Kubernetes v") {
		t.Errorf("--version: exit status %d, printed %q", code, out)
	}
}

func TestEachConfigurationSetsUp(t *testing.T) {
	files, err := filepath.Glob("../../config/*.yaml")
	if err != nil || len(files) < 3 {
		t.Fatalf("config/*.yaml: %v, %v", files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if out, code := setUp(t, string(content)); code != 0 {
				t.Errorf("exit status %d: %s", code, out)
			}
		})
	}
}

// The manifests run the recommended profile: kustomize cannot read a file
// outside its folder, so there is a copy, which must not drift.
func TestManifestsRunTheRecommendedProfile(t *testing.T) {
	want, err := os.ReadFile("../../config/plimsoll.yaml")
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../../manifests/base/config.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("manifests/base/config.yaml differs from config/plimsoll.yaml: copy the latter")
	}
}

const header = "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n"

func profile(args string) string {
	return header + `profiles:
- schedulerName: plimsoll
  plugins: {multiPoint: {enabled: [{name: NodeLoad}, {name: DeviceFit}]}}
  pluginConfig:
` + args
}

func TestFaultyConfigurationEndsTheStart(t *testing.T) {
	for _, test := range []struct {
		name, configuration string
		want                []string
	}{
		{
			"every fault at once",
			profile(`  - name: NodeLoad
    args: {filter: {thresholds: {cpu: 140}}, source: {interval: -1s, type: Graphite}, scores: 1, expiration: soon}
  - name: DeviceFit
    args: {strategy: Best, resources: ["[a"], avoidDeviceNodes: "yes"}
`),
			[]string{
				"profiles[0].pluginConfig[NodeLoad].args.filter.thresholds[cpu]: Invalid value: 140: must be between 0 and 100",
				`profiles[0].pluginConfig[NodeLoad].args.source.interval: Invalid value: "-1s": must be between 1s and 10m0s`,
				`profiles[0].pluginConfig[NodeLoad].args.source.type: Unsupported value: "Graphite": supported values: "MetricsServer"`,
				"profiles[0].pluginConfig[NodeLoad].args.scores: Forbidden: unknown field; known here: bands, estimate, expiration, filter, overrides, score, source, stalePolicy, window",
				`profiles[0].pluginConfig[NodeLoad].args.expiration: Invalid value: "soon": must be a duration such as "15s"`,
				`profiles[0].pluginConfig[DeviceFit].args.strategy: Unsupported value: "Best": supported values: "LeastFragmentation", "MostAllocated", "LeastAllocated"`,
				`profiles[0].pluginConfig[DeviceFit].args.resources[0]: Invalid value: "[a"`,
				`profiles[0].pluginConfig[DeviceFit].args.avoidDeviceNodes: Invalid value: "yes": must be true or false`,
			},
		},
		{
			"names that no plugin has",
			profile("  - name: NodeResourcesFitt\n    args: {}\n  - name: LoadNode\n    args: {filter: {}}\n") +
				"- schedulerName: other\n  plugins: {score: {disabled: [{name: NodeResourceFit}, {name: \"*\"}, {name: TargetLoadPacking}]}}\n",
			[]string{
				`profiles[0].pluginConfig[NodeResourcesFitt]: Invalid value: "NodeResourcesFitt": no plugin has this name, so its arguments would be ignored; probably meant: NodeResourcesFit`,
				`profiles[0].pluginConfig[LoadNode]: Invalid value: "LoadNode": no plugin has this name, so its arguments would be ignored; known here: DefaultBinder, `,
				`profiles[1].plugins.score.disabled[NodeResourceFit]: Invalid value: "NodeResourceFit": no plugin has this name, so nothing would be disabled; probably meant: NodeResourcesFit`,
			},
		},
		{
			"a weight for a device that is none",
			profile("  - name: DeviceFit\n    args: {resources: [nvidia.com/gpu], weights: {amd.com/gpu: 5}}\n"),
			[]string{`profiles[plimsoll].pluginConfig[DeviceFit].args.weights[amd.com/gpu]: Invalid value: 5: no pattern of resources matches this, so it would be ignored`},
		},
		{
			"a weight for a resource that no source reports",
			profile("  - name: NodeLoad\n    args: {score: {weights: {nvidia.com/gpu: 1}}}\n"),
			[]string{"args.score.weights[nvidia.com/gpu]: Invalid value: 1: no source reports this resource; must be one of cpu, memory"},
		},
		{
			"profiles that want different load models",
			profile("  - name: NodeLoad\n    args: {source: {interval: 20s}}\n") + "- schedulerName: other\n  plugins: {multiPoint: {enabled: [{name: NodeLoad}]}}\n",
			[]string{"profiles[1].pluginConfig[NodeLoad].args.source", "all profiles share one load model: must be the same as profiles[0].pluginConfig[NodeLoad].args.source"},
		},
		{
			"profiles that believe estimates differently",
			profile("  - name: NodeLoad\n    args: {overrides: {estimate: {minPercent: {cpu: 20}}}}\n") + `- schedulerName: other
  plugins: {multiPoint: {enabled: [{name: NodeLoad}]}}
  pluginConfig:
  - name: NodeLoad
    args: {overrides: {whenUnsatisfiable: Ignore}}
`,
			[]string{"profiles[1].pluginConfig[NodeLoad].args.overrides.estimate: Invalid value: ", "must be the same as profiles[0].pluginConfig[NodeLoad].args.overrides.estimate"},
		},
		{
			"what would be ignored, and the same twice",
			header + `profiles:
- schedulerName: plimsoll
  plugins: {multiPoint: {enabled: [{name: NodeLoad}]}, permit: {enabled: [{name: NodeLoad}]}, score: {disabled: [{name: nodeload}]}}
  pluginConfig:
  - {name: Nodeload, args: {stalePolicy: Reject}}
  - {name: NodeLoad, args: {stalePolicy: Guess}}
  - {name: NodeLoad, args: {stalePolicy: Reject}}
  - {name: DeviceFit, args: {avoidDeviceNodes: false}}
`,
			[]string{
				`profiles[0].pluginConfig[Nodeload]: Invalid value: "Nodeload": no plugin has this name, so its arguments would be ignored; probably meant: NodeLoad`,
				`profiles[0].plugins.permit.enabled[NodeLoad]: Invalid value: "NodeLoad": the plugin has no such extension point`,
				`profiles[0].plugins.score.disabled[nodeload]: Invalid value: "nodeload": no plugin has this name; probably meant: NodeLoad`,
				"profiles[0].pluginConfig[DeviceFit]: Forbidden: the profile enables DeviceFit at no extension point",
				`profiles[0].pluginConfig[NodeLoad].args.stalePolicy: Unsupported value: "Guess"`,
				`profiles[0].pluginConfig[2]: Duplicate value: "NodeLoad"`, // kube-scheduler's own check
			},
		},
		{
			"a second document",
			"---\n" + profile("  - {name: NodeLoad, args: {stalePolicy: Guess}}\n") + "---\n" + profile("  - {name: NodeLoad, args: {stalePolicy: Reject}}\n"),
			[]string{"there is more than one YAML document in the file, and only the first would be read", `args.stalePolicy: Unsupported value: "Guess"`},
		},
		{"a broken file", header + "profiles: [", []string{"config.yaml is not valid:", "yaml: line "}},
		{"an unknown field of kube-scheduler's", header + "profile: []\n", []string{"config.yaml is not valid:", `unknown field "profile"`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			out, code := setUp(t, test.configuration)
			if code == 0 {
				t.Errorf("exit status 0: %s", out)
			}
			for _, want := range test.want {
				if !strings.Contains(out, want) {
					t.Errorf("no %q in:\n%s", want, out)
				}
			}
		})
	}
}

// The command is put together anew here, so it could lose what kube-scheduler has.
func TestAllFlagsOfKubeSchedulerAreThere(t *testing.T) {
	ours := newCommand("test").Flags()
	app.NewSchedulerCommand().Flags().VisitAll(func(flag *pflag.Flag) {
		switch got := ours.Lookup(flag.Name); {
		case got == nil:
			t.Errorf("--%s is missing", flag.Name)
		case got.DefValue != flag.DefValue || got.Shorthand != flag.Shorthand:
			t.Errorf("--%s has the default %q, kube-scheduler's has %q", flag.Name, got.DefValue, flag.DefValue)
		}
	})
}
