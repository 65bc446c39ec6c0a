// Package dashboard is `kubectl plimsoll dashboard`: a live page of the cluster, served
// on this machine, of what the leader knows and decides.
//
// A feed asks the leader for all tabs together, and only when one of them asks (feed.go).
// A gate lets in nobody but who has the token (gate.go). The page is in static: plain
// HTML, CSS and JavaScript modules, which load nothing from anywhere else.
package dashboard

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/plimsoll-scheduler/plimsoll/pkg/cli/cluster"
	"github.com/plimsoll-scheduler/plimsoll/pkg/cli/leader"
	"github.com/plimsoll-scheduler/plimsoll/pkg/cli/show"
)

// leastEvery bounds how often the leader is asked.
const leastEvery = time.Second

// NewCommand returns the command.
func NewCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "dashboard",
		Short: "Show the cluster on a live web page",
		Long: `Show the cluster on a live web page: nodes against their lines, their devices, what is
in flight, the pods that wait and why, and the last decisions with their numbers.

The page is served by this command, on this machine alone, until it is interrupted.
It loads nothing from anywhere else. Its URL has a token: who has it sees what you
may see. The leader is asked with your own credentials, and only while a page is
open and visible. The ClusterRole and the Role plimsoll:viewer have the rights that
it takes; who may not list pods sees those alone that Plimsoll has decided on.`,
		Args: cobra.NoArgs,
	}
	to := cluster.AddFlags(cmd)
	from := leader.AddFlags(cmd.Flags())
	every := cmd.Flags().Duration("every", 5*time.Second, "How often the page is updated; at least 1s")
	open := cmd.Flags().Bool("open", false, "Open the page in the browser; by default if the output is a terminal")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if *every < leastEvery {
			return fmt.Errorf("--every %v: must be at least %v", *every, leastEvery)
		}
		if !cmd.Flags().Changed("open") {
			*open = show.ScreenOf(cmd.OutOrStdout()).Terminal
		}
		kube, err := to.Client()
		if err != nil {
			return err
		}
		link := &link{connect: func(ctx context.Context) (scheduler, error) {
			client, err := from.Connect(ctx, to)
			if err != nil {
				return nil, err
			}
			return connection{client}, nil
		}}
		defer link.close()
		feed := newFeed(cmd.Context(), link, kube, *every)
		first, err := feed.state("")
		if err == nil && first.Error != "" {
			err = errors.New(first.Error)
		}
		if err != nil { // told here, where the user looks
			return err
		}
		serve := func(url, ticketURL string) {
			printWhere(cmd.OutOrStdout(), first.Leader, url)
			if *open {
				if err := openBrowser(cmd.Context(), ticketURL); err != nil {
					fmt.Fprintf(cmd.ErrOrStderr(), "no browser could be opened (%v): open the URL yourself\n", err)
				}
			}
		}
		return run(cmd.Context(), feed, serve)
	}
	return cmd
}

func printWhere(out io.Writer, leader, url string) {
	fmt.Fprintf(out, "What the scheduler (%s) knows is shown at\n  %s\nThe URL is as good as a password. Ctrl-C ends it.\n", leader, url)
}

// run serves the page until ctx ends. ready is told where: the URL with the token, and one
// that is good for once.
func run(ctx context.Context, feed *feed, ready func(url, ticketURL string)) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("serve the page: %w", err)
	}
	gate := newGate(listener.Addr().(*net.TCPAddr).Port)
	server := &http.Server{Handler: gate.around(handlers(feed, gate)), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute}
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	ready(gate.url(), gate.ticketURL())
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve the page: %w", err)
	}
	return nil
}
