package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"
)

const groupRoot = "/sys/fs/cgroup"

// groups are the control groups of the machine's name: one in each hierarchy, of which
// the unified one (version 2) is the only one.
type groups []string

// makeGroups makes them, with the processors and the memory of those above.
func makeGroups(name string) (made groups, err error) {
	parents := []string{groupRoot}
	if controllers, err := os.ReadFile(filepath.Join(groupRoot, "cgroup.controllers")); err == nil {
		if err := enable(groupRoot, controllers); err != nil {
			return nil, err
		}
	} else if parents, err = filepath.Glob(groupRoot + "/*/cgroup.procs"); err != nil {
		return nil, err
	} else if parents = directories(parents); len(parents) == 0 {
		return nil, fmt.Errorf("%s has no control groups", groupRoot)
	}
	for _, parent := range parents {
		group := filepath.Join(parent, name)
		if err := os.Mkdir(group, 0o755); err != nil {
			return made, fmt.Errorf("make a control group: %w", err)
		}
		made = append(made, group)
		// In the first version of cpuset a group begins without any.
		for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
			if value, err := os.ReadFile(filepath.Join(parent, file)); err == nil && len(parents) > 1 {
				if err := os.WriteFile(filepath.Join(group, file), value, 0o644); err != nil {
					return made, err
				}
			}
		}
	}
	return made, nil
}

// directories returns the directories of the files, each once: several controllers may
// have links to one hierarchy.
func directories(files []string) (dirs []string) {
	for _, file := range files {
		dir, err := filepath.EvalSymlinks(filepath.Dir(file))
		if err == nil && !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

// enable has groups below have the controllers.
func enable(group string, controllers []byte) error {
	for _, controller := range bytes.Fields(controllers) {
		if err := os.WriteFile(filepath.Join(group, "cgroup.subtree_control"), append([]byte("+"), controller...), 0o644); err != nil {
			return fmt.Errorf("enable the controller %s: %w", controller, err)
		}
	}
	return nil
}

// emptyTimeout is how long killed processes have to leave their groups.
const emptyTimeout = 10 * time.Second

// empty kills what is left in the groups, and removes those below.
func (g groups) empty() error {
	var left error
	for deadline := time.Now().Add(emptyTimeout); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if left = g.try(); left == nil {
			return nil
		}
	}
	return left
}

func (g groups) try() error {
	var errs []error
	for _, group := range g {
		var below []string
		_ = filepath.WalkDir(group, func(path string, entry fs.DirEntry, err error) error {
			if err == nil && entry.IsDir() {
				kill(path)
				below = append(below, path)
			}
			return nil // groups may go meanwhile
		})
		for _, dir := range slices.Backward(below) {
			if dir == group {
				continue
			}
			if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
				errs = append(errs, err)
			}
		}
	}
	return errors.Join(errs...)
}

func kill(group string) {
	processes, err := os.ReadFile(filepath.Join(group, "cgroup.procs"))
	if err != nil {
		return
	}
	for _, process := range bytes.Fields(processes) {
		if pid, err := strconv.Atoi(string(process)); err == nil && pid > 0 {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

// remove removes the groups, which must be empty.
func (g groups) remove() error {
	var errs []error
	for _, group := range g {
		errs = append(errs, os.Remove(group))
	}
	return errors.Join(errs...)
}
