package node

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// programs are those of a node, of which Start needs all.
var programs = []string{"machine", "kubelet", "containerd", "containerd-shim-runc-v2", "ctr", "runc", "bridge", "host-local", "loopback"}

// machine is what a node needs of this one, as tests may have it otherwise.
type machine struct {
	os       string
	user     int
	groups   string // where control groups are
	lookPath func(string) (string, error)
	unshare  func() error
}

var thisMachine = machine{os: runtime.GOOS, user: os.Geteuid(), groups: "/sys/fs/cgroup", lookPath: exec.LookPath, unshare: canUnshare}

// Missing returns what a real node would need that this machine does not have, and how it
// can be had: one error for each; nil if real nodes can be started here. The programs
// are looked for in the directory.
func Missing(dir string) error { return thisMachine.missing(dir) }

func (m machine) missing(dir string) error {
	if m.os != "linux" {
		return fmt.Errorf("real nodes need Linux, and this is %s", m.os)
	}
	var errs []error
	if m.user != 0 {
		errs = append(errs, errors.New("real nodes need root, for namespaces, mounts and control groups: run this as root"))
	} else if err := m.unshare(); err != nil {
		errs = append(errs, fmt.Errorf("root can make no namespaces here, as in a container without the privilege (%w): run this on a machine, or in a privileged container", err))
	}
	errs = append(errs, m.missingGroups())
	for program, of := range map[string]string{"ip": "iproute2", "nsenter": "util-linux"} {
		if _, err := m.lookPath(program); err != nil {
			errs = append(errs, fmt.Errorf("the program %s is missing: on Debian, apt-get install %s", program, of))
		}
	}
	var lacking []string
	for _, program := range programs {
		if _, err := os.Stat(filepath.Join(dir, program)); err != nil {
			lacking = append(lacking, program)
		}
	}
	if len(lacking) > 0 {
		errs = append(errs, fmt.Errorf("%s lacks %s: run \"make node-tools\"", dir, strings.Join(lacking, ", ")))
	}
	return errors.Join(errs...)
}

// missingGroups looks for the control groups that a kubelet keeps pods within.
func (m machine) missingGroups() error {
	if controllers, err := os.ReadFile(filepath.Join(m.groups, "cgroup.controllers")); err == nil {
		for _, controller := range []string{"cpu", "cpuset", "memory", "pids"} {
			if !strings.Contains(" "+strings.TrimSpace(string(controllers))+" ", " "+controller+" ") {
				return fmt.Errorf("the control groups in %s lack the controller %s: enable it in the kernel, or in the group that this runs in", m.groups, controller)
			}
		}
		return nil
	}
	for _, controller := range []string{"cpu", "cpuacct", "cpuset", "memory", "devices", "pids"} {
		if _, err := os.Stat(filepath.Join(m.groups, controller, "cgroup.procs")); err != nil {
			return fmt.Errorf("%s has no control groups of %s: mount them (systemd does, or Debian's cgroupfs-mount)", m.groups, controller)
		}
	}
	return nil
}

// canUnshare tries whether namespaces can be made, on a thread that ends with that.
func canUnshare() error {
	result := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlock it
		result <- unix.Unshare(unix.CLONE_NEWNS | unix.CLONE_NEWNET | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC)
	}()
	return <-result
}
