package scenarios

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/plimsoll-scheduler/plimsoll/test/cluster"
	"github.com/plimsoll-scheduler/plimsoll/test/node"
)

const (
	realNode  = "real-0"
	simulated = "simulated-0"
	npu       = corev1.ResourceName("example.com/npu")
	link      = corev1.ResourceName("example.com/link")
)

// w is what all scenarios run on. They change it one after the other.
var w *world

// world is a cluster with a real node, a simulated one, the device plugin and Plimsoll.
type world struct {
	*cluster.Cluster
	node *node.Node
	root string // of the checkout
}

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) (code int) {
	root, err := filepath.Abs("../../..")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if err := node.Missing(filepath.Join(root, "bin", "node")); err != nil {
		fmt.Fprintf(os.Stderr, "the scenarios on real nodes cannot run here:\n%v\n", err)
		return 1
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	begin = time.Now()
	w, err = start(ctx, root)
	defer func() {
		if err := w.close(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	note("(start: cluster, node, device plugin, Plimsoll from its image)", begin)
	if code = m.Run(); firstRunning != 0 {
		fmt.Printf("the first device pod ran %.1f s after the first program was started\n", firstRunning.Seconds())
	}
	fmt.Println(table())
	return code
}

// start starts all, what it returns is to be closed even if it fails.
func start(ctx context.Context, root string) (*world, error) {
	w := &world{root: root}
	var err error
	if w.Cluster, err = cluster.Start(ctx, cluster.Options{RealNodes: true, MetricResolution: 10 * time.Second, Log: os.Stderr}); err != nil {
		return w, err
	}
	images := filepath.Join(root, "bin", "node", "images")
	// What is to run on the node is applied while it starts.
	applied := make(chan error, 1)
	go func() { applied <- w.apply(ctx, "-k", "manifests/base", "-f", "test/deviceplugin/daemonset.yaml") }()
	w.node, err = node.Start(ctx, w.Cluster, node.Options{
		Name:   realNode,
		Labels: map[string]string{"example.com/devices": "true"},
		Images: []string{images + "/pause.tar", images + "/server.tar", images + "/deviceplugin.tar", images + "/dradriver.tar", images + "/plimsoll.tar"},
	})
	if err = errors.Join(err, <-applied); err != nil {
		return w, err
	}
	if err := w.waitAllocatable(ctx, npu, 4); err != nil {
		return w, err
	}
	if err := w.waitAllocatable(ctx, link, 2); err != nil {
		return w, err
	}
	if _, err := w.Kubectl(ctx, "--namespace", "plimsoll-system", "rollout", "status", "deployment/plimsoll", "--timeout", "2m"); err != nil {
		state, _ := w.Kubectl(ctx, "--namespace", "plimsoll-system", "describe", "pods")
		return w, fmt.Errorf("%w\n%s", err, state)
	}
	// What is for the real node alone is there: from here on pods may go to either that
	// tolerate a simulated one.
	return w, w.CreateNodes(ctx, cluster.Node{
		Name: simulated, CPU: "8", Memory: "32Gi", Devices: map[string]string{string(npu): "4", string(link): "2"},
		Taints: []corev1.Taint{{Key: simulatedTaint, Effect: corev1.TaintEffectNoSchedule}},
	})
}

// apply applies what is at these paths of the checkout, each after its flag.
func (w *world) apply(ctx context.Context, flagsAndPaths ...string) error {
	for pair := range slices.Chunk(flagsAndPaths, 2) {
		if _, err := w.Kubectl(ctx, "apply", pair[0], filepath.Join(w.root, pair[1])); err != nil {
			return err
		}
	}
	return nil
}

func (w *world) close() (err error) {
	if w.node != nil {
		err = w.node.Close()
	}
	if w.Cluster != nil {
		err = errors.Join(err, w.Cluster.Close())
	}
	return err
}

// begin is when the first program was started, and firstRunning how long after that the
// first device pod ran.
var (
	begin        time.Time
	firstRunning time.Duration
)

// durations are what is told at the end.
var durations []string

func note(name string, begin time.Time) {
	durations = append(durations, fmt.Sprintf("| %-76s | %6.1f |", name, time.Since(begin).Seconds()))
}

func table() string {
	head := fmt.Sprintf("| %-76s | %6s |\n|%s|%s|", "scenario", "s", strings.Repeat("-", 78), strings.Repeat("-", 8))
	return head + "\n" + strings.Join(durations, "\n")
}

// scenario runs one, with a namespace of its own that goes with it, and checks the
// devices before and after.
func scenario(t *testing.T, what string, do func(ctx context.Context, s *stage)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	begin := time.Now()
	s := newStage(ctx, t)
	s.checkDevices(ctx)
	do(ctx, s)
	s.checkDevices(ctx)
	s.leave()
	if !t.Failed() {
		note(what, begin)
	}
}
