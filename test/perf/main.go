// Command perf measures what Plimsoll costs: the throughput of scheduler
// profiles in Kubernetes' scheduler_perf, and the Go benchmarks of the packages
// that work on every node. "make bench" runs it. It prints what it finds, and
// writes it to docs/benchmarks.md.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err == nil {
		return
	}
	if !errors.Is(err, flag.ErrHelp) { // which has been told
		fmt.Fprintln(os.Stderr, "bench:", err)
	}
	os.Exit(1)
}

// options are the command line.
type options struct {
	root   string // of the repository
	rounds int    // of the runs that a goal is for
	count  int    // of each Go benchmark
	// within is how long all of it may take.
	within time.Duration
	nodes  int // in a run, and pods
	// only selects runs, as WORKLOAD/PROFILE; nil is all.
	only *regexp.Regexp
	// profiles is a folder for CPU profiles of the runs; "" for none.
	profiles string
}

func run(ctx context.Context, args []string) error {
	opts := options{nodes: 5000}
	flags := flag.NewFlagSet("perf", flag.ContinueOnError)
	flags.StringVar(&opts.root, "root", filepath.Join("..", ".."), "The root of the repository.")
	flags.IntVar(&opts.rounds, "rounds", 3, "How often to run what a goal is for, or what is selected; 0 leaves throughput out.")
	flags.DurationVar(&opts.within, "within", 30*time.Minute, "How long all may take: runs that would take longer are left out.")
	flags.IntVar(&opts.count, "count", 3, "How often to run each Go benchmark; 0 leaves them out.")
	only := flags.String("only", "", "A regular expression that selects runs by `WORKLOAD/PROFILE`, such as 'Mixed/Plimsoll$'. Then nothing else is run, and no report is made.")
	flags.StringVar(&opts.profiles, "cpu-profiles", "", "A folder for CPU profiles of the runs; empty for none.")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if opts.rounds < 0 || opts.count < 0 || opts.within <= 0 || flags.NArg() > 0 {
		return fmt.Errorf("%v: -rounds and -count must be at least 0, -within above 0, and there are no other arguments", args)
	}
	end := time.Now().Add(opts.within)
	var err error
	if *only != "" {
		if opts.only, err = regexp.Compile(*only); err != nil {
			return fmt.Errorf("-only: %w", err)
		}
	}
	if opts.root, err = filepath.Abs(opts.root); err != nil {
		return err
	}
	if opts.profiles != "" {
		if opts.profiles, err = filepath.Abs(opts.profiles); err != nil {
			return err
		}
		if err := os.MkdirAll(opts.profiles, 0o755); err != nil {
			return err
		}
	}
	work := filepath.Join(opts.root, "bin", "bench")
	if err := os.MkdirAll(work, 0o755); err != nil {
		return err
	}
	doc := document{path: filepath.Join(opts.root, "docs", "benchmarks.md")}
	about, err := describe(ctx, &opts)
	if err != nil {
		return err
	}
	if opts.count > 0 && opts.only == nil { // first: they do not adapt to how much time is left
		summary, err := measureGo(ctx, &opts, work)
		if err != nil {
			return fmt.Errorf("go benchmarks: %w", err)
		}
		doc.add("go", about+"\n"+goReport(summary))
	}
	if opts.rounds > 0 {
		measured, err := measureThroughput(ctx, &opts, work, end)
		if err != nil {
			return fmt.Errorf("throughput: %w", err)
		}
		if err := save(filepath.Join(work, "throughput.json"), measured); err != nil {
			return err
		}
		if opts.only != nil {
			return nil
		}
		doc.add("throughput", about+"\n"+throughputReport(measured))
	}
	doc.print(os.Stdout)
	return doc.write()
}

func save(path string, value any) error {
	text, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o600)
}
