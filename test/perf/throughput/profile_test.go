package throughput

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/klog/v2"
	"k8s.io/kubernetes/cmd/kube-scheduler/app/options"
	"sigs.k8s.io/scheduler-plugins/apis/config"
)

// Each profile that is measured becomes the one that pods get by default, with
// the plugins and arguments that it has.
func TestProfileWrite(t *testing.T) {
	for _, p := range []Profile{
		{File: "plimsoll.yaml", Name: "plimsoll"},
		{File: "batch.yaml", Name: "plimsoll"},
		{File: "compare.yaml", Name: "trimaran"},
		{File: "compare.yaml", Name: "stock"},
		{File: "compare.yaml", Name: "stock", NoDefaultConstraints: true},
	} {
		t.Run(fmt.Sprint(p.File, p.Name, p.NoDefaultConstraints), func(t *testing.T) {
			p.File = filepath.Join("..", "..", "..", "config", p.File)
			dir := t.TempDir()
			if err := p.write(dir, "http://watcher"); err != nil {
				t.Fatal(err)
			}
			cfg, err := options.LoadConfigFromFile(klog.Background(), filepath.Join(dir, "scheduler.yaml"))
			if err != nil {
				t.Fatal(err)
			}
			if len(cfg.Profiles) != 1 || cfg.Profiles[0].SchedulerName != "default-scheduler" {
				t.Fatalf("profiles %v, want one, for pods that name none", cfg.Profiles)
			}
			profile := cfg.Profiles[0]
			if enabled := profile.Plugins.PostBind.Enabled; len(enabled) != 1 || enabled[0].Name != StopwatchName {
				t.Errorf("plugins for PostBind %v, want the stopwatch", enabled)
			}
			for _, plugin := range profile.PluginConfig {
				if args, ok := plugin.Args.(*config.TargetLoadPackingArgs); ok && args.WatcherAddress != "http://watcher" {
					t.Errorf("Trimaran reads load from %q", args.WatcherAddress)
				}
			}
			for _, name := range []string{"performance-config.yaml", "node.yaml", "pod-identical.yaml", "pod-mixed.yaml"} {
				if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

func TestProfileThatThereIsNot(t *testing.T) {
	p := Profile{File: filepath.Join("..", "..", "..", "config", "compare.yaml"), Name: "missing"}
	err := p.write(t.TempDir(), "")
	if err == nil || !strings.Contains(err.Error(), "profile missing of") || !strings.Contains(err.Error(), "plimsoll, trimaran, stock") {
		t.Errorf("error %v, want one that names the profile, the file and what there is", err)
	}
}
