// Package program builds Go programs that are the same, byte by byte, whoever builds
// them: static, without the names of folders, and without symbols for a debugger.
package program

import (
	"context"
	"debug/buildinfo"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/plimsoll-scheduler/plimsoll/release/internal/spec"
)

// A Builder says how programs are built.
type Builder struct {
	// Root is the folder of the module that the programs are in.
	Root string
	// Flags are those of go build that choose what is built, such as -modfile and
	// -tags.
	Flags []string
	// LDFlags are those of the linker, as one argument. Symbols are always left out.
	LDFlags string
}

// Build builds the package, such as ./cmd/scheduler, into the file.
func (b Builder) Build(ctx context.Context, pkg string, platform spec.Platform, file string) (Binary, error) {
	absolute, err := filepath.Abs(file)
	if err != nil {
		return Binary{}, err
	}
	// Without -buildvcs an archive of the sources gives what a checkout gives. The
	// commit is a label of the image, and in its provenance. -dwarf=false has the compiler
	// not make what the linker leaves out here: with the flags of the Makefile, images take
	// what was compiled for tests.
	args := append([]string{"build", "-trimpath", "-gcflags=all=-dwarf=false", "-buildvcs=false"}, b.Flags...)
	args = append(args, "-ldflags", strings.TrimSpace("-s -w "+b.LDFlags), "-o", absolute, pkg)
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = b.Root
	cmd.Env = append(os.Environ(),
		"CGO_ENABLED=0", "GOOS="+platform.OS(), "GOARCH="+platform.Arch(),
		// What else could make a difference has the value that Go has by itself. (An empty
		// one would be that of "go env -w".)
		"GOFLAGS=-buildvcs=false", "GOWORK=off", "GOAMD64=v1", "GOARM64=v8.0", "GOFIPS140=off")
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Run(); err != nil {
		return Binary{}, fmt.Errorf("build %s for %s: go %s: %w", pkg, platform, strings.Join(args, " "), err)
	}
	return Read(absolute, platform)
}

// A Binary is a program that was built.
type Binary struct {
	File     string
	Platform spec.Platform
	// Info is what it was built from, as the linker wrote it.
	Info *buildinfo.BuildInfo
}

// Read reads what a program was built from.
func Read(file string, platform spec.Platform) (Binary, error) {
	info, err := buildinfo.ReadFile(file)
	if err != nil {
		return Binary{}, fmt.Errorf("read what %s was built from: %w", file, err)
	}
	return Binary{File: file, Platform: platform, Info: info}, nil
}
