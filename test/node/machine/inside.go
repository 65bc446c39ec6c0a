package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// boot is the first process in the namespaces.
func boot(c *config) error {
	if err := unix.Sethostname([]byte(c.Name)); err != nil {
		return fmt.Errorf("set the host name: %w", err)
	}
	if err := c.mount(); err != nil {
		return err
	}
	var running *processes
	return serve(os.Stdin, os.Stdout, func(command, argument string) error {
		if running != nil {
			return running.do(command, argument)
		}
		err := c.network() // whose own processes nobody else must wait for
		running = newProcesses(c)
		return err
	})
}

// mount gives the machine what programs of a node write to: all that they keep is below
// the directory, and nothing of it is seen outside.
func (c *config) mount() error {
	mounts := []struct{ source, target, kind string }{
		{"proc", "/proc", "proc"},
		{"sysfs", c.in("sys"), "sysfs"},
		{"/sys/fs/cgroup", c.in("sys/fs/cgroup"), ""},
		{c.in("sys"), "/sys", ""}, // that of this network, with the same control groups
		{"tmpfs", "/run", "tmpfs"},
		{c.in("var-lib"), "/var/lib", ""},
		{c.in("var-log"), "/var/log", ""},
	}
	for _, dir := range []string{"sys", "var-lib", "var-log"} {
		if err := os.MkdirAll(c.in(dir), 0o755); err != nil {
			return err
		}
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("keep mounts from this machine: %w", err)
	}
	for _, m := range mounts {
		flags := uintptr(0)
		if m.kind == "" {
			flags = unix.MS_BIND | unix.MS_REC
		}
		if err := unix.Mount(m.source, m.target, m.kind, flags, ""); err != nil {
			return fmt.Errorf("mount %s: %w", m.target, err)
		}
	}
	if err := c.setKernel(); err != nil {
		return err
	}
	if err := os.Chmod("/run", 0o755); err != nil {
		return err
	}
	return unix.Mount("", "/", "", unix.MS_REC|unix.MS_SHARED, "") // pods mount, too
}

func (c *config) in(path string) string { return filepath.Join(c.dir, path) }

// setKernel shows the kubelet the kernel's settings that it wants, here only: it would
// set them for this whole machine. Each boot has an id of its own.
func (c *config) setKernel() error {
	settings := map[string]string{
		"vm/overcommit_memory": "1", "kernel/panic": "10", "kernel/panic_on_oops": "1",
		"kernel/random/boot_id": bootID(),
	}
	for setting, value := range settings {
		file := c.in(filepath.Base(setting))
		if err := os.WriteFile(file, []byte(value+"\n"), 0o644); err != nil {
			return err
		}
		if err := unix.Mount(file, filepath.Join("/proc/sys", setting), "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("set %s: %w", setting, err)
		}
	}
	return nil
}

func bootID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // it never fails
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// network sets up the machine's end of the link, and the ways to the API server.
func (c *config) network() error {
	_, port, err := net.SplitHostPort(c.APIServer)
	if err != nil {
		return err
	}
	err = ip(
		"link set lo up",
		"addr add "+c.Service+"/32 dev lo",
		fmt.Sprintf("addr add %s/%d dev eth0", c.Address, c.Bits),
		"link set eth0 up",
		"route add default via "+c.Gateway,
	)
	if err != nil {
		return err
	}
	for _, address := range []string{net.JoinHostPort("127.0.0.1", port), net.JoinHostPort(c.Service, "443")} {
		listener, listenErr := net.Listen("tcp", address)
		if listenErr != nil {
			err = errors.Join(err, listenErr)
			continue
		}
		go forward(listener, "unix", c.socket())
	}
	return err
}
