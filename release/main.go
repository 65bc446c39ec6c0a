// Command release makes what a release of Plimsoll consists of: container images, the
// packaged chart, manifests, and archives of the plugin of kubectl. "make image",
// "make manifests" and "make release" call it.
//
// It is a module of its own because the libraries for images, Helm and kustomize are for it
// alone.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/plimsoll-scheduler/plimsoll/release/internal/attest"
	"github.com/plimsoll-scheduler/plimsoll/release/internal/program"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program as if none was caught
	if err := run(ctx, os.Args[1:]); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

var errUsage = errors.New(`say "release image", "release manifests", "release page" or "release sums", and -h after it for its flags`)

func run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return errUsage
	}
	switch args[0] {
	case "image":
		return image(ctx, args[1:])
	case "manifests":
		return writeManifests(args[1:])
	case "page":
		return releasePage(ctx, args[1:])
	case "sums":
		return checksums(args[1:])
	}
	return errUsage
}

// common are the flags of those commands that build.
type common struct {
	root, version, revision, epoch string
	flags, ldflags                 string
	platforms                      string
}

func (c *common) bind(to *flag.FlagSet) {
	to.StringVar(&c.root, "root", "..", "the root of the checkout")
	to.StringVar(&c.version, "version", "", "Plimsoll's version, such as v0.2.0")
	to.StringVar(&c.revision, "revision", "", "the commit")
	to.StringVar(&c.epoch, "epoch", os.Getenv("SOURCE_DATE_EPOCH"), "the time that everything is dated by, in seconds since 1970")
	to.StringVar(&c.flags, "flags", "", "flags of go build that choose what is built, such as -modfile")
	to.StringVar(&c.ldflags, "ldflags", "", "flags of the linker")
	to.StringVar(&c.platforms, "platforms", "", "only these of the platforms")
}

func (c *common) builder() program.Builder {
	return program.Builder{Root: c.root, Flags: strings.Fields(c.flags), LDFlags: c.ldflags}
}

// release returns what is released, of sources that are at the URL.
func (c *common) release(source string) (attest.Release, error) {
	if c.version == "" {
		return attest.Release{}, errors.New("-version: must be given, such as v0.2.0")
	}
	seconds, err := strconv.ParseInt(c.epoch, 10, 64)
	if err != nil || seconds < 0 {
		return attest.Release{}, fmt.Errorf("SOURCE_DATE_EPOCH=%s: must be seconds since 1970, such as those of the commit: git log -1 --format=%%ct", c.epoch)
	}
	return attest.Release{Version: c.version, Source: source, Revision: c.revision, Time: time.Unix(seconds, 0).UTC()}, nil
}
