package throughput

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	_ "k8s.io/component-base/logs/json/register"
	perf "k8s.io/kubernetes/test/integration/scheduler_perf"
)

// run is what is to be measured, by flags.
var run struct {
	profile Profile
	loads   Loads
	watch   Stopwatch
}

func TestMain(m *testing.M) {
	flag.StringVar(&run.profile.File, "config", filepath.Join("..", "..", "..", "config", "plimsoll.yaml"), "The KubeSchedulerConfiguration.")
	flag.StringVar(&run.profile.Name, "profile", "plimsoll", "The schedulerName of its profile.")
	flag.BoolVar(&run.profile.NoDefaultConstraints, "no-default-constraints", false, "Turn system-default topology spreading off.")
	flag.IntVar(&run.loads.Nodes, "nodes", 5000, "How many nodes the workload has that -bench chooses, and how many pods.")
	flag.StringVar(&run.watch.Result, "result", "", "The file for what was measured; empty prints it.")
	flag.StringVar(&run.watch.Profile, "profile-file", "", "The file for a CPU profile; empty for none.")
	if err := perf.InitTests(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// BenchmarkThroughput makes one run: choose a workload with -bench
// BenchmarkThroughput/Identical/5000Nodes or .../Mixed/5000Nodes, and use -benchtime 1x. etcd must
// be in the PATH. With Trimaran's plugins it fails ten minutes after the run,
// for goroutines of theirs that do not end.
func BenchmarkThroughput(b *testing.B) {
	watcher := newWatcher(&run.loads)
	defer watcher.Close()
	dir := b.TempDir()
	if err := run.profile.write(dir, watcher.URL); err != nil {
		b.Fatal(err)
	}
	run.watch.Pods = run.loads.Nodes
	h, err := newHarness(b.Context(), filepath.Join(dir, "scheduler.yaml"), &run.loads, &run.watch)
	if err != nil {
		b.Fatal(err)
	}
	b.Chdir(dir)
	perf.RunBenchmarkPerfScheduling(b, "performance-config.yaml", "throughput", h.registry(), perf.WithNodeUpdateFn(h.nodesCreated))
}
