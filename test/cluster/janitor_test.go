package cluster

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

func TestJanitor(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		act  func(*testing.T, *janitor)
	}{
		{"cleans when told", func(*testing.T, *janitor) {}},
		{"ignores signals to stop", func(t *testing.T, j *janitor) {
			for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
				if err := j.process.Signal(signal); err != nil {
					t.Error(err)
				}
			}
		}},
		{"is replaced when killed", func(t *testing.T, j *janitor) {
			if err := j.process.Kill(); err != nil {
				t.Error(err)
			}
			<-j.done
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			j := newJanitor(t, dir)
			program := startProgram(t, dir)
			test.act(t, j)
			if err := j.clean(); err != nil {
				t.Fatal(err)
			}
			if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the directory is still there: %v", err)
			}
			_ = program.Wait()
			if status, ok := program.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGKILL {
				t.Errorf("the program ended with %v, want killed", program.ProcessState)
			}
		})
	}
}

func TestDismissedJanitorLeavesEverything(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j := newJanitor(t, dir)
	program := startProgram(t, dir)
	j.dismiss()
	if err := program.Process.Signal(syscall.Signal(0)); err != nil {
		t.Errorf("the program is gone: %v", err)
	}
	if _, err := os.Stat(dir); err != nil {
		t.Error(err)
	}
}

func newJanitor(t *testing.T, dir string) *janitor {
	t.Helper()
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	j, err := startJanitor(dir, null)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// startProgram starts something by a path in the directory.
func startProgram(t *testing.T, dir string) *exec.Cmd {
	t.Helper()
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "sleep")
	if err := os.Symlink(sleep, path); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "600")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	return cmd
}
