package browser

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

const root = "../.."

// screenshots is where the tests write what they see.
var screenshots = flag.String("screenshots", "", "the folder to write screenshots to; empty is none")

// local is the control plane that all tests share.
var local *cluster.Cluster

// program is the scheduler's executable.
var program = filepath.Join(root, "bin", "test", "scheduler-of-browser")

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) (exitCode int) {
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := findBrowser(); err != nil {
		fmt.Println(err)
		return 1
	}
	build := exec.CommandContext(ctx, "go", "build", "-o", filepath.Join("bin", "test", filepath.Base(program)), "./cmd/scheduler")
	build.Dir, build.Stdout, build.Stderr = root, os.Stdout, os.Stderr
	if err := build.Run(); err != nil {
		fmt.Println("build the scheduler:", err)
		return 1
	}
	var err error
	if local, err = cluster.Start(ctx, cluster.Options{MetricResolution: 10 * time.Second, Log: os.Stdout}); err != nil {
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
