package policy_test

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/plimsoll-scheduler/plimsoll/pkg/configfile"
	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/policy"
)

func TestBuiltinIsTheRecommendedConfiguration(t *testing.T) {
	builtin, err := policy.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	fromFile, err := policy.Load("../../../config/plimsoll.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if len(builtin) != 2 || builtin[0].Name != "plimsoll" || builtin[1].Name != policy.Stock {
		t.Fatalf("the built-in policies are %v", builtin)
	}
	if !reflect.DeepEqual(builtin[:1], fromFile) {
		t.Error("the built-in profile differs from that of config/plimsoll.yaml")
	}
}

func TestLoadTakesTheNamedProfilesInTheirOrder(t *testing.T) {
	const file = "../../../config/compare.yaml"
	policies, err := policy.Load(file, "stock", "plimsoll")
	if err != nil {
		t.Fatal(err)
	}
	if len(policies) != 2 || policies[0].Name != "stock" || policies[1].Name != "plimsoll" {
		t.Errorf("the policies are %v", policies)
	}
	if _, err := policy.Load(file, "plimsol"); err == nil || !strings.Contains(err.Error(), `no profile "plimsol" in `+file+": it has plimsoll, ") {
		t.Errorf("the error is %v", err)
	}
}

func TestProfilesTakeThePercentageOfNodesFromTheConfiguration(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config.yaml")
	content := "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\npercentageOfNodesToScore: 30\n" +
		"profiles: [{schedulerName: a}, {schedulerName: b, percentageOfNodesToScore: 70}]\n"
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	policies, err := policy.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []int32{30, 70} {
		if got := policies[i].Profile.PercentageOfNodesToScore; got == nil || *got != want {
			t.Errorf("profile %s has the percentage %v, want %d", policies[i].Name, got, want)
		}
	}
}

// Each profile is simulated alone, so it need not share what those of a scheduler share.
func TestProfilesMayDifferInTheirLoadModel(t *testing.T) {
	const file = "../../../docs/parts.yaml"
	policies, err := policy.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, p := range policies {
		names[p.Name] = true
	}
	if !names["complete"] || !names["without-learning"] || !names["without-history"] {
		t.Errorf("%s has the profiles %v", file, names)
	}
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := configfile.Decode(content)
	if err != nil {
		t.Fatal(err)
	}
	if _, faults := configfile.Check(cfg, content); !strings.Contains(fmt.Sprint(faults), "all profiles share one load model") {
		t.Errorf("a scheduler takes it: its faults are %v", faults)
	}
}

func TestPeersSayWhatTheyAre(t *testing.T) {
	peers, err := policy.Peers()
	if err != nil {
		t.Fatal(err)
	}
	for _, peer := range peers {
		if peer.Note == "" || peer.Profile == nil {
			t.Errorf("peer %s: note %q, profile %v", peer.Name, peer.Note, peer.Profile)
		}
		if peer.Name == "LoadAwareScheduling" && !strings.Contains(peer.Note, "re-implementation") {
			t.Errorf("Koordinator's plugin is noted as %q", peer.Note)
		}
	}
	if len(peers) != 4 {
		t.Errorf("%d peers, want 4", len(peers))
	}
}

func TestFaultyConfigurations(t *testing.T) {
	const header = "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n"
	for name, test := range map[string]struct{ content, want string }{
		"not YAML":           {"profiles: [", "yaml: "},
		"another kind":       {"apiVersion: v1\nkind: Pod\n", `no kind "Pod"`},
		"an unknown field":   {header + "profile: []\n", `unknown field "profile"`},
		"two of one name":    {header + "profiles: [{schedulerName: a}, {schedulerName: a}]\n", "profiles[1].schedulerName: Duplicate value"},
		"a fault in args":    {header + "profiles:\n- schedulerName: a\n  pluginConfig: [{name: NodeLoad, args: {filter: {thresholds: {cpu: 140}}}}]\n", "profiles[0].pluginConfig[NodeLoad].args.filter.thresholds[cpu]: Invalid value: 140"},
		"extenders":          {header + "extenders: [{urlPrefix: http://localhost, filterVerb: filter}]\n", "extenders: Forbidden"},
		"percentage too big": {header + "percentageOfNodesToScore: 101\n", "percentageOfNodesToScore"},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "config.yaml")
			if err := os.WriteFile(file, []byte(test.content), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := policy.Load(file); err == nil || !strings.HasPrefix(err.Error(), file+": ") || !strings.Contains(err.Error(), test.want) {
				t.Errorf("the error is %v, want %q after the file's name", err, test.want)
			}
		})
	}
	if _, err := policy.Load("none.yaml"); err == nil {
		t.Error("no error for a file that is not there")
	}
}
