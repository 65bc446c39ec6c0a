package snapshot

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/plimsoll-scheduler/plimsoll/pkg/recording"
)

// The files of a snapshot.
const (
	nodesFile       = "nodes.json"
	podsFile        = "pods.json"
	nodeMetricsFile = "nodemetrics.json"
	podMetricsFile  = "podmetrics.json"
)

func files() []string {
	return []string{nodesFile, podsFile, nodeMetricsFile, podMetricsFile, recording.File}
}

// writeTo has a directory written: into one beside it, which takes its place when it is
// complete. If that fails, all is as it was. Others cannot read it: what a cluster runs may
// be confidential.
func writeTo(dir string, force bool, write func(temporary string) error) error {
	dir = filepath.Clean(dir)
	if err := checkTarget(dir, force); err != nil {
		return err
	}
	parent, name := filepath.Dir(dir), filepath.Base(dir)
	temporary, err := os.MkdirTemp(parent, "."+name+"-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(temporary) }() // what failed is told already
	if err := write(temporary); err != nil {
		return err
	}
	old := temporary + ".old"
	switch err := os.Rename(dir, old); {
	case errors.Is(err, fs.ErrNotExist):
		return os.Rename(temporary, dir)
	case err != nil:
		return err
	}
	if err := os.Rename(temporary, dir); err != nil {
		return errors.Join(err, os.Rename(old, dir))
	}
	return os.RemoveAll(old)
}

// checkTarget returns why the directory must not be written.
func checkTarget(dir string, force bool) error {
	if name := filepath.Base(dir); name == "." || name == ".." || name == string(filepath.Separator) {
		return fmt.Errorf("%s: name a new directory in it", dir)
	}
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case len(entries) == 0:
		return nil
	}
	var other []string
	for _, entry := range entries {
		if !slices.Contains(files(), entry.Name()) {
			other = append(other, entry.Name())
		}
	}
	switch {
	case len(other) > 0:
		return fmt.Errorf("%s: is not empty, and no snapshot (there is %s in it): name another directory", dir, strings.Join(other[:min(3, len(other))], ", "))
	case !force:
		return fmt.Errorf("%s: is a snapshot already: name another directory, or replace it with --force", dir)
	}
	return nil
}
