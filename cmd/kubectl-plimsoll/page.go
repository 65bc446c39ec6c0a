package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/plimsoll-scheduler/plimsoll/pkg/sim"
	"github.com/plimsoll-scheduler/plimsoll/pkg/sim/report"
)

// page is the file of --report. It is opened before the simulation, so that a
// path that cannot be written to is known at once, under another name, so that
// nothing is lost if the simulation ends early.
type page struct {
	path string
	file *os.File // nil if no report is wanted, or it is written
}

func newPage(path string) (*page, error) {
	if path == "" {
		return &page{}, nil
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return nil, fmt.Errorf("--report %s: is a directory, must be a file", path)
	}
	file, err := os.CreateTemp(filepath.Dir(path), ".plimsoll-*.html")
	if err != nil {
		return nil, fmt.Errorf("--report %s: %w", path, err)
	}
	return &page{path: path, file: file}, nil
}

// write writes the report and says so.
func (p *page) write(result *sim.Result, stderr io.Writer) error {
	if p.file == nil {
		return nil
	}
	if err := report.Write(p.file, result); err != nil {
		return fmt.Errorf("--report %s: %w", p.path, err)
	}
	info, err := p.file.Stat()
	if err != nil {
		return fmt.Errorf("--report %s: %w", p.path, err)
	}
	if err := p.publish(); err != nil {
		return fmt.Errorf("--report %s: %w", p.path, err)
	}
	fmt.Fprintf(stderr, "report: %s (%d KB)\n", p.path, (info.Size()+999)/1000)
	return nil
}

// publish gives the file its name.
func (p *page) publish() error {
	name := p.file.Name()
	if err := p.file.Chmod(0o644); err != nil { // as os.Create would, less the umask
		return err
	}
	if err := p.file.Close(); err != nil {
		return err
	}
	if err := os.Rename(name, p.path); err != nil {
		return err
	}
	p.file = nil
	return nil
}

// discard removes the file if it was not published.
func (p *page) discard() {
	if p.file != nil {
		_ = p.file.Close() // it is removed next
		_ = os.Remove(p.file.Name())
	}
}
