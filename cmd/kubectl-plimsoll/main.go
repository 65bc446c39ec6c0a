// Command kubectl-plimsoll is a plugin of kubectl for users of Plimsoll: as
// `kubectl plimsoll simulate` it tells what scheduler configurations would have
// done, by running their plugins over recorded or made-up load. Other commands talk
// to a cluster, by the kubeconfig and the rights of their user.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"k8s.io/klog/v2"

	"github.com/plimsoll-scheduler/plimsoll/pkg/cli/show"
)

// version is set by the linker (see the Makefile).
var version = "v0.1.0-dev"

// completionName is what kubectl looks for in PATH to complete the arguments of
// this plugin: a link to this program under that name.
const completionName = "kubectl_complete-plimsoll"

func main() {
	klog.SetLogger(logr.Discard()) // the plugins log for clusters
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program as if none was caught
	args := os.Args[1:]
	if filepath.Base(os.Args[0]) == completionName {
		args = append([]string{cobra.ShellCompRequestCmd}, args...)
	}
	os.Exit(run(ctx, version, args, os.Stdout, os.Stderr))
}

// The exit statuses.
const (
	exitError       = 1
	exitInterrupted = 130 // as a shell reports SIGINT
)

// run runs the command with args and returns its exit status.
func run(ctx context.Context, version string, args []string, stdout, stderr io.Writer) int {
	stdout, stderr = show.NewSafe(stdout), show.NewSafe(stderr)
	cmd := newCommand(version)
	cmd.SetArgs(args)
	cmd.SetOut(stdout)
	cmd.SetErr(stderr)
	err := cmd.ExecuteContext(ctx)
	switch {
	case err == nil:
		return 0
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		fmt.Fprintln(stderr, "interrupted")
		return exitInterrupted
	default:
		fmt.Fprintln(stderr, "error:", err)
		return exitError
	}
}
