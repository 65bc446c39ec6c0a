package cluster_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/plimsoll-scheduler/plimsoll/test/cluster"
)

// ownerVariable tells this program, when it runs itself, to own a cluster
// and to wait for its end.
const ownerVariable = "PLIMSOLL_TEST_CLUSTER_OWNER"

func TestMain(m *testing.M) {
	if os.Getenv(ownerVariable) != "" {
		own()
	}
	os.Exit(m.Run())
}

// own starts a cluster, prints its directory, and ends without closing the
// cluster when its standard input does.
func own() {
	c, err := cluster.Start(context.Background(), cluster.Options{Log: os.Stderr})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(c.Dir)
	_, _ = io.Copy(io.Discard, os.Stdin)
	os.Exit(0)
}

func TestKilledOwnerLeavesNothing(t *testing.T) {
	t.Parallel()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), ownerVariable+"=yes")
	cmd.Stderr = t.Output()
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatalf("read the directory of the cluster: %v", err)
	}
	dir := strings.TrimSpace(line)
	if len(processes(t, dir)) == 0 {
		t.Fatalf("no process has %s in its command line", dir)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it has been killed
	checkGone(t, dir)
}

func TestCancelledStartLeavesNothing(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(testContext(t))
	defer cancel()
	log := &logPicker{after: "starting in ", found: make(chan string, 1)}
	done := make(chan error)
	go func() {
		_, err := cluster.Start(ctx, cluster.Options{Log: log})
		done <- err
	}()
	var dir string
	select {
	case dir = <-log.found:
	case <-ctx.Done():
		t.Fatal("Start does not say where it starts")
	}
	// Cancel in the middle: as soon as the first component runs.
	err := cluster.WaitFor(ctx, "etcd to run", func(context.Context) (bool, error) {
		return len(processes(t, dir+"/clusters")) > 0, nil
	})
	if err != nil {
		t.Error(err)
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("Start returned %v, want %v", err, context.Canceled)
	}
	checkGone(t, dir)
}

func TestKeepLeavesItRunningUntilItIsRemoved(t *testing.T) {
	t.Parallel()
	ctx := testContext(t)
	c, err := cluster.Start(ctx, cluster.Options{Keep: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if _, err := c.Kubectl(ctx, "get", "namespaces"); err != nil {
		t.Error(err)
	}
	if err := cluster.Remove(c.Dir); err != nil {
		t.Error(err)
	}
	checkGone(t, c.Dir)
	if err := cluster.Remove(t.TempDir()); err == nil {
		t.Error("Remove takes a directory that is no cluster's")
	}
}

// logPicker is a log that finds the rest of the line after a text.
type logPicker struct {
	after string
	found chan string
}

func (w *logPicker) Write(p []byte) (int, error) {
	if _, rest, ok := strings.Cut(string(p), w.after); ok {
		w.found <- strings.TrimSpace(rest)
	}
	return len(p), nil
}

func closeAndCheck(t *testing.T, c *cluster.Cluster) {
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(c.Dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s is there after Close: %v", c.Dir, err)
	}
	if left := processes(t, c.Dir); len(left) > 0 {
		t.Errorf("processes after Close: %q", left)
	}
	if err := c.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
}

func checkGone(t *testing.T, dir string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	err := cluster.WaitFor(ctx, dir+" to be cleaned up", func(context.Context) (bool, error) {
		_, err := os.Stat(dir)
		left := processes(t, dir)
		return errors.Is(err, fs.ErrNotExist) && len(left) == 0, fmt.Errorf("stat: %w, processes: %q", err, left)
	})
	if err != nil {
		t.Error(err)
	}
}

// processes returns the command lines that contain the text.
func processes(t *testing.T, text string) []string {
	t.Helper()
	paths, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, path := range paths {
		command, err := os.ReadFile(path)
		if err == nil && strings.Contains(string(command), text) {
			found = append(found, strings.ReplaceAll(string(command), "\x00", " "))
		}
	}
	return found
}
