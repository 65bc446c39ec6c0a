package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// result is what one run measured (throughput.Result, which this program does
// not import so that it need not be linked with an API server).
type result struct {
	Pods       int     `json:"pods"`
	Seconds    float64 `json:"seconds"`
	CPUSeconds float64 `json:"cpuSeconds"`
}

// throughput is in pods a second.
func (r result) throughput() float64 { return float64(r.Pods) / r.Seconds }

// cpu is in seconds a pod.
func (r result) cpu() float64 { return r.CPUSeconds / float64(r.Pods) }

// round is the results of a round by workload and contender.
type round map[string]map[string]result

// measureThroughput runs each contender on each workload once a round.
func measureThroughput(ctx context.Context, opts *options, work string) ([]round, error) {
	program := filepath.Join(work, "throughput.test")
	fmt.Println("building the benchmark (first time: some minutes)")
	build := exec.CommandContext(ctx, "go", "test", "-c", "-o", program, "./throughput")
	build.Dir = filepath.Join(opts.root, "test", "perf")
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build: %w\n%s", err, out)
	}
	if len(runsOf(0, opts)) == 0 {
		return nil, fmt.Errorf("-only: %q matches no run: they are named WORKLOAD/PROFILE, as in Mixed/%s", opts.only, recommended)
	}
	var rounds []round
	begin, done := time.Now(), 0
	for i := range opts.rounds {
		measured := round{}
		order := runsOf(i, opts)
		for _, r := range order {
			got, err := r.measure(ctx, opts, program, i)
			if err != nil {
				return nil, fmt.Errorf("%s, %s pods: %w", r.contender.Name, strings.ToLower(r.workload), err)
			}
			if measured[r.workload] == nil {
				measured[r.workload] = map[string]result{}
			}
			measured[r.workload][r.contender.Name] = got
			done++
			left := time.Since(begin) / time.Duration(done) * time.Duration(opts.rounds*len(order)-done)
			fmt.Printf("round %d of %d, %2d of %d: %-9s %-34s %4.0f pods/s, %5.2f ms of CPU a pod; %v left\n", i+1, opts.rounds,
				done-i*len(order), len(order), r.workload, r.contender.Name, got.throughput(), 1000*got.cpu(), left.Round(time.Minute))
		}
		rounds = append(rounds, measured)
	}
	return rounds, nil
}

// oneRun is a contender on a workload.
type oneRun struct {
	workload  string
	contender contender
}

// runsOf returns the runs of a round. Every second round goes backwards, so
// that a machine that grows slower or faster favours nobody.
func runsOf(number int, opts *options) []oneRun {
	var runs []oneRun
	for _, workload := range workloads() {
		for _, c := range contenders(opts.root) {
			if opts.only.MatchString(workload + "/" + c.Name) {
				runs = append(runs, oneRun{workload, c})
			}
		}
	}
	if number%2 == 1 {
		slices.Reverse(runs)
	}
	return runs
}

// runTimeout bounds a run.
const runTimeout = 15 * time.Minute

// measure makes the run in a process of its own, and ends that once it has
// measured: what it would do after that takes as long again, and with Trimaran
// ten minutes, in which it waits for goroutines that do not end.
func (r oneRun) measure(ctx context.Context, opts *options, program string, number int) (got result, err error) {
	ctx, cancel := context.WithTimeout(ctx, runTimeout)
	defer cancel()
	dir, err := os.MkdirTemp("", "plimsoll-bench-")
	if err != nil {
		return got, err
	}
	defer func() { _ = os.RemoveAll(dir) }() // at worst it stays in the folder for such things
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return got, err
	}
	defer log.Close()
	results, report, err := os.Pipe()
	if err != nil {
		return got, err
	}
	defer results.Close()

	args := append([]string{
		"-test.run=^$", "-test.bench=BenchmarkThroughput/" + r.workload + "/", "-test.benchtime=1x", "-test.timeout=0",
		"-data-items-dir=" + dir, "-result=/dev/fd/3",
	}, r.contender.args...)
	if opts.profiles != "" {
		args = append(args, "-profile-file="+filepath.Join(opts.profiles, fmt.Sprintf("%s-%s-%d.prof", r.workload, strings.ReplaceAll(r.contender.Name, " ", "-"), number)))
	}
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = dir, log, log, []*os.File{report}
	cmd.Env = append(os.Environ(), "TMPDIR="+dir, "ARTIFACTS="+dir,
		"PATH="+filepath.Join(opts.root, "bin", "tools")+string(os.PathListSeparator)+os.Getenv("PATH"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // with etcd, which it starts
	kill := func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.Cancel = kill
	if err := cmd.Start(); err != nil {
		return got, err
	}
	_ = report.Close() // ours; it has its own
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait()      // how it ended says nothing: we end it
		_ = results.Close() // etcd may hold the other end
	}()
	err = json.NewDecoder(results).Decode(&got)
	_ = kill() // it may have ended by itself
	<-ended
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return got, fmt.Errorf("it ended without a result: %w; the end of its log:\n%s", err, tail(log))
	}
	return got, nil
}

// tail returns the end of what was written to the file.
func tail(file *os.File) string {
	const size = 4000
	if end, err := file.Seek(0, io.SeekEnd); err != nil || end < size {
		_, _ = file.Seek(0, io.SeekStart)
	} else {
		_, _ = file.Seek(-size, io.SeekEnd)
	}
	text, err := io.ReadAll(file)
	if err != nil {
		return err.Error()
	}
	return string(text)
}
