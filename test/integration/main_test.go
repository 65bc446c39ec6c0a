// Package integration tests the scheduler as users run it: as a process of its
// own against a real API server and a real metrics-server, with simulated
// nodes.
package integration

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/plimsoll-scheduler/plimsoll/test/cluster"
)

const (
	root = "../.."
	// resolution is how often metrics-server scrapes; it accepts no less.
	resolution = 10 * time.Second
	// parallel is how many tests run at once, unless the flag says otherwise.
	// They mostly wait for metrics-server, so it may be more than there are cores;
	// two of them (TestCrashLoopDoesNotCountTwice, TestEventsTellWhatUsersAsk) wait
	// for minutes. Those without t.Parallel run before them: they tell how long
	// something takes, or stop what all share.
	parallel = "8"
)

// local is the control plane that all tests share. Each has nodes and
// schedulers of its own (see pool), so most run at once.
var local *cluster.Cluster

// program is the scheduler's executable, built with the race detector if the tests are.
var program = filepath.Join(root, "bin", "test", "scheduler")

func TestMain(m *testing.M) { os.Exit(run(m)) }

func clusterOptions() cluster.Options {
	return cluster.Options{
		MetricResolution: resolution, Log: os.Stdout,
		FeatureGates: groupGates, APIs: groupAPIs,
		PodPorts: relay.address(),
		Audit:    []string{"system:serviceaccount:plimsoll-system:plimsoll"},
	}
}

func run(m *testing.M) (exitCode int) {
	if err := flag.Set("test.parallel", parallel); err != nil { // m.Run reads the command line after this
		fmt.Println(err)
		return 1
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	fmt.Println("building the scheduler")
	build := exec.CommandContext(ctx, "go", "build", "-race="+raceDetector, "-o", program, root+"/cmd/scheduler")
	build.Stdout, build.Stderr = os.Stdout, os.Stderr
	if err := build.Run(); err != nil {
		fmt.Println("build the scheduler:", err)
		return 1
	}
	var err error
	local, err = cluster.Start(ctx, clusterOptions())
	if err != nil {
		fmt.Println(err)
		return 1
	}
	defer func() {
		if err := local.Close(); err != nil {
			fmt.Println(err)
			exitCode = 1
		}
	}()
	return m.Run()
}
