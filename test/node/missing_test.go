package node

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What is missing is told, and how it can be had.
func TestMissing(t *testing.T) {
	dir := t.TempDir()
	for _, program := range programs {
		if err := os.WriteFile(filepath.Join(dir, program), nil, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	complete := func() machine {
		groups := t.TempDir()
		if err := os.WriteFile(filepath.Join(groups, "cgroup.controllers"), []byte("cpuset cpu io memory pids\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		return machine{
			os: "linux", groups: groups,
			lookPath: func(name string) (string, error) { return "/usr/bin/" + name, nil },
			unshare:  func() error { return nil },
		}
	}
	if err := complete().missing(dir); err != nil {
		t.Errorf("nothing is missing: %v", err)
	}
	first := complete()
	first.groups = t.TempDir()
	for _, controller := range []string{"cpu", "cpuacct", "cpuset", "memory", "devices", "pids"} {
		if err := os.MkdirAll(filepath.Join(first.groups, controller), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(first.groups, controller, "cgroup.procs"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := first.missing(dir); err != nil {
		t.Errorf("nothing is missing, by control groups of the first version: %v", err)
	}
	for want, spoil := range map[string]func(m *machine){
		"real nodes need Linux, and this is darwin": func(m *machine) { m.os = "darwin" },
		"need root, for namespaces":                 func(m *machine) { m.user = 1000 },
		"can make no namespaces here":               func(m *machine) { m.unshare = func() error { return errors.New("not permitted") } },
		"has no control groups of cpu: mount them":  func(m *machine) { m.groups = "/no-such-directory" },
		"apt-get install iproute2":                  func(m *machine) { m.lookPath = func(string) (string, error) { return "", os.ErrNotExist } },
		"lack the controller memory: enable it": func(m *machine) {
			if err := os.WriteFile(filepath.Join(m.groups, "cgroup.controllers"), []byte("cpuset cpu io pids\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		},
	} {
		m := complete()
		spoil(&m)
		if err := m.missing(dir); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	if err := complete().missing(t.TempDir()); err == nil || !strings.Contains(err.Error(), `run "make node-tools"`) {
		t.Errorf("without programs: %v", err)
	}
}
